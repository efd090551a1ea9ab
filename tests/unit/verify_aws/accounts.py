"""An account and a runner in memory: what the commands would make and remove, and failing where told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.system.verify_aws.account import Identity, Mark, MarkedAlready
from tests.system.verify_aws.journal import Journal
from tests.system.verify_aws.plan import Commands, Step
from tests.system.verify_aws.verification import Record, Verification

STACKS = ("classifier-storage", "classifier-training")
THEIRS = {"s3 list_buckets: holiday-pictures", "sqs list_queues: https://sqs/classifier-of-somebody-else"}
Accident = Callable[[], None]


def refused() -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Operation")


def ctrl_c() -> None:
    raise KeyboardInterrupt


class Memory:
    """Account and commands at once. `accidents` happen at the operation or step of that name, once each."""

    project = "classifier"

    def __init__(self, **accidents: Accident) -> None:
        self.accidents = accidents
        self.marked: Mark | None = None
        self.made_by: dict[str, str] = {}
        """The run, or whoever else, that each stack's template names."""
        self.things = set(THEIRS)
        self.codes: dict[Step, list[int]] = {}
        """The exit codes of a step's commands, in turn; 0 where there is none."""
        self.ran: list[Step] = []
        self.leaves: set[str] = set()
        """What the tests make past the stacks."""

    def _happen(self, name: str) -> None:
        if (accident := self.accidents.pop(name, None)) is not None:
            accident()

    def identity(self) -> Identity:
        self._happen("identity")
        return Identity("111122223333", "arn:aws:iam::111122223333:user/ann", "eu-west-1")

    def mark(self) -> Mark | None:
        self._happen("mark")
        return self.marked

    def put_mark(self, mark: Mark) -> None:
        self._happen("put_mark")
        if self.marked is not None:
            raise MarkedAlready
        self.marked = mark
        self._happen("put_mark_unanswered")

    def remove_mark(self, run: str) -> None:
        self._happen("remove_mark")
        if self.marked is not None and self.marked.run == run:
            self.marked = None

    def stacks(self, run: str) -> Mapping[str, bool]:
        self._happen("stacks")
        return {name: bool(run) and maker == run for name, maker in self.made_by.items()}

    def inventory(self) -> set[str]:
        self._happen("inventory")
        return set(self.things)

    def remove_helpers(self, new: set[str]) -> None:
        self._happen("remove_helpers")
        self.things -= {each for each in new if each.endswith("system-test-heard")}

    def run(self, command: list[str], environment: Mapping[str, str]) -> int:
        step = next(step for step in Step if command == Commands().of(step, Path(environment["VERIFY_AWS"])))
        self.ran.append(step)
        self._happen(step)
        run = Path(environment["VERIFY_AWS"]).name
        code = (self.codes.get(step) or [0]).pop(0)
        if step is Step.TESTS:
            self.made_by |= dict.fromkeys(STACKS, run)
            self.things |= self.leaves | {"s3 list_buckets: classifier-data"}
            self._happen("in_tests")
        if step is Step.DESTROY and code == 0:
            self.made_by = {}
            self.things.discard("s3 list_buckets: classifier-data")
        return code


def untouched(memory: Memory) -> bool:
    """Nothing of a run is left, and everything of others is there."""
    return memory.things == THEIRS and memory.made_by == {} and memory.marked is None


class Session:
    """A `Verification` over a `Memory`, with what was said and reported."""

    def __init__(self, memory: Memory, folder: Path, agree: bool = True) -> None:
        self.memory, self.said, self.reports = memory, list[str](), list[Record]()
        self.verification = Verification(
            account=memory,
            processes=memory,
            journal=Journal(folder),
            commands=Commands(),
            agree=lambda question: agree,
            say=self.said.append,
            report=self.reports.append,
            write_down=lambda file: None,
        )

    def verify(self) -> Any:
        return self.verification.verify()
