"""One screen shows the whole run; a pipe gets every change once."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from cli.runs.pipeline_run import PipelineRun
from cli.runs.screen import MAX_TRIALS, as_data, lines, screen, steps
from cli.runs.state import Mark, Serving, data_of
from contract.decisions import Decision, Outcome, Reason
from tests.unit.cli.runs.pipeline_runs import (
    BEFORE,
    PACKAGE,
    TRAINING,
    TRIALS,
    TUNING,
    pipeline_run,
    searching,
)


def drawn(run: PipelineRun) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(screen(run))
    return console.export_text()


def test_the_screen_s_test_accuracy_is_that_of_the_registry() -> None:
    text = drawn(pipeline_run(package=replace(PACKAGE, test_accuracy=0.8712)))
    assert "test accuracy 0.8712" in text


def test_the_screen_shows_every_step_of_a_finished_run() -> None:
    text = drawn(pipeline_run())
    for words in [
        "● tuning  ● training  ● package  ● promotion  ● endpoint",
        "2 of 3 trials completed, 1 failed, 30 s",
    ]:
        assert words in text
    for words in [
        "★ 002-bb",
        "0.9700",
        "classifier-d-1-final",
        "version 3",
        "Approved",
        "InService",
        "0.9704",
    ]:
        assert words in text


def test_a_run_is_shown_with_its_data_set_s_version() -> None:
    of_search = pipeline_run(tuning=replace(TUNING, data="digits@3"))
    by_hand = pipeline_run(tuning=None, training=replace(TRAINING, data="digits@4"))
    assert "classifier-d-1  digits@3\n" in drawn(of_search)
    assert "data set digits@3" in lines(None, of_search)
    assert "digits@4" in drawn(by_hand)
    assert not any(line.startswith("data set") for line in lines(None, pipeline_run()))


def test_a_run_that_started_by_itself_says_why() -> None:
    run = pipeline_run(scheduled={"corrections": 212, "drift": 0.314})
    assert "scheduled: 212 corrections, drift 0.31" in drawn(run)
    assert "scheduled: 212 corrections, drift 0.31" in lines(None, run)
    assert as_data(run)["scheduled"] == {"corrections": 212, "drift": 0.314}
    assert "scheduled" not in drawn(pipeline_run())


def test_what_a_job_is_told_names_its_data_set() -> None:
    assert data_of({"dataset": "digits", "dataset_version": "3"}) == "digits@3"
    assert data_of({"dataset": "digits"}) == "digits"  # jobs of older deployments
    assert data_of({}) == ""


def test_the_step_under_way_is_marked() -> None:
    assert steps(searching())[:2] == [("tuning", "now"), ("training", "next")]
    assert dict(steps(pipeline_run(serving=BEFORE)))["promotion"] == "now"
    failed = pipeline_run(training=replace(TRAINING, status="Failed", reason="no space"), package=None)
    assert dict(steps(failed))["training"] == "failed"


GATE = Reason(Outcome.GATE, "0.90 is below 0.97")
ASLEEP = Serving("UPDATE_COMPLETE", Decision(8, "none", "", asleep=PACKAGE.arn), "none", "")


@pytest.mark.parametrize(
    ("run", "held"),
    [
        (pipeline_run(serving=ASLEEP), "endpoint"),
        (
            pipeline_run(package=replace(PACKAGE, approval="Rejected", reason=GATE), serving=BEFORE),
            "promotion",
        ),
        (pipeline_run(package=None, mark=Mark("too dear")), "package"),
    ],
)
def test_what_sleeps_or_was_refused_or_stopped_is_not_shown_as_a_failure(run: PipelineRun, held: str) -> None:
    assert dict(steps(run))[held] == "held"
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(screen(run))
    red = "\x1b[31m"
    assert red not in console.file.getvalue().replace("003-cc", "").split("Training")[0].split("\n")[0]
    assert red not in console.file.getvalue().partition("Training  ")[2]


def test_a_sleeping_endpoint_is_said_to_sleep() -> None:
    assert "endpoint classifier: asleep" in lines(None, pipeline_run(serving=ASLEEP))


def test_the_final_metrics_stand_in_where_the_log_is_gone() -> None:
    assert "0.9704" in drawn(pipeline_run(training=replace(TRAINING, epochs=()), package=None))


def test_a_long_search_shows_the_best_and_what_runs() -> None:
    many = tuple(replace(TRIALS[0], name=f"classifier-d-1-{number:03d}-xx") for number in range(100, 140))
    run = pipeline_run(tuning=replace(TUNING, trials=(*TRIALS, *many)))
    text = drawn(run)
    assert "★ 002-bb" in text
    assert f"... and {43 - MAX_TRIALS} more" in text


def test_a_pipe_gets_each_change_once_and_in_order() -> None:
    first = lines(None, searching())
    assert first[0] == "tuning classifier-d-1: InProgress"
    assert lines(searching(), searching()) == []
    rest = lines(searching(), pipeline_run())
    assert rest[0] == "tuning classifier-d-1: Completed, 2 of 3 trials completed, 1 failed"
    assert "best: classifier-d-1-002-bb (batch_size 16, learning_rate 0.1)" in rest
    assert "  epoch 2: train_loss=0.3000 valid_accuracy=0.9700" in rest
    assert rest[-1] == "serving"


def test_a_refused_model_s_reason_stands_before_what_can_be_done() -> None:
    reason = Reason(Outcome.GATE, "0.90 is below 0.97")
    run = pipeline_run(package=replace(PACKAGE, approval="Rejected", reason=reason))
    assert lines(None, run)[-3] == "refused: 0.90 is below 0.97"


def test_a_failed_trial_is_told_with_its_reason_and_where_its_log_is() -> None:
    log = "log group /aws/sagemaker/TrainingJobs, streams classifier-d-1-003-cc/"
    text = drawn(pipeline_run())
    assert f"classifier-d-1-003-cc failed: AlgorithmError: the loss is nan ({log})" in " ".join(text.split())
    told = next(line for line in lines(None, pipeline_run()) if "003-cc" in line)
    assert "AlgorithmError: the loss is nan" in told
    assert log in told


def test_without_a_failure_no_reason_is_asked_for() -> None:
    text = drawn(searching())
    assert "1 of 3 trials completed, 1 running" in text
    assert "why" not in text
    assert lines(None, searching())[0] == "tuning classifier-d-1: InProgress"


def test_failed_trials_are_among_those_a_long_search_shows() -> None:
    many = tuple(replace(TRIALS[0], name=f"classifier-d-1-{number:03d}-xx") for number in range(100, 140))
    assert "003-cc" in drawn(pipeline_run(tuning=replace(TUNING, trials=(*TRIALS, *many))))


def test_an_epoch_that_lacks_a_number_leaves_its_place_empty() -> None:
    rows = (
        {"epoch": 1.0, "train_loss": 0.7, "valid_accuracy": 0.9},
        {"epoch": 2.0, "valid_accuracy": 0.4321},
    )
    text = drawn(pipeline_run(training=replace(TRAINING, epochs=rows)))
    first, second = (
        next(line for line in text.splitlines() if each in line) for each in ("0.9000", "0.4321")
    )
    assert second.index("0.4321") == first.index("0.9000")


def test_a_narrow_terminal_gets_whole_names_and_the_way_on_one_line() -> None:
    console = Console(width=60, file=io.StringIO())
    console.print(screen(pipeline_run(), "about 4 min left"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.splitlines()[:2] == [
        "classifier-d-1",
        "● tuning  ● training  ● package  ● promotion  ● endpoint",
    ]
    assert "…" not in text
    assert "learning_rate" in text
    assert "valid_accuracy" in text


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (
            Outcome.GATE,
            ["more pictures, or another recipe (classifier recipes --env prod)", "Where a setting is named"],
        ),
        (Outcome.LEAKED, ["leave those pictures in one split, classifier upload --env prod again"]),
        (Outcome.BY_HAND, []),
    ],
)
def test_a_refusal_says_what_can_be_done(why: Outcome, says: list[str]) -> None:
    package = replace(PACKAGE, approval="Rejected", reason=Reason(why, "0.90 is below 0.97"))
    run = pipeline_run(package=package, serving=BEFORE, option=" --env prod")
    for text in (drawn(run).replace("\n", " "), " ".join(lines(None, run))):
        assert "refused: 0.90 is below 0.97" in text
        assert "To let it serve all the same: classifier approve 3 --anyway --env prod" in text
        assert all(words in text for words in says)
        assert ("For " in text) == bool(says)
    assert "--anyway" not in drawn(pipeline_run())


def test_a_refusal_says_it_before_the_package_has_a_reason_too() -> None:
    package = replace(PACKAGE, approval="Rejected", reason=Reason(Outcome.BY_HAND), gate=Outcome.GATE)
    assert "more pictures" in drawn(pipeline_run(package=package, serving=BEFORE))
