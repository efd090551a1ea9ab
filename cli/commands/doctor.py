"""`classifier doctor`: what is wrong with a folder of labelled pictures, before anything is uploaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import Count, counting, say
from cli.data.folder import dataset_name
from cli.data.folder_records import records_of
from cli.data.layouts import must_be_folder
from cli.errors import CliError

if TYPE_CHECKING:
    from doctor.examine import Diagnosis, OnStep
    from doctor.pictures.album import Extractor
    from doctor.records import Record

_TITLES = {
    "contradiction": "pictures in two classes",
    "leak": "pictures in two splits",
    "unreadable": "unreadable files",
    "wrong-label": "likely wrong labels",
    "spellings": "classes under two names",
    "overlap": "pairs of classes that overlap",
    "small-class": "small classes",
    "duplicate": "pictures twice in one split",
    "blank": "blank pictures",
    "odd": "odd ones out",
    "blurred": "blurred pictures",
    "dark": "dark pictures",
    "bright": "bright pictures",
    "size": "pictures of an odd size",
}


class NoDoctor(CliError):
    """The doctor cannot look at this."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a network, for better judgement: a ResNet's or EfficientNet-Lite0's.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write (default: doctor-<folder>).")
@click.option("--jobs", type=click.IntRange(1, 256), help="Cores to use (default: all).")
def doctor(folder: Path, weights: Path | None, out: Path | None, jobs: int | None) -> None:
    """Say what is wrong with the labelled pictures of FOLDER: copies, wrong labels, unreadable files and
    more.

    Writes a page to look at, findings.json, and decisions.csv with what it proposes. Changes nothing in
    FOLDER.
    """
    must_be_folder(folder)
    place = out or Path(f"doctor-{dataset_name(folder)}")
    if place.resolve().is_relative_to(folder.resolve()):
        raise NoDoctor(f"{place} lies in the folder of pictures; give another place with --out.")
    if place.exists() and not place.is_dir():
        raise NoDoctor(f"{place} is a file; give a folder with --out.")
    records = records_of(folder)
    diagnosis = look(records, weights, jobs or len(os.sched_getaffinity(0)))
    from doctor.output import PAGE, leave

    paths = leave(diagnosis, folder.resolve().name, place)
    for line in summary(diagnosis):
        say(line)
    say(f"Look at {paths[PAGE]}, mark what you think, and save decisions.csv from there.")


def look(records: list[Record], weights: Path | None, jobs: int) -> Diagnosis:
    """Examine pictures, with a bar for each stage.

    Raises:
        NoDoctor: the weights cannot be used, or no picture can be read.
    """
    # Threads of other programs on the same cores are not waited for by spinning.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
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


def summary(diagnosis: Diagnosis) -> Iterator[str]:
    """A line for each kind, the worst first."""
    from doctor.findings import Kind

    for kind in Kind:
        found = [each for each in diagnosis.findings if each.kind is kind]
        if found:
            first = found[0]
            name = first.pictures[0].name if first.pictures else ", ".join(first.classes)
            yield f"{len(found)} {_TITLES[kind]}, such as {name}: {first.reason}"
    if not diagnosis.findings:
        yield f"Nothing is wrong that the doctor can see in {len(diagnosis.album)} pictures."
    yield from diagnosis.notes


def _network(weights: Path, records: list[Record]) -> Extractor:
    from doctor.features.network import UnusableWeights, from_file, suited_size

    if not weights.is_file():
        raise NoDoctor(f"There is no file {weights}.")
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
