"""What is left of a run follows what was measured in it, and contradicts no time that has passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.runs import remaining, watch
from cli.runs.expected import Expected
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Race, Trial
from tests.unit.cli.runs.pipeline_runs import BEFORE, TRAINING, TUNING, at, pipeline_run, searching

LIKELY = Expected(60.0, 0.02, "as 3 earlier runs", 20.0)
"""40 s of a search of two rounds, and 20 s of the last training."""


def run_at(seconds: float, *ended: float, running: float | None = None) -> PipelineRun:
    """A search of four trials, two at a time, at a moment: the trials have ended at these."""
    trials = [
        Trial(f"t-{end}", "Completed", {}, 0.9, "", at(0 if number < 2 else ended[number - 2]), at(end))
        for number, end in enumerate(ended)
    ]
    if running is not None:
        trials += [Trial("t-r", "InProgress", {}, None, "", at(running))]
    search = replace(
        TUNING, status="InProgress", ended=None, max_jobs=4, parallel=2, trials=tuple(trials), created=at(0)
    )
    return pipeline_run(
        tuning=search, training=None, package=None, serving=BEFORE, read_at=at(seconds), race=None
    )


@pytest.mark.parametrize(
    ("run", "seconds", "source"),
    [
        (run_at(5), 55, "as 3 earlier runs"),
        (run_at(60), 120, "no trial has ended yet, against 20 s expected"),  # three times as slow: 180 s
        (run_at(60, 60, running=0), 60 + 20 * 3, "as its first trial took"),
        (run_at(60, 60, 60), 60 + 20 * 3, "as its 2 trials that have ended took"),
        (run_at(90, 60, 60, running=60), 60 + 20 * 3.75, "trials that have ended took"),
        (run_at(10, 10, 10), 10 + 20 * 0.5, "as its 2 trials that have ended took"),  # quicker than expected
    ],
)
def test_what_is_left_follows_the_trials_that_have_ended(
    run: PipelineRun, seconds: float, source: str
) -> None:
    left = remaining.of(run, LIKELY)
    assert left is not None
    assert left.seconds == pytest.approx(seconds)
    assert source in left.words


def test_without_anything_expected_the_trials_tell_of_their_search() -> None:
    assert remaining.of(run_at(5), None) is None
    assert remaining.in_words(run_at(60, 60, 60), None) == (
        "about 60 s left of the search (as its 2 trials that have ended took)"
    )


def training_at(seconds: float, searched: float | None) -> PipelineRun:
    search = None if searched is None else replace(TUNING, created=at(0), ended=at(searched))
    begun = at(searched or 0)
    training = replace(TRAINING, status="InProgress", created=begun, ended=None)
    return pipeline_run(tuning=search, training=training, package=None, serving=BEFORE, read_at=at(seconds))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (training_at(130, 120), "about 50 s left until the model is trained (at the pace of its search)"),
        (training_at(200, 120), "longer than the 60 s expected (at the pace of its search): 80 s so far"),
        (training_at(20, None), "about 40 s left until the model is trained (as 3 earlier runs)"),
        (training_at(300, None), "longer than the 60 s expected (as 3 earlier runs): 5 min so far"),
    ],
)
def test_the_last_training_follows_the_pace_of_the_search(run: PipelineRun, words: str) -> None:
    assert remaining.in_words(run, LIKELY).startswith(words)
    assert remaining.in_words(run, None) == ""


def test_a_race_is_no_part_of_what_is_expected_and_a_trained_model_needs_nothing() -> None:
    race = Race("r-race", "InProgress", "Training", "", at(0), None, ())
    racing = pipeline_run(
        race=race, tuning=None, training=None, package=None, serving=BEFORE, read_at=at(900)
    )
    assert remaining.in_words(racing, LIKELY).startswith("about 60 s from the race's end until")
    assert remaining.of(pipeline_run(), LIKELY) is None
    assert remaining.of(pipeline_run(package=None, read_at=at(70)), LIKELY) is None


def test_a_pipe_is_told_again_only_when_the_end_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(watch, "say", said.append)
    looks = [run_at(1), run_at(2), run_at(60), run_at(62), run_at(60, 60, 60), run_at(100, 60, 60)]
    watch._watch_lines(iter([*looks, pipeline_run()]), LIKELY)
    told = [line for line in said if "left until" in line]
    assert [line.partition(" left")[0] for line in told] == ["about 59 s", "at least 2 min", "about 2 min"]


def test_a_search_whose_trials_tell_no_time_is_as_expected() -> None:
    assert remaining.in_words(searching(), LIKELY).startswith("about 40 s left until the model is trained")
