"""Pictures for `benchmarks.gpu_check`: JPEGs of the size of photographs, whose classes can be learnt."""

from __future__ import annotations

import colorsys
import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

CLASSES: Final = 8
_SPLITS: Final = {"train": 1.0, "valid": 0.25, "test": 0.25}
_COARSE: Final = 12
"""Patches along a side: soft shapes, which JPEG packs about as a photograph."""


def make(folder: Path, count: int, image_size: int) -> Path:
    """Write `count` pictures into train and a quarter each into valid and test, half as large again as the
    network's square; the same ones each time.
    """
    random = np.random.default_rng(0)
    size = (image_size * 3 // 2, image_size * 5 // 4)
    for split, share in _SPLITS.items():
        for number in range(int(count * share)):
            label = number % CLASSES
            place = folder / split / f"class-{label}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:05d}.jpg").write_bytes(_picture(label, size, random))
    return folder


def _picture(label: int, size: tuple[int, int], random: np.random.Generator) -> bytes:
    colour = np.array(colorsys.hsv_to_rgb(label / CLASSES, 0.6, 0.7)) * 255
    patches = np.clip(colour + random.normal(0, 40, (_COARSE, _COARSE, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()
