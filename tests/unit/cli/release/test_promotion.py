"""Deciding by hand: what cannot be done is said before anything is changed; what is done is waited for."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.commands import stop as stopping
from cli.cost import spending as cost
from cli.cost.serving_hours import Fleet
from cli.errors import LaunchRefused, NotConfirmed
from cli.release import champion, promotion, registry
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Mark, Serving
from cli.target import Target
from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from contract.names import NO_CHAMPION
from tests.unit.cli.conftest import client_error
from tests.unit.cli.runs.pipeline_runs import BEFORE, DONE, PACKAGE, SERVING, TRAINING, pipeline_run

GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier"


def version(number: int, value: str, description: str) -> dict[str, Any]:
    """A version of the champion parameter."""
    written = datetime(2026, 11, 20, 13, number, tzinfo=UTC)
    return {"Version": number, "Value": value, "Description": description, "LastModifiedDate": written}


class Aws:
    """A registry with versions 1 to 4, of which 3 serves, and a promote-model that says what it was asked."""

    def __init__(self) -> None:
        self.statuses = {"1": "Approved", "2": "Rejected", "3": "Approved", "4": "PendingManualApproval"}
        self.metadata: dict[str, dict[str, str]] = {}
        self.written: list[tuple[str, str]] = []
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"statusCode": 200, "action": "done"}
        self.history = [version(7, f"{GROUP}/3", "2026-11-20T12:00:00Z approved")]
        self.candidates = [version(1, "none", "")]
        self.shadow = ""
        self.endpoints = ["classifier-other"]
        self.status, self.serving = "UPDATE_COMPLETE", f"{GROUP}/3"
        names = ("ResourceNotFoundException", "ParameterNotFound")
        self.exceptions = SimpleNamespace(**{name: type(name, (Exception,), {}) for name in names})

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        version = ModelPackageName.rpartition("/")[2]
        if version not in self.statuses:
            raise client_error("ValidationException", "ModelPackage does not exist")
        status, approved = self.statuses[version], datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelApprovalStatus": status,
            "LastModifiedTime": approved,
            "ApprovalDescription": "too slow" if status == "Rejected" else "",
            "CustomerMetadataProperties": self.metadata.get(version, {}),
        }

    def list_model_packages(self, **_: Any) -> dict[str, Any]:
        listed = [
            {"ModelPackageArn": f"{GROUP}/{version}", "ModelApprovalStatus": status}
            for version, status in self.statuses.items()
        ]
        return {"ModelPackageSummaryList": listed}

    def update_model_package(
        self, ModelPackageArn: str, ModelApprovalStatus: str, ApprovalDescription: str
    ) -> None:
        self.written.append((ModelPackageArn.rpartition("/")[2], ModelApprovalStatus))

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        outputs = [{"OutputKey": "Champion", "OutputValue": self.serving}]
        if self.shadow:
            outputs.append({"OutputKey": "Candidate", "OutputValue": self.shadow})
        return {"Stacks": [{"StackStatus": self.status, "Outputs": outputs}]}

    def get_paginator(self, name: str) -> Any:
        assert name == "get_parameter_history"
        histories = {"/classifier/champion": self.history, "/classifier/candidate": self.candidates}
        return SimpleNamespace(paginate=lambda Name: [{"Parameters": histories[Name]}])

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        if EndpointName not in self.endpoints:
            raise client_error("ValidationException", "Could not find endpoint")
        return {"EndpointName": EndpointName}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.asked.append(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def where(aws: Aws, target: Callable[..., Target]) -> Target:
    return target(**dict.fromkeys(("sagemaker", "cloudformation", "ssm", "lambda", "s3"), aws))


def test_a_waiting_version_is_approved_and_an_approved_one_is_asked_for_again(
    aws: Aws, where: Target
) -> None:
    promotion.approve(where, "4", "good", anyway=False)
    promotion.approve(where, f"{GROUP}/1", "back", anyway=False)
    assert aws.written == [("4", "Approved"), ("1", "PendingManualApproval"), ("1", "Approved")]


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("2", "was rejected: too slow"),
        ("3", "is the champion already"),
        ("9", "There is no version 9. There are: 1 .Approved., 2 .Rejected."),
        (
            "arn:aws:sagemaker:us-east-1:000000000000:model-package/other/1",
            "no model of the project classifier",
        ),
        ("newest", "no version, no ARN and no part of the name of a run"),
    ],
)
def test_what_cannot_be_promoted_is_named_and_nothing_is_written(
    aws: Aws, where: Target, which: str, words: str
) -> None:
    with pytest.raises((promotion.NotPossible, registry.NoSuchVersion), match=words):
        promotion.approve(where, which, "please", anyway=False)
    assert aws.written == []


@pytest.mark.parametrize("command", [["approve", "4"], ["wake"], ["retry"]])
def test_what_starts_serving_says_on_aws_what_that_costs_and_asks(
    aws: Aws, target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    caller = {"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:user/me"}
    sts = SimpleNamespace(get_caller_identity=lambda: caller)
    where = target("aws", sts=sts, **dict.fromkeys(("sagemaker", "cloudformation", "ssm", "lambda"), aws))
    monkeypatch.setattr(type(where), "region", "us-east-1")
    monkeypatch.setattr("cli.commands.options.resolve", lambda _: where)
    monkeypatch.setattr(cost, "deployed_fleet", lambda _: Fleet("main", "ml.c7i.large", 2))
    refused = CliRunner().invoke(cli, ["--target", "aws", *command], standalone_mode=False)
    assert isinstance(refused.exception, NotConfirmed)
    assert "2 × ml.c7i.large, billed by the second at 0.107 USD an hour each" in str(refused.exception)
    assert (aws.written, aws.asked) == ([], [])
    agreed = CliRunner().invoke(cli, ["--target", "aws", *command, "--yes", "--no-wait"])
    assert agreed.exit_code == 0, agreed.output
    assert aws.written or aws.asked


def test_a_rejected_version_is_approved_by_who_says_anyway(aws: Aws, where: Target) -> None:
    promotion.approve(where, "2", "I know", anyway=True)
    assert aws.written == [("2", "Approved")]


def test_who_approves_other_classes_by_hand_is_told(aws: Aws, where: Target) -> None:
    aws.metadata = {
        "2": {"classes_sha256": "a", "dataset": "insects@1", "outcome": "gate"},
        "3": {"classes_sha256": "b", "dataset": "digits@4"},
    }
    said = promotion.other_classes(where, registry.find(where, "2"))
    assert "Version 2 was trained on insects@1" in said
    assert "than version 3, of digits@4" in said
    aws.metadata["2"]["outcome"] = "other-classes"  # of this the run has told already
    assert promotion.other_classes(where, registry.find(where, "2")) == ""
    aws.metadata["2"] |= {"outcome": "gate", "classes_sha256": "b"}
    assert promotion.other_classes(where, registry.find(where, "2")) == ""
    aws.metadata["2"]["classes_sha256"] = ""  # of before it was noted
    assert promotion.other_classes(where, registry.find(where, "2")) == ""
    assert promotion.other_classes(where, registry.find(where, "3")) == ""


def test_an_approval_of_other_classes_writes_nothing_where_nobody_agrees(
    aws: Aws, where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.metadata = {"2": {"classes_sha256": "a"}, "3": {"classes_sha256": "b"}}
    monkeypatch.setattr("cli.commands.options.resolve", lambda _: where)
    refused = CliRunner().invoke(cli, ["approve", "2", "--anyway"], standalone_mode=False)
    assert isinstance(refused.exception, NotConfirmed)
    assert "tells other classes apart than version 3" in str(refused.exception)
    assert aws.written == []
    agreed = CliRunner().invoke(cli, ["approve", "2", "--anyway", "--yes", "--no-wait"])
    assert (agreed.exit_code, aws.written[-1]) == (0, ("2", "Approved")), agreed.output


def test_the_champion_is_not_rejected_but_rolled_back(aws: Aws, where: Target) -> None:
    with pytest.raises(promotion.NotPossible, match="classifier rollback"):
        promotion.reject(where, "3", "bad")
    promotion.reject(where, "4", "bad")
    assert aws.written == [("4", "Rejected")]


@pytest.mark.parametrize("action", ["sleep", "wake", "rollback"])
def test_a_stack_that_needs_help_takes_no_request_and_the_message_says_how(
    aws: Aws, where: Target, action: str
) -> None:
    aws.status = "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(
        promotion.NotPossible, match="continue-update-rollback --stack-name classifier-serving"
    ):
        promotion.ask(where, action, "why")
    with pytest.raises(promotion.NotPossible, match="UPDATE_ROLLBACK_FAILED"):
        promotion.approve(where, "4", "why", anyway=False)
    assert (aws.asked, aws.written) == ([], [])


def test_what_promote_model_refuses_is_the_commands_error(aws: Aws, where: Target) -> None:
    aws.answer = {"statusCode": 409, "error": {"code": "NoPredecessor", "message": "nothing to go back to"}}
    with pytest.raises(LaunchRefused, match="nothing to go back to"):
        promotion.ask(where, "rollback", "why", f"{GROUP}/3")
    assert aws.asked == [{"action": "rollback", "why": "why", "model": f"{GROUP}/3"}]


def test_waiting_ends_when_the_stack_shows_what_was_decided(aws: Aws, where: Target) -> None:
    said: list[str] = []
    assert promotion.wait(where, said.append) == "Version 3 serves."
    description = f"2026-11-20T13:00:00Z asleep {GROUP}/3 since 2026-11-20T12:00:00Z idle"
    aws.history = [version(8, "none", description), *aws.history]
    aws.serving = "none"
    assert "Version 3 sleeps" in promotion.wait(where, said.append)
    assert champion.read(where).asleep


def test_a_run_that_is_stopped_is_marked_before_its_jobs_are_stopped(
    where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(stopping, "outputs", lambda *_: {"ArtifactsBucket": "artifacts"})
    monkeypatch.setattr(stopping, "RunReader", lambda *_: SimpleNamespace(read=lambda: searching))
    from tests.unit.cli.runs.pipeline_runs import searching as make

    searching = make()
    client = SimpleNamespace(
        put_object=lambda **put: order.append(put["Key"]),
        stop_hyper_parameter_tuning_job=lambda **job: order.append(next(iter(job.values()))),
    )
    where.__dict__["clients"] |= {"s3": client, "sagemaker": client}
    (said,) = stopping.stop_run(where, "classifier-d-1", "enough")
    assert order == ["runs/classifier-d-1/stopped.json", "classifier-d-1"]
    assert "Stopping the tuning job" in said


def forbidden(*_: object) -> None:
    raise AssertionError("nothing is to be written")


def test_a_run_whose_model_serves_is_left_serving(where: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_mark", forbidden)
    monkeypatch.setattr(stopping, "RunReader", lambda *_: SimpleNamespace(read=lambda: DONE))
    (said,) = stopping.stop_run(where, "classifier-d-1", "enough")
    assert "classifier rollback" in said


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (pipeline_run(package=replace(PACKAGE, arn=f"{GROUP}/9", approval="Rejected")), "refused"),
        (
            pipeline_run(training=replace(TRAINING, status="Failed", reason="no space"), package=None),
            "no space",
        ),
        (pipeline_run(training=None, package=None, mark=Mark("too dear")), "stopped: too dear"),
        (
            pipeline_run(
                package=replace(PACKAGE, arn=f"{GROUP}/9"),
                serving=replace(SERVING, stack_status="UPDATE_IN_PROGRESS"),
            ),
            "on its way into service",
        ),
    ],
)
def test_stopping_what_is_over_writes_nothing_and_says_why_it_is_over(
    where: Target, monkeypatch: pytest.MonkeyPatch, run: PipelineRun, words: str
) -> None:
    monkeypatch.setattr(stopping, "_mark", forbidden)
    monkeypatch.setattr(stopping, "RunReader", lambda *_: SimpleNamespace(read=lambda: run))
    (said,) = stopping.stop_run(where, "classifier-d-1", "enough")
    assert "othing was changed" in said
    assert words in said


def test_a_run_whose_model_sleeps_is_no_failure() -> None:
    asleep = Serving("UPDATE_COMPLETE", Decision(8, NO_CHAMPION, "", asleep=f"{GROUP}/3"), NO_CHAMPION, "")
    assert pipeline_run(serving=asleep).outcome == "asleep"


def test_an_approval_that_another_decision_overtook_says_which(aws: Aws, where: Target) -> None:
    later = version(8, f"{GROUP}/4", "2026-11-20T12:00:31Z approved")
    aws.history.append(later)
    with pytest.raises(promotion.NotPossible, match=r"for version 4 after that.* classifier approve 1$"):
        promotion.await_decision(where, f"{GROUP}/1")


def test_an_approval_of_the_same_second_as_another_is_waited_for(
    aws: Aws, where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = version(8, f"{GROUP}/4", "2026-11-20T12:00:30Z approved")
    aws.history.append(same)
    monkeypatch.setattr(
        time, "sleep", lambda _: aws.history.append({**same, "Version": 9, "Value": f"{GROUP}/1"})
    )
    promotion.await_decision(where, f"{GROUP}/1")


SLEPT = version(
    8,
    "none",
    f"2026-11-20T13:00:00Z asleep {GROUP}/3 since 2026-11-20T12:00:00Z went back: no instance",
)


def test_an_endpoint_that_is_left_while_the_model_sleeps_is_told_of_with_how_to_remove_it(
    aws: Aws, where: Target
) -> None:
    aws.history.append(SLEPT)
    aws.serving, aws.endpoints = "none", ["classifier"]
    said = promotion.wait(where, lambda _: None)
    assert "still there and billed" in said
    assert "aws sagemaker delete-endpoint --endpoint-name classifier" in said


def test_a_model_that_does_not_wake_is_an_error_with_the_reason(aws: Aws, where: Target) -> None:
    promotion.must_be_awake(where)
    aws.history.append(SLEPT)
    with pytest.raises(promotion.NotPossible, match="Version 3 did not wake up, and sleeps on: no instance"):
        promotion.must_be_awake(where)


def test_an_approval_that_was_taken_back_is_an_error_with_the_reason(aws: Aws, where: Target) -> None:
    promotion.must_serve(where, f"{GROUP}/3")
    with pytest.raises(
        promotion.NotPossible, match=r"Version 2 was taken back: too slow\. Version 3 serves\."
    ):
        promotion.must_serve(where, f"{GROUP}/2")
    with pytest.raises(promotion.NotPossible, match="Version 1 was overtaken by a newer decision"):
        promotion.must_serve(where, f"{GROUP}/1")


def comparing(aws: Aws, number: int) -> Candidate:
    """A deployment in which models are compared, this one since a minute."""
    aws.shadow = f"{GROUP}/{number}"
    begun = Candidate(2, aws.shadow, "2026-11-20T13:01:00Z", reason=Reason(Outcome.APPROVED))
    aws.candidates.append(version(2, aws.shadow, begun.text()))
    return Candidate.of_version(aws.candidates[-1])


def test_an_approval_has_done_its_part_when_the_model_is_compared(aws: Aws, where: Target) -> None:
    comparing(aws, 1)
    promotion.await_decision(where, f"{GROUP}/1")
    assert "version 1 answers a copy of the requests" in promotion.wait(where, lambda _: None)
    promotion.must_serve(where, f"{GROUP}/1")


def test_what_is_compared_is_not_approved_a_second_time(aws: Aws, where: Target) -> None:
    comparing(aws, 1)
    with pytest.raises(promotion.NotPossible, match="is compared with the champion"):
        promotion.approve(where, "1", "now", anyway=False)
    assert aws.written == []


def test_a_deployment_waits_until_the_stack_shows_the_candidate_too(
    aws: Aws, where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparing(aws, 1)
    aws.shadow = "none"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        aws.shadow = f"{GROUP}/1"

    monkeypatch.setattr(time, "sleep", sleep)
    promotion.wait(where, lambda _: None)
    assert slept


def test_a_run_whose_model_is_compared_is_stopped_by_rejecting_it(
    aws: Aws, where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = pipeline_run(serving=replace(BEFORE, candidate=comparing(aws, 3)))
    aws.history = [version(7, f"{GROUP}/2", "2026-11-20T12:00:00Z approved")]
    assert compared.outcome == "shadowing"
    monkeypatch.setattr(stopping, "_mark", lambda *_: None)
    monkeypatch.setattr(stopping, "RunReader", lambda *_: SimpleNamespace(read=lambda: compared))
    (said,) = stopping.stop_run(where, "classifier-d-1", "enough")
    assert aws.written == [("3", "Rejected")]
    assert "compared with the champion" in said


def test_what_promote_model_did_is_told_as_a_sentence(where: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.options.resolve", lambda _: where)
    monkeypatch.setattr(promotion, "ask", lambda *_: {"action": "it sleeps already"})
    done = CliRunner().invoke(cli, ["sleep", "--no-wait"])
    assert done.stdout == "It sleeps already.\n", done.output
