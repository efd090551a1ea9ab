"""`classifier report` and `classifier compare`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.options import with_target
from cli.target import Target

_output = click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the page."
)


@click.command()
@with_target
@click.argument("job", required=False)
@_output
def report(target: Target, job: str | None, output: Path | None) -> None:
    """Write the page of a training JOB (default: the newest run's): results, rules, times, errors.

    JOB is a training job, a tuning job (its last training is meant), or a folder that a job left.
    """
    from cli.console import say
    from cli.runs.job_report import write_page
    from cli.runs.reader import latest_run

    job = job or latest_run(target)
    page = output or target.home / "reports" / f"{Path(job).name}.html"
    write_page(target, [job], page)
    say(f"The report of {job} is {page}")


@click.command()
@with_target
@click.argument("jobs", nargs=-1, required=True, metavar="JOB JOB...")
@_output
def compare(target: Target, jobs: tuple[str, ...], output: Path | None) -> None:
    """Write one page with several training jobs beside each other: which is better, and what differs."""
    from cli.console import say
    from cli.runs.job_report import write_page

    if len(jobs) < 2:
        raise click.UsageError("compare needs two jobs or more; for one there is `classifier report`")
    page = output or target.home / "reports" / "comparison.html"
    write_page(target, jobs, page)
    say(f"The comparison of {len(jobs)} jobs is {page}")
