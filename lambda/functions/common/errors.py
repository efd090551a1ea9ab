"""Every way a function can fail by name.

A `UserError` is the caller's to put right: a direct invocation answers it with its status, and nothing has
been started. Everything else is ours or AWS's: it is raised, so that Lambda retries the event and then
dead-letters it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

from contract import words
from contract.api import error_of
from functions.common import logs


class ClassifierError(Exception):
    """Base of every error this project raises itself; its text says what, where and what to do."""


class UserError(ClassifierError):
    """A request that cannot be done as asked. `status` is the HTTP-like status, `code` the name in the
    answer.
    """

    status: ClassVar[int] = 400

    @property
    def code(self) -> str:
        return type(self).__name__


class InvalidPayload(UserError):
    """The payload is not an object, or has a key or a type that the function does not take."""


class InvalidName(UserError):
    """A job name that SageMaker or this project's rules would not accept."""


class InvalidRecipe(UserError):
    """A recipe, or an override of it, that names no known key or a value out of its range."""


class InvalidDataset(UserError):
    """The data set is there but cannot be trained on."""


class RefusedByAws(UserError):
    """SageMaker's own checks refused the request; the message is AWS's."""


class QuotaExceeded(UserError):
    """An account quota stands in the way."""


class UnknownRecipe(UserError):
    """No recipe of that name in the artifacts bucket."""

    status = 404


class UnknownDataset(UserError):
    """No data set of that name in the data bucket."""

    status = 404


class JobExists(UserError):
    """A job of that name exists and was asked for by another request."""

    status = 409


class RunRecordMissing(ClassifierError):
    """`runs/<run>/run.json` is not there, so nobody knows what the run was asked to do."""


class OutputInvalid(ClassifierError):
    """A job's output archive is missing, damaged, or lacks the file that is looked for."""


class EvaluationInvalid(OutputInvalid):
    """A training job's output has no evaluation.json that can be read and believed."""


class EventRefused(ClassifierError):
    """EventBridge did not take an event of ours."""


def suggest(word: str, choices: Iterable[str]) -> str:
    """`; did you mean "…"?` when a known word is near, else nothing: ready to append to a sentence."""
    nearest = get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f'; did you mean "{nearest[0]}"?' if nearest else ""


def listed(names: Iterable[str], most: int | None = None) -> str:
    """The names as a reader wants them in a sentence: sorted, comma-separated, or `none`; at most `most`."""
    ranked = sorted(names)
    return words.listed(ranked, len(ranked) if most is None else most) or "none"


def refused(error: UserError) -> dict[str, Any]:
    """The answer that names the caller's mistake; nothing was started."""
    logs.info("refused", code=error.code, reason=str(error))
    return {"statusCode": error.status, **error_of(error.code, str(error))}
