"""`classifier report`, `compare`, `tuning-report` and `race-report`"""

from __future__ import annotations

from pathlib import Path

import click

from cli import answers
from cli.commands.options import json_option, with_target
from cli.console import say
from cli.target import Target

_output = click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the page."
)


def _tell(page: Path, text: str) -> None:
    if not answers.wrote(answers.Kind.REPORT, {"page": str(page.absolute())}):
        say(text)


def _meant(target: Target, job: str) -> str:
    """The training job, or the folder, that is meant by what was typed.

    A folder that no job left is meant only where no run is called so.
    """
    from cli.runs import find
    from cli.runs.job_report import left_by_a_job
    from cli.runs.reader import NoSuchRun

    if left_by_a_job(Path(job)):
        return job
    try:
        return find.training(target, job)
    except NoSuchRun:
        if Path(job).is_dir():
            return job  # and what it lacks is said
        raise


@click.command()
@with_target
@click.argument("job", required=False)
@_output
@json_option
def report(target: Target, job: str | None, output: Path | None) -> None:
    """Write the page of a training JOB (default: the newest run's): results, rules, times, errors.

    JOB is a training job, a run (its last training is meant), a part of its name, or a folder a job left.
    """
    from cli.runs.job_report import write_page
    from cli.runs.newest import latest_run

    job = _meant(target, job) if job else latest_run(target)
    page = output or target.home / "reports" / f"{Path(job).name}.html"
    write_page(target, [job], page)
    _tell(page, f"The report of {job} is {page}")


@click.command()
@with_target
@click.argument("jobs", nargs=-1, required=True, metavar="JOB JOB...")
@_output
@json_option
def compare(target: Target, jobs: tuple[str, ...], output: Path | None) -> None:
    """Write one page with several training jobs beside each other: which is better, and what differs.

    A JOB is named as for `report`.
    """
    from cli.runs.job_report import write_page

    if len(jobs) < 2:
        one = target.command("report")
        raise click.UsageError(f"compare needs two jobs or more; for one there is `{one}`")
    page = output or target.home / "reports" / "comparison.html"
    write_page(target, [_meant(target, job) for job in jobs], page)
    _tell(page, f"The comparison of {len(jobs)} jobs is {page}")


@click.command("tuning-report")
@with_target
@click.argument("run", required=False)
@_output
@json_option
def tuning_report(target: Target, run: str | None, output: Path | None) -> None:
    """Write a page about the search RUN (default: the newest run): leaderboard, all trials, what mattered."""
    from datetime import UTC, datetime

    from cli.files import replacing
    from cli.runs import find
    from cli.runs.newest import latest_run
    from cli.runs.tuning_search import read
    from reports.search.page import render

    search = read(target, find.run(target, run) if run else latest_run(target))
    # Not the run's name alone, which `classifier report` gives the page of its last training.
    path = output or target.home / "reports" / f"{search.name}-search.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(render(search, datetime.now(UTC)), encoding="utf-8")
    best = f", the best {search.metric} {search.ranked[0].objective:.4g}" if search.ranked else ""
    _tell(path, f"{search.name}: {search.counted}{best}. The page is {path}")


@click.command("race-report")
@with_target
@click.argument("run", required=False)
@_output
@json_option
def race_report(target: Target, run: str | None, output: Path | None) -> None:
    """Write a page about the race of networks before RUN's search (default: the newest run's)."""
    from cli.files import replacing
    from cli.runs import find
    from cli.runs.newest import latest_run
    from cli.runs.race_outcome import read
    from reports.race.page import render

    name = find.run(target, run) if run else latest_run(target)
    race = read(target, name)
    path = output or target.home / "reports" / f"{name}-race.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(render(name, race), encoding="utf-8")
    best = f"{race.ranked[0].network} won" if race.ranked else "no network won"
    _tell(path, f"{name}: {best} of {len(race.entrants)}. The page is {path}")
