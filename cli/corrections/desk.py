"""Deciding about given pictures, and making what was accepted a version: for the page and for the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from cli.corrections import tally, version
from cli.corrections.kept import Entry, Room
from cli.data import sets
from cli.data.upload import Todo
from cli.errors import BadArgument, CliError
from cli.release import champion, registry
from cli.stacks import outputs
from cli.target import Target
from contract import storage
from contract.given import Decided
from contract.names import NO_CHAMPION
from contract.objects import folders


class Answer(StrEnum):
    """What can be said about a picture."""

    SENDER = "sender"
    """Its sender is right."""
    MODEL = "model"
    """The model is right."""
    LABEL = "class"
    """It is of another class."""
    NONE = "none"
    """It shows none of the classes."""
    REJECT = "reject"
    """It is of no use."""
    UNDO = "undo"
    """It is not decided, after all."""


class BadAnswer(BadArgument):
    """What cannot be said about a picture."""


class Applied(NamedTuple):
    """What became of the accepted pictures."""

    version: str
    """The data set's that has them, as `pets@2`; empty where nothing was to be added."""
    done: str
    """In words."""


class Desk:
    """Where a person decides about the given pictures of a deployment.

    Args:
        dataset: the one that what is accepted goes into, or a part of its name; None: the champion's.
    """

    def __init__(self, target: Target, dataset: str | None = None) -> None:
        self.room = Room(target)
        self._target = target
        self._s3: Any = target.client("s3")
        self._data: str = outputs(target, "storage")["DataBucket"]
        self._dataset = sets.named(self._s3, self._data, dataset) if dataset else ""
        self._classes: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """The data set that what is accepted goes into.

        Raises:
            CliError: none was named, and there is no champion that was trained on one.
        """
        self._dataset = self._dataset or _of_champion(self._target)
        return self._dataset

    @property
    def classes(self) -> tuple[str, ...]:
        """The data set's classes."""
        self._classes = self._classes or version.classes_of(self._s3, self._data, self.dataset)
        return self._classes

    def say(self, request_id: str, answer: Answer, label: str | None = None) -> Entry:
        """Decide about a picture; returns it as it is then.

        Raises:
            NoSuchPicture: none is kept of that request.
            BadAnswer: its sender said nothing, or it is in a version already.
            CannotBecomeAVersion: the data set has no such class.
        """
        entry = self.room.entry(request_id)
        if entry.review and entry.review.version:
            raise BadAnswer(
                f"The picture of {request_id} is in {entry.review.version} already. To take it out: "
                f"`{self._target.command(f'corrections --delete {request_id}')}`."
            )
        if answer is Answer.UNDO:
            self.room.undo(request_id)
            return replace(entry, review=None)
        decided, label = _decision(entry, answer, label)
        if decided is Decided.ACCEPTED:
            version.must_be_a_class(str(label), self.classes, self.dataset)
        return replace(entry, review=self.room.decide(request_id, decided, label))

    def apply(self, agree: Callable[[Todo], None] = lambda todo: None) -> Applied:
        """Make what was accepted a new version of the data set.

        Args:
            agree: is told what is sent before anything is, and raises if that is too much.

        Raises:
            CannotBecomeAVersion: it cannot be; nothing was changed.
        """
        entries = self.room.look().entries
        with version.in_a_folder() as folder:
            made = version.draft(self._s3, self._data, self.dataset, entries, self.room.picture, Path(folder))
            if not made.accepted:
                return Applied("", "Nothing is accepted that is not in a version already.")
            now = version.bring(self._target, self._s3, self._data, made, agree)
        for request_id in made.accepted:
            label = next(each.review.label for each in entries if each.id == request_id and each.review)
            self.room.decide(request_id, Decided.ACCEPTED, label, now.name)
        if not made.plan.changes:
            done = f"{now.name} has the {len(made.accepted)} accepted pictures already."
            return Applied(now.name, done)
        changed = ", ".join(f"{count} {kind}" for kind, count in now.changes.items())
        tune = self._target.command(f"tune --recipe NAME --dataset {self.dataset}")
        return Applied(now.name, f"{now.name}: {changed}. To go on from it: `{tune}`.")

    def delete(self, request_id: str, agree: Callable[[Todo], None] = lambda todo: None) -> list[str]:
        """Delete all that is kept of a request, and take its picture out of the newest versions; returns what
        was done, in words.

        Raises:
            NoSuchPicture: nothing is known of that request.
        """
        done = []
        if self.room.has(request_id):
            self.room.delete(request_id)
            done.append(f"Deleted the picture of {request_id}, its answer, and what was said of it.")
        for dataset in folders(self._s3, self._data, f"{storage.DATASETS}/"):
            holding = version.holding(self._s3, self._data, dataset, request_id)
            if not holding:
                continue
            without = version.without(self._target, self._s3, self._data, dataset, request_id, agree)
            if without:
                done.append(f"{without.name} is {dataset} without it.")
            done.append(
                f"Older versions have it still: {', '.join(each.name for each in holding)}. To delete one "
                f"with it: `{self._target.command(f'dataset {dataset} --delete N')}`."
            )
        return done

    def as_json(self) -> dict[str, Any]:
        """All that is kept, for programs and the page."""
        kept = self.room.look()
        return {
            "days": self.room.days,
            "damaged": list(kept.damaged),
            "counts": tally.count(kept.entries).counts,
            "pictures": [shown(entry) for entry in kept.entries],
        }


def shown(entry: Entry) -> Mapping[str, Any]:
    """A given picture for programs and the page."""
    given, feedback, review = entry.given, entry.feedback, entry.review
    return {
        "request_id": entry.id,
        "at": given.at,
        "sender": given.sender,
        "model_version": given.model_version,
        "predicted": given.predicted,
        "confidence": given.confidence,
        "certain": given.answer.get("certain"),
        "unlike_training": given.answer.get("unlike_training"),
        "likeliest": list(given.classes[:5]),
        "said": {"class": feedback.label} if feedback else None,
        "decided": {"as": review.decided, "class": review.label, "version": review.version}
        if review
        else None,
    }


def _decision(entry: Entry, answer: Answer, label: str | None) -> tuple[Decided, str | None]:
    match answer:
        case Answer.SENDER:
            if entry.feedback is None:
                raise BadAnswer(
                    f"The sender of {entry.id} said nothing of the answer. Say whether the model is right "
                    f"(--model {entry.id}), or what it shows (--accept {entry.id} --as CLASS)."
                )
            said = entry.feedback.label
            return (Decided.NONE, None) if said is None else (Decided.ACCEPTED, said)
        case Answer.MODEL:
            return Decided.ACCEPTED, entry.given.predicted
        case Answer.LABEL:
            if not label:
                raise BadAnswer("Name the class.")
            return Decided.ACCEPTED, label
        case Answer.NONE:
            return Decided.NONE, None
        case _:
            return Decided.REJECTED, None


def _of_champion(target: Target) -> str:
    now = champion.read(target)
    found = registry.dataset_of(registry.find(target, now.model)) if now.model != NO_CHAMPION else ""
    if not found:
        raise CliError(
            "Say with --dataset which data set this is for: no champion says what it was trained on."
        )
    return found
