"""Candidates: what is written is read again at any length; a person's own put-parameter is none of it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contract.candidates import Candidate
from contract.decisions import BY_HAND, MAX_LENGTH, Outcome, Reason
from contract.names import NO_CHAMPION
from tests.unit.anything import texts

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/demo/3"
TIME, WRITTEN = "2026-11-20T12:00:00Z", datetime(2026, 11, 20, 14, tzinfo=UTC)


def read(text: str, value: str) -> Candidate:
    return Candidate.of_version(
        {"Version": 7, "Value": value, "Description": text, "LastModifiedDate": WRITTEN}
    )


@given(st.sampled_from(sorted(Outcome)), st.text(max_size=3000), st.booleans())
def test_every_candidate_is_read_again(outcome: Outcome, why: str, ends: bool) -> None:
    value, ended = (NO_CHAMPION, ARN) if ends else (ARN, "")
    text = Candidate(0, value, TIME, ended, Reason(outcome, why)).text()
    assert len(text.encode()) <= MAX_LENGTH
    found = read(text, value)
    assert (found.package, found.since, found.ended, found.reason.outcome, found.written) == (
        value,
        TIME,
        ended,
        outcome,
        "2026-11-20T14:00:00Z",
    )
    assert found.shadows is not ends


@given(texts())
def test_anything_else_counts_from_when_it_was_written(text: str) -> None:
    found = read(text, ARN)
    if found.reason == BY_HAND:
        assert found.since == found.written
    assert found.package == ARN
