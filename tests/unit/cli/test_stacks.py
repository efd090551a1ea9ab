"""What an interrupted run left is mended before the next deployment: failed stacks go, half-done ones are
waited for, healthy ones are not touched."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import CdkFailed
from cli.files import alone
from cli.stacks import half_there, mend, turn_of
from tests.unit.cli.conftest import client_error


class CloudFormation:
    """Stacks by name, each with the statuses it will show one after the other."""

    def __init__(self, **stacks: list[str]) -> None:
        self.stacks = {f"classifier-{name}": statuses for name, statuses in stacks.items()}
        self.deleted: list[str] = []
        self.continued: list[str] = []
        self.stuck = False

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        statuses = self.stacks.get(StackName)
        if not statuses:
            raise client_error("ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": [{"StackStatus": statuses.pop(0) if len(statuses) > 1 else statuses[0]}]}

    def delete_stack(self, StackName: str) -> None:
        self.deleted.append(StackName)
        self.stacks[StackName] = ["DELETE_FAILED"] if self.stuck else []

    def continue_update_rollback(self, StackName: str) -> None:
        self.continued.append(StackName)
        self.stacks[StackName] = ["UPDATE_ROLLBACK_COMPLETE"]


@pytest.mark.parametrize(
    "status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_FAILED"]
)
def test_a_stack_that_never_came_to_life_is_deleted(target: Any, status: str) -> None:
    stacks = CloudFormation(storage=["CREATE_COMPLETE"], training=[status])
    mend(target(cloudformation=stacks))
    assert stacks.deleted == ["classifier-training"]


def test_healthy_stacks_are_left_alone(target: Any) -> None:
    stacks = CloudFormation(storage=["CREATE_COMPLETE"], serving=["UPDATE_ROLLBACK_COMPLETE"])
    mend(target(cloudformation=stacks))
    assert (stacks.deleted, stacks.continued) == ([], [])


def test_work_in_progress_is_waited_for(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    stacks = CloudFormation(api=["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"])
    mend(target(cloudformation=stacks))
    assert stacks.deleted == ["classifier-api"]


def test_a_failed_rollback_is_continued(target: Any) -> None:
    stacks = CloudFormation(serving=["UPDATE_ROLLBACK_FAILED"])
    mend(target(cloudformation=stacks))
    assert stacks.continued == ["classifier-serving"]


def test_a_stack_that_cannot_be_deleted_is_named(target: Any) -> None:
    stacks = CloudFormation(api=["ROLLBACK_COMPLETE"])
    stacks.stuck = True
    with pytest.raises(
        CdkFailed, match=r"(?s)classifier-api is stuck in DELETE_FAILED: .*FORCE_DELETE_STACK"
    ):
        mend(target(cloudformation=stacks))


WHOLE = dict.fromkeys(("storage", "training", "serving", "api", "monitoring"), "UPDATE_COMPLETE")


@pytest.mark.parametrize(
    ("stacks", "says"),
    [
        (WHOLE, ""),
        ({}, ""),
        ({"storage": "REVIEW_IN_PROGRESS"}, ""),
        (
            {"storage": "DELETE_IN_PROGRESS", "training": "CREATE_COMPLETE"},
            "There: classifier-storage (DELETE_IN_PROGRESS), classifier-training; missing: "
            "classifier-serving, classifier-api, classifier-monitoring.",
        ),
        (WHOLE | {"api": "DELETE_FAILED"}, "classifier-api (DELETE_FAILED), classifier-monitoring."),
        (WHOLE | {"api": "UPDATE_IN_PROGRESS"}, ""),
    ],
)
def test_what_is_half_there_is_told_with_what_to_do(target: Any, stacks: dict[str, str], says: str) -> None:
    made = CloudFormation(**{name: [status] for name, status in stacks.items()})
    told = half_there(target(cloudformation=made))
    assert says in told
    assert ("the rest: classifier destroy; to deploy what is missing: classifier up" in told) == bool(says)
    assert bool(told) == bool(says)


def test_a_deployment_that_somebody_makes_just_now_is_told_as_that(target: Any) -> None:
    where = target(cloudformation=CloudFormation(storage=["CREATE_COMPLETE"]))
    turn_of(where).parent.mkdir(parents=True, exist_ok=True)
    with alone(turn_of(where)):
        told = half_there(where)
    assert told.startswith("Another command of this checkout is deploying or destroying. There: classifier-s")
    assert "classifier destroy" not in told
    assert "was cut short" in half_there(where)
