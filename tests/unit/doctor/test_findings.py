"""What else is found: files that cannot be read, pictures that show little, odd ones, classes."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from contract.picture_decisions import Action
from doctor.examine import examine
from doctor.findings import Finding, Kind
from doctor.records import Record
from tests.unit.doctor.drawn import (
    SIDE,
    blurred,
    encoded,
    failing,
    photograph,
    record,
    scene,
    scenes,
    striped,
)


def of_kind(records: list[Record], kind: Kind) -> list[Finding]:
    return [each for each in examine(records).findings if each.kind is kind]


def names(findings: list[Finding]) -> set[str]:
    return {picture.name for finding in findings for picture in finding.pictures}


def test_files_that_cannot_be_read_are_named_with_the_reason_and_proposed_for_dropping() -> None:
    cut = encoded(scene(1, 200), "JPEG")[:4000]
    gone = Record("gone", "a", "train", failing(FileNotFoundError(2, "No such file or directory")))
    bad = [record("cut", cut), record("text", b"no picture"), record("empty", b""), gone]
    found = of_kind([*scenes(20), *bad], Kind.UNREADABLE)
    reasons = {each.pictures[0].name: each.reason for each in found}
    assert set(reasons) == {"cut", "text", "empty", "gone"}
    assert "truncated" in reasons["cut"]
    assert "No such file" in reasons["gone"]
    assert {each.proposals[0].action for each in found} == {Action.DROP}


def test_nothing_readable_is_no_crash() -> None:
    diagnosis = examine([record("a", b"x"), record("b", b"y")])
    assert len(diagnosis.album) == 0
    assert diagnosis.statistics()["pictures"] == 2


SHOWS_LITTLE = {
    Kind.BLURRED: blurred(photograph(900)),
    Kind.DARK: Image.eval(photograph(901), lambda level: level // 8),
    Kind.BRIGHT: Image.eval(photograph(902), lambda level: 220 + level // 8),
    Kind.BLANK: Image.new("RGB", (200, 200), (90, 120, 200)),
    Kind.SIZE: photograph(903, 30),
}


@pytest.mark.parametrize("kind", SHOWS_LITTLE)
def test_a_picture_that_shows_little_is_found_and_no_other(kind: Kind) -> None:
    usual = [record(f"{number}", photograph(number)) for number in range(40)]
    records = [*usual, record("it", SHOWS_LITTLE[kind])]
    assert names(of_kind(records, kind)) == {"it"}
    assert of_kind(usual, kind) == []


def test_what_many_pictures_have_is_a_note_and_no_finding() -> None:
    dark = [record(f"{n}", Image.eval(scene(n), lambda level: level // 8)) for n in range(20)]
    diagnosis = examine([*dark, *scenes(20, 100)])
    assert not [each for each in diagnosis.findings if each.kind is Kind.DARK]
    assert any("dark" in note for note in diagnosis.notes)


def test_a_picture_unlike_all_others_is_an_odd_one_out() -> None:
    board = Image.fromarray(np.kron(np.indices((6, 6)).sum(0) % 2 * 255, np.ones((8, 8))).astype(np.uint8))
    records = [each for each in striped(160) if each.label == "lying"]
    assert names(of_kind([*records, record("board", board, "lying")], Kind.ODD)) == {"board"}
    assert of_kind(records, Kind.ODD) == []


def test_two_spellings_of_one_class_are_one_finding() -> None:
    records = scenes(60)
    labels = ["Häher", unicodedata.normalize("NFD", "Häher"), "stop_sign", "Stop Sign", "cat"]
    spelled = [replace(each, label=labels[n % 5]) for n, each in enumerate(records)]
    found = [each.classes for each in of_kind(spelled, Kind.SPELLINGS)]
    assert {frozenset(each) for each in found} == {frozenset(labels[:2]), frozenset(labels[2:4])}


def test_a_class_much_smaller_than_the_others_is_found() -> None:
    records = [replace(each, label=f"c{n % 3}") for n, each in enumerate(scenes(60))]
    few = [record(f"f{n}", scene(500 + n), "few") for n in range(3)]
    (found,) = of_kind([*records, *few], Kind.SMALL_CLASS)
    assert found.classes == ("few",)


def test_two_classes_of_the_same_things_overlap_and_others_do_not() -> None:
    records = striped(200)
    mixed = [
        replace(each, label=f"{each.label}{n // 2 % 2}") if each.label == "lying" else each
        for n, each in enumerate(records)
    ]
    (found,) = of_kind(mixed, Kind.OVERLAP)
    assert found.classes == ("lying0", "lying1")
    assert of_kind(records, Kind.OVERLAP) == []


def test_findings_come_the_worst_first_and_a_healthy_set_has_none() -> None:
    assert examine(striped(120)).findings == []
    records = [*striped(120), record("bad", b"x", "lying")]
    records += [
        replace(records[3], name="again", split="test"),
        replace(records[5], name="other", label="lying"),
    ]
    kinds = [each.kind for each in examine(records).findings]
    assert kinds[:3] == [Kind.CONTRADICTION, Kind.LEAK, Kind.UNREADABLE]


def test_statistics_count_by_class_and_split_and_name_colour_modes() -> None:
    records = [*striped(20), record("grey", scene(1).convert("L"), "lying", "test")]
    statistics = examine(records).statistics()
    assert statistics["classes"] == {"lying": {"train": 10, "test": 1}, "upright": {"train": 10}}
    assert statistics["formats"] == [["PNG", "RGB", 20], ["PNG", "L", 1]]
    assert statistics["width"] == [SIDE] * 3
