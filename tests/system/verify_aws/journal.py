"""What a run has to be remembered by when its process is gone: a folder in .local/verify-aws/ for each."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.settings_file import settings_of
from cli.target import ROOT

TAG = "verify-run"
# Whatever the owner's settings say, the tests need these.
NEEDED: dict[str, Any] = {"on_destroy": "delete", "approval": "auto", "alert_email": ""}


@dataclass(frozen=True)
class Journal:
    """The folder of all runs of this checkout."""

    folder: Path

    def new(self) -> Run:
        """A run with a name that no other has."""
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        return Run(name, self.folder / name)

    def taken_over(self, name: str) -> Run:
        """A run that another checkout began; what was there before it is not known."""
        run = Run(name, self.folder / name)
        run.prepare()
        return run

    def find(self, name: str) -> Run | None:
        """The run of that name, if this checkout began it."""
        run = Run(name, self.folder / name)
        return run if run.folder.is_dir() else None


@dataclass(frozen=True)
class Run:
    """One run: its name, which every stack carries as a tag, and its folder."""

    name: str
    folder: Path

    @property
    def settings(self) -> Path:
        """What is deployed: the owner's settings, with the tag and with what the tests need."""
        return self.folder / "settings.json"

    @property
    def calls(self) -> Path:
        return self.folder / "calls"

    def begin(self, before: set[str]) -> None:
        """Keep what was there before, and the settings."""
        self.prepare()
        (self.folder / "before.json").write_text(json.dumps(sorted(before), indent=1))

    def prepare(self) -> None:
        """Its folder, with the settings."""
        self.calls.mkdir(parents=True, exist_ok=True)
        own = settings_of(ROOT)
        tags = {**own.get("tags", {}), TAG: self.name}
        api = {**own.get("api", {}), "iam_auth": False}
        self.settings.write_text(json.dumps({**own, **NEEDED, "tags": tags, "api": api}, indent=1))

    def before(self) -> set[str] | None:
        """What was there when it began; None where that is not known here."""
        try:
            return set(json.loads((self.folder / "before.json").read_text()))
        except (OSError, ValueError):
            return None
