"""A file of decisions about single pictures, applied while a folder is examined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cli.data.findings import BadDataset, BadUpload, Finding
from contract.datasets.manifest import Picture
from contract.picture_decisions import Action, BadDecisions, Decision, read


class Decisions:
    """What a person decided, by content where the file has its hash, else by the path below the folder.

    Raises:
        BadUpload, BadDataset: the file cannot be applied; says what is wrong in which line.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._by_content: dict[str, Decision] = {}
        self._by_path: dict[str, Decision] = {}
        self._used: set[int] = set()
        self.moved: dict[str, str] = {}
        """The split that contents are to be in."""
        for decision in _read(file) if file else []:
            if decision.action is None:
                continue
            if decision.sha256:
                self._by_content[decision.sha256] = decision
            else:
                self._by_path[decision.picture] = decision

    def apply(self, picture: Picture, path: str) -> Picture | None:
        """The picture as it was decided; None when it is to go.

        Args:
            path: below the folder.
        """
        decision = self._by_content.get(picture.content) or self._by_path.get(path)
        if decision is None:
            return picture
        self._used.add(decision.line)
        if decision.action is Action.DROP:
            return None
        if decision.action is Action.RELABEL:
            return replace(picture, label=decision.label)
        if decision.action is Action.MOVE:
            self.moved[picture.content] = decision.split
        return picture

    def unused(self) -> list[Finding]:
        """The decisions about pictures that the folder does not have."""
        decisions = (*self._by_content.values(), *self._by_path.values())
        why = "is decided about, but is not in the folder"
        return [
            Finding("decision", each.picture, why, skipped=False)
            for each in decisions
            if each.line not in self._used
        ]


def _read(file: Path) -> list[Decision]:
    try:
        return read(file.read_bytes())
    except OSError as error:
        raise BadUpload(f"--decisions: {file} cannot be read: {error.strerror}.") from None
    except BadDecisions as error:
        raise BadDataset(f"--decisions: {file} cannot be applied.\n{error}") from None
