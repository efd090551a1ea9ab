"""One split: which pictures it has, what they show, and their squares of pixels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from contract.pictures.file import decode
from training_code.data.picture_files import Files
from training_code.data.pictures import Pixels, Transform
from training_code.data.table import Table
from training_code.hardware.cores import cores


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    file: str
    reason: str


class Squares:
    """The squares of a split's pictures, (side, side, 3) uint8: from the table of decoded ones, else decoded
    when asked for. `roomy` ones are larger than what the network sees (`Transform.roomy_pixels`).
    """

    def __init__(self, transform: Transform, roomy: bool = False) -> None:
        self.side = transform.roomy_side if roomy else transform.crop
        self._cut = transform.roomy_pixels if roomy else transform.pixels
        self._enough = transform.enough
        self._table: Table | None = None

    def fill(self, files: Files, names: tuple[str, ...], table: Table | None, rows: Tensor) -> None:
        """Say where the pictures are: `names` in `files`, and decoded in the `rows` of `table`."""
        self._files, self._names, self._table, self._rows = files, names, table, rows

    def picked(self, pictures: Tensor) -> Tensor:
        """The squares (n, side, side, 3) of the pictures of these numbers, counted from 0."""
        if self._table is not None:
            return self._table.read(self._rows[pictures])
        if len(pictures) == 1:
            return torch.from_numpy(self._decoded(int(pictures)).copy()[None])
        with ThreadPoolExecutor(cores()) as pool:
            decoded = pool.map(self._decoded, pictures.tolist())
            return torch.from_numpy(np.stack(list(decoded)))

    def release(self) -> None:
        """Give back the room of the decoded ones; whoever asks after this waits for the decoder."""
        if self._table is not None:
            self._table.close()
            self._table = None

    def square(self, content: bytes) -> Pixels:
        """The square of the picture in a file of this content.

        Raises:
            UndecodablePicture: see `image_file.read`.
        """
        return self._cut(decode(content, self._enough))

    def _decoded(self, picture: int) -> Pixels:
        return self.square(self._files.read(self._names[picture]))


@dataclass(frozen=True)
class Split:
    """The usable pictures of train, valid or test.

    `labels` and `files` follow the order of the pictures in `squares`. `fingerprint` covers the name, size
    and content of every picture file, skipped ones included, so that two jobs can tell whether they saw the
    same split.
    """

    name: str
    squares: Squares
    labels: Tensor
    files: tuple[str, ...]
    fingerprint: str
    digests: frozenset[str]
    skipped: tuple[Skipped, ...]

    def __len__(self) -> int:
        return len(self.files)
