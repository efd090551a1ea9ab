"""Copies are found however they were made, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from contract.picture_decisions import Action
from doctor.duplicates import find
from doctor.duplicates.judge import judged
from doctor.features.handmade import Handmade
from doctor.findings import Kind
from doctor.pictures.album import Album, fill
from doctor.records import Record
from judging.labels import Judgement
from tests.unit.doctor.drawn import encoded, record, scene, scenes


def album(records: list[Record]) -> Album:
    return fill(records, Handmade(), 2)


def pairs(records: list[Record]) -> list[find.Pair]:
    return find.find(album(records)).near


COPIES = {
    "recompressed": lambda picture: encoded(picture, "JPEG", quality=40),
    "resized": lambda picture: encoded(picture.resize((34, 34), 3)),
    "cropped": lambda picture: encoded(picture.crop((4, 1, 47, 44))),
    "mirrored": lambda picture: encoded(ImageOps.mirror(picture)),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_among_other_pictures(change: str) -> None:
    records = scenes(60)
    records.append(record("copy", COPIES[change](scene(17))))
    (found,) = pairs(records)
    assert (found.first, found.second) == (17, 60)
    assert found.mirrored == (change == "mirrored")
    assert (found.scale < 0.97) == (change == "cropped")


def test_different_pictures_are_no_copies() -> None:
    assert pairs(scenes(150)) == []


def test_the_same_shapes_in_other_colours_are_no_copy() -> None:
    red, green, blue = scene(3).split()
    assert pairs([*scenes(30), record("other", Image.merge("RGB", (blue, green, red)))]) == []


def test_flat_pictures_do_not_match_by_accident() -> None:
    random = np.random.default_rng(0)
    flat = [
        record(f"{n}", Image.fromarray((200 + random.normal(0, 1.2, (48, 48, 3))).astype(np.uint8)))
        for n in range(40)
    ]
    assert pairs(flat) == []


def test_pictures_that_are_all_much_alike_are_no_copies_of_each_other() -> None:
    # One shape with small changes, as two sevens of one hand.
    random = np.random.default_rng(1)
    base = np.asarray(scene(0).convert("L"), float)
    alike = [
        record(f"{n}", Image.fromarray((base + np.kron(random.normal(0, 18, (12, 12)), np.ones((4, 4))))
               .clip(0, 255).astype(np.uint8)))
        for n in range(80)
    ]  # fmt: skip
    assert pairs(alike) == []


def test_exact_copies_are_one_group_with_their_near_copies() -> None:
    same = encoded(scene(5))
    records = [*scenes(20, 100), record("x", same), record("y", same), record("z", encoded(scene(5), "JPEG"))]
    found = find.find(album(records))
    assert found.exact == [[20, 21]]
    assert found.group[20:].tolist() == [20, 20, 20]
    assert found.group[:20].tolist() == list(range(20))


def findings(
    copies: list[Record], judgement: Judgement | None = None
) -> list[tuple[Kind, list[tuple[int, Action]]]]:
    pictures = album([*scenes(20, 100), *copies])
    return [
        (each.kind, [(proposal.picture, proposal.action) for proposal in each.proposals])
        for each in judged(pictures, find.find(pictures), judgement)
    ]


def test_of_copies_in_two_splits_the_one_in_test_stays() -> None:
    one = record("one", encoded(scene(1)), split="train")
    two = record("two", encoded(scene(1), "JPEG"), split="test")
    (found,) = judged(pictures := album([*scenes(20, 100), one, two]), find.find(pictures), None)
    assert found.kind is Kind.LEAK
    assert [picture.name for picture in found.pictures] == ["two", "one"]
    assert [(each.picture, each.action) for each in found.proposals] == [(1, Action.DROP)]


def test_a_copy_in_one_split_is_proposed_for_dropping_only_if_it_is_the_same_file() -> None:
    one, again = record("one", encoded(scene(1))), record("two", encoded(scene(1)))
    near = record("two", encoded(scene(1), "JPEG"))
    assert findings([one, again]) == [(Kind.DUPLICATE, [(1, Action.DROP)])]
    assert findings([one, near]) == [(Kind.DUPLICATE, [])]


def test_a_contradiction_is_solved_only_where_the_labels_judgement_is_clear() -> None:
    one = record("one", encoded(scene(1)), label="a")
    two = replace(one, name="two", label="b")
    assert findings([one, two]) == [(Kind.CONTRADICTION, [(0, None), (1, None)])]

    def judgement(first: float) -> Judgement:
        probability = torch.full((22, 2), 0.5)
        probability[20:] = torch.tensor([first, 1 - first])
        none = np.zeros(22)
        return Judgement(
            probability, none.astype(np.float32), none.astype(np.int64), *[none.astype(bool)] * 2
        )

    assert findings([one, two], judgement(0.6)) == [(Kind.CONTRADICTION, [(0, None), (1, None)])]
    assert findings([one, two], judgement(0.9)) == [(Kind.CONTRADICTION, [(1, Action.DROP)])]
