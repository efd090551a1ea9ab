"""One picture, read and decoded once: what is kept of it, and what is measured on it."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.pictures import file
from contract.pictures.parts import Problem, UndecodablePicture
from contract.pictures.transform import Pixels, Transform
from doctor.records import Record

SQUARE: Final = 64
"""Pixels of the side of what features and thumbnails are made of."""
_MEASURED: Final = 256
"""Pixels of the longer side of what sharpness is measured on: a blur counts that can be seen at this size."""

_ROUNDING: Final = 2.0
"""Energy of the finest edges that rounding to 256 levels leaves in any picture: 20/12, and a little."""

warnings.filterwarnings("ignore", module="PIL")  # once: catch_warnings is not safe in threads


class Measures(NamedTuple):
    """What a picture's grey levels (0 to 255) and edges come to.

    Attributes:
        dark, bright: the levels which a twentieth of the pixels lies below, and above.
        spread: standard deviation.
        entropy: bits a pixel.
        fineness: energy of the finest edges by that of edges four times as coarse; near 0 for a blur.
    """

    dark: float
    bright: float
    spread: float
    entropy: float
    fineness: float


class Failure(NamedTuple):
    """Why a picture cannot be used: the kind for programs, the reason as it goes on after its name."""

    problem: Problem | None
    """None: its bytes could not be had."""
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """A picture that can be used."""

    sha256: str
    size: int
    format: str
    mode: str
    width: int
    height: int
    square: NDArray[np.uint8]
    """The whole picture, squeezed to (SQUARE, SQUARE, 3)."""
    measures: Measures
    pixels: Pixels | None
    """What a network sees, (crop, crop, 3)."""


def look(record: Record, transform: Transform | None = None) -> Look | Failure:
    """Read and decode one picture; never raises for what it holds."""
    try:
        content = record.read()
    except OSError as error:
        return Failure(None, f"cannot be read: {error.strerror or error}")
    if not content:
        return Failure(Problem.DAMAGED, "is empty")
    try:
        encoded = file.read(content)
        mode = encoded.mode
        wanted = max(_MEASURED, transform.enough or 1_000_000) if transform else _MEASURED
        picture = encoded.decoded(enough=wanted)
    except UndecodablePicture as error:
        return Failure(error.problem, str(error))
    except MemoryError:
        return Failure(Problem.TOO_LARGE, "does not fit into this machine's memory")
    square = picture.resize((SQUARE, SQUARE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return Look(
        sha256=record.sha256 or hashlib.sha256(content).hexdigest(),
        size=len(content),
        format=encoded.kind,
        mode=mode,
        width=encoded.width,
        height=encoded.height,
        square=np.asarray(square),
        measures=_measured(picture),
        pixels=transform.pixels(picture) if transform else None,
    )


def _measured(picture: Image.Image) -> Measures:
    grey = picture.convert("L")
    if max(grey.size) > _MEASURED:
        grey.thumbnail((_MEASURED, _MEASURED), Image.Resampling.BILINEAR, reducing_gap=2.0)
    shares: NDArray[np.float64] = np.asarray(grey.histogram(), np.float64) / (grey.width * grey.height)
    levels = np.arange(256)
    mean = float(shares @ levels)
    reached = np.cumsum(shares)
    there = shares[shares > 0]
    return Measures(
        dark=float(np.searchsorted(reached, 0.05)),
        bright=float(np.searchsorted(reached, 0.95)),
        spread=max(0.0, float(shares @ (levels - mean) ** 2)) ** 0.5,
        entropy=float(-(there * np.log2(there)).sum()),
        fineness=_fineness(grey),
    )


def _fineness(grey: Image.Image) -> float:
    if min(grey.size) < 16:
        return 1.0  # too small for coarse edges
    coarse = _edges(grey.reduce(4))
    return max(0.0, _edges(grey) - _ROUNDING) / coarse if coarse > 1e-3 else 1.0


def _edges(grey: Image.Image) -> float:
    """The mean square of the Laplacian."""
    levels = np.asarray(grey).astype(np.int16)
    inner = (
        4 * levels[1:-1, 1:-1] - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    )
    return float(np.square(inner, dtype=np.float32).mean())
