"""How long a run that is under way still takes until its model is trained.

At first that is what was expected before it started. As soon as trials have ended it follows them, on a
machine that is slower than the one measured, or busy, as well as on a quicker one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median
from typing import Final

from cli.answers import duration
from cli.runs.expected import Expected
from cli.runs.jobs import RUNNING
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Training, Tuning

_LEAST: Final = 5.0
"""Seconds that are named at least: what ends now still has to be stored."""
_TRAINED: Final = "until the model is trained"


@dataclass(frozen=True)
class Left:
    """What is left of a run."""

    seconds: float | None
    """None where nobody can say."""
    words: str


def of(run: PipelineRun, expected: Expected | None) -> Left | None:
    """What is left; None where nothing is known, or the model is trained."""
    if run.ended or run.package is not None:
        return None
    if run.training is not None:
        return _of_training(run, run.training, expected) if run.training.status in RUNNING else None
    if run.tuning is not None:
        return _of_search(run.tuning, run.read_at, expected)
    if expected is None:
        return None
    return Left(
        None, f"about {duration(expected.seconds)} from the race's end {_TRAINED} ({expected.source})"
    )


def in_words(run: PipelineRun, expected: Expected | None) -> str:
    """As `of`; nothing where nobody can say."""
    left = of(run, expected)
    return "" if left is None else left.words


def _of_search(tuning: Tuning, now: datetime, expected: Expected | None) -> Left | None:
    """Of a search: by its trials that have ended, else by what is expected."""
    lengths = [
        (trial.ended - trial.created).total_seconds()
        for trial in tuning.trials
        if trial.status == "Completed" and trial.created and trial.ended
    ]
    spent = (now - tuning.created).total_seconds()
    if not lengths:
        return None if expected is None else _of_first_trials(tuning, spent, expected)
    searching = _of_trials(tuning, median(lengths), now)
    took = "its first trial" if len(lengths) == 1 else f"its {len(lengths)} trials that have ended"
    if expected is None or not expected.knows_parts:
        return Left(searching, f"about {_named(searching)} left of the search (as {took} took)")
    seconds = searching + expected.last * (spent + searching) / expected.search
    return Left(seconds, f"about {_named(seconds)} left {_TRAINED} (as {took} took)")


def _of_first_trials(tuning: Tuning, spent: float, expected: Expected) -> Left:
    """Of a search no trial of which has completed: as expected, or as slow as the first ones are by now."""
    rounds = max(1, ceil(tuning.max_jobs / tuning.parallel))
    pace = spent * rounds / expected.search if expected.knows_parts else 0.0
    if pace > 1 and all(trial.status in RUNNING for trial in tuning.trials):
        seconds = expected.seconds * pace - spent
        why = f"no trial has ended yet, against {duration(expected.search / rounds)} expected"
        return Left(seconds, f"at least {_named(seconds)} left {_TRAINED} ({why})")
    return _against(expected.seconds, spent, expected.source)


def _of_trials(tuning: Tuning, each: float, now: datetime) -> float:
    """Seconds until the last trial ends, if those that run or are to come take `each`."""
    rest = list(_rest(tuning, each, now))
    busy = [*rest, *[0.0] * (tuning.parallel - len(rest))]
    heapq.heapify(busy)
    to_come = tuning.max_jobs - len(tuning.trials) if tuning.status in RUNNING else 0
    for _ in range(to_come):
        heapq.heapreplace(busy, busy[0] + each)
    return max(busy)


def _rest(tuning: Tuning, each: float, now: datetime) -> Iterator[float]:
    for trial in tuning.trials:
        if trial.status in RUNNING:
            age = (now - (trial.created or now)).total_seconds()
            yield max(each - age, 0.0)


def _of_training(run: PipelineRun, training: Training, expected: Expected | None) -> Left | None:
    """Of the last training: at the pace of the search before it, else as expected."""
    if expected is None:
        return None
    age = (run.read_at - training.created).total_seconds()
    search = run.tuning
    if search is None or search.ended is None or not expected.knows_parts:
        begun = training.created if search is None else search.created
        return _against(expected.seconds, (run.read_at - begun).total_seconds(), expected.source)
    pace = (search.ended - search.created).total_seconds() / expected.search
    return _against(expected.last * pace, age, "at the pace of its search")


def _against(whole: float, spent: float, source: str) -> Left:
    if spent >= whole:
        words = f"longer than the {duration(whole)} expected ({source}): {duration(spent)} so far"
        return Left(None, words)
    return Left(whole - spent, f"about {_named(whole - spent)} left {_TRAINED} ({source})")


def _named(seconds: float) -> str:
    return duration(max(seconds, _LEAST))
