"""The page itself: what was searched, what came out, and what it depended on; readable without a network."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cli.runs.trials import log_of
from cli.tuning_report import charts, templates
from cli.tuning_report.importance import FEW_TRIALS, LEAST_TRIALS, importance
from cli.tuning_report.read import Search, Trial


def render(search: Search, now: datetime) -> str:
    """The whole page as HTML."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    shares = importance(search)
    return templates.page(
        search=search,
        style=Markup(style),  # noqa: S704  (our own file)
        verdict=_verdict(search),
        tiles=_tiles(search),
        rows=_leaderboard(search) if search.ranked else [],
        coordinates=charts.coordinates(search) if search.ranked else "",
        progress=charts.progress(search) if search.ranked else "",
        depended=_depended(search, shares),
        bars="" if shares is None else charts.bars(shares),
        failed=[(trial, log_of(trial.name)) for trial in search.trials if trial.failed],
        now=f"{now:%Y-%m-%d %H:%M}",
    )


def _verdict(search: Search) -> str:
    better = "highest" if search.maximize else "lowest"
    started = f"A {search.strategy} search for the {better} {search.metric}: {search.status}."
    warm = f" It started warm from {', '.join(search.parents)}." if search.parents else ""
    if not search.ranked:
        return started + warm
    found = ", ".join(f"{name} {charts.value_text(value)}" for name, value in search.ranked[0].values.items())
    return f"{started}{warm} The best trial had {found}."


def _tiles(search: Search) -> list[tuple[str, str, str]]:
    ranked = search.ranked
    seconds = [trial.seconds for trial in search.trials if trial.seconds is not None]
    tiles = [
        ("Best " + search.metric, charts.number_text(ranked[0].objective or 0.0) if ranked else "none", ""),
        ("Trials", str(len(search.trials)), search.counted),
        ("Training time", _duration(sum(seconds)), "all trials together"),
    ]
    if search.ended is not None:
        tiles.append(("From start to end", _duration((search.ended - search.created).total_seconds()), ""))
    return tiles


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
        "time": _duration(trial.seconds) if trial.seconds is not None else "",
        "status": f"{trial.status}: {trial.reason}" if trial.reason else trial.status,
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
