"""Decisions: what is written is read again, at any length; older forms are read, a person's own words are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.decisions import (
    BY_HAND,
    MAX_LENGTH,
    WENT_BACK,
    Decision,
    Outcome,
    Reason,
    own_words,
    time_of,
)
from contract.names import NO_CHAMPION
from contract.waiting import MENDED_BY, Cause, Waiting
from tests.unit.anything import texts

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/demo/3"
TIME, LATER = "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"
WRITTEN = datetime(2026, 11, 20, 14, tzinfo=UTC)
OF_HAND = Decision(7, ARN, time_of(WRITTEN), since=time_of(WRITTEN), written=time_of(WRITTEN))


def read(text: str, value: str = ARN) -> Decision:
    """The decision in a version of the parameter with this description and value."""
    return Decision.of_version(
        {"Version": 7, "Value": value, "Description": text, "LastModifiedDate": WRITTEN}
    )


@given(st.sampled_from(sorted(Outcome)), st.text(max_size=3000), st.booleans())
def test_every_decision_is_read_again_and_has_its_place(outcome: Outcome, why: str, asleep: bool) -> None:
    serves, sleeper = (NO_CHAMPION, ARN) if asleep else (ARN, "")
    decision = Decision(7, serves, LATER, sleeper, TIME, Reason(outcome, why))
    text = decision.text()
    assert len(text.encode()) <= MAX_LENGTH
    found = read(text, decision.package)
    shown = found.reason.why.removesuffix("…")
    assert " ".join(why.encode("utf-8", "replace").decode().split()).startswith(shown)
    assert (found.time, found.since, found.package, found.asleep, found.reason.outcome) == (
        decision.time,
        decision.since,
        decision.package,
        decision.asleep,
        outcome,
    )
    assert (outcome in WENT_BACK) == outcome.startswith("went-back:")


@given(st.sampled_from(sorted(Outcome)), st.text(max_size=3000), st.sampled_from(["", NO_CHAMPION, ARN]))
def test_what_stands_on_a_package_is_read_again(outcome: Outcome, why: str, back_to: str) -> None:
    text = Reason(outcome, why, back_to).text()
    assert len(text.encode()) <= MAX_LENGTH
    found = Reason.of_package(text)
    assert (found.outcome, found.back_to) == (outcome, back_to)


@given(st.sampled_from(sorted(Cause)), st.integers(0, 999_999), st.text(max_size=3000))
def test_what_waits_is_read_again(cause: Cause, tries: int, why: str) -> None:
    waits, types = Waiting(f"{ARN}4", cause, tries), ("ml.m5.large",) * 5
    reason = Reason(Outcome.WAITS, why)
    text = Decision(7, ARN, TIME, since=TIME, reason=reason, waiting=waits, tried=types).text()
    assert len(text.encode()) <= MAX_LENGTH
    found = read(text)
    assert (found.waiting, found.waits, found.tried) == (waits, waits, types)


def test_a_model_that_is_being_tried_again_does_not_wait() -> None:
    waits = Waiting(ARN, Cause.QUOTA, 1)
    found = read(Decision(7, ARN, TIME, since=TIME, reason=Reason(Outcome.RETRIED), waiting=waits).text())
    assert (found.waiting, found.waits) == (waits, None)


def test_every_cause_but_the_model_itself_can_be_mended() -> None:
    assert set(MENDED_BY) == set(Cause) - {Cause.MODEL}


def test_a_short_reason_is_kept_to_the_letter() -> None:
    reason = Reason(Outcome.GATE, 'the "best" of ü and 😀')
    assert Reason.of_package(reason.text()) == reason


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason(Outcome.ROLLED_BACK, "complaints", ARN), "taken back to version 3: complaints"),
        (Reason(Outcome.FAILED_UPDATE, "no ping", NO_CHAMPION), "rolled back to no model: no ping"),
        (Reason(Outcome.GATE, "too slow"), "too slow"),
    ],
)
def test_the_sentence_is_made_of_the_reason(reason: Reason, words: str) -> None:
    assert reason.in_words == words


@pytest.mark.parametrize(
    ("text", "outcome", "why"),
    [
        (f"{TIME} approved", Outcome.APPROVED, "approved"),
        (f"{TIME} since {TIME} woken: a request came", Outcome.WOKEN, "woken: a request came"),
        (
            f"{TIME} asleep {ARN} since {TIME} no request for 60 minutes",
            Outcome.ASKED_TO_SLEEP,
            "no request for 60 minutes",
        ),
        (
            f"{TIME} asleep {ARN} since {TIME} woken by mistake",
            Outcome.ASKED_TO_SLEEP,
            "woken by mistake",
        ),
        (f"{TIME} asleep {ARN} approved", Outcome.ASKED_TO_SLEEP, "approved"),
        (f"{TIME} rolled back: complaints", Outcome.ROLLED_BACK, "rolled back: complaints"),
        (f"{TIME} the champion was rejected", Outcome.REJECTED, "the champion was rejected"),
        (
            f"{TIME} went back: the update failed: no ping",
            Outcome.FAILED_UPDATE,
            "the update failed: no ping",
        ),
        (
            f"{TIME} asleep {ARN} went back: it did not wake: no room",
            Outcome.DID_NOT_WAKE,
            "it did not wake: no room",
        ),
        (
            f"{TIME} went back: it could not be removed: no",
            Outcome.NOT_REMOVED,
            "it could not be removed: no",
        ),
        (f"{TIME} went back: {ARN} is Rejected", Outcome.NOT_APPROVED, f"{ARN} is Rejected"),
        (f"{TIME} because I say so", Outcome.BY_HAND, "because I say so"),
    ],
)
def test_the_form_before_json_is_read(text: str, outcome: Outcome, why: str) -> None:
    sleeper = ARN if f"asleep {ARN}" in text else ""
    found = read(text, NO_CHAMPION if sleeper else ARN)
    assert found.reason == Reason(outcome, why)
    assert (found.time, found.since, found.asleep) == (TIME, TIME, sleeper)


@pytest.mark.parametrize(
    "text",
    ["", "by me", "{}", "[]", "1", '{"time": "yesterday"}', '{"time": 3}', "[" * 1024, f'{{"time": "{TIME}"'],
)
def test_a_persons_own_words_state_nothing_but_when_they_were_written(text: str) -> None:
    assert read(text) == OF_HAND
    assert OF_HAND.reason == BY_HAND


@given(
    texts('{"time":"2026-11-20T12:00:00Z","code":"woken"}', "2026-11-20T12:00:00Z asleep arn:x since"),
    texts("none", ARN),
)
def test_any_description_is_read(text: str, value: str) -> None:
    assert read(text, value).package == value
    assert Reason.of_package(text).outcome in set(Outcome)


def test_a_description_that_was_kept_for_another_package_states_nothing() -> None:
    text = Decision(7, ARN, TIME, since=TIME, reason=Reason(Outcome.APPROVED)).text()
    assert read(text).reason.outcome is Outcome.APPROVED
    assert read(text, f"{ARN}4").reason == BY_HAND


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"rolled back to {ARN}: Endpoint: no ping", Reason(Outcome.FAILED_UPDATE, "Endpoint: no ping", ARN)),
        ("rolled back to none: no ping", Reason(Outcome.FAILED_UPDATE, "no ping", NO_CHAMPION)),
        (f"taken back to {ARN}: complaints", Reason(Outcome.ROLLED_BACK, "complaints", ARN)),
        (
            f'{{"code":"rolled-back","why":"taken back to {ARN}: complaints"}}',
            Reason(Outcome.ROLLED_BACK, f"taken back to {ARN}: complaints"),
        ),
        ("taken back to the drawing board", None),
        ("no rollback plan yet", None),
        ("rolled back to where we came from: no", None),
        ('{"why": "json of my own"}', None),
        ("", None),
    ],
)
def test_a_packages_words_of_before_are_told_from_a_persons(text: str, reason: Reason | None) -> None:
    found = Reason.of_package(text)
    assert found == (reason or Reason(Outcome.BY_HAND, text))
    assert found.why in text


@given(st.text(max_size=4000))
def test_a_persons_reason_fits_an_approval_description(why: str) -> None:
    words = own_words(why)
    assert len(words.encode()) <= MAX_LENGTH
    assert len(words.splitlines()) <= 1
