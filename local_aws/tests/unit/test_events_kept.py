"""What happened and the event that tells of it are true together, also after a `kill -9` between the two."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from local_aws.core.store import DiskFull, Store
from local_aws.sagemaker.training.job_state import KIND, JobState
from unit.jobs_side import Heard, InMemoryAws, make_jobs_side
from unit.test_core_store import fill, make_room

JOB = {
    "TrainingJobName": "job",
    "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/job",
    "TrainingJobStatus": "InProgress",
}


class Killed(BaseException):
    """The end of the process: nothing of the server handles it."""


class Deadly(Heard):
    """An event bus during whose work the server is killed."""

    def put_event(self, *_: Any, **__: Any) -> None:
        raise Killed


@pytest.fixture
def aws(tmp_path: Path) -> InMemoryAws:
    made = make_jobs_side(tmp_path).aws
    made.store.put(KIND, "job", JOB)
    return made


def statuses(heard: Heard) -> list[str]:
    return [detail["TrainingJobStatus"] for _, detail, _ in heard.events]


def test_the_end_of_a_job_is_told_although_the_server_dies_before_it_is(aws: InMemoryAws) -> None:
    dying = dataclasses.replace(aws, backend=Deadly())
    with pytest.raises(Killed):
        JobState(dying, "job").end("Completed", "Completed")
    after = dataclasses.replace(aws, store=Store(aws.store.path))
    assert (after.store.get(KIND, "job") or {})["TrainingJobStatus"] == "Completed"
    after.deliver_events()
    assert statuses(after.heard) == ["Completed"]
    after.deliver_events()
    assert statuses(after.heard) == ["Completed"], "what the bus has is not told again"


def test_an_event_that_cannot_be_stored_leaves_the_status_as_it_was(
    aws: InMemoryAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def put_or_fail(self: Store, kind: str, key: str, document: dict[str, Any]) -> None:
        if kind == "event":
            fill(self)
            document = {"size": "large" * 10_000}
        put(self, kind, key, document)

    monkeypatch.setattr(Store, "put", put_or_fail)
    with pytest.raises(DiskFull):
        JobState(aws, "job").end("Completed", "Completed")
    make_room(aws.store)
    assert (aws.store.get(KIND, "job") or {})["TrainingJobStatus"] == "InProgress"
    assert aws.heard.events == []


def test_events_go_out_in_the_order_in_which_they_became_true(aws: InMemoryAws) -> None:
    state = JobState(aws, "job")
    state.progress("Training", "it trains")
    state.stopping("enough")
    state.end("Stopped", "Stopped")
    assert statuses(aws.heard) == ["InProgress", "Stopping", "Stopped"]


def test_a_bus_that_refuses_an_event_holds_up_no_other(
    aws: InMemoryAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Heard.put_event

    def refuse_first(self: Heard, *arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(Heard, "put_event", original)
        raise RuntimeError("no")

    monkeypatch.setattr(Heard, "put_event", refuse_first)
    JobState(aws, "job").stopping("enough")
    JobState(aws, "job").end("Stopped", "Stopped")
    assert statuses(aws.heard) == ["Stopped"]
