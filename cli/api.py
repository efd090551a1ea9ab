"""Asking the deployed API for a picture's class, over plain HTTPS as any client would."""

from __future__ import annotations

import json
import mimetypes
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import RequestFailed
from cli.target import Target

TIMEOUT_SECONDS = 60  # API Gateway gives up after 29; a cold local function may take a few more


@dataclass(frozen=True)
class Prediction:
    """The API's answer for one picture: the classes with their confidences, best first, and who answered."""

    picture: Path
    answer: dict[str, Any]

    @property
    def predicted_class(self) -> str:
        return str(self.answer["predicted_class"])

    @property
    def confidence(self) -> float:
        return float(self.answer["confidence"])

    @property
    def ranking(self) -> list[tuple[str, float]]:
        return [(str(item["class"]), float(item["confidence"])) for item in self.answer["predictions"]]


def must_be_files(pictures: Iterable[Path]) -> None:
    """Raises RequestFailed naming the first that is no file, before anybody is asked about the others."""
    for picture in pictures:
        if not picture.is_file():
            what = "is no file" if picture.exists() else "No such file"
            raise RequestFailed(f"{picture}: {what}. Name picture files. Nothing was asked.")


def classify(
    target: Target, outputs: Mapping[str, Any], picture: Path, top_k: int | None = None
) -> Prediction:
    """POSTs one picture file to the API that `outputs` (cli.outputs.read) tells of.

    Raises:
        RequestFailed: the file cannot be read, or the API refused it or did not answer; says why.
    """
    try:
        body = picture.read_bytes()
    except OSError as error:
        raise RequestFailed(f"{picture}: {error.strerror}. Name a picture file.") from None
    query = "" if top_k is None else f"?top_k={top_k}"
    api_url = outputs["api_url"]
    url = f"{api_url.rstrip('/')}/classify{query}"
    guess = mimetypes.guess_type(picture.name)[0] or ""
    # Whatever the name says, the API shall judge the bytes.
    content_type = guess if guess.startswith("image/") else "application/octet-stream"
    headers = {"x-api-key": outputs["api_key"], "Content-Type": content_type}
    if outputs.get("api_signed"):
        headers = target.signed("execute-api", "POST", url, headers, body)
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - our stack's
    local = api_url.startswith("http://127.0.0.1")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - as above
            return Prediction(picture, read_answer(response.read()))
    except urllib.error.HTTPError as error:
        message = f"{picture.name}: {say_refusal(error.code, error.read())}"
        raise RequestFailed(message, for_all=error.code in (403, 503)) from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        hint = " Is the local AWS up? Run `make up`." if local else ""
        raise RequestFailed(f"The API at {api_url} did not answer: {reason}.{hint}", for_all=True) from None


def read_answer(body: bytes) -> dict[str, Any]:
    """The API's JSON, checked for the keys used here."""
    try:
        answer = json.loads(body)
        if not (isinstance(answer["predicted_class"], str) and isinstance(answer["predictions"], list)):
            raise TypeError
        float(answer["confidence"])
        [(item["class"], float(item["confidence"])) for item in answer["predictions"]]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        raise RequestFailed(f"The API gave an answer nobody here understands: {body[:200]!r}.") from None
    return dict(answer)


def say_refusal(status: int, body: bytes) -> str:
    """An error answer in plain words; API Gateway's own errors have no code, ours do."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = {}
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and error.get("message"):
        return f"{error['message']} ({status} {error.get('code', '')})".replace(" )", ")")
    plain = {
        403: "the API key is missing or not valid. `classifier outputs` shows the right one",
        413: "the picture is too large for the API",
        429: "too many requests at once. Wait a moment and try again",
        503: "no model is serving yet. See `classifier status`",
        504: "the endpoint took too long. Try again in a moment",
    }
    return f"{plain.get(status, f'the API answered {status}: {body[:200]!r}')} ({status})"
