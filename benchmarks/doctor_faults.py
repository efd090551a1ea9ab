"""Faults planted in a copy of a data set: flipped labels and near duplicates, by a seed."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

SPLITS: Final = ("train", "valid", "test")


def recompressed(picture: Image.Image, chance: random.Random) -> Image.Image:
    """JPEG at quality 40."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def resized(picture: Image.Image, chance: random.Random) -> Image.Image:
    """0.7 of its size."""
    return picture.resize([max(1, round(0.7 * side)) for side in picture.size], Image.Resampling.BICUBIC)


def cropped(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Without a tenth of its width and of its height, cut off anywhere."""
    width, height = picture.size
    kept = round(0.9 * width), round(0.9 * height)
    left, top = chance.randint(0, width - kept[0]), chance.randint(0, height - kept[1])
    return picture.crop((left, top, left + kept[0], top + kept[1]))


def mirrored(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Left and right changed."""
    return ImageOps.mirror(picture)


CHANGES: Final[dict[str, Callable[[Image.Image, random.Random], Image.Image]]] = {
    "recompressed": recompressed, "resized": resized, "cropped": cropped, "mirrored": mirrored,
}  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """What was done: true class by flipped picture, and (copy, original, change) of each near duplicate."""

    flipped: dict[str, str]
    copies: list[tuple[str, str, str]]


def plant(source: Path, target: Path, seed: int, flips: float = 0.05, copies: float = 0.03) -> Planted:
    """Copy a data set, with faults.

    A copy is put into a split that is drawn, in its original's class, and is never one of the flipped ones.

    Args:
        flips: share of pictures that get another class.
        copies: share of pictures of which a changed copy is added.
    """
    chance = random.Random(seed)
    files = sorted(path for split in SPLITS for path in (source / split).rglob("*") if path.is_file())
    classes = sorted({path.parent.name for path in files})
    moved = set(chance.sample(files, round(flips * len(files))))
    copied = chance.sample([path for path in files if path not in moved], round(copies * len(files)))
    flipped: dict[str, str] = {}
    for path in files:
        split, label = path.relative_to(source).parts[:2]
        if path in moved:
            other = chance.choice([each for each in classes if each != label])
            flipped[f"{split}/{other}/{path.name}"] = label
            label = other
        place = target / split / label / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    added = []
    for number, path in enumerate(copied):
        change = list(CHANGES)[number % len(CHANGES)]
        with Image.open(path) as opened:
            picture = CHANGES[change](opened.convert("RGB"), chance)
        place = target / chance.choice(SPLITS) / path.parent.name / f"copy{number:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.save(place, quality=40 if change == "recompressed" else 90)
        added.append((str(place.relative_to(target)), str(path.relative_to(source)), change))
    return Planted(flipped, added)
