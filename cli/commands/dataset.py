"""`classifier dataset`: a data set's versions, and what is different between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cli import answers, parts
from cli.commands.options import confirm, json_option, with_target, yes_option
from cli.console import console, say
from cli.data import sets
from cli.data.screen import change_lines, counts_table
from cli.errors import BadArgument, CliError
from cli.runs.data_use import users
from cli.stacks import outputs
from cli.target import Target
from contract.datasets import changes, deletion, manifest, plain, store
from contract.datasets.manifest import Version
from contract.names import DATASET_VERSION

ALL = "all"


@click.command()
@with_target
@click.argument("name", metavar="NAME[@VERSION]")
@json_option
@click.option("--compare", type=int, metavar="N", help="What the version has changed since version N.")
@click.option("--restore", type=int, metavar="N", help="Make version N's pictures the newest version.")
@click.option("--delete", metavar="N|all", help="Delete version N, with the pictures that no other needs.")
@click.option("--adopt", is_flag=True, help="Make what `aws s3 sync` put there the newest version.")
@yes_option
def dataset(
    target: Target,
    name: str,
    compare: int | None,
    restore: int | None,
    delete: str | None,
    adopt: bool,
    yes: bool,
) -> None:
    """Show a data set: its classes, its versions and what they changed.

    NAME@3 is version 3, which `tune` and `train` take too; NAME is the newest.
    """
    chosen = [option for option in (compare, restore, delete, adopt or None) if option is not None]
    if len(chosen) > 1:
        raise click.UsageError("--compare, --restore, --delete and --adopt: one at a time.")
    if DATASET_VERSION.fullmatch(name) is None:
        raise click.UsageError(f"{name!r} names no data set: it is NAME or NAME@VERSION, such as digits@3.")
    bucket = outputs(target, "storage")["DataBucket"]
    name, _, number = sets.named(target.client("s3"), bucket, name).partition("@")
    room = Room(target, bucket, name)
    with_errors(lambda: room.act(int(number or 0), compare, restore, delete, adopt, yes))


def _cells(version: Version) -> tuple[str, ...]:
    changed = ", ".join(f"{count} {kind}" for kind, count in version.changes.items())
    made = version.created[:16].replace("T", " ")
    return str(version.number), str(version.pictures), made, f"{version.origin} {version.source}", changed


def _as_data(version: Version) -> dict[str, Any]:
    """A version for programs."""
    return {
        "name": version.name,
        "version": version.number,
        "created": version.created,
        "origin": version.origin,
        "source": version.source,
        "pictures": version.pictures,
        "bytes": version.bytes,
        "classes": version.classes,
        "changes": version.changes,
    }


def with_errors(work: Callable[[], None]) -> None:
    """Does the work; what is wrong with a data set or its name becomes the command's error."""
    try:
        work()
    except store.NoSuchVersion as error:
        raise BadArgument(f"{error.args[0]!s}.".replace("..", ".")) from None
    except (store.ChangedMeanwhile, manifest.InvalidVersion, plain.Unusable) as error:
        raise CliError(f"{error.args[0]!s}.".replace("..", ".")) from None


