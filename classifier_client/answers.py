"""The API's answers as values; docs/api.md says what each number means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Confidence:
    """One class, and how likely it is right, from 0 to 1."""

    label: str
    index: int
    confidence: float


@dataclass(frozen=True)
class Explanation:
    """Where a class was seen.

    Attributes:
        label: the class.
        box: left, top, right and bottom of what the network sees, as shares of the upright picture.
        map: rows of numbers from 0 to 1, the first row at the top.
    """

    label: str
    box: tuple[float, float, float, float]
    map: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Answer:
    """What the model says of a picture.

    Attributes:
        predicted_class: the likeliest class.
        confidence: how likely it is right, from 0 to 1.
        predictions: the likeliest classes, the first first.
        certain: whether it is one of the answers of which so many are right as is promised; None where
            nothing is.
        unlike_training: whether the picture is unlike all that the model was trained on; None where that
            cannot be told.
        model: its version in the registry.
        explanation: None unless it was asked for and can be had.
        explanation_missing: the code of why there is none.
        request_id: of a picture that was given; empty otherwise.
        raw: the whole JSON.
    """

    predicted_class: str
    class_index: int
    confidence: float
    predictions: tuple[Confidence, ...]
    certain: bool | None
    unlike_training: bool | None
    model: str
    explanation: Explanation | None
    explanation_missing: str
    request_id: str
    raw: Mapping[str, Any]

    @staticmethod
    def of(body: Mapping[str, Any]) -> Answer:
        """The answer in the API's JSON.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        explained = body.get("explanation")
        return Answer(
            predicted_class=str(body["predicted_class"]),
            class_index=int(body["class_index"]),
            confidence=float(body["confidence"]),
            predictions=tuple(
                Confidence(str(each["class"]), int(each["class_index"]), float(each["confidence"]))
                for each in body["predictions"]
            ),
            certain=body.get("certain"),
            unlike_training=body.get("unlike_training"),
            model=str((body.get("model") or {}).get("version", "")),
            explanation=None if explained is None else _explanation(explained),
            explanation_missing=str(body.get("explanation_missing", "")),
            request_id=str(body.get("request_id", "")),
            raw=body,
        )


def _explanation(body: Mapping[str, Any]) -> Explanation:
    left, top, right, bottom = (float(each) for each in body["box"])
    rows = tuple(tuple(float(each) for each in row) for row in body["map"])
    return Explanation(str(body["class"]), (left, top, right, bottom), rows)


def classes_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in the API's JSON of classes. Raises KeyError or TypeError where it is none."""
    names = body["classes"]
    if not isinstance(names, list):
        raise TypeError("classes are a list")
    return tuple(map(str, names))


def model_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The API's JSON of the model that serves. Raises TypeError where it is no object."""
    return {**body}
