"""A report.json with everything that a report can say, and the ways to each of its fields."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

_PICTURE = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xe0 a picture").decode()
PARTS = ("data", "to_device", "forward", "backward", "optimizer", "rest")


def kept(count: int, certain: int | None, right: int | None, unlike: int | None) -> dict[str, Any]:
    """What came of an answer's promises on one split."""
    bins = [{"count": count, "confidence": 0.8, "accuracy": 0.7}]
    before = {"ece": 0.123, "within": [0.05, 0.2], "by_chance": 0.03, "bins": bins}
    after = before | {"ece": 0.021}
    return {
        "count": count,
        "before": before,
        "after": after,
        "certain": certain,
        "certain_right": right,
        "unlike": unlike,
    }


def full() -> dict[str, Any]:
    """A record with all its sections, as short as each can be."""
    split = {"count": 8, "skipped": 1, "fingerprint": "f" * 64}
    rule = {"kind": "debug", "evaluated": 3, "triggered": 0, "first_step": None, "last_step": None}
    return {
        "format": 1,
        "job": "c-run-final",
        "arch": "resnet18",
        "dataset": "insects",
        "run": "c-run",
        "classes": ["ant", "bee"],
        "epochs": 3,
        "history": [
            {
                "epoch": epoch,
                "train_loss": 1 / epoch,
                "valid_loss": 2 / epoch,
                "valid_accuracy": 0.4 * epoch,
                "learning_rate": 0.01,
                "seconds": 2.5,
                "images_per_second": 30.0,
            }
            for epoch in (1, 2)
        ],
        "speed": {"epochs": 2, "left_out": 1, "middle": 30.0, "low": 28.0, "high": 31.0},
        "best_epoch": 2,
        "schedule": "cosine",
        "stopped": False,
        "stopped_by": "overfit",
        "evaluations": {
            "test": {
                "accuracy": 0.75,
                "loss": 0.7,
                "count": 8,
                "per_class": [[0.8, 0.7, 4], [0.7, 0.8, 4]],
                "confusion": [[0, 0, 3], [0, 1, 1], [1, 0, 1], [1, 1, 3]],
            }
        },
        "confused": [{"is": 0, "said": 1, "count": 1, "pictures": [_PICTURE], "maps": [_PICTURE]}],
        "unexplained": "",
        "hyperparameters": {"learning_rate": 0.01, "optimizer": "sgd", "seed": 7},
        "data": {"train": split, "test": split},
        "leaked": {
            "test_in_train": 1,
            "pairs": [["ant/copy.png", "ant/1.png"]],
            "valid_in_train": 2,
            "test_in_valid": 3,
        },
        "skipped": [["train/ant/broken.png", "cannot identify image file"]],
        "labels": {
            "count": 60,
            "judged": 24,
            "pictures": 30,
            "left_out": "",
            "rows": [
                {
                    "split": "valid",
                    "file": "ant/7.png",
                    "given": 0,
                    "proposed": 1,
                    "score": 0.97,
                    "picture": _PICTURE,
                }
            ],
        },
        "machine": "1 CPU thread",
        "versions": {"torch": "2.12.1"},
        "code_version": "c" * 64,
        "calibration": {
            "precision": 0.95,
            "sha256": "",
            "forms": {
                "openvino": {
                    "temperature": 1.37,
                    "slope": 0.81,
                    "offsets": None,
                    "certain_from": 0.912,
                    "like_from": 0.1,
                    "pictures": 240,
                    "valid": kept(240, 120, 118, 4),
                    "test": kept(8, 4, 3, 1),
                }
            },
        },
        "serving": {"form": "openvino", "precision": "int8", "reason": "it is as right"},
        "seconds": 46.0,
        "hourly_usd": 0.36,
        "on_trigger": "report",
        "findings": [
            {
                "rule": "class_imbalance",
                "kind": "debug",
                "step": 4,
                "message": "the most frequent class has 24 pictures",
                "change": "set class_weights",
                "gain": "12 times",
                "how": "from the numbers of pictures",
                "where": ["ant"],
                "consequences": ["confusion"],
            }
        ],
        "rules": [
            {
                "rule": "class_imbalance",
                **rule,
                "triggered": 1,
                "first_step": 4,
                "note": "",
                "explained_by": "",
            },
            {"rule": "confusion", **rule, "triggered": 1, "note": "", "explained_by": "class_imbalance"},
            {"rule": "dead_relu", **rule, "note": "", "explained_by": ""},
            {"rule": "dataloader", **rule, "evaluated": 0, "note": "there are no steps", "explained_by": ""},
        ],
        "steps": {
            "count": 2,
            "wall_seconds": 9.0,
            "seconds": dict.fromkeys(PARTS, 1.25),
            "between_seconds": 1.5,
            "median_ms": 700.0,
            "left_out": 1,
            "usual_ms": [650.0, 720.0],
            "timeline": {"step": [0, 1], **{name: [1.5, 22.0] for name in PARTS}},
        },
        "system": {
            "seconds": [0.5, 1.0],
            **{
                name: [10.0, 20.0]
                for name in ("cpu", "io_wait", "memory_mb", "process_mb", "disk", "net", "gpu", "gpu_mb")
            },
            "cores": [90.0],
            "gpus": 1,
        },
        "operators": {
            "steps": 4,
            "device": "cpu",
            "top": [{"operator": "aten::convolution", "calls": 80, "ms": 19.2}],
        },
        "flow": {
            "layers": ["conv1", "fc"],
            "steps": [0, 2],
            "gradient": [[-0.1, -0.2], [-0.9, None]],
            "update": [[-0.5, -0.4], [-1.7, -1.5]],
        },
        "billed": {"seconds": 60.0, "usd": 0.006, "hourly_usd": 0.36},
        "verdict": {
            "passed": True,
            "approval": "PendingManualApproval",
            "outcome": "other-classes",
            "reason": "better than the champion",
            "test_accuracy": 0.75,
            "test_pictures": 8,
            "guessing_accuracy": 0.5,
            "guessing": {"test": "binomial", "p": 0.04, "significance": 0.05},
            "floors": {"accuracy": 0.5, "class_recall": 0.75},
            "ceilings": {"latency_ms": 12, "size_mb": 1},
            "lowest_class_recall": 0.7,
            "lowest_class": "ant",
            "latency_ms": 6.29,
            "latency_ms_spread": [5.1, 8.03],
            "size_mb": 45.1,
            "champion_accuracy": 0.6,
            "champion": "3",
            "mcnemar": {
                "only_candidate_right": 10,
                "only_champion_right": 2,
                "p": 0.04,
                "significance": 0.05,
            },
        },
    }


Path = tuple[Any, ...]


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:
    """The way to every string, number, flag and null in a structure."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*at, place))
    else:
        yield at


def put(value: Any, at: Path, new: Any) -> None:
    """Replace what lies at the end of a way."""
    for step in at[:-1]:
        value = value[step]
    value[at[-1]] = new


def with_strings(value: Any, new: str) -> Any:
    """The structure with every string replaced."""
    if isinstance(value, dict):
        return {key: with_strings(inner, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_strings(inner, new) for inner in value]
    return new if isinstance(value, str) else value
