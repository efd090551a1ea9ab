"""`classifier upload`: look at what the bucket has, check the folder, send what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.options import confirm_cost, with_target, yes_option
from cli.console import console, counting, say
from cli.data import dataset as datasets
from cli.data.dataset import Dataset, Examined, Finding
from cli.data.upload import Uploaded, check_name, look, missing, send
from cli.interrupt import Interrupted
from cli.stacks import outputs
from cli.target import Target
from contract.datasets import SPLITS

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_EXAMPLES = 8
MAX_CLASSES = 15
_TITLES = {
    "corrupt": "cannot be decoded (skipped)",
    "empty": "empty files (skipped)",
    "unreadable": "cannot be read (skipped)",
    "too large": "too large (skipped)",
    "not a picture": "not pictures (skipped)",
    "duplicate": "duplicates (skipped)",
    "contradiction": "the same picture in two classes (skipped)",
    "class": "classes without pictures",
    "place": "in the wrong place (skipped)",
    "name": "oddly named",
}


@click.command()
@with_target
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dataset", help="Its name in the bucket (default: the folder's).")
@yes_option
def upload(target: Target, folder: Path, dataset: str | None, yes: bool) -> None:
    """Check every picture of FOLDER, make missing splits, and upload what is not there yet.

    On AWS it says before what that costs, and asks.
    """
    bring_data(target, folder, dataset, agree=lambda cost: confirm_cost(target, cost, yes))


def bring_data(
    target: Target,
    folder: Path,
    name: str | None,
    examined: Examined | None = None,
    agree: Callable[[str], None] = lambda cost: None,
) -> tuple[str, Dataset]:
    """Uploads `folder` as a dataset; returns its name and what is in it.

    Args:
        examined: what `look_through` found, if that was done before.
        agree: is told what the upload costs before anything is sent, and raises if that is too much; not
            asked where nothing is to be sent.

    Raises:
        BadDataset: it cannot become a dataset; nothing was uploaded.
        Interrupted: Ctrl-C; what was sent stays, and the same command goes on from there.
    """
    datasets.must_be_folder(folder)
    name = check_name(name or datasets.dataset_name(folder))
    bucket = outputs(target, "storage")["DataBucket"]
    remote = look(target, bucket, name)
    examined = examined or look_through(folder)
    _show_findings(examined.findings)
    dataset = datasets.assign(examined, remote.assigned())
    console().print(dataset_table(dataset))
    if dataset.made_splits:
        say(f"* made here: {', '.join(dataset.made_splits)} (stratified, seeded, 70/15/15).")
    todo = missing(dataset, remote)
    if todo.pictures:
        agree(todo.cost)
    try:
        with counting("Uploading", len(dataset.pictures)) as count:
            done = send(target, dataset, remote, count.add)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped. {count.done} of {len(dataset.pictures)} pictures are in s3://{bucket}/{name}/; the "
            "same command goes on from there."
        ) from None
    _show_result(bucket, name, done)
    return name, dataset


def look_through(folder: Path) -> Examined:
    """Checks every picture of a folder.

    Raises:
        BadDataset: it cannot become a dataset, whatever was uploaded before; what was found is shown.
    """
    with counting("Checking pictures") as count:
        try:
            examined = datasets.examine(folder, count.to)
            datasets.assign(examined)
        except datasets.BadDataset as error:
            _show_findings(error.findings)
            raise
    return examined


def _show_findings(findings: tuple[Finding, ...]) -> None:
    for line in finding_lines(findings):
        say(line, style="yellow")


def _show_result(bucket: str, name: str, done: Uploaded) -> None:
    say(f"s3://{bucket}/{name}/: {done.sent} pictures uploaded, {done.present} were there already.")
    if done.extra:
        say(
            f"{len(done.extra)} pictures there are not in this folder and stay in the dataset "
            f"(such as {done.extra[0]}).",
            style="yellow",
        )


def dataset_table(dataset: Dataset) -> RenderableType:
    """Pictures per class and split."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class")
    for split in SPLITS:
        table.add_column(split + ("*" if split in dataset.made_splits else ""), justify="right")
    for label in dataset.classes[:MAX_CLASSES]:
        table.add_row(label, *(str(dataset.count(split, label)) for split in SPLITS))
    if len(dataset.classes) > MAX_CLASSES:
        table.add_row(f"... {len(dataset.classes) - MAX_CLASSES} more", style="dim")
    table.add_row("all", *(str(dataset.count(split)) for split in SPLITS), style="bold")
    return table


def finding_lines(findings: tuple[Finding, ...]) -> list[str]:
    """The findings by kind, each kind with a few examples."""
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    out = []
    for kind, items in by_kind.items():
        out.append(f"{len(items)} {_TITLES.get(kind, kind)}:")
        out += [f"  {item.path} {item.why}" for item in items[:MAX_EXAMPLES]]
        if len(items) > MAX_EXAMPLES:
            out.append(f"  ... and {len(items) - MAX_EXAMPLES} more")
    return out
