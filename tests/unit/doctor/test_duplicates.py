"""Copies are found however they were made, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from contract.picture_decisions import Action
from doctor.duplicates import candidates, find
from doctor.duplicates.descriptors import Descriptors
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


def test_a_folder_that_has_every_picture_in_two_formats_is_no_error() -> None:
    records = [*scenes(40), *(record(f"again{n}", encoded(scene(n), "BMP")) for n in range(40))]
    assert [(pair.first, pair.second) for pair in pairs(records)] == [(n, n + 40) for n in range(40)]


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


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("copy_is_new", [True, False])
def test_a_new_picture_is_compared_with_known_ones_either_way_round(change: str, copy_is_new: bool) -> None:
    pictures = album([*scenes(120), record("copy", COPIES[change](scene(17)))])
    known = set(pictures.sha256) - {pictures.sha256[120 if copy_is_new else 17]}
    found = find.find(pictures, known=known)
    assert [(pair.first, pair.second) for pair in found.near] == [(17, 120)]


def test_known_pictures_are_not_compared_with_each_other_again() -> None:
    pictures = album([*scenes(120), record("copy", COPIES["resized"](scene(17)))])
    assert find.find(pictures, known=set(pictures.sha256) - {pictures.sha256[3]}).near == []


def test_what_counts_as_a_copy_is_the_same_for_new_pictures_as_for_all() -> None:
    # Pictures much alike, of which those that the others are compared with are known.
    random = np.random.default_rng(1)
    base = np.asarray(scene(0).convert("L"), float)
    pictures = album(
        [
            record(f"{n}", Image.fromarray((base + np.kron(random.normal(0, 18, (12, 12)), np.ones((4, 4))))
                   .clip(0, 255).astype(np.uint8)))
            for n in range(200)
        ]
    )  # fmt: skip
    assert find.find(pictures, known=pictures.sha256[2:]).near == []


def test_the_index_finds_what_the_comparison_of_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [*scenes(300), *(record(f"{n}", COPIES["cropped"](scene(n))) for n in range(0, 300, 10))]
    compared = pairs(records)
    monkeypatch.setattr(candidates, "_COMPARED", 0)
    assert len(compared) == 30
    assert pairs(records) == compared


def test_candidates_are_each_picture_s_nearest_however_they_lie() -> None:
    random = np.random.default_rng(2)
    whole, inner = (random.normal(0, 0.25, (150, 7)).astype(np.float32) for _ in range(2))
    signs = np.array([1, -1, 1, -1, 1, -1, 1], np.float32)
    described = Descriptors(whole, whole * signs, inner)
    kinds = np.stack([np.linalg.norm(whole[:, None] - each[None], axis=2) for each in described])
    apart = kinds.min(0)
    np.fill_diagonal(apart, np.inf)
    expected = set()
    for first in range(150):
        for rank, second in enumerate(apart[first].argsort()[:4]):
            if apart[first, second] <= (0.6 if rank else 0.8):
                expected.add((min(first, second), max(first, second)))
    found = candidates.pairs(described, np.arange(150), 2)
    assert {(first, second) for first, second, _ in found.tolist()} == expected
    nearer = kinds.argmin(0) == 1
    assert all(nearer[a, b] == mirrored or nearer[b, a] == mirrored for a, b, mirrored in found.tolist())


def test_an_upload_s_comparison_loads_no_torch() -> None:
    code = (
        "import sys; from cli.data import near_duplicates; from contract.datasets.manifest import Picture;"
        "contents = ['a' * 64, 'b' * 64];"
        "thumbnails = {each: bytes(range(256)) * 4 + bytes(128) for each in contents};"
        "pictures = [Picture('c', '', each, each, 1, each) for each in contents];"
        "found = near_duplicates.grouped(pictures, thumbnails);"
        "assert 'doctor.duplicates.find' in sys.modules;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
