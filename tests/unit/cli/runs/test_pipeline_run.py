"""Where a run stands is judged from what AWS says, and a run that hangs is failed, with a place to look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Mark, Serving
from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from contract.waiting import Cause, Waiting
from tests.unit.cli.runs.pipeline_runs import (
    BEFORE,
    GROUP,
    PACKAGE,
    SERVING,
    TRAINING,
    TUNING,
    at,
    pipeline_run,
    searching,
)

REJECTED = replace(PACKAGE, approval="Rejected")
ANEW = replace(BEFORE, deployed=at(300))
"""A stack that was made when all of the run had ended."""


@pytest.mark.parametrize(
    ("run", "outcome", "words"),
    [
        (searching(), "running", ""),
        (pipeline_run(training=None, package=None, read_at=at(40)), "running", ""),
        (pipeline_run(training=None, package=None, read_at=at(400)), "failed", "classifier-launch-training"),
        (pipeline_run(package=None, read_at=at(70)), "running", ""),
        (pipeline_run(package=None, read_at=at(500)), "failed", "classifier-register-model"),
        (pipeline_run(package=None, serving=ANEW, read_at=at(500)), "superseded", "an earlier deployment"),
        (pipeline_run(package=None, serving=replace(ANEW, deployed=at(2)), read_at=at(70)), "running", ""),
        (
            pipeline_run(tuning=replace(TUNING, status="Stopped"), training=None, package=None, serving=ANEW),
            "stopped",
            "before this deployment",
        ),
        (pipeline_run(serving=BEFORE, read_at=at(70)), "running", ""),
        (pipeline_run(serving=BEFORE, read_at=at(500)), "failed", "classifier-promote-model"),
        (
            pipeline_run(serving=replace(BEFORE, stack_status="UPDATE_IN_PROGRESS"), read_at=at(9000)),
            "running",
            "",
        ),
        (pipeline_run(serving=replace(SERVING, endpoint_status="Updating")), "running", ""),
        (pipeline_run(), "serving", ""),
        (
            pipeline_run(serving=replace(SERVING, stack_status="UPDATE_IN_PROGRESS"), answering="3"),
            "serving",
            "",
        ),
        (
            pipeline_run(serving=replace(BEFORE, stack_status="UPDATE_IN_PROGRESS"), answering="2"),
            "running",
            "",
        ),
        (
            pipeline_run(serving=replace(SERVING, stack_status="UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")),
            "serving",
            "",
        ),
        (
            pipeline_run(package=replace(REJECTED, reason=Reason(Outcome.GATE, "0.90 < 0.97"))),
            "refused",
            "0.90 < 0.97",
        ),
        (
            pipeline_run(package=replace(REJECTED, reason=Reason(Outcome.FAILED_UPDATE, "the alarm rang"))),
            "failed",
            "version 3 failed: the alarm rang",
        ),
        (
            pipeline_run(package=replace(REJECTED, reason=Reason(Outcome.ROLLED_BACK, "complaints"))),
            "superseded",
            "complaints",
        ),
        (
            pipeline_run(package=replace(REJECTED, reason=Reason.of_package("no rollback plan yet"))),
            "refused",
            "no rollback plan yet",
        ),
        (
            pipeline_run(
                package=replace(REJECTED, reason=Reason.of_package("taken back to the drawing board"))
            ),
            "refused",
            "drawing board",
        ),
        (
            pipeline_run(package=replace(PACKAGE, approval="PendingManualApproval")),
            "awaiting approval",
            "approve it with: classifier approve 3,",
        ),
        (
            pipeline_run(
                package=replace(
                    PACKAGE,
                    approval="PendingManualApproval",
                    verdict="tells other classes apart: new bee",
                    gate=Outcome.OTHER_CLASSES,
                )
            ),
            "awaiting approval",
            "callers would get other classes than now (tells other classes apart: new bee); approve it with",
        ),
        (
            pipeline_run(
                package=replace(
                    PACKAGE,
                    approval="PendingManualApproval",
                    reason=Reason(Outcome.NOT_TRUSTED, "it is slower"),
                )
            ),
            "awaiting approval",
            "compared with the champion, and it is slower; approve it with",
        ),
        (
            pipeline_run(
                serving=replace(BEFORE, candidate=Candidate(2, f"{GROUP}/3", written="2026-11-20T12:00:00Z"))
            ),
            "shadowing",
            "since 2026-11-20T12:00:00Z, and nobody sees its answers",
        ),
        (
            pipeline_run(
                package=replace(REJECTED, reason=Reason(Outcome.LEAKED, "test/a.png is train/b.png"))
            ),
            "refused",
            "test/a.png is train/b.png",
        ),
        (
            pipeline_run(
                serving=replace(SERVING, champion=Decision(9, f"{GROUP}/10", ""), actual=f"{GROUP}/10")
            ),
            "superseded",
            "version 10",
        ),
        (
            pipeline_run(tuning=replace(TUNING, status="Failed", reason="all trials failed"), training=None),
            "failed",
            "all trials failed",
        ),
        (pipeline_run(tuning=replace(TUNING, status="Stopped"), training=None), "stopped", "by hand"),
        (pipeline_run(training=None, package=None, mark=Mark("too dear")), "stopped", "too dear"),
        (
            pipeline_run(training=replace(TRAINING, status="Failed", reason="no space")),
            "failed",
            "no space (log group /aws/sagemaker/TrainingJobs, streams classifier-d-1-final/)",
        ),
    ],
)
def test_a_run_s_outcome(run: PipelineRun, outcome: str, words: str) -> None:
    assert run.outcome == outcome
    assert words in run.reason
    assert run.ended == (outcome != "running")


def test_the_best_trial_is_the_best_completed_one_in_the_objective_s_direction() -> None:
    assert TUNING.best is not None
    assert TUNING.best.name == "classifier-d-1-002-bb"
    lowest = replace(TUNING, direction="Minimize").best
    assert lowest is not None
    assert lowest.name == "classifier-d-1-001-aa"
    assert replace(TUNING, trials=()).best is None


@pytest.mark.parametrize(
    ("run", "over"),
    [
        (searching(), False),
        (pipeline_run(training=None, package=None, read_at=at(400)), False),
        (pipeline_run(training=None, package=None, mark=Mark("too dear")), True),
        (pipeline_run(tuning=replace(TUNING, status="Stopped"), training=None, package=None), True),
        (pipeline_run(training=replace(TRAINING, status="Failed"), package=None), True),
        (pipeline_run(training=replace(TRAINING, status="Failed", goes_on=True), package=None), False),
        (pipeline_run(package=replace(PACKAGE, approval="PendingManualApproval")), False),
        (pipeline_run(package=REJECTED), True),
        (pipeline_run(), True),
    ],
)
def test_a_run_is_over_when_nothing_can_follow_by_itself(run: PipelineRun, over: bool) -> None:
    assert run.over == over


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        (searching(), False),
        (pipeline_run(training=None, package=None), True),
        (pipeline_run(tuning=replace(TUNING, status="Stopped"), training=None, package=None), True),
        (pipeline_run(training=replace(TRAINING, status="Failed"), package=None), False),
        (pipeline_run(), False),
        (pipeline_run(package=replace(REJECTED, reason=Reason(Outcome.BY_HAND, "stopped"))), True),
        (pipeline_run(package=replace(REJECTED, reason=Reason(Outcome.GATE, "0.9"))), False),
    ],
)
def test_a_mark_is_asked_for_only_where_it_would_explain_something(run: PipelineRun, asked: bool) -> None:
    assert run.may_be_marked == asked


def test_a_training_by_hand_has_no_tuning_to_wait_for() -> None:
    assert (
        pipeline_run(tuning=None, training=replace(TRAINING, status="InProgress"), package=None).outcome
        == "running"
    )
    assert pipeline_run(tuning=None).outcome == "serving"


def waiting(package: str, tries: int = 1) -> Serving:
    """Version 2 serves, and this package waits."""
    reason, waits = Reason(Outcome.WAITS, "the limit is 0"), Waiting(package, Cause.QUOTA, tries)
    return replace(BEFORE, champion=replace(BEFORE.champion, reason=reason, waiting=waits))


@pytest.mark.parametrize("tries", [1, 10])
def test_an_approved_model_that_waits_is_told_with_its_cause_and_how_it_goes_on(tries: int) -> None:
    run = pipeline_run(serving=waiting(PACKAGE.arn, tries))
    assert (run.outcome, run.ended) == ("waiting", True)
    assert all(
        word in run.reason for word in ("version 3", "quota", "the limit is 0", "twice", "classifier retry")
    )
    assert ("by itself" in run.reason) == (tries == 1)


def test_a_model_that_waits_is_not_the_run_of_another() -> None:
    run = pipeline_run(serving=waiting(f"{PACKAGE.arn}0"))
    assert run.outcome != "waiting"


def test_a_version_of_other_classes_that_was_approved_waits_no_more() -> None:
    package = replace(PACKAGE, gate=Outcome.OTHER_CLASSES)
    assert not package.has_other_classes
    assert pipeline_run(package=package).outcome == "serving"


def test_nothing_follows_in_a_run_of_an_earlier_deployment() -> None:
    assert pipeline_run(package=None, serving=ANEW).over
    assert not pipeline_run(package=None).over
