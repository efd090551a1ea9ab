"""`classifier classify`: what is on pictures, several asked at a time.

The answers come in the order of the pictures, each as soon as it and those before it are there.
"""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISSOCK
from typing import Any, Final

import click

from classifier_client import Answer, ApiError, AsyncClient, Outcome, Patience
from cli import answers, asking
from cli.commands.options import json_option, with_target
from cli.console import ROWS, console, counting, error_console, say, wants_json
from cli.errors import NoSuchFile, RequestFailed
from cli.files import files_below
from cli.interrupt import Interrupted
from cli.outputs import read
from cli.prediction import headline, prediction
from cli.target import Target
from contract.api import error_of
from contract.batch import COLUMNS, NOT_READ, cells
from contract.datasets.rules import is_picture
from contract.words import listed

_NAMED: Final = 5
_UNKNOWN: Final = {"certain": None, "unlike_training": None}
"""What an answer of an older model does not say."""
_NO_REPLY: Final = "NoReply"
"""The code where the API gave none."""


def _check_csv(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuses a place that cannot be written, before anything is asked."""
    if value == "-":
        context.meta[ROWS] = True
    elif value is not None and (Path(value).is_dir() or not Path(value).parent.is_dir()):
        raise click.BadParameter(f"{value}: name a file in a folder that is there, or - for standard output.")
    return value


@click.command()
@with_target
@click.argument(
    "pictures", nargs=-1, required=True, metavar="FOLDER|FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE|-",
    callback=_check_csv,
    help="Write a row for each picture as soon as it is answered; -: to standard output.",
)
@json_option
@click.option("--top-k", type=click.IntRange(1), help="How many classes to show (default: 5).")
def classify(target: Target, pictures: tuple[Path, ...], csv_file: str | None, top_k: int | None) -> None:
    """Ask the API what is on each picture, several at a time; of a FOLDER, on each in it and below it.

    A service that is busy is asked again, and a model that sleeps is waited for. A picture without an answer
    keeps none of the others from theirs.
    """
    if wants_json() and csv_file == "-":
        raise click.UsageError("--json and --csv - both write to standard output: give one of them a file.")
    found = gather(pictures)
    outputs = read(target)
    if found.skipped:
        names = listed([str(each) for each in found.skipped], _NAMED)
        say(f"Skipped, as they are no files with a picture's name: {names}.", style="yellow")
    with _rows(csv_file) as write:
        told = Told(target, len(found.pictures), write, shown=csv_file is None, whole=top_k is not None)
        try:
            asyncio.run(_ask(target, outputs, found.pictures, top_k, told))
        except KeyboardInterrupt:
            answers.wrote(answers.Kind.PREDICTIONS, told.lines)
            kept = "" if csv_file in (None, "-") else f" {csv_file} has them."
            raise Interrupted(
                f"Stopped: {told.answered} of {told.count} pictures are answered.{kept}"
            ) from None
    answers.wrote(answers.Kind.PREDICTIONS, told.lines)
    if csv_file is not None:
        say(
            f"{told.answered} of {told.count} pictures are answered"
            + (f": {csv_file}" if csv_file != "-" else ".")
        )
    told.finish()


@dataclass(frozen=True)
class Found:
    """What to ask about in the order of what was named, and files in the folders that are no pictures."""

    pictures: tuple[Path, ...]
    skipped: tuple[Path, ...]


def gather(places: Iterable[Path]) -> Found:
    """The files that were named, and in each folder those with a picture's name.

    A place that has nothing to ask about is among them, and gets its reason instead of an answer.

    Raises:
        NoSuchFile: none has anything.
    """
    pictures: list[Path] = []
    skipped: list[Path] = []
    for place in places:
        if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises in a folder that may not be read
            pictures.append(place)
            continue
        closed: list[OSError] = []
        below = list(files_below(place, closed.append))
        named = [file for file in below if is_picture(file.name) and not _waits(file)]
        pictures += [*named, *(Path(error.filename) for error in closed)] or [place]
        skipped += sorted(set(below) - set(named))
    if all(map(_nothing_at, pictures)):
        why = listed([f"{place}: {_nothing_at(place)}" for place in pictures], _NAMED)
        raise NoSuchFile(f"{why}. Name pictures or a folder of them. Nothing was asked.")
    return Found(tuple(pictures), tuple(skipped))


def _waits(file: Path) -> bool:
    """Whether it is a pipe or a socket: whoever reads one that nobody writes waits for ever."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    return S_ISFIFO(mode) or S_ISSOCK(mode)


def _nothing_at(place: Path) -> str:
    """Why there is nothing to ask about at a place; empty where there is, or where only asking will tell."""
    try:
        if not S_ISDIR(place.stat().st_mode):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such file or folder"
    except OSError:
        return ""
    if not os.access(place, os.R_OK | os.X_OK):
        return "this folder may not be read"
    return "no file in this folder ends as a picture does"


@contextmanager
def _rows(place: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes a line as a row, there at once; with a batch's columns, but for `key`."""
    if place is None:
        yield lambda line: None
        return
    with click.open_file(place, "w", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")

        def row(columns: Sequence[str]) -> None:
            writer.writerow(columns)
            file.flush()

        row(["picture", *COLUMNS[1:]])
        yield lambda line: row(cells({"key": line["picture"], **line}))


async def _ask(
    target: Target, outputs: Mapping[str, Any], pictures: Sequence[Path], top_k: int | None, told: Told
) -> None:
    """Asks about all pictures, or until the API is of no use for any."""
    patience = Patience()
    made = asking.client(
        AsyncClient, target, outputs, patience=patience, on_wait=asking.telling_waits(patience)
    )
    many = counting("Asking", len(pictures)) if len(pictures) > 1 else nullcontext()
    async with made as api, aclosing(api.each(pictures, top_k=top_k)) as asked:
        with many as bar:
            async for outcome in asked:
                told.tell(pictures[len(told.lines)], outcome)
                if bar is not None:
                    bar.add(1)
                if isinstance(outcome, ApiError) and outcome.of_all:  # another picture would fare no better
                    told.give_up(outcome, pictures[len(told.lines) :])
                    return


@dataclass
class Told:
    """What came so far, as it is printed and written.

    Attributes:
        count: of the pictures.
        write: takes each picture's line.
        shown: whether answers are printed for people.
        whole: whether each is printed with all its classes; one alone always is.
    """

    target: Target
    count: int
    write: Callable[[Mapping[str, Any]], None]
    shown: bool = True
    whole: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    ended_by: str = ""
    """Why nothing more was asked."""

    def tell(self, picture: Path, outcome: Outcome) -> None:
        """One picture's answer, or the reason why there is none."""
        if isinstance(outcome, Answer):
            self.answered += 1
            self._add(picture, {**_UNKNOWN, **outcome.raw})
            if self.shown:
                whole = self.whole or self.count == 1
                console().print(prediction(picture, outcome) if whole else headline(picture, outcome))
            return
        self._add(picture, _as_error(outcome))
        if self.count == 1:
            self.ended_by = f"{picture}: {self._in_words(outcome)}"
        elif not (isinstance(outcome, ApiError) and outcome.of_all):
            error_console().print(f"{picture}: {self._in_words(outcome)}", style="red", markup=False)

    def give_up(self, error: ApiError, others: Sequence[Path]) -> None:
        """The same reason for all that are left."""
        for picture in others:
            self._add(picture, _as_error(error))
        self.ended_by = self._in_words(error)

    def finish(self) -> None:
        """Raises RequestFailed where a picture has no answer."""
        if self.ended_by:
            raise RequestFailed(self.ended_by)
        if left := self.count - self.answered:
            raise RequestFailed(f"{left} of {self.count} pictures got no answer; see above.")

    def _in_words(self, error: Exception) -> str:
        return asking.in_words(error, self.target) if isinstance(error, ApiError) else _why_unread(error)

    def _add(self, picture: Path, said: Mapping[str, Any]) -> None:
        line = {"picture": str(picture), **said}
        self.lines.append(line)
        self.write(line)


def _as_error(error: Exception) -> dict[str, dict[str, str]]:
    """An error for programs, in the form that the API's have."""
    if isinstance(error, ApiError):
        return error_of(error.code or _NO_REPLY, error.message)
    return error_of(NOT_READ, _why_unread(error))


def _why_unread(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and (why := _nothing_at(Path(error.filename))):
        return why
    return getattr(error, "strerror", None) or str(error)
