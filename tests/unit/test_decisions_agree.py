"""The command line reads what the functions write of their decisions, and reads it as they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import decisions as reader
from cli.release import waiting as told
from functions.common import decisions as writer
from functions.common.decisions import Code, Reason, Stated, Waiting
from functions.promote_model import waiting
from functions.promote_model.causes import Cause

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/demo/3"
TIME, LATER = "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"


@given(st.sampled_from(sorted(Code)), st.text(max_size=3000), st.booleans())
def test_every_decision_is_read_alike_and_has_its_place(code: Code, why: str, asleep: bool) -> None:
    serves = "none" if asleep else ARN
    text = writer.champion_text(Stated(LATER, serves, ARN if asleep else "", TIME, Reason(code, why)))
    assert len(text.encode()) <= writer.MAX_LENGTH == reader.MAX_LENGTH
    theirs, ours = writer.of_champion(text), reader.of_champion(text, serves)
    assert theirs is not None
    assert (ours.time, ours.asleep, ours.code, ours.why) == (
        theirs.time,
        theirs.asleep,
        theirs.reason.code,
        theirs.reason.why,
    )
    assert (theirs.serves, theirs.since, theirs.reason.code) == (serves, TIME, code)
    assert ours.went_back == code.startswith("went-back:")


@given(st.sampled_from(sorted(Code)), st.text(max_size=3000))
def test_what_stands_on_a_package_is_read_alike(code: Code, why: str) -> None:
    text = writer.package_text(Reason(code, why))
    assert len(text.encode()) <= writer.MAX_LENGTH
    assert reader.of_package(text)[0] == code


@given(st.sampled_from(sorted(Cause)), st.integers(0, 999_999), st.text(max_size=3000))
def test_what_waits_is_read_alike(cause: Cause, tries: int, why: str) -> None:
    waits = Waiting(f"{ARN}4", cause, tries)
    text = writer.champion_text(
        Stated(TIME, ARN, "", TIME, Reason(Code.WAITS, why), waits, ("ml.m5.large",) * 5)
    )
    assert len(text.encode()) <= writer.MAX_LENGTH
    theirs, ours = writer.of_champion(text), reader.of_champion(text, ARN)
    assert theirs is not None
    assert (theirs.waiting, theirs.tried) == (waits, ("ml.m5.large",) * 5)
    assert (ours.waits, ours.waits_for, ours.tries) == (waits.package, waits.cause, waits.tries)


def test_a_model_that_is_being_tried_again_does_not_wait() -> None:
    waits = Waiting(ARN, "quota", 1)
    text = writer.champion_text(Stated(TIME, ARN, "", TIME, Reason(Code.RETRIED), waits))
    assert reader.of_champion(text, ARN).waits == ""


def test_for_every_cause_the_command_line_knows_what_mends_it() -> None:
    assert set(told.MENDED_BY) == set(Cause) - {Cause.MODEL}
    assert told.MOST_TRIES == waiting.MOST_TRIES


def test_a_short_reason_is_kept_to_the_letter() -> None:
    why = 'the "best" of ü and 😀'
    assert reader.of_package(writer.package_text(Reason(Code.GATE, why))) == ("below-the-gate", why)


def test_the_codes_that_the_command_line_asks_for_are_written() -> None:
    assert {reader.ROLLED_BACK, reader.FAILED_UPDATE, reader.BY_HAND} <= set(Code)


@pytest.mark.parametrize(
    ("text", "code", "went_back"),
    [
        (f"{TIME} approved", Code.APPROVED, False),
        (f"{TIME} since {TIME} woken: a request came", Code.WOKEN, False),
        (f"{TIME} asleep {ARN} since {TIME} no request for 60 minutes", Code.ASKED_TO_SLEEP, False),
        (f"{TIME} asleep {ARN} since {TIME} woken by a mistake", Code.ASKED_TO_SLEEP, False),
        (f"{TIME} asleep {ARN} approved", Code.ASKED_TO_SLEEP, False),
        (f"{TIME} rolled back: complaints", Code.ROLLED_BACK, False),
        (f"{TIME} the champion was rejected", Code.REJECTED, False),
        (f"{TIME} went back: the update failed: no ping", Code.FAILED_UPDATE, True),
        (f"{TIME} asleep {ARN} went back: it did not wake: no room", Code.DID_NOT_WAKE, True),
        (f"{TIME} went back: it could not be removed: no", Code.NOT_REMOVED, True),
        (f"{TIME} went back: {ARN} is Rejected", Code.NOT_APPROVED, True),
        (f"{TIME} because I say so", Code.BY_HAND, False),
    ],
)
def test_the_form_before_json_is_read_by_both(text: str, code: Code, went_back: bool) -> None:
    theirs = writer.of_champion(text)
    assert theirs is not None
    ours = reader.of_champion(text, "none" if theirs.asleep else ARN)
    assert (theirs.reason.code, theirs.time, theirs.asleep) == (code, TIME, ours.asleep)
    assert (ours.time, ours.went_back) == (TIME, went_back)


@pytest.mark.parametrize(
    "text",
    ["", "by me", "{}", "[]", "1", '{"time": "yesterday"}', '{"time": 3}', "[" * 1024, f'{{"time": "{TIME}"'],
)
def test_a_persons_own_words_state_nothing(text: str) -> None:
    assert writer.of_champion(text) is None
    assert reader.of_champion(text, ARN) == reader.Stated()


def test_a_description_that_was_kept_for_another_package_states_nothing() -> None:
    text = writer.champion_text(Stated(TIME, ARN, "", TIME, Reason(Code.APPROVED)))
    assert reader.of_champion(text, ARN).code == "approved"
    assert reader.of_champion(text, f"{ARN}4") == reader.Stated()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"rolled back to {ARN}: Endpoint: no ping", "went-back:failed-update"),
        ("rolled back to none: Endpoint: no ping", "went-back:failed-update"),
        (f"taken back to {ARN}: complaints", "rolled-back"),
        ("taken back to the drawing board", "by-hand"),
        ("no rollback plan yet", "by-hand"),
        ("rolled back to where we came from: no", "by-hand"),
        ('{"why": "json of my own"}', "by-hand"),
        ("", "by-hand"),
    ],
)
def test_a_packages_words_of_before_are_told_from_a_persons(text: str, code: str) -> None:
    assert reader.of_package(text) == (code, text)


@given(st.text(max_size=4000))
def test_a_persons_reason_fits_an_approval_description(why: str) -> None:
    said = reader.in_words(why)
    assert len(said.encode()) <= reader.MAX_LENGTH
    assert len(said.splitlines()) <= 1
