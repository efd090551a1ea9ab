"""`classifier select`: of the pictures that a batch answered, those to label next, as a folder to label."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli import answers
from cli.batch import labels
from cli.commands.options import confirm_cost, json_option, with_target, yes_option
from cli.console import counting, say
from cli.cost.prices import of_fetching
from cli.data.upload import check_name
from cli.errors import CliError
from cli.stacks import outputs
from cli.target import Target
from contract.datasets import store
from contract.datasets.manifest import Version

if TYPE_CHECKING:
    from cli.select.answered import Answers
    from cli.select.finished import Batch
    from cli.select.folder import Choice, Chosen
    from cli.select.pictures import Picked

_OUT: Final = "to-label"
_MOST: Final = 10_000


class NothingToChoose(CliError):
    """The batch has no picture that is worth a label."""


@click.command()
@with_target
@click.argument("batch", metavar="s3://BUCKET/PREFIX|FOLDER|BATCH")
@click.option(
    "--count", type=click.IntRange(1, _MOST), default=100, show_default=True, help="Pictures to choose."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(_OUT),
    show_default=True,
    metavar="FOLDER",
    help="Put them there: a folder that is new or empty.",
)
@click.option(
    "--dataset", metavar="NAME", help="Leave out what that data set has (default: the one of the model)."
)
@yes_option
@json_option
def select(target: Target, batch: str, count: int, out: Path, dataset: str | None, yes: bool) -> None:
    """Choose the pictures to label next among those that `classifier batch ... --features` answered: of every
    kind that there is, one that the model is unsure of.

    They are copied into a folder for each class that the model says. Move the wrong ones; then `classifier
    upload` with --keep adds them to the data set.
    """
    from cli.select import answered, finished, folder

    data = outputs(target, "storage")["DataBucket"]
    found = finished.find(target, batch, data)
    version = _version(target, found, data, dataset)
    choice = folder.Choice(found.name, count, version.dataset if version else "")
    chosen = folder.there(out, choice)
    if chosen is not None:
        say(f"{out} has these {len(chosen)} pictures already: nothing was changed.")
        _tell(target, out, choice, chosen, None)
        return
    size = answered.fetched_bytes(target, found)
    fetched = f"This fetches the answers and features of {found.in_words}, {size / 1e6:,.1f} MB"
    say(f"{fetched}, and then the chosen pictures.")
    confirm_cost(target, f"{fetched}{of_fetching(size / 1e9)}", yes)
    chosen, picked = _choose(target, found, data, version, choice, out, _folder(batch))
    _tell(target, out, choice, chosen, picked)


def _folder(batch: str) -> Path | None:
    """The folder of this machine that has the pictures."""
    return Path(batch) if not batch.startswith("s3://") and Path(batch).is_dir() else None


def _version(target: Target, found: Batch, data: str, dataset: str | None) -> Version | None:
    """The newest version of the data set that is to grow; None where it is not known."""
    name = check_name(dataset) if dataset else labels.dataset_of(target, found.job)
    version = store.newest(target.client("s3"), data, name) if name else None
    if version is None and dataset:
        raise NothingToChoose(f'There is no data set "{dataset}": `{target.command("datasets")}` lists them.')
    if version is None:
        say(
            "It is not known which data set this is for, so what is in it already is not left out: name it "
            "with --dataset."
        )
    return version


def _choose(
    target: Target,
    found: Batch,
    data: str,
    version: Version | None,
    choice: Choice,
    out: Path,
    own: Path | None,
) -> tuple[list[Chosen], Picked]:
    from cli.select import answered, folder, pictures
    from cli.select.choice import groups, in_turn

    s3 = target.client("s3")
    said = answered.read(target, found)
    there = pictures.known(s3, data, version) if version else pictures.Known()
    rows, known, copies = pictures.candidates(said, there)
    say(f"{len(said.names):,} pictures have an answer{_left_out(version, known, copies)}.")
    near = groups(said.features[rows], said.shares[rows], choice.count)
    turns = ((group, int(rows[row])) for group, row in in_turn(near))
    where = f"{found.named_below}" if own is None else ""
    read = pictures.reader(s3, data, where, own)
    wanted = min(choice.count, len(rows))
    say(f"{'Fetching' if own is None else 'Copying'} {wanted:,} pictures, {_megabytes(said, rows, wanted)}.")
    with folder.beside(out) as place, counting("Looking at pictures", wanted) as bar:
        picked = pictures.pick(turns, said.names, choice.count, read, place, there, bar.add)
        if not picked.taken:
            raise NothingToChoose(_nothing(picked, found, known))
        return folder.lay_out(place, out, choice, said, picked.taken, near), picked


def _left_out(version: Version | None, known: int, copies: int) -> str:
    there = f"{known:,} are in {version.name} already" if version and known else ""
    same = f"{copies:,} are copies of others" if copies else ""
    return "".join(f", {each}" for each in (there, same) if each)


def _megabytes(said: Answers, rows: Any, wanted: int) -> str:
    """How large so many pictures are about."""
    mean = float(said.sizes[rows].mean()) if len(rows) else 0.0
    return f"about {wanted * mean / 1e6:,.1f} MB"


def _nothing(picked: Picked, found: Batch, known: int) -> str:
    if picked.gone:
        return (
            f"The pictures of {found.name} are gone from {found.source}: a folder that was sent is kept for "
            "storage.trial_outputs_days. Run the batch again, with --features."
        )
    if known or picked.known:
        return f"All pictures of {found.name} are in the data set already: there is nothing to label."
    return f"{found.name} has no picture to choose: none of its pictures has an answer."


def _tell(target: Target, out: Path, choice: Choice, chosen: list[Chosen], picked: Picked | None) -> None:
    name = choice.dataset or "NAME"
    upload = target.command(f"upload {shlex.quote(str(out))} --dataset {name} --keep")
    told = {
        "folder": str(out),
        "job": choice.job,
        "dataset": choice.dataset or None,
        "pictures": chosen,
        "upload": upload,
    }
    if answers.wrote(answers.Kind.SELECTION, told):
        return
    if picked is not None:
        for line in _of_picked(out, choice, picked):
            say(line)
    say(
        "Each lies in the folder of the class that the model says. Move the wrong ones into their class's, "
        "and delete what shows no class."
    )
    say(f"Then make them part of the data set: {upload}")


def _of_picked(out: Path, choice: Choice, picked: Picked) -> list[str]:
    lines = [f"{len(picked.taken):,} pictures are in {out}; {out / 'to-label.csv'} says why each."]
    reasons = {
        "near duplicates of others": picked.near_duplicates,
        "in the data set already": picked.known,
        "unreadable": picked.unusable,
        "gone": picked.gone,
    }
    left_out = ", ".join(f"{count:,} {why}" for why, count in reasons.items() if count)
    if left_out:
        lines.append(f"Left out on the way: {left_out}.")
    if len(picked.taken) < choice.count:
        lines.append(f"There are no more than these to choose; {choice.count:,} were asked for.")
    return lines
