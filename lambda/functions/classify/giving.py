"""A picture that its sender gives, so that the model gets better: kept with the answer.

Only with the setting `corrections.days`, and only where the request's own header says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from contract import given
from contract.api import MOST_TOP_K, SWITCH, TOP_K
from contract.environment import ClassifyEnvironment
from functions.classify.picture import Picture
from functions.common import logs, rest
from functions.common.clients import client
from functions.common.rest import ApiError, Event


@dataclass(frozen=True)
class Gift:
    """A picture to keep."""

    picture: Picture
    sender: str
    bucket: str
    days: int

    @property
    def asked(self) -> Picture:
        """The picture with the question for all classes: feedback may name any of them.

        A `top_k` that the container refuses stays as it is.
        """
        if 1 <= self._wanted <= MOST_TOP_K:
            return replace(self.picture, top_k=str(MOST_TOP_K))
        return self.picture

    @property
    def _wanted(self) -> int:
        return int(self.picture.top_k or TOP_K)

    def keep(self, request_id: str, text: str) -> str:
        """Keep the picture and the endpoint's answer; returns the answer for the client.

        Where that fails, the client is told that nothing was kept, and has its answer all the same.
        """
        whole = json.loads(text)
        answer = {**whole, "predictions": whole["predictions"][: self._wanted], "request_id": request_id}
        whole.pop("explanation", None)
        body = self.picture.body
        record = given.Given(
            request_id=request_id,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            sender=self.sender,
            sha256=sha256(body).hexdigest(),
            size=len(body),
            answer=whole,
        )
        try:
            # The picture last: where it lies, all is there, and where this fails, no picture is kept.
            self._put(given.answer_of(request_id), record.to_json())
            self._put(given.picture_of(request_id), body)
        except Exception:
            logs.exception("the picture could not be kept")
            return json.dumps({**answer, "kept": None}, ensure_ascii=False)
        logs.info("kept", days=self.days)
        kept = {"days": self.days, "classes": record.classes}
        return json.dumps({**answer, "kept": kept}, ensure_ascii=False)

    def _put(self, key: str, body: bytes) -> None:
        arguments: dict[str, Any] = {"Bucket": self.bucket, "Key": key, "Body": body}
        client("s3").put_object(**arguments, ContentType="application/octet-stream")


def of(event: Event, picture: Picture, env: ClassifyEnvironment) -> Gift | None:
    """The gift that a request is; None for a picture that is not to be kept.

    Raises:
        ApiError: 400 InvalidGivePicture or InvalidSender.
    """
    if not env.given_bucket:
        return None
    agreed = rest.header(event, given.GIVE).strip().lower()
    if agreed not in ("", *SWITCH):
        raise ApiError(
            400, "InvalidGivePicture", f"{given.GIVE}: {agreed[:20]!r} is neither {' nor '.join(SWITCH)}."
        )
    if agreed != given.GIVEN:
        return None
    word = rest.header(event, given.SENDER).strip()
    if word and not given.SENDER_WORD.fullmatch(word):
        raise ApiError(
            400,
            "InvalidSender",
            f"{given.SENDER} is a word of up to 128 letters, digits, dots, dashes and underscores; leave it "
            "out if all pictures of this API key are of one sender.",
        )
    identity = rest.member(rest.member(event, "requestContext"), "identity")
    sender = given.sender_of(str(identity.get("apiKeyId") or ""), word)
    return Gift(picture, sender, env.given_bucket, env.given_days)
