"""What is found in a picture folder, and why a folder is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cli.errors import BadArgument, CliError


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one file or folder worth knowing. What is `skipped` is not uploaded."""

    kind: str
    path: str
    why: str
    skipped: bool = True
    files: int = 1
    """How many it is about."""


class BadDataset(CliError):
    """A picture folder which cannot become a data set; `findings` says what was found in it on the way."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class BadUpload(BadDataset, BadArgument):
    """What an upload was told to take: a folder, a name or a file that is not there or cannot be used."""
