"""A deployment with a data set and given pictures, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.commands.corrections import corrections
from cli.commands.upload import upload
from cli.corrections.desk import Desk
from cli.target import Target
from contract import given
from contract.datasets import store
from contract.datasets.manifest import Picture, Version
from tests.unit.cli.conftest import FakeTarget, Terminal, png
from tests.unit.memory_s3 import MemoryS3

BUCKET = "b"
CLASSES = ("ant", "bee", "cat")
DATASET = "pets"


@dataclass
class Deployed:
    """What is deployed, and the ways in."""

    target: Target
    s3: MemoryS3
    folder: Path

    def give(
        self,
        request_id: str,
        predicted: str = "ant",
        confidence: float = 0.5,
        *,
        said: str | None = "nothing",
        sender: str = "ann",
        body: bytes | None = None,
        at: str = "",
        **answer: Any,
    ) -> bytes:
        """A given picture; `said` is the sender's word, None for none of these."""
        body = png(sum(map(ord, request_id)) + 10_000, 16) if body is None else body
        others = [each for each in CLASSES if each != predicted]
        ranking = [{"class": each, "confidence": confidence} for each in (predicted, *others)]
        record = given.Given(
            request_id=request_id,
            at=at or datetime.now(UTC).isoformat(),
            sender=sender,
            sha256=sha256(body).hexdigest(),
            size=len(body),
            answer={
                "predicted_class": predicted,
                "confidence": confidence,
                "predictions": ranking,
                "model": {"name": "demo", "version": "3"},
                **answer,
            },
        )
        self.s3.objects[given.picture_of(request_id)] = body
        self.s3.objects[given.answer_of(request_id)] = record.to_json()
        if said != "nothing":
            feedback = given.Feedback(request_id=request_id, at="2026-11-30T00:00:00+00:00", label=said)
            self.s3.objects[given.feedback_of(request_id)] = feedback.to_json()
        return body

    def desk(self, dataset: str | None = DATASET) -> Desk:
        return Desk(self.target, dataset)

    def run(self, *options: str, answer: str = "") -> Result:
        line = ["--dataset", DATASET, *options]
        return (Terminal if answer else CliRunner)().invoke(
            corrections, line, input=answer, standalone_mode=False
        )

    def newest(self) -> Version:
        version = store.newest(self.s3, BUCKET, DATASET)
        assert version is not None
        return version

    def pictures(self) -> dict[str, Picture]:
        """The newest version's, by content."""
        return {each.content: each for each in store.pictures(self.s3, BUCKET, self.newest())}

    def kept(self) -> list[str]:
        places = (given.PICTURES, given.ANSWERS, given.FEEDBACK, given.REVIEWS)
        return [key for place in places for key in self.s3.keys(f"{place}/")]


@pytest.fixture
def deployed(
    target: Callable[..., Target],
    folder: Callable[[dict[str, int]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Deployed:
    """The data set `pets@1` of three classes, and nothing given."""
    s3 = MemoryS3()
    where = target("aws", s3=s3)
    monkeypatch.setattr(FakeTarget, "region", "us-east-1")
    monkeypatch.setattr("cli.commands.upload.outputs", lambda *_: {"DataBucket": BUCKET})
    told = {"storage": {"DataBucket": BUCKET}, "api": {"GivenBucket": BUCKET, "GivenDays": "30"}}
    for module in ("kept", "desk"):
        monkeypatch.setattr(f"cli.corrections.{module}.outputs", lambda _, stack: told[stack])
    monkeypatch.setattr("cli.commands.options.resolve", lambda _: where)
    pictures = folder(
        {
            f"{split}/{each}": 6 if split == "train" else 2
            for split in ("train", "valid", "test")
            for each in CLASSES
        }
    )
    done = CliRunner().invoke(upload, [str(pictures), "--dataset", DATASET, "--yes"], standalone_mode=False)
    assert done.exception is None, done
    return Deployed(where, s3, pictures)
