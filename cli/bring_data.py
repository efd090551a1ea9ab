"""`upload`, whole: look at what the bucket has, check the folder, show the report, send what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.console import console, say
from cli.data import dataset as datasets
from cli.data.dataset import Dataset, Examined
from cli.data.upload import Uploaded, check_name, look, missing, send
from cli.interrupt import Interrupted
from cli.progress import counting
from cli.render import dataset_table, finding_lines
from cli.stacks import outputs
from cli.target import Target


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


def _show_findings(findings: tuple[datasets.Finding, ...]) -> None:
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