class Room:
    """One data set in the bucket."""

    def __init__(self, target: Target, bucket: str, name: str) -> None:
        self._target = target
        self._where: tuple[Any, str] = target.client("s3"), bucket
        self._name = name

    def act(
        self,
        number: int,
        compare: int | None,
        restore: int | None,
        delete: str | None,
        adopt: bool,
        yes: bool,
    ) -> None:
        """What the command's options ask for; without one, the version is shown."""
        if restore is not None or delete is not None or adopt:
            deletion.finish(*self._where, self._name)  # of what an earlier command was interrupted in
        if adopt:
            self._adopt(yes)
            return
        newest = store.newest(*self._where, self._name)
        if newest is None:
            raise self._nothing()
        version = store.read(*self._where, self._name, number) if number else newest
        if compare is not None:
            self._compare(self._read(compare), version)
        elif restore is not None:
            self._restore(self._read(restore), newest, yes)
        elif delete is not None:
            self._delete(delete, yes)
        else:
            self._show(version)

    def _read(self, number: int) -> Version:
        return store.read(*self._where, self._name, number)

    def _nothing(self) -> CliError:
        lying = plain.look(*self._where, self._name)
        if lying.objects:
            return CliError(
                f"{self._name} has no version yet: something else than an upload put "
                f"{len(lying.objects)} objects there. The first run makes them one, or --adopt does now."
            )
        known = sets.names(*self._where)
        none = parts.none(self._name, [*known.versioned, *known.plain], "data sets")
        return BadArgument(f"{none} `{self._target.command('upload FOLDER')}` makes one.")

    def _show(self, version: Version) -> None:
        versions = [self._read(number) for number in reversed(store.numbers(*self._where, self._name))]
        if answers.wrote(
            answers.Kind.DATASET, {**_as_data(version), "versions": list(map(_as_data, versions))}
        ):
            return
        say(f"{version.name}: {version.pictures} pictures, {version.bytes / 1e6:.1f} MB")
        if version.packed:
            say(f"Packed: {', '.join(version.packed.values())}; which classes are in it, the job finds out.")
        console().print(counts_table(version.classes))
        columns = ("version", "pictures", "made", "from", "changes")
        console().print(answers.Listing(columns, [_cells(each) for each in versions], ("pictures",)))

    def _compare(self, before: Version, after: Version) -> None:
        found = list(
            changes.compare(store.pictures(*self._where, before), store.pictures(*self._where, after))
        )
        if not found:
            say(f"{before.name} and {after.name} have the same pictures in the same places.")
            return
        say(f"From {before.name} to {after.name}:")
        for line, loud in change_lines(found):
            say(line, style="yellow" if loud else "")

    def _restore(self, version: Version, newest: Version, yes: bool) -> None:
        if version.digest == newest.digest and version.root == newest.root:
            say(f"{newest.name} has the pictures of {version.name} already: nothing to do.")
            return
        self._compare(newest, version)
        confirm(f"Make the pictures of {version.name} the newest version of {self._name}?", yes)
        restored = store.restore(*self._where, version, newest)
        say(f"{restored.name} has the pictures of {version.name}.")

    def _delete(self, which: str, yes: bool) -> None:
        if which == ALL:
            doomed = [self._read(number) for number in store.numbers(*self._where, self._name)]
        elif which.isdigit():
            doomed = [self._read(int(which))]
        else:
            raise click.UsageError(f"--delete {which}: a version's number, or all.")
        needed = users(self._target, self._name)
        for version in doomed:
            if run := needed.get(version.name):
                raise CliError(
                    f"{version.name} is what {run} works on, which has not ended. Wait for it, or end it: "
                    f"`{self._target.command(f'stop {run}')}`. Nothing was deleted."
                )
        names = ", ".join(version.name for version in doomed)
        confirm(
            f"Delete {names}, with the pictures that no other version needs? Runs on them cannot be "
            "repeated. This cannot be undone.",
            yes,
        )
        freed = sum(deletion.delete(*self._where, version) for version in doomed)
        say(f"Deleted {names}; {freed} pictures were needed by no other version and are gone.")
        lying = plain.look(*self._where, self._name)
        if lying.objects:
            say(
                f"{len(lying.objects)} objects that something else put there stay: s3://{self._where[1]}/"
                f"{self._name}/",
                style="yellow",
            )

    def _adopt(self, yes: bool) -> None:
        newest = store.newest(*self._where, self._name)
        lying = plain.look(*self._where, self._name)
        if not lying.objects:
            raise CliError(f"Nothing lies at s3://{self._where[1]}/{self._name}/ that could be adopted.")
        if newest is not None and newest.plain == lying.digest and newest.origin == manifest.Origin.ADOPTED:
            say(f"{newest.name} is what lies there: nothing to do.")
            return
        if newest is not None:
            confirm(
                f"Make what lies there the newest version of {self._name}, instead of {newest.name}?", yes
            )
        adopted = plain.adopt(*self._where, lying, newest)
        say(f"{adopted.version.name}: {adopted.version.pictures} pictures, where they lie.")
        if adopted.copies or adopted.contradictions:
            say(
                f"Left out: {adopted.copies} copies of pictures that stay, and {adopted.contradictions} "
                "pictures that lie in several classes.",
                style="yellow",
            )
