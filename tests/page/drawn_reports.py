"""Every page that is a file, drawn from records in which each of their parts has something to show."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image

from contract.batch import Summary
from contract.pictures.thumbnail import data_address
from contract.race import Entrant
from doctor.examine import examine
from doctor.output import leave
from doctor.records import Record
from reports.batch import page as batch
from reports.ended import comparison
from reports.race import page as race
from reports.search import page as search
from reports.search.record import Search, Trial
from reports.training import page as training
from tests.unit.doctor.drawn import encoded, record, relabelled, scene, striped
from tests.unit.reports import test_comparison, test_race, test_search
from tests.unit.reports.reported import full

NOW: Final = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
CLASSES: Final = ("honey bee", "leaf-cutter ant", "seven-spotted ladybird", "grasshopper", "wasp", "moth")
Draw = Callable[[Path], str]


def thumbnail(seed: int) -> str:
    """A small picture, as pages carry it."""
    return data_address(encoded(scene(seed, 96)), 96)


def _trained() -> dict[str, Any]:
    """The record of a training of six classes over a dozen epochs."""
    said = full()
    epochs = range(1, 13)
    said["classes"] = list(CLASSES)
    said["epochs"], said["best_epoch"] = 12, 10
    said["history"] = [
        {
            **said["history"][0],
            "epoch": epoch,
            "train_loss": 1.8 * 0.8**epoch,
            "valid_loss": 1.8 * 0.85**epoch + 0.01 * epoch,
            "valid_accuracy": 1 - 0.7 * 0.8**epoch,
        }
        for epoch in epochs
    ]
    counts = [
        [truth, answer, 40 if truth == answer else 3]
        for truth in range(6)
        for answer in range(6)
        if truth == answer or (truth + answer) % 3 == 0
    ]
    said["evaluations"]["test"] |= {
        "count": sum(count for _, _, count in counts),
        "per_class": [[0.8 + 0.02 * each, 0.9 - 0.03 * each, 46] for each in range(6)],
        "confusion": counts,
    }
    pictures = [thumbnail(seed) for seed in range(4)]
    said["confused"] = [
        {"is": first, "said": second, "count": 3, "pictures": pictures, "maps": pictures}
        for first, second in ((0, 3), (1, 2), (2, 4))
    ]
    said["labels"]["rows"] = [
        {**said["labels"]["rows"][0], "picture": thumbnail(seed), "given": seed % 6} for seed in (9, 10, 11)
    ]
    return said


def _training(_: Path) -> str:
    return training.render(_trained())


def _comparison(_: Path) -> str:
    first = test_comparison.training("classifier-insects-20261121-final", [0.5, 0.9], epochs=8)
    second = test_comparison.training("classifier-insects-20261128-final", [0.9, 0.9], learning_rate=0.1)
    return comparison.render([_trained() | {"job": "classifier-insects-20261114-final"}, first, second])


def searched() -> Search:
    """A search in which trials failed and were stopped too."""
    found = test_search.search(20)
    ill = {3: ("Failed", "AlgorithmError: CUDA out of memory", None), 11: ("Stopped", "", 0.61)}
    trials = [
        replace(each, status=ill[place][0], reason=ill[place][1], objective=ill[place][2], log="log x")
        if place in ill
        else each
        for place, each in enumerate(found.trials)
    ]
    trials[15] = Trial(trials[15].name, "Stopped", trials[15].values, None, 12.0)
    counted = "17 of 20 trials completed, 1 failed, 2 stopped"
    return replace(found, trials=tuple(trials), counted=counted)


def _search(_: Path) -> str:
    return search.render(searched(), NOW)


def _race(_: Path) -> str:
    names = ("resnet18", "mobilenetv3_small_100", "efficientnet_lite0", "convnext_tiny", "regnety_032")
    judged = [
        test_race.entrant(
            name,
            0.7 + 0.03 * place,
            3.0 * 2**place,
            mb=5.0 + 9 * place,
            restriction="" if place else "forbids commercial use",
        )
        for place, name in enumerate(names)
    ]
    gone = Entrant(
        network="vit_small_patch16_224", weights="imagenet", left_out="its weights could not be had"
    )
    return race.render("classifier-insects-1", test_race.race(*judged, gone))


def _batch(_: Path) -> str:
    def sample(seed: int) -> dict[str, Any]:
        best = [{"class": CLASSES[seed % 6], "confidence": 0.41}, {"class": CLASSES[5], "confidence": 0.4}]
        key = f"arrivals/2026-11-21/camera-{seed:02d}/IMG_20261121_{seed:06d}.jpg"
        return {
            "key": key,
            "confidence": 0.41,
            "predictions": best,
            "thumbnail": thumbnail(seed) if seed % 5 else "",
        }

    refusals = [
        {"key": sample(seed)["key"], "code": "TruncatedImage", "message": "The file ends too early."}
        for seed in (1, 2)
    ]
    return batch.render(
        Summary(
            source="s3://classifier-data-111122223333/arrivals/2026-11-21/",
            model={"name": "classifier", "version": "7"},
            pictures=12_345,
            classes={name: 4000 // place for place, name in enumerate(CLASSES, 1)},
            refused={"TruncatedImage": 2},
            certain=11_000,
            uncertain=1_343,
            unlike=17,
            least_certain=[sample(seed) for seed in range(8)],
            most_unlike=[sample(seed) for seed in range(20, 24)],
            refusals=refusals,
            seconds=80.0,
        )
    )


def _doctor(folder: Path) -> str:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), "black").save(content, "PNG")
    ill: list[Record] = [record("night.png", content.getvalue(), "lying"), record("bad.jpg", b"x", "lying")]
    found = examine([*relabelled(striped(60), {3, 40}), *ill])
    return leave(found, "insects", folder / "doctor")["doctor.html"].read_text(encoding="utf-8")


DRAWN: Final[dict[str, Draw]] = {
    "training": _training,
    "comparison": _comparison,
    "search": _search,
    "race": _race,
    "batch": _batch,
    "doctor": _doctor,
}
