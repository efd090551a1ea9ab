"""Splits are stratified, repeatable, and never move a picture that was dealt out before."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cli.splits import fill
from contract.datasets import SPLITS

Keys = list[tuple[str, str]]
names = st.text("abc0123456789", min_size=1, max_size=6)
keys = st.lists(st.tuples(st.sampled_from(["ant", "bee", "cat"]), names), unique=True, max_size=120)


@given(keys)
def test_every_picture_gets_exactly_one_split(pictures: Keys) -> None:
    chosen = fill(pictures, SPLITS)
    assert set(chosen) == set(pictures)
    assert set(chosen.values()) <= set(SPLITS)


@given(keys)
def test_a_class_with_three_pictures_is_in_every_split(pictures: Keys) -> None:
    chosen = fill(pictures, SPLITS)
    for label, count in Counter(label for label, _ in pictures).items():
        splits = {chosen[key] for key in pictures if key[0] == label}
        assert "train" in splits
        if count >= 3:
            assert splits == set(SPLITS)


@given(keys)
def test_a_class_gives_each_made_split_its_share(pictures: Keys) -> None:
    chosen = fill(pictures, SPLITS)
    for label, count in Counter(label for label, _ in pictures).items():
        if count < 3:
            continue
        have = Counter(chosen[key] for key in pictures if key[0] == label)
        assert have["valid"] == have["test"] == max(1, round(count * 0.15))


@given(keys, st.randoms(use_true_random=False))
def test_the_order_on_disk_changes_nothing(pictures: Keys, random: st.DataObject) -> None:
    shuffled = list(pictures)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fill(shuffled, SPLITS) == fill(pictures, SPLITS)


@given(keys, keys)
def test_adding_pictures_moves_none_that_was_dealt_out(first: Keys, more: Keys) -> None:
    before = fill(first, SPLITS)
    after = fill(list(dict.fromkeys([*first, *more])), SPLITS, before)
    assert {key: after[key] for key in before} == before


def test_another_seed_deals_out_differently() -> None:
    pictures = [("ant", f"{number}.jpg") for number in range(100)]
    assert fill(pictures, SPLITS, seed=1) != fill(pictures, SPLITS, seed=2)


def test_only_the_missing_splits_are_made() -> None:
    pictures = [("ant", f"{number}.jpg") for number in range(20)]
    assert set(fill(pictures, ("valid",)).values()) == {"train", "valid"}
    assert set(fill(pictures, ()).values()) == {"train"}
