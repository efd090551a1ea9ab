"""A search's page: what was searched, what came out, and what it depended on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from markupsafe import Markup

from reports.search import charts
from reports.search.importance import FEW_TRIALS, LEAST_TRIALS, importance
from reports.search.record import Search, Trial
from reports.shared.figures import duration
from reports.shared.markup import NOTHING, draw
from reports.shared.page import document


def render(search: Search, now: datetime) -> str:
    """The page as HTML; `now` is when it is drawn."""
    sections = [
        draw("shared/page.header", "Hyperparameter search", search.name, _verdict(search)),
        draw("shared/page.tiles", _figures(search)),
        _results(search) if search.ranked else draw("search/page.nothing"),
        _unfinished(search),
        draw("search/page.written", f"{now:%Y-%m-%d %H:%M}"),
    ]
    return document(f"Search {search.name}", sections, "search")


def _results(search: Search) -> Markup:
    shares = importance(search)
    trials = draw(
        "search/page.trials",
        search.metric,
        charts.coordinates(search),
        _endings(search),
        charts.progress(search),
        _depended(search, shares),
        NOTHING if shares is None else charts.bars(shares),
    )
    return draw("search/page.leaderboard", search, _leaderboard(search)) + trials


def _unfinished(search: Search) -> Markup:
    trials = [(trial, _why(trial)) for trial in search.trials if trial.failed or trial.stopped]
    return draw("search/page.unfinished", trials) if trials else NOTHING


def _why(trial: Trial) -> str:
    """SageMaker does not tell who stopped a job."""
    if trial.failed:
        return f"Failed: {trial.reason or 'no reason was given'}"
    return f"Stopped: {trial.reason or 'by the search, which had given up on it, or by hand'}"


def _endings(search: Search) -> list[str]:
    """The ways of ending, beside the usual one, that a drawing has a mark for."""
    there = {"stopped": any(each.stopped for each in search.trials)}
    there["failed"] = any(each.failed for each in search.trials)
    return [ending for ending, is_there in there.items() if is_there]


def _verdict(search: Search) -> str:
    better = "highest" if search.maximize else "lowest"
    started = f"A {search.strategy} search for the {better} {search.metric}: {search.status}."
    warm = f" It started warm from {', '.join(search.parents)}." if search.parents else ""
    if not search.ranked:
        return started + warm
    found = ", ".join(f"{name} {charts.value_text(value)}" for name, value in search.ranked[0].values.items())
    return f"{started}{warm} The best trial had {found}."


def _figures(search: Search) -> list[tuple[str, str, str]]:
    ranked = search.ranked
    seconds = [trial.seconds for trial in search.trials if trial.seconds is not None]
    figures = [
        ("Best " + search.metric, charts.number_text(ranked[0].objective or 0.0) if ranked else "none", ""),
        ("Trials", str(len(search.trials)), search.counted),
        ("Training time", duration(sum(seconds)), "all trials together"),
    ]
    if search.seconds is not None:
        figures.append(("From start to end", duration(search.seconds), ""))
    return figures


def _leaderboard(search: Search) -> list[dict[str, Any]]:
    rest = [trial for trial in search.trials if not trial.measured]
    return [
        *(_row(search, trial, str(rank)) for rank, trial in enumerate(search.ranked, 1)),
        *(_row(search, trial, "–") for trial in rest),
    ]


def _row(search: Search, trial: Trial, rank: str) -> dict[str, Any]:
    return {
        "rank": rank,
        "trial": trial.name,
        "name": trial.name.removeprefix(f"{search.name}-"),
        "result": charts.number_text(trial.objective) if trial.objective is not None else "",
        "cells": [charts.value_text(trial.values.get(axis.name, "")) for axis in search.axes],
        "time": duration(trial.seconds) if trial.seconds is not None else "",
        "status": charts.ending(trial),
        "style": charts.style_of(trial),
    }


def _depended(search: Search, shares: dict[str, float] | None) -> str:
    if shares is None:
        return f"Too little to tell: it takes {LEAST_TRIALS} trials with different results at least."
    few = (
        f" With fewer than {FEW_TRIALS} trials, take it as a hint only."
        if len(search.ranked) < FEW_TRIALS
        else ""
    )
    return (
        f"The share of the differences in {search.metric} that each hyperparameter explains (functional "
        f"analysis of variance).{few}"
    )
