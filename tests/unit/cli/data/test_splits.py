"""Splits are stratified, repeatable, and never move a picture that was dealt out before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cli.data.splits import Candidate, fill
from contract.datasets import SPLITS

Candidates = list[Candidate]
contents = st.text("abc0123456789", min_size=1, max_size=6)
labels = st.sampled_from(["ant", "bee", "cat"])
groups = st.sampled_from(["", "", "", "g1", "g2"])
candidates = st.lists(
    st.builds(Candidate, contents, labels), unique_by=lambda each: each.content, max_size=120
)
grouped = st.lists(
    st.builds(Candidate, contents, labels, groups), unique_by=lambda each: each.content, max_size=120
)


@given(grouped)
def test_every_picture_gets_exactly_one_split(pictures: Candidates) -> None:
    chosen = fill(pictures, SPLITS)
    assert set(chosen) == {picture.content for picture in pictures}
    assert set(chosen.values()) <= set(SPLITS)


@given(candidates)
def test_a_class_gives_each_made_split_its_share(pictures: Candidates) -> None:
    chosen = fill(pictures, SPLITS)
    for label, count in Counter(picture.label for picture in pictures).items():
        have = Counter(chosen[picture.content] for picture in pictures if picture.label == label)
        assert have["train"] >= 1
        if count >= 3:
            assert have["valid"] == have["test"] == max(1, round(count * 0.15))


@given(grouped)
def test_a_group_is_in_one_split(pictures: Candidates) -> None:
    chosen = fill(pictures, SPLITS)
    for group in {picture.group for picture in pictures} - {""}:
        assert len({chosen[picture.content] for picture in pictures if picture.group == group}) == 1


def test_a_new_picture_of_a_tested_group_is_tested() -> None:
    old = [Candidate(f"{number}", "ant") for number in range(20)]
    before = fill(old, SPLITS)
    tested = next(content for content, split in before.items() if split == "test")
    now = [replace(each, group="g" if each.content == tested else "") for each in old]
    assert fill([*now, Candidate("new", "ant", "g")], SPLITS, before)["new"] == "test"


@given(grouped, st.randoms(use_true_random=False))
def test_the_order_on_disk_changes_nothing(pictures: Candidates, random: st.DataObject) -> None:
    shuffled = list(pictures)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fill(shuffled, SPLITS) == fill(pictures, SPLITS)


@given(candidates, candidates)
def test_adding_pictures_moves_none_that_was_dealt_out(first: Candidates, more: Candidates) -> None:
    before = fill(first, SPLITS)
    both = {each.content: each for each in [*more, *first]}
    after = fill(both.values(), SPLITS, before)
    assert {content: after[content] for content in before} == before


def test_another_seed_deals_out_differently() -> None:
    pictures = [Candidate(f"{number}", "ant") for number in range(100)]
    assert fill(pictures, SPLITS, seed=1) != fill(pictures, SPLITS, seed=2)


def test_only_the_missing_splits_are_made() -> None:
    pictures = [Candidate(f"{number}", "ant") for number in range(20)]
    assert set(fill(pictures, ("valid",)).values()) == {"train", "valid"}
    assert set(fill(pictures, ()).values()) == {"train"}
