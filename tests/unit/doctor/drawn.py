"""Small drawn pictures, of classes that can be told apart, as the doctor's records."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from doctor.records import Record

SIDE = 48


def scene(seed: int, side: int = SIDE) -> Image.Image:
    """A picture with shapes, colours and some texture, different for each seed."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8)).resize((side, side), 3)
    small = random.integers(0, 256, (side // 4, side // 4, 3), np.uint8)
    return Image.blend(coarse, Image.fromarray(small).resize((side, side), 2), 0.2)


def photograph(seed: int, side: int = 200) -> Image.Image:
    """A larger scene with fine edges, as a sharp photograph has."""
    grain = np.random.default_rng(seed).normal(0, 14, (side, side, 1))
    return Image.fromarray((np.asarray(scene(seed, side)) + grain).clip(0, 255).astype(np.uint8))


def stripes(seed: int, upright: bool, side: int = SIDE) -> Image.Image:
    """One of two classes: stripes upright or lying, of a width and shift of their own."""
    random = np.random.default_rng(seed)
    wave = np.sin(np.arange(side) / random.uniform(1.2, 2.5) + random.uniform(0, 6))
    levels = 128 + 70 * (wave[None, :] if upright else wave[:, None]) + random.normal(0, 25, (side, side))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert("RGB")


def encoded(picture: Image.Image, form: str = "PNG", **how: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **how)
    return buffer.getvalue()


def record(name: str, content: bytes | Image.Image, label: str = "a", split: str | None = "train") -> Record:
    held = content if isinstance(content, bytes) else encoded(content)
    return Record(name, label, split, lambda: held, len(held))


def scenes(count: int, start: int = 0) -> list[Record]:
    return [record(f"{number}.png", scene(start + number)) for number in range(count)]


def striped(count: int) -> list[Record]:
    """Two classes, `lying` and `upright`, by turns."""
    return [
        record(f"{number}.png", stripes(number, bool(number % 2)), ("lying", "upright")[number % 2])
        for number in range(count)
    ]


def relabelled(records: list[Record], numbers: set[int]) -> list[Record]:
    """Some of them in the other class."""
    other = {"lying": "upright", "upright": "lying"}
    return [
        replace(each, label=other[each.label]) if number in numbers else each
        for number, each in enumerate(records)
    ]


def failing(error: OSError) -> Callable[[], bytes]:
    def read() -> bytes:
        raise error

    return read


def blurred(picture: Image.Image, radius: float = 3.0) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))
