"""What `make verify-aws` does, in order, and what that takes of time and money."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

# Estimates, not quotes: EC2's on-demand list price of us-east-1 for c7i.2xlarge and c7i.large plus the fifth
# that SageMaker adds, and a quarter of an hour of CodeBuild for each image. Elsewhere: up to a third more.
TRAINING_USD_PER_HOUR = 0.43
ENDPOINT_USD_PER_HOUR = 0.11
BUILDS_USD = 0.30
JOBS = 5
EXPECTED_USD = JOBS * TRAINING_USD_PER_HOUR / 6 + ENDPOINT_USD_PER_HOUR + BUILDS_USD
MOST_USD = JOBS * TRAINING_USD_PER_HOUR * 2 + 2 * ENDPOINT_USD_PER_HOUR + BUILDS_USD
EXPECTED_MINUTES = 60

COST = f"""\
This deploys the project's five stacks to account {{account}} in {{region}}, builds its container images,
runs a tuning job of four trials and one final training, serves one endpoint for about half an hour, and
then removes everything. It takes about {EXPECTED_MINUTES} minutes, and AWS bills it to that account: we
estimate {EXPECTED_USD:.2f} US dollars, and {MOST_USD:.2f} if every job ran into its two-hour limit.
"""

CHAIN: Final = Path(__file__).parents[1] / "test_chain.py"
CALLS: Final = Path(__file__).with_name("calls.json")
OWN: Final = "own"
"""The calls of the script itself: of looking, of the mark, and of what is left."""
TEST_SECONDS = 5400


class Step(StrEnum):
    """One thing after the other; each can fail, and behind `MARK` each is cleaned up after."""

    LOOK = "look"
    """Whose account it is, that nothing of the project is in it, and what else there is."""
    MARK = "mark"
    """A parameter in the account says that this run is under way, before it makes anything else."""
    CHECK = "check"
    """`classifier check`: what the account lacks."""
    TESTS = "tests"
    """The tests marked `aws`; the first of them deploys."""
    DESTROY = "destroy"
    """`classifier destroy`, where every stack is this run's."""
    LEFT = "left"
    """What is there now and was not before."""
    UNMARK = "unmark"
    """The parameter goes when no stack is left."""


@dataclass(frozen=True)
class Commands:
    """The command lines of the steps that run one."""

    only: str = ""
    """Of the tests those that pytest's -k chooses; empty: all."""

    def of(self, step: Step, folder: Path) -> list[str]:
        """The command of a step, whose results go to `folder`; none for what is asked of AWS directly."""
        python = [sys.executable, "-m"]
        classifier = [*python, "tests.system.recorded", "--target", "aws"]
        if step is Step.CHECK:
            return [*classifier, "check", "--recipe", "digits"]
        if step is Step.DESTROY:
            return [*classifier, "destroy", "--yes"]
        if step is Step.TESTS:
            chosen = ["-k", self.only] if self.only else []
            report = ["--junit-xml", str(folder / "tests.xml"), "-o", "junit_family=xunit2"]
            limits = ["--timeout", str(TEST_SECONDS), "--maxfail", "5"]
            return [
                *python,
                "pytest",
                "-q",
                "-m",
                "aws",
                *limits,
                *report,
                *chosen,
                "tests/system/test_chain.py",
            ]
        return []


def dry_run(commands: Commands) -> Iterator[str]:
    """Every command, and every call to AWS that was seen when the same was done before; calls nothing.

    A step or test whose calls were never written down is named all the same.
    """
    seen: Mapping[str, Mapping[str, list[str]]] = json.loads(CALLS.read_text(encoding="utf-8"))
    yield COST.format(account="(of your credentials)", region="(your region)")
    for step in Step:
        yield f"{step}: {_what(step)}"
        if command := commands.of(step, Path("FOLDER")):
            yield f"  $ {' '.join(['python', *command[1:]])}"
            yield from _calls(seen.get(step))
        elif step is Step.LOOK:
            yield from _calls(seen.get(OWN))
        if step is Step.TESTS:
            for name in _tests():
                yield f"  {name}"
                yield from _calls(seen.get(f"{step}:{name}"))


def _calls(seen: Mapping[str, list[str]] | None) -> Iterator[str]:
    if seen is None:
        yield "    its calls were not written down yet"
    elif not seen:
        yield "    none: it asks what was deployed, as its users do"
    else:
        yield from (f"    {service}: {', '.join(operations)}" for service, operations in seen.items())


def _tests() -> list[str]:
    tree = ast.parse(CHAIN.read_text(encoding="utf-8"))
    functions = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
    return [name for name in functions if name.startswith("test_")]


def _what(step: Step) -> str:
    return {
        Step.LOOK: "whose account, that nothing of the project is there, what else is",
        Step.MARK: "a parameter says that this run is under way",
        Step.CHECK: "what the account lacks; nothing is made where something is wrong",
        Step.TESTS: "deploy, upload, tune, train, register, promote, classify, roll back, sleep, remove",
        Step.DESTROY: "whatever the tests left of the run's own stacks",
        Step.LEFT: "what is there that was not there before; the tests' own queue and rule go",
        Step.UNMARK: "the parameter goes, unless a stack is left",
    }[step]
