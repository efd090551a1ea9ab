"""The page itself: what was searched, what came out, and what it depended on; readable without a network."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from cli.trials import log_of
from cli.tuning_report import charts
from cli.tuning_report.importance import FEW_TRIALS, LEAST_TRIALS, importance
from cli.tuning_report.read import Search, Trial


def render(search: Search, now: datetime) -> str:
    """The whole page as HTML."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    title = escape(f"Search {search.name}")
    ranked = search.ranked
    sections = [_tiles(search)]
    if ranked:
        sections += [_leaderboard(search), _coordinates(search), _pair(search)]
    else:
        sections.append("<section><h2>No trial has reported its objective yet</h2></section>")
    failed = [trial for trial in search.trials if trial.failed]
    if failed:
        sections.append(_failures(failed))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head><body><main><header>"
        f'<p class="eyebrow">Hyperparameter search</p><h1>{escape(search.name)}</h1>'
        f'<p class="verdict">{_verdict(search)}</p></header>{"".join(sections)}'
        f'<p class="note">Written {now:%Y-%m-%d %H:%M} UTC from what SageMaker tells of the search.</p>'
        "</main></body></html>\n"
    )


def _verdict(search: Search) -> str:
    better = "highest" if search.maximize else "lowest"
    started = f"A {escape(search.strategy)} search for the {better} {escape(search.metric)}: {search.status}."
    warm = f" It started warm from {escape(', '.join(search.parents))}." if search.parents else ""
    if not search.ranked:
        return started + warm
    best = search.ranked[0]
    found = ", ".join(
        f"{escape(name)} {escape(value) if isinstance(value, str) else charts.number_text(value)}"
        for name, value in best.values.items()
    )
    return f"{started}{warm} The best trial had {found}."


def _tiles(search: Search) -> str:
    ranked = search.ranked
    seconds = [trial.seconds for trial in search.trials if trial.seconds is not None]
    tiles = [
        ("Best " + search.metric, charts.number_text(ranked[0].objective or 0.0) if ranked else "none", ""),
        ("Trials", str(len(search.trials)), search.counted),
        ("Training time", _duration(sum(seconds)), "all trials together"),
    ]
    if search.ended is not None:
        tiles.append(("From start to end", _duration((search.ended - search.created).total_seconds()), ""))
    cells = "".join(
        f"<div><span>{escape(name)}</span><strong>{escape(value)}</strong><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<section class="tiles">{cells}</section>'


def _leaderboard(search: Search) -> str:
    head = "".join(f'<th scope="col" class="number">{escape(axis.name)}</th>' for axis in search.axes)
    rest = [trial for trial in search.trials if not trial.measured]
    rows = "".join(_row(search, trial, str(rank)) for rank, trial in enumerate(search.ranked, 1))
    rows += "".join(_row(search, trial, "–") for trial in rest)
    return (
        "<section><h2>Leaderboard</h2>"
        '<div class="scroll"><table class="plain"><thead><tr><th scope="col">#</th><th scope="col">Trial</th>'
        f'<th scope="col" class="number">{escape(search.metric)}</th>{head}'
        '<th scope="col" class="number">Time</th><th scope="col">Ended as</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _row(search: Search, trial: Trial, rank: str) -> str:
    cells = []
    for axis in search.axes:
        value = trial.values.get(axis.name, "")
        text = value if isinstance(value, str) else charts.number_text(value)
        cells.append(f'<td class="number">{escape(text)}</td>')
    result = charts.number_text(trial.objective) if trial.objective is not None else ""
    first = ' class="first"' if rank == "1" else ""
    name = trial.name.removeprefix(f"{search.name}-")
    return (
        f'<tr{first}><td>{rank}</td><td title="{escape(trial.name)}">{escape(name)}</td>'
        f'<td class="number">{result}</td>{"".join(cells)}'
        f'<td class="number">{_duration(trial.seconds) if trial.seconds is not None else ""}</td>'
        f"<td>{escape(trial.status)}{f': {escape(trial.reason)}' if trial.reason else ''}</td></tr>"
    )


def _coordinates(search: Search) -> str:
    return (
        "<section><h2>Every trial across the hyperparameters</h2>"
        '<p class="note">One line per trial; the better, the stronger. '
        '<span class="key"></span> is the best. Each axis has the scale it was searched on.</p>'
        f'<div class="scroll wide">{charts.coordinates(search)}</div></section>'
    )


def _pair(search: Search) -> str:
    return (
        '<div class="pair"><section><h2>Trial by trial</h2>'
        f'<p class="note">{escape(search.metric)} in the order the trials were started; the line is the best '
        f'so far.</p><div class="scroll small">{charts.progress(search)}</div></section>'
        f"<section><h2>What it depended on</h2>{_importance(search)}</section></div>"
    )


def _importance(search: Search) -> str:
    shares = importance(search)
    if shares is None:
        return (
            f'<p class="note">Too little to tell: it takes {LEAST_TRIALS} trials with different results at '
            "least.</p>"
        )
    few = (
        f" With fewer than {FEW_TRIALS} trials, take it as a hint only."
        if len(search.ranked) < FEW_TRIALS
        else ""
    )
    return (
        f'<p class="note">The share of the differences in {escape(search.metric)} that each hyperparameter '
        f"explains (functional analysis of variance).{few}</p>{charts.bars(shares)}"
    )


def _failures(failed: list[Trial]) -> str:
    items = "".join(
        f"<dt>{escape(trial.name)}</dt><dd>{escape(trial.reason or 'no reason was given')} "
        f"({escape(log_of(trial.name))})</dd>"
        for trial in failed
    )
    return f"<section><h2>Failed trials</h2><dl>{items}</dl></section>"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
