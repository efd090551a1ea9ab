"""A split's pictures, each decoded once and all at the same time, by all processes of a machine.

The squares lie in a scratch file (`table`), so memory stays the same however many pictures there are. A split
whose frozen features are known already is not decoded at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import torch

from contract.pictures.parts import UndecodablePicture
from training_code.data.picture_files import Files
from training_code.data.split import Skipped, Split, Squares
from training_code.data.table import Table
from training_code.distributed.process_group import World
from training_code.hardware.cores import cores
from training_code.stopping import StopSignal

_CHUNK: Final = 256
"""Pictures decoded between two looks at the stop signal."""

Known = Callable[[str, str], tuple[Skipped, ...] | None]
"""Asked for a split's name and fingerprint: what is skipped in it, when its pixels need not be decoded."""


class _Look(NamedTuple):
    """What one reading of a file found."""

    size: int
    digest: str
    problem: str
    """Why its picture cannot be used; empty when it can, and when nobody tried."""


@dataclass(frozen=True)
class Decoder:
    """Decodes the files `names` of one split."""

    name: str
    files: Files
    names: list[str]
    squares: Squares
    stop: StopSignal
    world: World

    def split(self, classes: tuple[str, ...], known: Known | None) -> Split:
        """The split, decoded unless `known` says that this is not needed."""
        skipped = None
        if known is not None:
            looks = self._each(self._hash)
            fingerprint = _fingerprint(self.names, looks)
            skipped = self.world.first_says(lambda: known(self.name, fingerprint))
        table = None
        if skipped is None:
            shape = (self.squares.side, self.squares.side, 3)
            what = f"decoded pictures of {shape[0]}x{shape[1]}"
            table = Table(len(self.names), shape, torch.uint8, what, self.world)
            looks = self._each(lambda row: self._decode(row, table))
            skipped = tuple(
                Skipped(f"{self.name}/{name}", look.problem)
                for name, look in zip(self.names, looks, strict=True)
                if look.problem
            )
        left_out = {each.file for each in skipped}
        rows = [row for row, name in enumerate(self.names) if f"{self.name}/{name}" not in left_out]
        index = {label: position for position, label in enumerate(classes)}
        labels = [index[self.names[row].split("/", 1)[0]] for row in rows]
        self.squares.fill(self.files, tuple(self.names[row] for row in rows), table, torch.tensor(rows))
        return Split(
            name=self.name,
            squares=self.squares,
            labels=torch.tensor(labels),
            files=tuple(self.names[row] for row in rows),
            fingerprint=_fingerprint(self.names, looks),
            digests=frozenset(look.digest for look in looks),
            skipped=skipped,
        )

    def _hash(self, row: int) -> _Look:
        return _look(self.files.read(self.names[row]))

    def _decode(self, row: int, table: Table) -> _Look:
        content = self.files.read(self.names[row])
        try:
            table.write(row, torch.from_numpy(self.squares.square(content).copy()))
        except UndecodablePicture as error:
            return _look(content, str(error))
        return _look(content)

    def _each(self, work: Callable[[int], _Look]) -> list[_Look]:
        """`work` of every row; in the end they are in order. This process does its part of them, in the
        order they are stored in, a chunk at a time so that a stop is quick.
        """
        stored = self.files.as_stored(self.names)
        rows = self.world.share(stored)

        def mine() -> list[_Look]:
            looks: list[_Look] = []
            with ThreadPoolExecutor(cores()) as pool:
                for start in range(0, len(rows), _CHUNK):
                    self.stop.check()
                    looks += pool.map(work, rows[start : start + _CHUNK])
            return looks

        parts = self.world.gathered_here(self.world.agreed(mine))
        by_row = dict(zip(stored, chain.from_iterable(parts), strict=True))
        return [by_row[row] for row in range(len(stored))]


def _look(content: bytes, problem: str = "") -> _Look:
    return _Look(len(content), hashlib.sha256(content).hexdigest(), problem)


def _fingerprint(names: list[str], looks: list[_Look]) -> str:
    lines = [f"{name}:{look.size}:{look.digest}" for name, look in zip(names, looks, strict=True)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
