"""Records of given pictures: what is written is read, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from contract import given
from contract.given import Decided, Feedback, Given, InvalidRecord, Review

ANSWER: dict[str, Any] = {
    "predicted_class": "a",
    "confidence": 0.5,
    "predictions": [{"class": "a"}, {"class": "b"}],
}
WHOLE: dict[str, Any] = {
    "request_id": "r",
    "at": "2026-11-30T00:00:00+00:00",
    "sender": "s",
    "sha256": "0" * 64,
    "size": 3,
    "answer": ANSWER,
}
KINDS: tuple[type[Given] | type[Feedback] | type[Review], ...] = (Given, Feedback, Review)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_what_is_written_is_read() -> None:
    for record in (
        Given(**WHOLE),
        Feedback(request_id="r", at="t", label=None),
        Review(request_id="r", at="t", decided=Decided.ACCEPTED, label="é", version="dogs@4"),
    ):
        assert type(record).from_json(record.to_json()) == record


@pytest.mark.parametrize("kind", KINDS)
@drawn(st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_get_anything_but_a_record_or_its_error(
    kind: type[Given] | type[Feedback] | type[Review], content: bytes
) -> None:
    with pytest.raises(InvalidRecord):
        kind.from_json(content)


@drawn(st.sampled_from(sorted(WHOLE)), _json)
def test_a_member_of_another_kind_gets_a_record_or_its_error(member: str, value: Any) -> None:
    try:
        record = Given.from_json(json.dumps({**WHOLE, member: value}).encode())
    except InvalidRecord:
        return
    assert (record.predicted, record.confidence, record.model_version) == ("a", 0.5, "")


@pytest.mark.parametrize(
    "answer",
    [
        {**ANSWER, "predictions": []},
        {**ANSWER, "predictions": ["a"]},
        {**ANSWER, "confidence": 10**400},
        {**ANSWER, "confidence": "much"},
        {**ANSWER, "confidence": float("nan")},
        {**ANSWER, "model": ["3"]},
        {"confidence": 1},
    ],
)
def test_an_answer_that_is_none_makes_no_record(answer: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        Given.from_json(json.dumps({**WHOLE, "answer": answer}).encode())


@pytest.mark.parametrize(("decided", "label"), [("accepted", None), ("none", "a"), ("perhaps", None)])
def test_a_class_is_of_what_is_accepted_and_of_nothing_else(decided: str, label: str | None) -> None:
    record = {"request_id": "r", "at": "t", "decided": decided, "label": label, "version": ""}
    with pytest.raises(InvalidRecord):
        Review.from_json(json.dumps(record).encode())


@pytest.mark.parametrize(
    ("name", "request_id"),
    [
        (given.name_in_a_dataset("8f1c-2", ".jpg"), "8f1c-2"),
        ("given-8f1c-2~2.jpg", "8f1c-2"),
        ("given-.jpg", ""),
        ("given-a/b.jpg", ""),
        ("dog.jpg", ""),
        ("forgiven-a.jpg", ""),
    ],
)
def test_a_request_is_known_by_the_name_of_its_picture(name: str, request_id: str) -> None:
    assert given.request_in_a_dataset(name) == request_id
