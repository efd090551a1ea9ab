"""The run itself: look, ask, mark, check, test, and clean up whatever happened.

Nothing is deleted that does not carry this run's name: stacks by the tag in their templates, the tests' own
queue and rule by not having been there before. What is of nobody known stays, and is said.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CliError
from tests.system import recorded
from tests.system.verify_aws.account import Identity, Mark, MarkedAlready
from tests.system.verify_aws.journal import Journal, Run
from tests.system.verify_aws.plan import COST, OWN, Commands, Step
from tests.system.verify_aws.processes import patient

DESTROY_TRIES = 2


class Outcome(IntEnum):
    """How it ended; the exit code."""

    PROVEN = 0
    NOT_PROVEN = 1
    """A test failed, or nothing was started; the account is as it was."""
    NOT_CLEAN = 2
    """Something of this run may be left."""


class Asked(Protocol):
    """What is asked of an account: `account.Account`."""

    project: str

    def identity(self) -> Identity: ...
    def mark(self) -> Mark | None: ...
    def put_mark(self, mark: Mark) -> None: ...
    def remove_mark(self, run: str) -> None: ...
    def stacks(self, run: str) -> Mapping[str, bool]: ...
    def inventory(self) -> set[str]: ...
    def remove_helpers(self, new: set[str]) -> None: ...


class Runs(Protocol):
    """What runs a command: `processes.Processes`."""

    def run(self, command: list[str], environment: Mapping[str, str]) -> int: ...


@dataclass
class Record:
    """What a run came to, for its report."""

    run: Run
    who: Identity
    project: str
    began: str
    ended: str = ""
    problems: list[tuple[Step, str]] = field(default_factory=list)
    """What went wrong in which step."""
    left: list[str] = field(default_factory=list)
    """What is there now, was not before, and has the project's name."""
    interrupted: bool = False

    def outcome(self) -> Outcome:
        cleaning = {Step.DESTROY, Step.LEFT, Step.UNMARK}
        if self.left or any(step in cleaning for step, _ in self.problems):
            return Outcome.NOT_CLEAN
        return Outcome.NOT_PROVEN if self.problems or self.interrupted else Outcome.PROVEN


