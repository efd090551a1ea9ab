"""`classifier batch`: all pictures of a folder, here or in S3, answered in one go by a job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import answers
from cli.batch import folder as folders
from cli.batch import job as jobs
from cli.batch import labels
from cli.batch.folder import Folder
from cli.commands.check import anyway_option, before_launching
from cli.commands.launch import cost_line
from cli.commands.options import confirm_cost, json_option, with_target, yes_option
from cli.console import counting, say
from cli.data.screen import finding_lines
from cli.errors import BadArgument
from cli.files import of_results
from cli.runs import find
from cli.runs.launch import Launched, estimate, launch
from cli.stacks import outputs
from cli.target import Target
from contract.batch import FEATURES, FORMATS
from contract.names import batch_jobs, version_of

_FUNCTION: Final = "launch-batch"
_SECONDS: Final = 610.0
"""For an answer of the launcher, which may have a million keys to list."""
_BILLED: Final = "This starts SageMaker instances, billed by the second until the job ends."
_VERSION: Final = re.compile(r"(?:arn:\S+/)?[1-9][0-9]{0,8}")


class NoBatch(BadArgument):
    """There is nothing here that can be answered."""


@click.command()
@with_target
@click.argument("source", required=False, metavar="s3://BUCKET/PREFIX|FOLDER")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Wait, and bring the answers here: a .jsonl or .csv file, or a folder (default: they stay in S3).",
)
@click.option("--job", metavar="NAME", help="Follow a batch that was started, and fetch its answers.")
@click.option("--version", metavar="N", help="Of the model (default: the champion, also while it sleeps).")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Of the answers (default: as --out, jsonl)."
)
@click.option(
    "--features", is_flag=True, help="Keep what `classifier select` chooses by: half a kilobyte a picture."
)
@click.option("--afresh", is_flag=True, help="Ask again what an earlier run answered.")
@click.option("--on-demand", is_flag=True, help="No spot instances: dearer, and never interrupted.")
@click.option("--instance-type", metavar="TYPE", help="(default: as trainings)")
@click.option(
    "--instances", type=click.IntRange(1, 100), help="Instances that share the pictures (default: 1)."
)
@click.option("--max-minutes", type=int, help="The job's longest run time.")
@click.option(
    "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Start nothing that could cost more."
)
@click.option("--dry-run", is_flag=True, help="Check everything and say the cost; send and start nothing.")
@click.option("--watch", "--wait", is_flag=True, help="Follow the job to its end.")
@anyway_option
@yes_option
@json_option
def batch(
    target: Target,
    source: str | None,
    out: Path | None,
    job: str | None,
    dry_run: bool,
    watch: bool,
    anyway: bool,
    yes: bool,
    **asked: Any,
) -> None:
    """Answer all pictures of a folder, or below an S3 address, by a job: one line for each,
    with its class or the reason why it has none. No endpoint is needed, and one that sleeps goes on sleeping.

    A FOLDER is sent to the data bucket first. What an earlier run of the same pictures and model answered is
    not asked again.
    """
    if (source is None) == (job is None):
        raise click.UsageError("Give s3://BUCKET/PREFIX, a FOLDER, or --job NAME: one of them.")
    _check_out(out)
    if job is not None:
        if dry_run or any(asked.values()):
            raise click.UsageError("--job goes with --out alone: the job is as it was started.")
        _bring(target, find.job(target, job, batch_jobs(target.project), "batches"), out)
        return
    folder = None if str(source).startswith("s3://") else folders.look(Path(str(source)))
    request = _request(asked, out)
    data_bucket = outputs(target, "storage")["DataBucket"]
    if folder is None:
        request["source"] = source
        planned = estimate(target, _FUNCTION, request, _SECONDS)
    else:
        request |= {"source": f"s3://{data_bucket}/{folder.prefix}", "relative": True}
        planned = estimate(target, _FUNCTION, {**request, "expected": len(folder.files)}, _SECONDS)
    say(f"{planned.what[:1].upper()}{planned.what[1:]}.\n{cost_line(target, planned)}")
    for note in planned.notes:
        say(f"Note: {note}.")
    todo = _to_send(target, data_bucket, folder) if folder else None
    before_launching(target, planned, anyway)
    if dry_run:
        answers.wrote(answers.Kind.LAUNCHED, planned)
        return
    sent = f"{todo.cost}\n" if todo and todo.new else ""
    confirm_cost(target, f"{sent}{_BILLED}", yes)
    if folder and todo:
        with counting("Sending", len(todo.new)) as bar:
            folders.send(target, data_bucket, folder, todo, bar.add)
    launched = launch(target, _FUNCTION, request, _SECONDS).as_planned(planned)
    say(f"Started {launched.job}.")
    if watch or out:
        _bring(target, launched.job, out)
    elif not answers.wrote(answers.Kind.LAUNCHED, launched):
        _tell(target, launched)


def _tell(target: Target, launched: Launched) -> None:
    """Where a job that was started can be followed."""
    say(f"Follow it, and fetch its answers: {target.command(f'batch --job {launched.job} --out FOLDER')}")
    if not target.is_local:
        say(f"In the console: {launched.watch['console']}\nIts log: {launched.watch['log']}")


def _request(asked: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """As launch-batch has it, without its source."""
    version = asked["version"]
    if version is not None and not _VERSION.fullmatch(version):
        raise click.UsageError(f"--version {version!r} is no version of the registry, such as 3.")
    form = asked["form"] or jobs.form_of(out)
    if out is not None and jobs.is_file(out) and out.suffix.lower() != f".{form}":
        raise click.UsageError(f"--format {form} does not go with a file named {out.name}.")
    request = {
        "version": int(version_of(version)) if version else None,
        "format": form,
        "features": asked["features"] or None,
        "afresh": asked["afresh"],
        "spot": not asked["on_demand"],
        "instance_type": asked["instance_type"],
        "instance_count": asked["instances"],
        "max_minutes": asked["max_minutes"],
        "max_cost_usd": asked["max_cost"],
    }
    return {key: value for key, value in request.items() if value is not None}


def _check_out(out: Path | None) -> None:
    """Before a job is started and paid for: a place that can be written to."""
    if out is None:
        return
    if out.exists() and not out.is_dir() and not jobs.is_file(out):
        raise NoBatch(f"{out} is a file; give a folder, or a file that ends in .jsonl or .csv, with --out.")
    if jobs.is_file(out) and not out.parent.is_dir():
        raise NoBatch(f"There is no folder {out.parent} for {out.name}.")


def _to_send(target: Target, bucket: str, folder: Folder) -> folders.Todo:
    """Say what of a folder is going to lie where, and what is left out."""
    todo = folders.missing(target.client("s3"), bucket, folder)
    say(
        f"To s3://{bucket}/{folder.prefix}: {todo.in_words}. They are removed there by themselves after "
        "storage.trial_outputs_days."
    )
    for line in finding_lines(folder.left_out):
        say(line, style="yellow")
    return todo


def _bring(target: Target, job: str, out: Path | None) -> None:
    """Follow a job to its end, and say what came of it."""
    place = f" --out {shlex.quote(str(out))}" if out else ""
    ended = jobs.follow(target, job, target.command(f"batch --job {job}{place}"))
    if out is None:
        if answers.wrote(answers.Kind.BATCH, {"job": job, "answers": jobs.place_of(ended)}):
            return
        say(f"The answers lie at {jobs.place_of(ended)}")
        say(f"Fetch them: {target.command(f'batch --job {job} --out FOLDER')}")
        _tell_of_labels(target, ended)
        return
    if not jobs.is_file(out):
        of_results(out, target.root)
    summary, lines, page = jobs.fetch(target, ended, out)
    told = {"job": job, "answers": str(lines), "page": str(page), "summary": summary}
    if answers.wrote(answers.Kind.BATCH, told):
        return
    for line in jobs.in_words(summary):
        say(line)
    say(f"The answers are in {lines}; look at {page}.")
    if summary.answered:
        _tell_of_labels(target, ended)


def _tell_of_labels(target: Target, job: Mapping[str, Any]) -> None:
    """What to do with features, unless the pictures' folders name their classes already."""
    if FEATURES not in job["HyperParameters"]:
        return
    if not labels.known(target, outputs(target, "storage")["DataBucket"], job):
        name = job["TrainingJobName"]
        say(f"Choose which of them to label next: {target.command(f'select {name}')}")
