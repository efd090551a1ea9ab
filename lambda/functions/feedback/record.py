"""Feedback out of a request, and into the bucket beside the answer that it is about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from contract import given, objects
from contract.words import did_you_mean, listed
from functions.common import logs, rest
from functions.common.clients import client
from functions.common.rest import ApiError, Event

_MAX_BYTES = 8192
_SHAPE = '{"request_id": "…", "class": "…"}, or "class": null for none of the classes'


@dataclass(frozen=True)
class Said:
    """What a sender says: the right class, None for none of them."""

    request_id: str
    label: str | None


def read(event: Event) -> Said:
    """The feedback in a request.

    Raises:
        ApiError: 400 InvalidFeedback or InvalidBody.
    """
    body = rest.body(event, _MAX_BYTES, lambda _: _invalid("it is too long"))
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("it is no JSON") from None
    if not isinstance(asked, dict):
        raise _invalid("it is no object")
    if set(asked) != {"request_id", "class"}:
        raise _invalid(f"its keys are {listed(sorted(asked)) or 'none'}")
    request_id, label = asked["request_id"], asked["class"]
    if not isinstance(request_id, str) or not (label is None or isinstance(label, str)):
        raise _invalid("request_id is a text, class a text or null")
    return Said(request_id, label)


def keep(said: Said, bucket: str) -> bool:
    """Keep the feedback, in place of what was said before; returns whether it agrees with the model.

    Raises:
        ApiError: 404 UnknownRequest, 400 UnknownClass.
    """
    answered = _answered(said.request_id, bucket)
    if said.label is not None and said.label not in answered.classes:
        guess = did_you_mean(said.label, answered.classes)
        raise ApiError(
            400,
            "UnknownClass",
            f"The model knows no class {said.label[:60]!r}.{guess} Send one of the classes that the answer "
            "lists in kept.classes, or null for none of them.",
        )
    agrees = said.label == answered.predicted
    now = datetime.now(UTC).isoformat(timespec="seconds")
    feedback = given.Feedback(request_id=said.request_id, at=now, label=said.label)
    client("s3").put_object(
        Bucket=bucket,
        Key=given.feedback_of(said.request_id),
        Body=feedback.to_json(),
        ContentType="application/json",
    )
    logs.info("feedback", about=said.request_id, agrees=agrees)
    return agrees


def _answered(request_id: str, bucket: str) -> given.Given:
    content = None
    if given.REQUEST_ID.fullmatch(request_id):
        content = objects.read(client("s3"), bucket, given.answer_of(request_id), given.MAX_RECORD_BYTES)
    if content is None:
        raise ApiError(
            404,
            "UnknownRequest",
            f"No picture is kept of the request {request_id[:64]!r}: it was not given, or its time is over.",
        )
    return given.Given.from_json(content)


def _invalid(why: str) -> ApiError:
    return ApiError(400, "InvalidFeedback", f"The body is not the JSON object {_SHAPE}: {why}.")
