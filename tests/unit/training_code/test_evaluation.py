"""The numbers of an evaluation are what their names say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training_code.samples import MACHINE, TINY, load
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.evaluation.scores import Evaluation, evaluate
from training_code.network.resnet import resnet
from training_code.stopping import StopSignal

answers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def evaluation(pairs: list[tuple[int, int]], classes: int = 4) -> Evaluation:
    truth, said = zip(*pairs, strict=True)
    sure = torch.linspace(0.3, 0.9, len(truth))
    return Evaluation(0.5, torch.tensor(truth), torch.tensor(said), sure, classes)


@given(answers)
def test_accuracy_precision_recall_and_confusion_count_the_same_answers(pairs: list[tuple[int, int]]) -> None:
    result, count = evaluation(pairs), Counter(pairs)
    assert result.accuracy == sum(truth == said for truth, said in pairs) / len(pairs)
    assert {(truth, said): times for truth, said, times in result.confusion().tolist()} == count
    for index, (precision, recall, total) in enumerate(result.per_class()):
        column = sum(truth_said[1] == index for truth_said in pairs)
        assert total == sum(truth_said[0] == index for truth_said in pairs)
        assert recall == (count[index, index] / total if total else 0)
        assert precision == (count[index, index] / column if column else 0)


@given(answers)
def test_the_most_frequent_confusions_come_first_and_none_is_right(pairs: list[tuple[int, int]]) -> None:
    confused = evaluation(pairs).confused(3)
    counts = [count for _, _, count in confused]
    assert counts == sorted(counts, reverse=True)
    assert all(truth != said and Counter(pairs)[truth, said] == count for truth, said, count in confused)


def test_a_picture_is_judged_alone_whatever_lies_beside_it(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse(TINY)
    network = resnet("resnet18", 2)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loaded = load(pictures, config)
    feed = Batches(loaded.train, loaded.transform, config, MACHINE)
    together = evaluate(network, feed, 2, StopSignal())
    monkeypatch.setattr("training_code.data.batches.at_once", lambda *_, **__: 1)
    alone = evaluate(network, feed, 2, StopSignal())
    assert together.loss == pytest.approx(alone.loss, rel=1e-4)
    assert torch.equal(together.predicted, alone.predicted)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_is_said_of_classes_is_in_their_order() -> None:
    described = evaluation([(1, 2), (3, 3), (3, 1)]).describe("f")
    assert described["per_class"] == {
        "count": [0, 1, 0, 2],
        "predicted": [0, 1, 1, 1],
        "right": [0, 0, 0, 1],
    }


def test_single_answers_are_listed_up_to_a_number_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    result = evaluation([(0, 1), (1, 1)])
    assert result.answers() == {"labels": [0, 1], "predicted": [1, 1]}
    monkeypatch.setattr("training_code.evaluation.scores.MAX_LISTED_PICTURES", 1)
    assert result.answers() == {"labels": None, "predicted": None}


def test_confidences_are_counted_in_tenths_and_none_is_lost() -> None:
    sure = torch.tensor([0.0, 0.0999, 0.1, 0.55, 0.99, 1.0])
    result = Evaluation(0.5, torch.zeros(6).long(), torch.zeros(6).long(), sure, 2)
    assert result.confidences() == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert result.describe("f")["confidence"] == result.confidences()


def test_the_surest_mistakes_are_named_first() -> None:
    result = evaluation([(0, 1), (1, 1), (2, 0)])
    names = ("a", "b", "c", "d")
    told = result.misclassified(names, ("a/1.png", "b/1.png", "c/1.png"))
    assert [each["file"] for each in told] == ["c/1.png", "a/1.png"]
    assert told[0] == {"file": "c/1.png", "class": "c", "predicted": "a", "confidence": pytest.approx(0.9)}
