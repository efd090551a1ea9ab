"""`classifier doctor`: what is wrong with labelled pictures, in a folder or, by a job, in a data set."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import answers
from cli.commands.launch import cost_line
from cli.commands.options import confirm_cost, json_option, with_target, yes_option
from cli.console import Count, counting, say
from cli.data import sets
from cli.data.folder import dataset_name
from cli.data.folder_records import records_of
from cli.data.layouts import must_be_folder
from cli.errors import BadArgument, CliError
from cli.files import of_results
from cli.runs import doctor_job, find
from cli.runs.launch import estimate, launch
from cli.target import ROOT, Target
from contract.cores import usable_cores
from contract.names import doctor_jobs
from contract.picture_decisions import PAGE
from contract.words import counted

if TYPE_CHECKING:
    from doctor.examine import Diagnosis, OnStep
    from doctor.pictures.album import Extractor
    from doctor.records import Record

_TITLES = {
    "contradiction": ("picture in two classes", "pictures in two classes"),
    "leak": ("picture in two splits", "pictures in two splits"),
    "unreadable": ("unreadable file", "unreadable files"),
    "wrong-label": ("likely wrong label", "likely wrong labels"),
    "spellings": ("class under two names", "classes under two names"),
    "overlap": ("pair of classes that overlap", "pairs of classes that overlap"),
    "small-class": ("small class", "small classes"),
    "duplicate": ("picture twice in one split", "pictures twice in one split"),
    "blank": ("blank picture", "blank pictures"),
    "odd": ("odd one out", "odd ones out"),
    "blurred": ("blurred picture", "blurred pictures"),
    "dark": ("dark picture", "dark pictures"),
    "bright": ("bright picture", "bright pictures"),
    "size": ("picture of an odd size", "pictures of an odd size"),
}
"""Of one finding, and of several."""
_OF_CLASSES = {"spellings", "overlap", "small-class"}


_BILLED = "This starts a SageMaker instance, billed by the second until the job ends."


class NoDoctor(CliError):
    """The doctor cannot look at this."""


@click.command()
@with_target
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--dataset", metavar="NAME[@N]", help="Look at an uploaded data set, by a job where it lies.")
@click.option("--job", metavar="NAME", help="Follow a job that --dataset started, and fetch what it found.")
@click.option(
    "--weights",
    metavar="FILE",
    help="Weights of a network, for better judgement: a ResNet's or EfficientNet-Lite0's. With --dataset "
    "their s3:// address, below weights/ in the artifacts bucket.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write (default: doctor-<folder or data set>)."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="With FOLDER: cores to use (default: all).")
@click.option("--instance-type", metavar="TYPE", help="With --dataset (default: as trainings).")
@click.option("--max-minutes", type=int, help="With --dataset: the job's longest run time.")
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="With --dataset: start nothing that could cost more.",
)
@yes_option
@json_option
def doctor(
    target: Target,
    folder: Path | None,
    dataset: str | None,
    job: str | None,
    weights: str | None,
    out: Path | None,
    jobs: int | None,
    yes: bool,
    **limits: Any,
) -> None:
    """Say what is wrong with the labelled pictures of FOLDER, or of an uploaded data set: copies, wrong
    labels, unreadable files and more.

    Writes a page to look at, findings.json, and decisions.csv with what it proposes. Changes nothing in
    FOLDER or the data set. On AWS it says before what looking at a data set costs, and asks.
    """
    if [folder, dataset, job].count(None) != 2:
        raise click.UsageError("Give one of FOLDER, --dataset NAME and --job NAME.")
    _refuse({"--jobs": jobs}, "FOLDER", folder is None)
    of_dataset = {f"--{name.replace('_', '-')}": value for name, value in limits.items()}
    _refuse(of_dataset, "--dataset", dataset is None)
    _refuse({"--weights": weights}, "FOLDER or --dataset", job is not None)
    if out is not None:
        _place(out, "")  # before a job is started and paid for
    if folder is not None:
        _look_at_folder(folder, Path(weights) if weights else None, out, jobs)
        return
    if dataset is not None:
        named = sets.meant(target, dataset)
        _follow(target, _start(target, {"dataset": named, "weights": weights, **_limits(limits)}, yes), out)
        return
    jobs_name = find.job(target, str(job), doctor_jobs(target.project), "doctor's jobs")
    _follow(target, jobs_name, out)


def _follow(target: Target, job: str, out: Path | None) -> None:
    place_option = f" --out {shlex.quote(str(out))}" if out else ""
    again = target.command(f"doctor --job {job}{place_option}")
    ended = doctor_job.follow(target, job, again)
    place = _place(out, doctor_job.dataset_of(ended))
    of_results(place, target.root)
    _tell(doctor_job.fetch(target, ended, place), place)


def _refuse(options: Mapping[str, object], what: str, wrong: bool) -> None:
    """Refuse options that say nothing here."""
    for name, value in options.items():
        if wrong and value is not None:
            raise click.UsageError(f"{name} goes with {what}.")


def _limits(options: Mapping[str, Any]) -> dict[str, Any]:
    """As launch-doctor has them."""
    return {
        "instance_type": options["instance_type"],
        "max_minutes": options["max_minutes"],
        "max_cost_usd": options["max_cost"],
    }


def _start(target: Target, asked: Mapping[str, Any], yes: bool) -> str:
    """Say what a job costs, ask, and start it; its name."""
    request = {key: value for key, value in asked.items() if value is not None}
    planned = estimate(target, "launch-doctor", request)
    say(f"{planned.what[:1].upper()}{planned.what[1:]}.\n{cost_line(target, planned)}")
    for note in planned.notes:
        say(f"Note: {note}.")
    confirm_cost(target, _BILLED, yes)
    name = launch(target, "launch-doctor", request).job
    say(f"Started {name}.")
    return name


def _look_at_folder(folder: Path, weights: Path | None, out: Path | None, jobs: int | None) -> None:
    must_be_folder(folder)
    place = _place(out, dataset_name(folder))
    if place.resolve().is_relative_to(folder.resolve()):
        raise BadArgument(f"{place} lies in the folder of pictures; give another place with --out.")
    records = records_of(folder)
    diagnosis = look(records, weights, jobs or usable_cores())
    from doctor.output import describe, leave

    name = folder.resolve().name
    of_results(place, ROOT)
    leave(diagnosis, name, place)
    _tell(describe(diagnosis, name), place)


def _place(out: Path | None, name: str) -> Path:
    """Where to write. Raises BadArgument where a file is."""
    place = out or Path(f"doctor-{name}")
    if place.exists() and not place.is_dir():
        raise BadArgument(f"{place} is a file; give a folder with --out.")
    return place


def _tell(findings: Mapping[str, Any], place: Path) -> None:
    page = place / PAGE
    if answers.wrote(answers.Kind.DOCTOR, {"page": str(page.absolute()), **findings}):
        return
    for line in summary(findings):
        say(line)
    say(f"Look at {page}, mark what you think, and save decisions.csv from there.")


def look(records: list[Record], weights: Path | None, jobs: int) -> Diagnosis:
    """Examine pictures, with a bar for each stage.

    Raises:
        NoDoctor: the weights cannot be used, or no picture can be read.
    """
    # Threads of other programs on the same cores are not waited for by spinning.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import torch

        from doctor.examine import examine
    except ImportError as error:
        raise NoDoctor(f"The doctor needs the package {error.name}. Run `make install`.") from None
    torch.set_num_threads(jobs)
    extractor = _network(weights, records) if weights else None
    with _stages(len(records)) as on_step:
        diagnosis = examine(records, extractor, jobs, on_step)
    if not len(diagnosis.album):
        name, failure = diagnosis.album.failures[0][0].name, diagnosis.album.failures[0][1].reason
        raise NoDoctor(f"Not one of {len(records)} pictures can be read; {name}, for one, {failure}.")
    return diagnosis


def summary(findings: Mapping[str, Any]) -> Iterator[str]:
    """A line for each kind, the worst first.

    Args:
        findings: what findings.json holds (docs/doctor.md).
    """
    for kind, titles in _TITLES.items():
        found = [each for each in findings["findings"] if each["kind"] == kind]
        if found:
            first = found[0]
            if kind in _OF_CLASSES:
                told = f"{' and '.join(first['classes'])}, which {first['reason']}"
            else:
                told = f"{first['pictures'][0]['picture']}: {first['reason']}"
            yield f"{counted(len(found), *titles)}, such as {told}"
    if not findings["findings"]:
        yield f"Nothing is wrong that the doctor can see in {findings['statistics']['readable']} pictures."
    yield from findings["notes"]


def _network(weights: Path, records: list[Record]) -> Extractor:
    from doctor.features.network import UnusableWeights, from_file, suited_size

    if not weights.is_file():
        raise BadArgument(f"There is no file {weights}.")
    try:
        return from_file(weights, suited_size(records))
    except UnusableWeights as error:
        raise NoDoctor(f"{error}.") from None


@contextmanager
def _stages(pictures: int) -> Iterator[OnStep]:
    """A bar for the stage that is under way."""
    from doctor.examine import STAGES

    totals = STAGES | {"Looking at pictures": pictures}
    with ExitStack() as stack:
        bars: dict[str, Count] = {}

        def on_step(stage: str, done: int) -> None:
            if stage not in bars:
                stack.close()
                bars[stage] = stack.enter_context(counting(stage, totals[stage]))
            bars[stage].add(done)

        yield on_step
