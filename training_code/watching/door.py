"""Opens the debugger and the profiler when a job asks for them; else they are not even imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contract.jobs import DEBUG
from training_code.debugging.settings import DebugSettings
from training_code.errors import StoppedByRule
from training_code.findings import Findings
from training_code.stopping import Stopped
from training_code.training.callback import Callback

if TYPE_CHECKING:
    from training_code.watching.session import Session


class Watching:
    """What looks on at a training, and what it found once the training is over."""

    def __init__(self, session: Session | None) -> None:
        self._session = session
        self.callback: Callback | None = session.callback() if session else None
        self.findings = Findings()

    @property
    def stopped_by(self) -> str:
        """The rule that ended the training; empty when none did."""
        return self._session.stopped_by if self._session else ""


@contextmanager
def watching(output: Path, settings: DebugSettings, classes: Sequence[str]) -> Iterator[Watching]:
    """Watch the training inside the `with` as the settings say, in the folder `debug` of the job's `output`.

    Raises:
        StoppedByRule: a rule ended the training before there was a model.
    """
    if not settings.debug_rules and not settings.profile:
        yield Watching(None)
        return
    from training_code.watching.session import Session

    session = Session(output / DEBUG, settings, classes)
    session.begin()
    watched = Watching(session)
    try:
        yield watched
    except Stopped:
        watched.findings = session.end(hurry=not session.stopped_by)
        finding = watched.findings.of(session.stopped_by)
        if finding is None:
            raise
        raise StoppedByRule(
            f"the rule {finding.rule} ended the training before its first epoch was done: {finding.message}; "
            f"{finding.change}"
        ) from None
    except BaseException:
        watched.findings = session.end(hurry=True)
        raise
    watched.findings = session.end()
