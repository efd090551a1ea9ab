"""Reading all files of a split at the same time, by all processes of a machine: to hash or to decode them.

The squares go into a scratch file (`table`), so memory stays the same however many pictures there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import torch

from contract.pictures.parts import UndecodablePicture
from training_code.data.decoded_images import PictureDecoder
from training_code.data.picture_files import Files
from training_code.data.table import Table
from training_code.distributed.process_group import ProcessGroup
from training_code.hardware.cores import cores
from training_code.stopping import StopSignal

_CHUNK: Final = 256
"""Pictures decoded between two looks at the stop signal."""


class Content(NamedTuple):
    """What reading one file found."""

    name: str
    """`<class>/<picture>`."""
    size: int
    digest: str
    problem: str = ""
    """Why its picture cannot be used; empty when it can, and when nobody tried."""

    @property
    def label(self) -> str:
        """Its class."""
        return self.name.split("/", 1)[0]


@dataclass(frozen=True)
class SplitReader:
    """Reads the files `names` of one split."""

    files: Files
    names: list[str]
    stop: StopSignal
    group: ProcessGroup

    def hash(self) -> tuple[Content, ...]:
        """The content of every file, undecoded.

        Raises:
            Stopped: the job was told to stop.
        """
        return self._each(lambda row: _content(self.names[row], self.files.read(self.names[row])))

    def decode(self, decoder: PictureDecoder) -> tuple[tuple[Content, ...], Table]:
        """The content of every file, and its square in the row of its position.

        Raises:
            OutOfMemory: the squares fit neither onto the disk nor into memory.
            Stopped: the job was told to stop.
        """
        shape = (decoder.side, decoder.side, 3)
        what = f"decoded pictures of {decoder.side}x{decoder.side}"
        table = Table(len(self.names), shape, torch.uint8, what, self.group)

        def decode(row: int) -> Content:
            name = self.names[row]
            content = self.files.read(name)
            try:
                table.write(row, torch.from_numpy(decoder.decode(content).copy()))
            except UndecodablePicture as error:
                return _content(name, content, str(error))
            return _content(name, content)

        return self._each(decode), table

    def _each(self, work: Callable[[int], Content]) -> tuple[Content, ...]:
        """`work` of every row; in the end they are in order. This process does its part of them, in the
        order they are stored in, a chunk at a time so that a stop is quick.
        """
        stored = self.files.as_stored(self.names)
        rows = self.group.share(stored)

        def mine() -> list[Content]:
            contents: list[Content] = []
            with ThreadPoolExecutor(cores()) as pool:
                for start in range(0, len(rows), _CHUNK):
                    self.stop.check()
                    contents += pool.map(work, rows[start : start + _CHUNK])
            return contents

        parts = self.group.all_gather_local(self.group.agreed(mine))
        by_row = dict(zip(stored, chain.from_iterable(parts), strict=True))
        return tuple(by_row[row] for row in range(len(stored)))


def fingerprint(contents: Iterable[Content], *, by_name: bool = True) -> str:
    """SHA-256 over names, or classes alone, sizes and contents, whatever their order."""
    lines = [f"{each.name if by_name else each.label}:{each.size}:{each.digest}" for each in contents]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _content(name: str, content: bytes, problem: str = "") -> Content:
    return Content(name, len(content), hashlib.sha256(content).hexdigest(), problem)
