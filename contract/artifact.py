"""The model artifact: the files in model.tar.gz, and what model.json says.

All of it is data: reading it runs no code of theirs.
"""

from __future__ import annotations

from typing import Any, Final, NotRequired, TypedDict

from contract.calibration import Calibration

CARD: Final = "model.json"
CLASSES: Final = "classes.json"
"""A list of class names, in the order of the network's outputs."""
WEIGHTS: Final = "model.safetensors"
GRAPH: Final = ("model.xml", "model.bin")
"""The serving form, in OpenVINO's intermediate representation: the graph, and its weights."""
REPORT: Final = "report.html"

FORMAT: Final = 1
"""Of model.json."""
TOGETHER: Final = 4
"""Squares that a server gives the serving form at once, where requests wait for one another."""
PRECISIONS: Final = ("int8", "bf16", "f32")
"""Of the serving form, the fastest first."""
LARGEST_SIDE: Final = 2048
"""Pixels, of the picture as the transform resizes it."""


class Transform(TypedDict):
    """How a decoded picture becomes the network's input."""

    resize: int
    resize_mode: str
    """`shorter` or `exact`."""
    crop: int
    jpeg_draft: int | None
    interpolation: str
    mean: list[float]
    std: list[float]


class Card(TypedDict):
    """model.json.

    The tensors of `WEIGHTS` have timm's names: docs/networks.md opens them in three lines.
    """

    format: int
    arch: str
    num_classes: int
    timm: dict[str, int]
    """What `timm.create_model` is to be told beside `arch`."""
    image_size: int
    transform: Transform
    training_job: str
    run: str
    dataset: str
    dataset_version: int
    """0 where there are no versions."""
    metrics: dict[str, dict[str, float]]
    best_epoch: int
    stopped_early: bool
    serving: dict[str, Any]
    """`form` is `openvino` (with `precision`, and in `files` the SHA-256 of each of `GRAPH`) or `pytorch`."""
    weights: dict[str, str]
    """What training started from: `source`, `licence` and `sha256` of the file; empty for fresh weights."""
    calibration: NotRequired[Calibration | None]
    """None of a trial and of a job that was stopped. Models of before there was this have no such key."""
    hyperparameters: dict[str, Any]
    data: dict[str, dict[str, object]]
    machine: str
    precision: str
    code_version: str
    versions: dict[str, str]
    seconds: float
