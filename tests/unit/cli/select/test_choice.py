"""What is chosen is unsure, of every kind there is, and never the same twice."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from cli.select import choice
from cli.select.choice import groups, in_turn

KINDS = 12


def planted(each: int = 60, seed: int = 0) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Pictures of so many kinds, much alike within each, and which kind each is of."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(KINDS, 32))
    kind = random.permutation(np.repeat(np.arange(KINDS), each))
    return (middles[kind] + 0.1 * random.normal(size=(len(kind), 32))).astype(np.float16), kind


def shares(unsure: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two best confidences of answers that are so unsure."""
    return np.stack([1 - unsure / 2, unsure / 2], 1)


def chosen(features: NDArray[np.float16], said: NDArray[np.float64], count: int) -> list[int]:
    return [row for _, row in islice(in_turn(groups(features, said, count)), count)]


def test_every_kind_is_asked_for_once_before_any_is_asked_for_twice() -> None:
    features, kind = planted()
    said = shares(np.full(len(kind), 0.5))
    found = kind[chosen(features, said, KINDS)]
    assert len(set(found)) >= KINDS - 1, "k-means may join two kinds"
    by_chance = [len(set(np.random.default_rng(seed).permutation(kind)[:KINDS])) for seed in range(50)]
    assert max(by_chance) < KINDS - 1
    assert len(set(chosen(features, said, 400))) == 400


def test_of_each_kind_an_unsure_one_is_asked_for() -> None:
    features, kind = planted()
    doubt = np.random.default_rng(1).permutation(np.repeat([0.05, 0.9], len(kind) // 2))
    rows = chosen(features, shares(doubt), KINDS)
    assert (doubt[rows] == 0.9).mean() > 0.8
    assert len(set(kind[rows])) >= KINDS - 1


def test_one_that_many_are_near_is_asked_for_and_not_one_alone_in_the_middle() -> None:
    random = np.random.default_rng(0)
    degrees = np.concatenate([[0, 180], *(around + random.normal(size=30) for around in (30, -30, 150, 210))])
    points = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 1).astype(np.float16)
    found = groups(points, shares(np.full(len(points), 0.5)), 2)
    assert sorted(len(each.rows) for each in found) == [61, 61]
    for each in found:
        assert each.rows[-1] in (0, 1), "the one in the middle, which none is near, comes last"


def test_of_very_many_the_least_certain_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_COMPARED", 0)
    features, kind = planted()
    doubt = np.random.default_rng(3).permutation(np.linspace(0.1, 0.9, len(kind)))
    rows = [row for _, row in in_turn(groups(features, shares(doubt), 5))]
    assert sorted(doubt[rows]) == sorted(doubt)[-50:]


def test_copies_are_not_asked_for_while_there_are_others() -> None:
    features, _ = planted(20)
    copies = np.concatenate([np.repeat(features[:1], 2000, 0), features])
    said = shares(np.full(len(copies), 0.5))
    said[:2000] = shares(np.ones(2000))
    rows = chosen(copies, said, 40)
    assert sum(row < 2000 for row in rows) <= 2


def test_ties_are_broken_the_same_way_each_time() -> None:
    features, kind = planted()
    said = shares(np.full(len(kind), 0.5))
    assert chosen(features, said, 50) == chosen(features.copy(), said.copy(), 50)


@pytest.mark.parametrize("there", [0, 1, 7])
def test_where_there_are_fewer_than_wanted_all_are_chosen(there: int) -> None:
    features, kind = planted()
    said = shares(np.full(len(kind), 0.5))
    rows = [row for _, row in in_turn(groups(features[:there], said[:there], 100))]
    assert sorted(rows) == list(range(there))


def test_pictures_that_are_all_the_same_are_one_group() -> None:
    features = np.ones((30, 8), np.float16)
    (only,) = groups(features, shares(np.full(30, 0.5)), 10)
    assert sorted(only.rows) == list(range(30))


def test_more_than_there_are_groups_for_are_several_of_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_MOST_GROUPS", 4)
    features, kind = planted()
    said = shares(np.full(len(kind), 0.5))
    turns = list(islice(in_turn(groups(features, said, 40)), 40))
    assert len({group for group, _ in turns}) == 4
    assert [group for group, _ in turns[:4]] == [0, 1, 2, 3]
    assert len({row for _, row in turns}) == 40


def test_features_that_are_no_help_do_no_harm() -> None:
    said = shares(np.linspace(0, 1, 50))
    for features in (np.zeros((50, 4), np.float16), np.full((50, 4), 6e4, np.float16)):
        rows = [row for _, row in in_turn(groups(features, said, 5))]
        assert sorted(rows) == list(range(50))
