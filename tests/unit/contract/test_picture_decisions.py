"""Decisions are read as they were written, and what cannot be applied is named with its line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.picture_decisions import Action, BadDecisions, Decision, read, write

HEAD = "picture,sha256,action,label,split,reason,score\n"


def test_what_is_written_is_read_again() -> None:
    decisions = [
        Decision('train/a/x,y"z.jpg', "0" * 64, Action.DROP, reason="twice", score=0.5),
        Decision("b\nc.png", "", Action.RELABEL, "Häher"),
        Decision("d", "f" * 64, Action.MOVE, split="test"),
        Decision("e", "", None, "cat"),
        Decision("f", "", Action.KEEP),
    ]
    found = read(write(decisions).encode())
    assert [
        (each.picture, each.sha256, each.action, each.label, each.split, each.score) for each in found
    ] == [(each.picture, each.sha256, each.action, each.label, each.split, each.score) for each in decisions]


def test_what_a_spreadsheet_saves_is_read() -> None:
    text = "\ufeffAction;Picture;Score\r\ndrop;a.jpg;0,9\r\n;;\r\nKEEP;b.jpg;\r\n"
    assert [(each.picture, each.action, each.score) for each in read(text.encode())] == [
        ("a.jpg", Action.DROP, 0.9),
        ("b.jpg", Action.KEEP, None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: has no column picture and no action"),
        ("picture\na\n", "line 1: has no column action"),
        ("picture,action,what\n", "line 1: has the unknown column 'what'"),
        ("picture,action,action\n", "line 1: names a column twice"),
        (HEAD + "a,,drop\n,,drop\n", "line 3: names no picture"),
        (HEAD + "a,,delete\n", "line 2: has the action 'delete'; there are drop, relabel, move, keep"),
        (HEAD + "a,,relabel\n", "line 2: says relabel, but not to which class"),
        (HEAD + "a,,relabel,../b\n", "line 2: has the label '../b'"),
        (HEAD + "a,,relabel,..\n", "line 2: has the label '..'"),
        (HEAD + "a,,move\n", "line 2: says move, but not to which split: train, valid, test"),
        (HEAD + "a,,move,,dev\n", "line 2: names the split 'dev'"),
        (HEAD + "a,abc,drop\n", "line 2: has a sha256"),
        (HEAD + "a,,drop,,,,high\n", "line 2: has a score that is no number"),
        (HEAD + "a,,drop\nb,,keep\na,,keep\n", "line 4: a is to be keep, but line 2 says drop"),
        (HEAD + 'a,,"drop\n', "is no CSV"),
    ],
)
def test_what_cannot_be_applied_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadDecisions) as raised:
        read(text.encode())
    assert message in str(raised.value)


def test_bytes_that_are_no_text_are_named_with_their_line() -> None:
    with pytest.raises(BadDecisions, match="line 2: is not UTF-8"):
        read(HEAD.encode() + b"\xff,,drop\n")


def test_of_many_problems_the_first_few_are_named() -> None:
    with pytest.raises(BadDecisions, match="and 15 more"):
        read((HEAD + "a,,x\n" * 20).encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (HEAD + text).encode()))
def test_no_file_ends_in_another_error(content: bytes) -> None:
    with suppress(BadDecisions):
        read(content)
