"""`classifier tuning-report`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command("tuning-report")
@with_target
@click.argument("run", required=False)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the page."
)
def tuning_report(target: Target, run: str | None, output: Path | None) -> None:
    """Write a page about the search RUN (default: the newest run): leaderboard, all trials, what mattered."""
    from datetime import UTC, datetime

    from cli.console import say
    from cli.files import replacing
    from cli.runs.reader import latest_run
    from cli.runs.tuning_search import read
    from reports.search.page import render

    search = read(target, run or latest_run(target))
    # Not the run's name alone, which `classifier report` gives the page of its last training.
    path = output or target.home / "reports" / f"{search.name}-search.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(render(search, datetime.now(UTC)), encoding="utf-8")
    best = f", the best {search.metric} {search.ranked[0].objective:.4g}" if search.ranked else ""
    say(f"{search.name}: {search.counted}{best}. The page is {path}")
