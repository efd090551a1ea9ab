"""Answers on their way: files that are written whole, and that whoever goes on finds again.

SageMaker copies this folder to S3 while the job runs, and back when it is started again or another job goes
on. A part is named by the hash of what is in it, so half of one is known for what it is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from contract.batch import OURS, Listed

_MOST_LINES: Final = 2_000
_MOST_SECONDS: Final = 10.0
"""A part is closed after so many answers or so long: what a crash loses is asked again."""
_NAME: Final = "*.part"
_UNFINISHED: Final = ".unfinished-"

_OURS, _FINAL, _WITH_FEATURES = "0", "1", "2"
"""How a line begins behind its picture: what is asked again, what is not, and what has features before it."""


class Kept(NamedTuple):
    """A line that a part has, and the picture it is of."""

    identity: bytes
    final: bool
    """Not for a picture that could not be asked for reasons of ours: it is asked again."""
    text: str
    """The line, without its end."""
    features: str = ""
    """Of its picture, as `batch.features` writes them; empty where they were not asked for."""


class Parts:
    """The parts of a batch in one folder, to which one thread writes.

    Args:
        features: answers count that have features beside them; others are as if they were not there.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.monotonic, features: bool = False
    ) -> None:
        self._folder, self._clock, self._features = folder, clock, features
        self._lines: list[str] = []
        self._opened = clock()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_UNFINISHED}*"):
            left.unlink()

    def kept(self) -> Iterator[Kept]:
        """What whole parts hold, in an order that stays; a picture may come more than once."""
        for path in sorted(self._folder.glob(_NAME)):
            content = path.read_bytes()
            if path.name != _name(content):
                print(f"{path.name} is damaged and left out: its pictures are asked again", flush=True)
                continue
            for line in content.decode().splitlines():
                identity, kind, text = line.split(" ", 2)
                features, text = text.split(" ", 1) if kind == _WITH_FEATURES else ("", text)
                if features or not (self._features and _is_answer(text)):
                    yield Kept(bytes.fromhex(identity), kind != _OURS, text, features)

    def add(self, picture: Listed, line: dict[str, Any], features: str = "") -> None:
        """Keep the line of a picture, and what `batch.features` made of it."""
        # ASCII: other ends of lines than "\n" would be one for splitlines().
        kind, text = _FINAL, json.dumps(line)
        if line.get("error", {}).get("code") in OURS:
            kind = _OURS
        elif features:
            kind, text = _WITH_FEATURES, f"{features} {text}"
        self._lines.append(f"{picture.identity.hex()} {kind} {text}\n")
        if len(self._lines) >= _MOST_LINES or self._clock() - self._opened >= _MOST_SECONDS:
            self.close()

    def close(self) -> None:
        """Write what was added as a part."""
        if self._lines:
            content = "".join(self._lines).encode()
            unfinished = self._folder / f"{_UNFINISHED}{_name(content)}"
            unfinished.write_bytes(content)
            unfinished.replace(self._folder / _name(content))
        self._lines, self._opened = [], self._clock()


def _is_answer(text: str) -> bool:
    return "error" not in json.loads(text)


def _name(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()[:32]}.part"
