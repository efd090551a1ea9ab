"""Answering many pictures in one go: what launch-batch tells its job, what the job leaves, and how its shares
add up to one summary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from contract.api import error_of

LIST: Final = "list"
"""The channel with the list of the pictures, `KEYS`."""
MODEL: Final = "model"
"""The channel with the model's archive."""
PICTURES: Final = "pictures"
"""The channel that shows all there is below the source."""
KEYS: Final = "keys.jsonl.gz"
"""A picture a line, as `Listed.line` has it."""

SOURCE: Final = "source"
"""The hyperparameter with the S3 address, with a slash at its end, that the pictures lie below."""
NAMED_BELOW: Final = "named_below"
"""The hyperparameter with what is left out before a picture's name: nothing, or the source's key for a folder
that was sent."""
FORMAT: Final = "format"
COUNT: Final = "pictures"
"""Of the pictures in the list."""
FEATURES: Final = "features"
"""The hyperparameter that asks for pictures' features beside their answers."""
FEATURES_WIDTH: Final = 256
"""Numbers of two bytes that are kept of a picture's features, at most."""

JSON_LINES, CSV = "jsonl", "csv"
FORMATS: Final = (JSON_LINES, CSV)
COLUMNS: Final = (
    *("key", "predicted_class", "confidence", "certain", "unlike_training"),
    *("classes", "confidences", "error", "message"),
)
"""Of the answers as CSV. `classes` and `confidences` are JSON lists, the most probable first."""

PAGE: Final = "batch.html"
SHOWN: Final = 48
"""Pictures of a kind that a summary has samples of."""
MAX_PICTURE_BYTES: Final = 100 * 1024 * 1024
"""A picture that travels in no request may be larger than one that does."""
NOT_READ: Final = "PictureNotRead"
"""The code of a picture that storage did not give. It is asked for again in the next run."""
INTERNAL: Final = "InternalError"
OURS: Final = (NOT_READ, INTERNAL)
"""Codes that say nothing of the picture itself."""


class Listed(NamedTuple):
    """A picture in the list: its key, what S3 tells its content by, and its bytes."""

    key: str
    etag: str
    size: int

    @property
    def identity(self) -> bytes:
        """Of this content under this key."""
        return blake2b(f"{self.key}\0{self.etag}".encode(), digest_size=16).digest()

    def share(self, shares: int) -> int:
        """Which of so many instances answers it, from 0."""
        return int.from_bytes(self.identity[:4]) % shares

    def line(self) -> str:
        return json.dumps(self, separators=(",", ":")) + "\n"

    @staticmethod
    def read(line: str) -> Listed:
        key, etag, size = json.loads(line)
        return Listed(str(key), str(etag), int(size))


def answers_file(share: int, shares: int, form: str) -> str:
    """The answers of one instance, counted from 0."""
    return f"answers-{share + 1}-of-{shares}.{form}"


def summary_file(share: int, shares: int) -> str:
    return f"summary-{share + 1}-of-{shares}.json"


def features_file(share: int, shares: int) -> str:
    """The features of one instance's pictures: a row for each line of its answers that is no refusal."""
    return f"features-{share + 1}-of-{shares}.npy"


def answer(name: str, prediction: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a picture that was classified: what the endpoint answers, behind its key."""
    return {"key": name, **prediction}


def refusal(name: str, code: str, message: str) -> dict[str, Any]:
    """The line of a picture that was not."""
    return {"key": name, **error_of(code, message)}


def cells(line: Mapping[str, Any]) -> list[str]:
    """A line as CSV has it, by `COLUMNS`."""
    if "error" in line:
        return [line["key"], *[""] * 6, line["error"]["code"], line["error"]["message"]]
    best = line["predictions"]
    listed = (json.dumps([each[key] for each in best], ensure_ascii=False) for key in ("class", "confidence"))
    said = (line[key] for key in ("certain", "unlike_training"))
    marks = ("" if each is None else str(each).lower() for each in said)
    return [line["key"], line["predicted_class"], str(line["confidence"]), *marks, *listed, "", ""]


@dataclass(kw_only=True)
class Summary:
    """What came of a batch, or of one instance's share of it."""

    source: str
    model: dict[str, str]
    pictures: int = 0
    kept: int = 0
    """Answered by earlier runs, and not asked again."""
    certain: int = 0
    uncertain: int = 0
    """Neither for a model that promises nothing."""
    unlike: int = 0
    seconds: float = 0.0
    classes: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    """How many pictures have no answer, by the error's code."""
    least_certain: list[dict[str, Any]] = field(default_factory=list)
    most_unlike: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    """Some of each: `key`, then `confidence`, `predictions` and `thumbnail` (a data address), or `code` and
    `message`."""

    @property
    def answered(self) -> int:
        return sum(self.classes.values())

    def write(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def read(text: str | bytes) -> Summary:
        """Raises ValueError for what is no summary."""
        found = json.loads(text)
        known = {each.name for each in fields(Summary)}
        if not isinstance(found, dict) or not {"source", "model"} <= set(found) <= known:
            raise ValueError("it is no summary of a batch")
        return Summary(**found)


def together(shares: Iterable[Summary]) -> Summary:
    """The summary of a batch whose instances answered these shares of it."""
    first, *others = shares
    for each in others:
        for name in ("pictures", "kept", "certain", "uncertain", "unlike"):
            setattr(first, name, getattr(first, name) + getattr(each, name))
        first.seconds = max(first.seconds, each.seconds)
        first.classes = dict(Counter(first.classes) + Counter(each.classes))
        first.refused = dict(Counter(first.refused) + Counter(each.refused))
        first.least_certain += each.least_certain
        first.most_unlike += each.most_unlike
        first.refusals += each.refusals
    first.least_certain = sorted(first.least_certain, key=_by_confidence)[:SHOWN]
    first.most_unlike = sorted(first.most_unlike, key=_by_confidence)[:SHOWN]
    first.refusals = sorted(first.refusals, key=lambda sample: str(sample["key"]))[:SHOWN]
    return first


def _by_confidence(sample: Mapping[str, Any]) -> tuple[float, str]:
    return sample["confidence"], sample["key"]
