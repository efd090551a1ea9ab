"""Whatever goes wrong, and wherever: what a run made is gone or told of, and what others made is there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.system.verify_aws.account import Mark
from tests.system.verify_aws.plan import Step
from tests.system.verify_aws.verification import Outcome
from tests.unit.verify_aws.accounts import STACKS, THEIRS, Memory, Session, ctrl_c, refused, untouched

ELSEWHERE = Mark("20260101-000000-abcdef", "classifier", "arn:of:bob", "bobs-laptop", "2026-01-01T00:00:00")


def test_a_run_without_accidents_proves_and_leaves_the_account_as_it_was(tmp_path: Path) -> None:
    memory = Memory()
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.PROVEN
    assert memory.ran == [Step.CHECK, Step.TESTS, Step.DESTROY]
    assert untouched(memory)
    assert [record.problems for record in session.reports] == [[]]


@pytest.mark.parametrize("where", ["identity", "mark", "stacks", "inventory", "put_mark"])
def test_what_is_refused_before_the_mark_starts_nothing(tmp_path: Path, where: str) -> None:
    memory = Memory(**{where: refused})
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert (memory.ran, untouched(memory)) == ([], True)
    assert "Nothing was started" in session.said[-1]


def test_a_mark_whose_answer_never_came_is_found_and_removed_by_the_next_run(tmp_path: Path) -> None:
    memory = Memory(put_mark_unanswered=refused)
    assert Session(memory, tmp_path).verify() is Outcome.NOT_PROVEN
    assert memory.ran == []
    assert Session(memory, tmp_path).verify() is Outcome.PROVEN
    assert untouched(memory)


def test_who_does_not_agree_has_started_nothing(tmp_path: Path) -> None:
    memory = Memory()
    session = Session(memory, tmp_path, agree=False)
    assert session.verify() is Outcome.NOT_PROVEN
    assert (memory.ran, untouched(memory), list(tmp_path.iterdir())) == ([], True, [])
    assert any("US dollars" in said and "minutes" in said for said in session.said)


def test_an_account_that_lacks_something_is_not_deployed_to(tmp_path: Path) -> None:
    memory = Memory()
    memory.codes[Step.CHECK] = [1]
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert memory.ran == [Step.CHECK]
    assert untouched(memory)
    assert [step for step, _ in session.reports[0].problems] == [Step.CHECK]


@pytest.mark.parametrize("accident", [ctrl_c, lambda: (_ for _ in ()).throw(OSError("no python"))])
@pytest.mark.parametrize("where", ["check", "tests", "in_tests"])
def test_an_accident_in_a_step_is_cleaned_up_after(tmp_path: Path, where: str, accident: object) -> None:
    memory = Memory(**{where: accident})  # type: ignore[arg-type]
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert untouched(memory)
    assert (memory.ran[-1] is Step.DESTROY) == (where == "in_tests")
    (record,) = session.reports
    assert record.interrupted == (accident is ctrl_c)


def test_failing_tests_are_cleaned_up_after_and_told(tmp_path: Path) -> None:
    memory = Memory()
    memory.codes[Step.TESTS] = [1]
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert untouched(memory)
    assert [step for step, _ in session.reports[0].problems] == [Step.TESTS]


def test_a_destroy_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    memory = Memory()
    memory.codes[Step.DESTROY] = [1]
    assert Session(memory, tmp_path).verify() is Outcome.PROVEN
    assert memory.ran[-2:] == [Step.DESTROY, Step.DESTROY]
    assert untouched(memory)


def test_stacks_that_cannot_be_removed_are_told_and_the_next_run_goes_on_with_them(tmp_path: Path) -> None:
    memory = Memory()
    memory.codes[Step.DESTROY] = [1, 1]
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_CLEAN
    ((step, why),) = session.reports[0].problems
    assert (step, STACKS[0] in why) == (Step.DESTROY, True)
    assert memory.marked is not None, "the next run has to find it"
    memory.ran.clear()
    assert Session(memory, tmp_path).verify() is Outcome.PROVEN
    assert memory.ran == [Step.DESTROY, Step.CHECK, Step.TESTS, Step.DESTROY]
    assert untouched(memory)


@pytest.mark.parametrize("where", ["remove_helpers", "remove_mark", "destroy"])
def test_what_fails_while_cleaning_is_told_and_the_steps_behind_it_are_taken(
    tmp_path: Path, where: str
) -> None:
    memory = Memory(**{where: refused})
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_CLEAN
    assert session.reports[0].problems
    assert bool(memory.made_by) == (where == "destroy")
    assert (memory.marked is None) == (where == "remove_helpers")
    assert Session(memory, tmp_path).verify() is Outcome.PROVEN
    assert untouched(memory)


@pytest.mark.parametrize("number", range(1, 5))
def test_an_account_that_stops_answering_leaves_the_mark_as_long_as_a_stack_is_there(
    tmp_path: Path, number: int
) -> None:
    """Stacks are asked for once before the run, and then by each step of cleaning up."""
    memory, seen = Memory(), []
    real = memory.stacks

    def stacks(run: str) -> object:
        seen.append(run)
        if len(seen) > number:
            refused()
        return real(run)

    memory.stacks = stacks  # type: ignore[assignment,method-assign]
    assert Session(memory, tmp_path).verify() in (Outcome.NOT_CLEAN, Outcome.PROVEN)
    assert memory.marked is not None or memory.made_by == {}
    memory.stacks = real  # type: ignore[method-assign]
    assert Session(memory, tmp_path).verify() is Outcome.PROVEN
    assert untouched(memory)


def test_ctrl_c_while_cleaning_leaves_the_mark_for_the_next_run(tmp_path: Path) -> None:
    memory = Memory(in_tests=ctrl_c, destroy=ctrl_c)
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_CLEAN
    assert memory.marked is not None
    assert "--clean" in session.reports[0].problems[-1][1]
    assert Session(memory, tmp_path).verification.clean() is Outcome.PROVEN
    assert untouched(memory)


PRESSED = """
import json, signal, sys
from pathlib import Path
from tests.unit.verify_aws.accounts import Memory, Session, untouched

