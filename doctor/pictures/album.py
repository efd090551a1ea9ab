"""All pictures of a data set, as columns: a few kilobytes a picture, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.pictures.transform import Transform
from doctor.pictures.look import SQUARE, Failure, Look, Measures, look
from doctor.records import Record

THUMB: Final = 32
CHROMA: Final = 8
_BATCH: Final = 128

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


class Extractor(Protocol):
    """Turns pictures into features."""

    name: str
    """What people are shown."""
    transform: Transform | None
    """How a picture becomes what `pixels` are; None: the squares are enough."""

    def __call__(self, squares: NDArray[np.uint8], pixels: NDArray[np.uint8] | None) -> Floats:
        """Features (n, d) of pictures (n, side, side, 3)."""


@dataclass
class Album:
    """What is kept of the pictures that can be used, row by row, and which cannot be."""

    records: list[Record] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    grey: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, THUMB, THUMB), np.uint8))
    chroma: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, CHROMA, CHROMA, 2), np.uint8))
    measures: Floats = field(default_factory=lambda: np.empty((0, len(Measures._fields)), np.float32))
    sizes: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 2), np.int32))
    """Width and height."""
    features: Halves = field(default_factory=lambda: np.empty((0, 0), np.float16))
    failures: list[tuple[Record, Failure]] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many there are of each format and colour mode."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def classes(self) -> list[str]:
        return sorted({record.label for record in self.records})

    def labels(self) -> NDArray[np.int64]:
        """The class of each picture, as an index of `classes`."""
        index = {label: number for number, label in enumerate(self.classes)}
        return np.array([index[record.label] for record in self.records], np.int64)


def thumbnail(picture: Image.Image) -> bytes:
    """What near duplicates are found by, of an RGB picture: grey levels, then colours."""
    square = picture.resize((SQUARE, SQUARE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return _reduced(square).tobytes() + _chroma(np.asarray(square)[None]).tobytes()


def of_thumbnails(sha256: Sequence[str], thumbnails: Sequence[bytes]) -> Album:
    """An album in which near duplicates can be looked for, and nothing else."""
    levels = np.frombuffer(b"".join(thumbnails), np.uint8).reshape(len(thumbnails), -1)
    grey, chroma = np.split(levels, [THUMB * THUMB], axis=1)
    records = [Record(name, "", None, bytes) for name in sha256]
    return Album(
        records,
        list(sha256),
        grey=grey.reshape(-1, THUMB, THUMB),
        chroma=chroma.reshape(-1, CHROMA, CHROMA, 2),
    )


def fill(
    records: Sequence[Record],
    extractor: Extractor,
    jobs: int,
    on_done: Callable[[int], None] = lambda done: None,
) -> Album:
    """Look at every picture.

    Args:
        jobs: how many are read and decoded at a time.
        on_done: called with how many more are done.
    """
    album, columns = Album(), _Columns()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for batch, looks in _batches(records, extractor.transform, pool):
                _take(album, columns, batch, looks, extractor)
                on_done(len(batch))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    columns.into(album)
    return album


def _batches(
    records: Sequence[Record], transform: Transform | None, pool: ThreadPoolExecutor
) -> Iterator[tuple[Sequence[Record], list[Look | Failure]]]:
    """The pictures in batches; the next one is being read while one is dealt with."""

    def begin(start: int) -> list[Future[Look | Failure]]:
        return [pool.submit(look, record, transform) for record in records[start : start + _BATCH]]

    coming = begin(0)
    for start in range(0, len(records), _BATCH):
        current, coming = coming, begin(start + _BATCH)
        yield records[start : start + _BATCH], [each.result() for each in current]


class _Columns:
    """Parts of the arrays, until all are there."""

    def __init__(self) -> None:
        self.grey: list[NDArray[np.uint8]] = []
        self.chroma: list[NDArray[np.uint8]] = []
        self.measures: list[Floats] = []
        self.sizes: list[NDArray[np.int32]] = []
        self.features: list[Halves] = []

    def into(self, album: Album) -> None:
        if not self.grey:
            return
        album.grey = np.concatenate(self.grey)
        album.chroma = np.concatenate(self.chroma)
        album.measures = np.concatenate(self.measures)
        album.sizes = np.concatenate(self.sizes)
        album.features = np.concatenate(self.features)


def _take(
    album: Album,
    columns: _Columns,
    records: Sequence[Record],
    looks: Sequence[Look | Failure],
    extractor: Extractor,
) -> None:
    usable: list[Look] = []
    for record, result in zip(records, looks, strict=True):
        if isinstance(result, Failure):
            album.failures.append((record, result))
            continue
        usable.append(result)
        album.records.append(record)
        album.sha256.append(result.sha256)
        album.kinds[result.format, result.mode] += 1
    if not usable:
        return
    squares = np.stack([each.square for each in usable])
    seen = [each.pixels for each in usable if each.pixels is not None]
    columns.grey.append(np.stack([_grey(square) for square in squares]))
    columns.chroma.append(_chroma(squares))
    columns.measures.append(np.array([each.measures for each in usable], np.float32))
    columns.sizes.append(np.array([(each.width, each.height) for each in usable], np.int32))
    columns.features.append(extractor(squares, np.stack(seen) if seen else None).astype(np.float16))


def _grey(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(_reduced(Image.fromarray(square)))


def _reduced(square: Image.Image) -> Image.Image:
    return square.convert("L").reduce(SQUARE // THUMB)


def _chroma(squares: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red minus green and blue minus green, halved, around 128."""
    count, side = len(squares), squares.shape[1] // CHROMA
    rows = squares.reshape(count, CHROMA, side, -1).sum(2, dtype=np.uint16)
    cells = rows.reshape(count, CHROMA, CHROMA, side, 3).sum(3, dtype=np.uint16) / side**2
    red_blue = cells[..., (0, 2)] - cells[..., 1:2]
    around: NDArray[np.uint8] = (128 + red_blue / 2).clip(0, 255).astype(np.uint8)
    return around
