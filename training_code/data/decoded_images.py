"""Decoded images: the squares of pixels that are kept of pictures, and the network's input made of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from contract.pictures.file import decode
from contract.pictures.transform import Pixels, Transform
from training_code.config import Config
from training_code.data.picture_files import Files
from training_code.data.table import Table
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine


@dataclass(frozen=True)
class PictureDecoder:
    """Makes the square that is kept of a picture: the evaluation's, or with a margin for random crops."""

    transform: Transform
    with_margin: bool = False

    @staticmethod
    def of(config: Config, split: str) -> PictureDecoder:
        """The decoder of train, valid or test."""
        transform = Transform.of(config.arch, config.image_size)
        # What is enlarged needs no margin that only mirrors.
        whole = config.augment == "random-resized-crop" and transform.resize_mode == "exact"
        return PictureDecoder(transform, split == "train" and config.crops and not whole)

    @property
    def side(self) -> int:
        """Pixels of each side of the square."""
        crop = self.transform.crop
        if not self.with_margin:
            return crop
        return crop + 2 * max(1, crop // 8) if self._mirrors else self.transform.resize

    @property
    def margin(self) -> int:
        """Pixels of the square on each side of its centre, which is the evaluation's."""
        return (self.side - self.transform.crop) // 2

    def decode(self, content: bytes) -> Pixels:
        """The square (side, side, 3) of the picture in a file of this content.

        Raises:
            UndecodablePicture: see `contract.pictures.file.read`.
        """
        picture = decode(content, self.transform.enough)
        if not self.with_margin:
            return self.transform.pixels(picture)
        if not self._mirrors:
            return np.asarray(self.transform.square(picture, self.side))
        mirrored = np.pad(np.arange(self.transform.crop), self.margin, mode="reflect")
        return self.transform.pixels(picture)[mirrored][:, mirrored]

    @property
    def _mirrors(self) -> bool:
        """Large pictures keep their whole shorter side; small ones get a margin that mirrors their edge."""
        return self.transform.resize_mode == "exact"


class DecodedImages:
    """The squares of a split's pictures, uint8: out of a table, else decoded when they are asked for."""

    def __init__(
        self,
        decoder: PictureDecoder,
        files: Files,
        names: tuple[str, ...],
        table: Table | None = None,
        rows: Tensor | None = None,
    ) -> None:
        """`names` are in `files`; their squares, if decoded, in these `rows` of `table`."""
        self.side, self.margin = decoder.side, decoder.margin
        self._decoder, self._files, self._names = decoder, files, names
        self._table, self._rows = table, rows

    def pick(self, pictures: Tensor) -> Tensor:
        """The squares (n, side, side, 3) of the pictures of these numbers, counted from 0."""
        if self._table is not None and self._rows is not None:
            return self._table.read(self._rows[pictures])
        if len(pictures) == 1:
            return torch.from_numpy(self._decoded(int(pictures)).copy()[None])
        with ThreadPoolExecutor(cores()) as pool:
            decoded = pool.map(self._decoded, pictures.tolist())
            return torch.from_numpy(np.stack(list(decoded)))

    def release(self) -> None:
        """Give back the table's room; whoever asks after this waits for the decoder."""
        if self._table is not None:
            self._table.close()
            self._table = None

    def _decoded(self, picture: int) -> Pixels:
        return self._decoder.decode(self._files.read(self._names[picture]))


def normalised(squares: Tensor, transform: Transform, machine: Machine) -> Tensor:
    """Float pictures (n, 3, side, side) on the device, in its order, from bytes (n, side, side, 3)."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    pictures = machine.put(squares).permute(0, 3, 1, 2).to(torch.float32, memory_format=machine.memory_format)
    return pictures.div_(255).sub_(machine.put(mean)).div_(machine.put(std))