def press():
    for _ in range(int(sys.argv[2])):
        signal.raise_signal(signal.SIGINT)

memory = Memory(destroy=press)
session, before = Session(memory, Path(sys.argv[1])), signal.getsignal(signal.SIGINT)
told = {"outcome": session.verify(), "said": session.said, "untouched": untouched(memory)}
handler_is_back = signal.getsignal(signal.SIGINT) is before
print(json.dumps({**told, "marked": memory.marked is not None, "handler_is_back": handler_is_back}))
"""


def pressed_while_cleaning(folder: Path, times: int) -> dict[str, Any]:
    """A run with that many Ctrl-C, in a process of its own: pytest's workers take a signal for their end."""
    command = [sys.executable, "-c", PRESSED, str(folder), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_ctrl_c_once_while_cleaning_does_not_cut_it_short(tmp_path: Path) -> None:
    told = pressed_while_cleaning(tmp_path, 1)
    assert (told["outcome"], told["untouched"], told["handler_is_back"]) == (Outcome.PROVEN, True, True)
    assert any("leaves it as it is" in said for said in told["said"])


def test_ctrl_c_thrice_while_cleaning_is_meant(tmp_path: Path) -> None:
    told = pressed_while_cleaning(tmp_path, 3)
    assert (told["outcome"], told["marked"], told["handler_is_back"]) == (Outcome.NOT_CLEAN, True, True)


def test_a_run_of_another_project_is_not_cleaned_up_by_the_present_ones_names(tmp_path: Path) -> None:
    memory = Memory()
    memory.marked, memory.made_by = replace(ELSEWHERE, project="pets"), {STACKS[0]: ELSEWHERE.run}
    session = Session(memory, tmp_path)
    assert session.verification.clean(ELSEWHERE.run) is Outcome.NOT_CLEAN
    assert (memory.ran, memory.made_by) == ([], {STACKS[0]: ELSEWHERE.run})
    assert "pets" in session.said[-1]


def test_a_stack_that_was_there_before_keeps_the_run_from_starting(tmp_path: Path) -> None:
    memory = Memory()
    memory.made_by = {STACKS[0]: "somebody"}
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert (memory.ran, memory.made_by, memory.marked) == ([], {STACKS[0]: "somebody"}, None)
    assert STACKS[0] in session.said[-1]


def test_a_stack_of_the_same_name_that_somebody_put_there_meanwhile_is_not_removed(tmp_path: Path) -> None:
    memory = Memory()

    def theirs() -> None:
        memory.made_by[STACKS[0]] = "somebody"

    memory.accidents["in_tests"] = theirs
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_CLEAN
    assert Step.DESTROY not in memory.ran
    assert memory.made_by[STACKS[0]] == "somebody"
    assert STACKS[0] in session.reports[0].problems[0][1]


def test_another_checkouts_run_is_left_alone_until_it_is_named(tmp_path: Path) -> None:
    memory = Memory()
    memory.marked, memory.made_by = ELSEWHERE, {STACKS[0]: ELSEWHERE.run}
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_PROVEN
    assert session.verification.clean() is Outcome.NOT_PROVEN
    assert (memory.ran, memory.made_by) == ([], {STACKS[0]: ELSEWHERE.run})
    assert "bobs-laptop" in session.said[-1]
    session.verification.clean(ELSEWHERE.run)
    assert (memory.made_by, memory.marked) == ({}, None)
    assert session.reports[0].run.settings.is_file(), "what is destroyed has to be synthesised"


def test_of_two_that_begin_at_once_one_starts_nothing_and_removes_nothing(tmp_path: Path) -> None:
    memory = Memory()

    def faster() -> None:
        memory.marked, memory.made_by = ELSEWHERE, {STACKS[0]: ELSEWHERE.run}

    memory.accidents["put_mark"] = faster
    assert Session(memory, tmp_path).verify() is Outcome.NOT_PROVEN
    assert (memory.ran, memory.marked, memory.made_by) == ([], ELSEWHERE, {STACKS[0]: ELSEWHERE.run})


def test_what_the_tests_listen_with_goes_and_anything_else_of_the_name_is_told(tmp_path: Path) -> None:
    memory = Memory()
    memory.leaves = {
        "events list_rules: classifier-system-test-heard",
        "logs describe_log_groups: /aws/codebuild/classifier-image",
        "s3 list_buckets: of-another-project",
    }
    session = Session(memory, tmp_path)
    assert session.verify() is Outcome.NOT_CLEAN
    assert session.reports[0].left == ["logs describe_log_groups: /aws/codebuild/classifier-image"]
    assert memory.things >= THEIRS


def test_cleaning_up_where_no_run_is_under_way_does_nothing(tmp_path: Path) -> None:
    memory = Memory()
    memory.made_by = {STACKS[0]: "somebody"}
    assert Session(memory, tmp_path).verification.clean() is Outcome.PROVEN
    assert (memory.ran, memory.made_by) == ([], {STACKS[0]: "somebody"})


def test_what_is_deployed_carries_the_runs_name_and_leaves_no_bucket(tmp_path: Path) -> None:
    session = Session(Memory(), tmp_path)
    session.verify()
    run = session.reports[0].run
    settings = json.loads(run.settings.read_text())
    assert settings["tags"]["verify-run"] == run.name
    assert (settings["on_destroy"], settings["approval"]) == ("delete", "auto")
