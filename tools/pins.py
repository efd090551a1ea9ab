"""The requirements files: which versions are pinned in them, by which hashes of their files.

The laptop and the images install from these files and nothing else; `tools/lock.py` writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LAPTOP: Final = ROOT / "requirements.txt"
SERVING: Final = ROOT / "inference_code"
TRAINING: Final = ROOT / "training_code"
UV: Final = ROOT / "tools" / "requirements-uv.txt"
AUDIT: Final = ROOT / "tools" / "requirements-audit.txt"
CHECKOV: Final = ROOT / "tools" / "requirements-checkov.txt"
"""A hundred packages that nothing here shares: they have an environment of their own."""
DOCS: Final = ROOT / "tools" / "requirements-docs.txt"
"""What makes the documentation's pages, in an environment of its own."""
TORCH_CPU: Final = tuple(folder / "requirements-torch-cpu.txt" for folder in (SERVING, TRAINING))
"""PyTorch without CUDA, from an index of PyTorch's own: wheels of one version, other files than PyPI's. Both
say the same, for an image is built from its own folder only.
"""

SETS: Final = {
    "laptop": (LAPTOP,),
    "serving-cpu": (SERVING / "requirements.txt", SERVING / "requirements-cpu.txt"),
    "serving-gpu": tuple(SERVING / f"requirements{part}.txt" for part in ("", "-torch", "-gpu")),
    "training-cpu": tuple(TRAINING / f"requirements{part}.txt" for part in ("", "-torch-cpu")),
    "training-gpu": tuple(TRAINING / f"requirements{part}.txt" for part in ("", "-gpu")),
}
"""What is installed together, by the name of its bill of materials."""

_PIN = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]*[^\\\s]))?\s*\\?"
)
_HASH = re.compile(r"\s+--hash=(sha256:[0-9a-f]{64})(?:\s*\\)?")


class BadPin(ValueError):
    """A line of a requirements file that pins nothing."""


@dataclass(frozen=True)
class Pin:
    """One package at one version: `name==version ; marker` and the hashes of the files it may come in."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")

    def __str__(self) -> str:
        """As it stands in a requirements file."""
        return " \\\n".join([self.requirement, *(f"    --hash={each}" for each in self.hashes)])


def read(path: Path) -> list[Pin]:
    """The pins of a requirements file. Raises BadPin for a line that is neither a pin nor a comment."""
    pins: list[Pin] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if pins and (file_hash := _HASH.fullmatch(line)):
            pins[-1] = replace(pins[-1], hashes=(*pins[-1].hashes, file_hash[1]))
            continue
        start = _PIN.fullmatch(line)
        if start is None:
            raise BadPin(f"{path}, line {number}: {line!r} is no pin of one version; run `make lock`")
        pins.append(Pin(start["name"], start["version"], start["marker"] or "", ()))
    return pins
