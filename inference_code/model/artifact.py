"""The model artifact: what training leaves and serving needs, read and checked before anything is built.

`contract.artifact` has its files. What is missing or does not fit is one `BadArtifact` that names the file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contract.artifact import CARD, CLASSES, FORMAT, GRAPH, LARGEST_SIDE, WEIGHTS
from contract.calibration import LIKENESS
from contract.pictures.transform import INTERPOLATIONS, Transform
from inference_code.model.bad_artifact import BadArtifact
from inference_code.model.promises import Promises, promises

_LARGEST_CHANNEL = 1e6


@dataclass(frozen=True)
class Graph:
    """The serving form: an OpenVINO graph beside the weights."""

    path: Path
    precision: str
    digests: dict[Path, str]
    """SHA-256 of each of its files."""


@dataclass(frozen=True)
class Artifact:
    """A checked model artifact."""

    arch: str
    """Whichever: a serving form needs no name of it."""
    classes: tuple[str, ...]
    """Names in the order of the network's outputs."""
    transform: Transform
    training_job: str
    """Name of the job that made it; empty if it does not say."""
    weights: Path
    graph: Graph | None
    """None if training wrote none, and PyTorch must serve the weights."""
    promises: dict[str, Promises]
    """Of each form, how its scores become answers; none of a model of before there was this."""


def read(folder: Path) -> Artifact:
    """Read and check everything but the weights themselves.

    Raises:
        BadArtifact: a file is missing, is not what its name says, or contradicts another.
    """
    if not folder.is_dir():
        raise BadArtifact(f"There is no model folder {folder}.")
    description = _json(folder / CARD)
    if not isinstance(description, dict):
        raise BadArtifact("model.json must hold an object.")
    if description.get("format") != FORMAT:
        raise BadArtifact(
            f"model.json has format {_excerpt(description.get('format'))}; this container reads format "
            f"{FORMAT}. Serve it with the image that was built beside its training code."
        )
    arch = description.get("arch")
    if not isinstance(arch, str) or not arch:
        raise BadArtifact(f"model.json names no architecture: arch is {_excerpt(arch)}.")
    classes = _classes(_json(folder / CLASSES))
    if description.get("num_classes") != len(classes):
        raise BadArtifact(
            f"model.json says {_excerpt(description.get('num_classes'))} classes, classes.json names "
            f"{len(classes)}."
        )
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BadArtifact(f"model.safetensors is missing; {_found(folder)}.")
    if not os.access(weights, os.R_OK):
        # The archive keeps the modes that the files had in training, and this process is not root.
        raise BadArtifact(
            "model.safetensors may not be read by this user: training must write it with mode 644."
        )
    return Artifact(
        arch=arch,
        classes=classes,
        transform=_transform(description.get("transform")),
        training_job=str(description.get("training_job") or ""),
        weights=weights,
        graph=_graph(folder, description.get("serving")),
        promises=promises(description.get("calibration"), folder / LIKENESS, len(classes)),
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadArtifact(f"{path.name} is missing; {_found(path.parent)}.") from None
    except (ValueError, RecursionError) as error:
        raise BadArtifact(f"{path.name} is not JSON: {error}") from error
    except OSError as error:
        raise BadArtifact(f"{path.name} cannot be read: {error}") from error


def _found(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())[:10]
    return f"the folder holds {', '.join(names)}" if names else "the folder is empty"


def _classes(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise BadArtifact("classes.json must hold a list of class names.")
    if len(names) < 2:
        raise BadArtifact(f"classes.json names {len(names)} classes; a classifier has at least two.")
    if len(set(names)) < len(names):
        raise BadArtifact("classes.json names a class twice.")
    return tuple(names)


def _transform(value: Any) -> Transform:
    if not isinstance(value, dict):
        raise BadArtifact("model.json has no object `transform`.")
    interpolation = value.get("interpolation")
    if interpolation not in INTERPOLATIONS:
        raise BadArtifact(
            f"model.json: transform.interpolation is {_excerpt(interpolation)}, not one of "
            f"{', '.join(INTERPOLATIONS)}."
        )
    mode: Literal["shorter", "exact"]
    match value.get("resize_mode"):
        case "shorter" | "exact" as mode:
            pass
        case other:
            raise BadArtifact(
                f"model.json: transform.resize_mode is {_excerpt(other)}, not 'shorter' or 'exact'."
            )
    resize, crop = _side(value, "resize"), _side(value, "crop")
    if crop > resize:
        raise BadArtifact(f"model.json: transform.crop {crop} is larger than transform.resize {resize}.")
    mean, std = _channels(value, "mean"), _channels(value, "std")
    if min(std) <= 0:
        raise BadArtifact("model.json: transform.std must be above zero.")
    draft = value.get("jpeg_draft")
    if draft is not None and (not isinstance(draft, int) or draft < 1):
        raise BadArtifact(
            f"model.json: transform.jpeg_draft is {_excerpt(draft)}, not a whole number above zero."
        )
    return Transform(resize, mode, crop, mean, std, draft, interpolation)


def _graph(folder: Path, serving: Any) -> Graph | None:
    """What model.json says of a serving form; artifacts made before there was one say nothing."""
    match serving:
        case None | {"form": "pytorch"}:
            return None
        case {"form": "openvino", "precision": "int8" | "bf16" | "f32" as precision, "files": dict(files)}:
            digests = {folder / str(name): str(digest) for name, digest in files.items()}
        case _:
            digests = {}
    if {path.name for path in digests} != set(GRAPH) or any(p.parent != folder for p in digests):
        raise BadArtifact(
            f"model.json: `serving` describes no form that this container knows: {_excerpt(serving)}"
        )
    return Graph(folder / GRAPH[0], precision, digests)


def _side(value: dict[str, Any], key: str) -> int:
    side = value.get(key)
    if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= LARGEST_SIDE:
        raise BadArtifact(
            f"model.json: transform.{key} is {_excerpt(side)}, not a number of pixels (1-{LARGEST_SIDE})."
        )
    return side


def _channels(value: dict[str, Any], key: str) -> tuple[float, float, float]:
    match value.get(key):
        case [(int() | float()) as red, (int() | float()) as green, (int() | float()) as blue] if all(
            abs(each) < _LARGEST_CHANNEL for each in (red, green, blue)
        ):
            return float(red), float(green), float(blue)
        case other:
            raise BadArtifact(f"model.json: transform.{key} is {_excerpt(other)}, not three numbers.")


def _excerpt(value: Any) -> str:
    """A value for a message, never long."""
    try:
        return f"{value!r:.200}"
    except (ValueError, RecursionError):  # an int of thousands of digits, or brackets in brackets
        return f"{type(value).__name__} of a size that nobody wrote by hand"
