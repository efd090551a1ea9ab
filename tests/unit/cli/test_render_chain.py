"""One screen shows the whole run; a pipe gets every change once."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from cli.chain import Chain
from cli.render_chain import MAX_TRIALS, lines, screen, steps
from tests.unit.cli.chains import BEFORE, PACKAGE, TRAINING, TRIALS, TUNING, chain, searching


def drawn(run: Chain) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(screen(run))
    return console.export_text()


def test_the_screen_shows_every_step_of_a_finished_run() -> None:
    text = drawn(chain())
    for words in ["● tuning  ● training  ● package  ● promotion  ● endpoint", "3 of 3 trials, 30 s"]:
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


def test_the_step_under_way_is_marked() -> None:
    assert steps(searching())[:2] == [("tuning", "now"), ("training", "next")]
    assert dict(steps(chain(serving=BEFORE)))["promotion"] == "now"
    failed = chain(training=replace(TRAINING, status="Failed", reason="no space"), package=None)
    assert dict(steps(failed))["training"] == "failed"


def test_the_final_metrics_stand_in_where_the_log_is_gone() -> None:
    assert "0.9704" in drawn(chain(training=replace(TRAINING, epochs=()), package=None))


def test_a_long_search_shows_the_best_and_what_runs() -> None:
    many = tuple(replace(TRIALS[0], name=f"classifier-d-1-{number:03d}-xx") for number in range(100, 140))
    run = chain(tuning=replace(TUNING, trials=(*TRIALS, *many)))
    text = drawn(run)
    assert "★ 002-bb" in text
    assert f"... and {43 - MAX_TRIALS} more" in text


def test_a_pipe_gets_each_change_once_and_in_order() -> None:
    first = lines(None, searching())
    assert first[0] == "tuning classifier-d-1: InProgress"
    assert lines(searching(), searching()) == []
    rest = lines(searching(), chain())
    assert rest[0] == "tuning classifier-d-1: Completed"
    assert "best: classifier-d-1-002-bb (batch_size 16, learning_rate 0.1)" in rest
    assert "  epoch 2: train_loss=0.3000 valid_accuracy=0.9700" in rest
    assert rest[-1] == "serving"


def test_a_refused_model_s_reason_is_the_last_line() -> None:
    run = chain(package=replace(PACKAGE, approval="Rejected", why="0.90 is below 0.97"))
    assert lines(None, run)[-1] == "refused: 0.90 is below 0.97"
