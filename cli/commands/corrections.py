"""`classifier corrections`: what senders gave, reviewed on a local page or here, and made a new version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click

from cli import answers
from cli.commands.options import confirm, confirm_cost, json_option, with_target, yes_option
from cli.console import console, say, wants_json
from cli.corrections import tally
from cli.corrections.desk import Answer, Desk
from cli.corrections.kept import Entry, NoSuchPicture
from cli.corrections.server import ReviewServer
from cli.data.pictures import suffix_of
from cli.errors import BadArgument
from cli.files import of_results, private_folder
from cli.target import ROOT, Target


def _ids(option: str, help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(option, multiple=True, metavar="ID", help=help)


@click.command()
@with_target
@click.option("--list", "list_", is_flag=True, help="Show what is kept, what to look at first at the front.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the pictures there.")
@_ids("--accept", "It is what its sender says, or with --as of that class.")
@_ids("--model", "The model is right about it.")
@_ids("--none", "It shows none of the classes.")
@_ids("--reject", "It is of no use.")
@_ids("--undo", "It is not decided, after all.")
@click.option("--as", "label", metavar="CLASS", help="The class of what --accept names.")
@click.option("--apply", is_flag=True, help="Make what was accepted a new version of the data set.")
@click.option("--dataset", metavar="NAME", help="That data set (default: the champion's).")
@_ids("--delete", "Delete the picture, its answer, and all that was said of it.")
@yes_option
@json_option
def corrections(
    target: Target,
    list_: bool,
    save: Path | None,
    label: str | None,
    apply: bool,
    dataset: str | None,
    delete: tuple[str, ...],
    yes: bool,
    **ids: tuple[str, ...],
) -> None:
    """Review the pictures that senders gave; without an option on a page of this machine.

    The corrected and the least certain come first. What is accepted becomes a data set's new version, by the
    page's button or by --apply, and `classifier tune` goes on from it. A part of an ID does.
    """
    if label is not None and not ids["accept"]:
        raise click.UsageError("--as names the class of what --accept names.")
    desk = Desk(target, dataset)
    whole = {option: tuple(map(desk.room.meant, typed)) for option, typed in ids.items()}
    for request_id, answer in _answers(whole, label):
        _say(desk, request_id, answer, label)
    for request_id in map(desk.room.meant, delete):
        _delete(desk, request_id, yes)
    if save:
        _save(desk, save)
    applied = desk.apply(lambda todo: confirm_cost(target, todo.cost, yes)) if apply else None
    if applied:
        say(applied.done)
    if wants_json():
        version = {"version": applied.version or None} if applied else {}
        answers.write(answers.Kind.CORRECTIONS, {**desk.as_json(), **version})
    elif list_:
        _list(desk)
    elif not (apply or save or delete or any(ids.values())):
        _serve(desk)


def _answers(ids: dict[str, tuple[str, ...]], label: str | None) -> list[tuple[str, Answer]]:
    accepted = Answer.LABEL if label is not None else Answer.SENDER
    kinds = {"accept": accepted, **{each: Answer(each) for each in ("model", "none", "reject", "undo")}}
    asked = [(request_id, kinds[option]) for option in kinds for request_id in ids[option]]
    twice = {request_id for request_id, _ in asked if [each for each, _ in asked].count(request_id) > 1}
    if twice:
        raise click.UsageError(f"{min(twice)} is named twice: one decision for a picture.")
    return asked


def _say(desk: Desk, request_id: str, answer: Answer, label: str | None) -> None:
    entry = desk.say(request_id, answer, label)
    say(f"{request_id}: {_decided(entry)}")


def _delete(desk: Desk, request_id: str, yes: bool) -> None:
    confirm(f"Delete all that is kept of {request_id}? This cannot be undone.", yes)
    done = desk.delete(request_id)
    if not done:
        raise NoSuchPicture(f"Nothing is kept of the request {request_id}, and no data set has its picture.")
    for line in done:
        say(line)


def _save(desk: Desk, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadArgument(f"--save: {folder} is no folder.")
    of_results(folder, ROOT)
    private_folder(folder)
    kept = desk.room.look()
    for entry in kept.entries:
        content = desk.room.picture(entry.id)
        (folder / f"{entry.id}{suffix_of(content)}").write_bytes(content)
    say(f"{len(kept.entries)} pictures are in {folder}; they are people's, so delete them when you are done.")


def _list(desk: Desk) -> None:
    from rich.table import Table

    kept = desk.room.look()
    if kept.forgotten:
        say(f"{kept.forgotten} pictures were deleted now: they were older than {desk.room.days} days.")
    if kept.damaged:
        say(f"Unreadable, to be deleted by --delete: {', '.join(kept.damaged)}", style="yellow")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("request", "the model says", "", "its sender", "decided"):
        table.add_column(column, no_wrap=column == "request", justify="left" if column else "right")
    for entry in kept.entries:
        sure = f"{entry.given.confidence:.1%}"
        table.add_row(entry.id, entry.given.predicted, sure, _said(entry), _decided(entry))
    if kept.entries:
        console().print(table)
    for line in tally.count(kept.entries).lines:
        say(line)


def _said(entry: Entry) -> str:
    if entry.feedback is None:
        return ""
    if entry.feedback.label is None:
        return "none of these"
    return entry.feedback.label if entry.corrected else "right"


def _decided(entry: Entry) -> str:
    review = entry.review
    if review is None:
        return ""
    where = f" in {review.version}" if review.version else ""
    return " ".join(filter(None, (str(review.decided), review.label))) + where


def _serve(desk: Desk) -> None:
    desk.classes  # noqa: B018 - what is wrong with the data set is said here, before a page is opened
    server = ReviewServer(desk)
    server.start()
    say(f"{len(desk.room.look().open)} pictures to review: {server.url}")
    say(
        "One key decides: A the sender, M the model, C another class, N none of these, X reject. Ctrl-C ends."
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        say("")
    finally:
        server.close()
    for line in tally.count(desk.room.look().entries).lines:
        say(line)