@dataclass
class Verification:
    """One run in one account."""

    account: Asked
    processes: Runs
    journal: Journal
    commands: Commands
    agree: Callable[[str], bool]
    """Asks a question."""
    say: Callable[[str], None]
    report: Callable[[Record], None]
    write_down: Callable[[Path], None]
    """Names the file for the script's own calls."""

    def verify(self) -> Outcome:
        """All of it."""
        try:
            who = self.account.identity()
            if not self._may_begin(who):
                return Outcome.NOT_PROVEN
            before = self.account.inventory()
            run = self.journal.new()
            run.begin(before)
            self.write_down(run.calls / f"{OWN}.jsonl")
            record = Record(run, who, self.account.project, _now())
            # Once this is asked for the mark may be there, also when no answer comes.
            self.account.put_mark(
                Mark(run.name, self.account.project, who.arn, platform.node(), record.began)
            )
        except MarkedAlready:
            self.say("Somebody else began a moment ago. Nothing was started.")
            return Outcome.NOT_PROVEN
        except (BotoCoreError, ClientError, CliError) as error:
            self.say(f"verify-aws: {error}\nNothing was started. (No credentials? `aws sso login`.)")
            return Outcome.NOT_PROVEN
        try:
            self._prove(record)
        finally:
            self._clean(record)
            record.ended = _now()
            self.report(record)
        return record.outcome()

    def clean(self, name: str = "") -> Outcome:
        """Only clean up after a run that died: this checkout's, or the one of that name."""
        mark = self.account.mark()
        if mark is None:
            self.say("No run is under way in this account and region: there is nothing to clean up.")
            return Outcome.PROVEN
        run = self.journal.find(mark.run)
        if run is None and mark.run != name:
            self.say(_others(mark))
            return Outcome.NOT_PROVEN
        if mark.project != self.account.project:
            self.say(f'That run was of the project "{mark.project}": name it in cdk.json and run again.')
            return Outcome.NOT_CLEAN
        run = run or self.journal.taken_over(mark.run)
        self.write_down(run.calls / f"{OWN}.jsonl")
        record = Record(run, self.account.identity(), mark.project, mark.began)
        self._clean(record)
        record.ended = _now()
        self.report(record)
        return record.outcome()

    def _may_begin(self, who: Identity) -> bool:
        mark = self.account.mark()
        if mark is not None:
            if self.journal.find(mark.run) is None:
                self.say(_others(mark))
                return False
            self.say(f"The run {mark.run} of {mark.began} was not cleaned up after.")
            if not self.agree("Clean up after it first?") or self.clean() is Outcome.NOT_CLEAN:
                return False
        if found := self.account.stacks(""):
            self.say(
                f"Account {who.account} has {', '.join(found)} in {who.region}: verify-aws takes everything "
                "of the project away at its end, so it never starts beside what it did not make. Use another "
                'account or region, or another "project" in cdk.json.'
            )
            return False
        self.say(COST.format(account=who.account, region=who.region))
        if not self.agree("Go on?"):
            self.say("Nothing was started.")
            return False
        return True

    def _prove(self, record: Record) -> None:
        """Check and test; what goes wrong is a problem, and Ctrl-C is noted."""
        try:
            for step in (Step.CHECK, Step.TESTS):
                if code := self._run(step, record):
                    record.problems.append((step, f"it ended with {code}"))
                    return
        except KeyboardInterrupt:
            record.interrupted = True
            self.say("Stopped. Cleaning up, which takes some minutes.")
        except OSError as error:
            record.problems.append((step, str(error)))

    def _clean(self, record: Record) -> None:
        """Each step even if the one before failed."""
        try:
            with patient(self.say):
                with _noting(record, Step.DESTROY):
                    self._destroy(record)
                with _noting(record, Step.LEFT):
                    self._look_what_is_left(record)
                with _noting(record, Step.UNMARK):
                    if not self.account.stacks(record.run.name):
                        self.account.remove_mark(record.run.name)
        except KeyboardInterrupt:  # pressed again and again: it is meant
            again = "make verify-aws ARGS=--clean"
            record.problems.append((Step.DESTROY, f"it was cut short; to go on: {again}"))

    def _destroy(self, record: Record) -> None:
        for _ in range(DESTROY_TRIES):
            stacks = self.account.stacks(record.run.name)
            foreign = [name for name, ours in stacks.items() if not ours]
            if foreign:
                why = f"{', '.join(foreign)}: not of this run, so no stack was removed"
                record.problems.append((Step.DESTROY, why))
                return
            if not stacks:
                return
            code = self._run(Step.DESTROY, record)
        if stacks := self.account.stacks(record.run.name):
            why = f"`classifier destroy` ended with {code}; still there: {', '.join(stacks)}"
            record.problems.append((Step.DESTROY, why))

    def _look_what_is_left(self, record: Record) -> None:
        before = record.run.before()
        now = self.account.inventory()
        if before is not None:
            self.account.remove_helpers(now - before)
            now = self.account.inventory()
        record.left = sorted(each for each in now - (before or set()) if record.project in each.lower())

    def _run(self, step: Step, record: Record) -> int:
        self.say(f"== {step}")
        run = record.run
        environment = {
            "CLASSIFIER_TARGET": "aws",
            **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), record.who.region),
            "CLASSIFIER_CONFIG": str(run.settings),
            "VERIFY_AWS": str(run.folder),
            **recorded.environment(run.calls / f"{step}.jsonl"),
        }
        return self.processes.run(self.commands.of(step, run.folder), environment)


@contextmanager
def _noting(record: Record, step: Step) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        record.problems.append((step, str(error)))


def _others(mark: Mark) -> str:
    return (
        f"The run {mark.run} of {mark.who} (on {mark.host}, since {mark.began}) is under way here, or died "
        "there. Ask them, or run there: make verify-aws ARGS=--clean. If that machine is gone: "
        f"make verify-aws ARGS='--clean {mark.run}'. Nothing was started."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
