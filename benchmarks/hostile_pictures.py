"""Pictures that mean harm: mutations of sound files of six formats.

Everything is drawn from a fixed seed, so that a run can be repeated and a case be named by its number.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
MOST_BYTES: Final = 4_500_000
"""What gets through API Gateway and a Lambda."""


@dataclass(frozen=True)
class Case:
    """One body and what it is called in a report."""

    name: str
    body: bytes


def mutated(count: int, seed: int) -> Iterator[Case]:
    """`count` files, the six formats in turn, each damaged in one to four places."""
    chance = random.Random(seed)
    seeds = {name: sound(name) for name in FORMATS}
    for number in range(count):
        kind = FORMATS[number % len(FORMATS)]
        body = chance.choice(seeds[kind])
        for _ in range(chance.randint(1, 4)):
            body = chance.choice(_MUTATIONS)(body, chance, seeds[chance.choice(FORMATS)])
        yield Case(f"{kind} {number}", body[:MOST_BYTES])


def scene(size: tuple[int, int]) -> Image.Image:
    red = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (red, red.rotate(90).resize(size), Image.radial_gradient("L").resize(size)))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def sound(kind: str) -> list[bytes]:
    """Sound files of a format, in the modes and variants it has."""
    picture = scene((96, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    variants: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "JPEG": [
            ("RGB", {}), ("L", {}), ("CMYK", {}), ("RGB", {"progressive": True}), ("RGB", {"exif": exif}),
            ("RGB", {"subsampling": 2, "restart_marker_blocks": 4}),
        ],
        "PNG": [
            ("RGB", {}), ("RGBA", {}), ("P", {}), ("1", {}), ("I;16", {}), ("LA", {}),
            ("RGB", {"exif": exif}),
        ],
        "GIF": [("P", {}), ("L", {}), ("P", {"interlace": False}), ("P", {"transparency": 3})],
        "BMP": [("RGB", {}), ("P", {}), ("1", {}), ("L", {}), ("RGBA", {})],
        "WEBP": [("RGB", {}), ("RGBA", {}), ("RGB", {"lossless": True}), ("RGB", {"exif": exif})],
        "TIFF": [
            ("RGB", {"compression": name}) for name in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")
        ] + [("CMYK", {}), ("I;16", {}), ("1", {"compression": "group4"}), ("F", {}), ("LAB", {})],
    }  # fmt: skip
    files = [encoded(_as(picture, mode), kind, **options) for mode, options in variants[kind]]
    if kind in ("GIF", "WEBP", "TIFF", "PNG"):
        frames = [scene((96, 64)).rotate(angle) for angle in (90, 180)]
        files.append(encoded(picture, kind, save_all=True, append_images=frames))
    return files


def _as(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.merge("LAB", picture.split())
    return picture.convert(mode)


Mutation = Callable[[bytes, random.Random, list[bytes]], bytes]


def _flip(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    changed = bytearray(body)
    for _number in range(chance.choice((1, 1, 4, 32))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _head(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    """Extreme numbers where headers keep sizes, offsets and counts."""
    changed = bytearray(body)
    width = chance.choice((1, 2, 4))
    value = chance.choice(
        (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    )
    order = chance.choice(("little", "big"))
    place = chance.randrange(min(len(changed), chance.choice((32, 256, 4096))))
    changed[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)  # type: ignore[arg-type]
    return bytes(changed)


def _cut(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    return body[: chance.randrange(1, len(body) + 1)]


def _repeat(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    start = chance.randrange(len(body))
    end = min(len(body), start + chance.choice((4, 64, 1024)))
    return body[:end] + body[start:end] * chance.choice((1, 8, 200)) + body[end:]


def _drop(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    start = chance.randrange(len(body))
    return (body[:start] + body[start + chance.choice((1, 16, 512)) :]) or b"\0"


def _splice(body: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    other = chance.choice(others)
    return body[: chance.randrange(len(body))] + other[chance.randrange(len(other)) :]


def _noise(body: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    start = chance.randrange(len(body))
    length = chance.choice((8, 128, 2048))
    return body[:start] + chance.randbytes(length) + body[start + length :]


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip,
    _flip,
    _head,
    _head,
    _head,
    _cut,
    _repeat,
    _drop,
    _splice,
    _noise,
)
