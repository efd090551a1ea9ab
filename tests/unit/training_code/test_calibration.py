"""Confidence that means something: on drawn answers of which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.answers.confidence import Confidence, sloped
from contract.calibration import FALSE_ALARMS
from training_code.evaluation import answers, calibration
from training_code.evaluation.outputs import Outputs
from training_code.evaluation.reliability import reliability

Floats = NDArray[np.floating[Any]]


def drawn(
    seed: int, count: int, classes: int = 10, spread: float = 2.0, prior: Floats | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Log probabilities of which each is exactly right, and labels drawn by them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, spread, (count, classes)) + (0 if prior is None else np.log(prior))
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    labels = (random.random((count, 1)) > np.exp(logits).cumsum(1)).sum(1).clip(0, classes - 1)
    return logits, labels


def error(confidence: Confidence, scores: Floats, labels: NDArray[np.int64]) -> float:
    return reliability(confidence.first(scores), scores.argmax(1) == labels)["ece"]


@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_a_network_that_is_too_sure_or_not_sure_enough_is_set_right(factor: float) -> None:
    scores, labels = drawn(1, 2000)
    fitted = calibration.fit(factor * scores, labels)
    assert fitted.temperature == pytest.approx(factor, rel=0.08)
    assert fitted.slope == 1
    others, truth = drawn(2, 20_000)
    assert error(fitted, factor * others, truth) < 0.015
    if factor != 1:
        assert error(Confidence(), factor * others, truth) > 0.1


def test_what_label_smoothing_squeezes_is_set_right_by_the_slope() -> None:
    def squeezed(scores: Floats) -> Floats:
        """The log odds of the first class, times 1 / 0.6."""
        shares, rows, first = Confidence().shares(scores), np.arange(len(scores)), scores.argmax(1)
        before = shares[rows, first]
        after = sloped(before, 1 / 0.6)
        shares *= ((1 - after) / (1 - before))[:, None]
        shares[rows, first] = after
        logarithms: Floats = np.log(shares)
        return logarithms

    scores, labels = drawn(3, 6000, 20, 3.0)
    fitted = calibration.fit(squeezed(scores), labels)
    assert fitted.slope < 1
    others, truth = drawn(4, 20_000, 20, 3.0)
    alone = Confidence(fitted.temperature)
    assert error(fitted, squeezed(others), truth) < 0.7 * error(alone, squeezed(others), truth)


def test_the_class_with_the_highest_score_stays_first() -> None:
    scores, _ = drawn(5, 500)
    for slope in (0.2, 0.7):
        shares = Confidence(0.5, slope).shares(scores)
        assert (shares.argmax(1) == scores.argmax(1)).all()
        assert shares.sum(1) == pytest.approx(1)


def test_what_weighing_rare_classes_added_is_taken_back() -> None:
    prior = np.array([0.9, 0.06, 0.04])
    weights = 1 / (3 * prior)
    scores, labels = drawn(6, 4000, 3, 1.5, prior)
    fitted = calibration.fit(scores + np.log(weights), labels, weights)
    assert fitted.offsets == pytest.approx(-np.log(weights))
    others, truth = drawn(7, 20_000, 3, 1.5, prior)
    assert error(fitted, others + np.log(weights), truth) < 0.015
    assert error(Confidence(), others + np.log(weights), truth) > 0.1
    without = calibration.fit(scores, labels, weights)
    assert without.offsets is None, "a network that learnt the same without weights has nothing to take back"


def test_one_picture_or_none_wrong_moves_the_temperature_little() -> None:
    scores = np.eye(3)[[0, 1, 2]] * 5
    assert 0.3 < calibration.fit(scores, np.array([0, 1, 2])).temperature < 1


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("count", [300, 840])
def test_the_promise_holds_nine_times_of_ten_on_drawn_data(count: int, fitted: bool) -> None:
    kept = promised = 0
    for seed in range(120):
        scores, labels = drawn(seed, count, spread=4)
        confidence = calibration.fit(scores, labels) if fitted else Confidence()
        doubted = calibration.doubtful(confidence, scores, labels).first(scores) if fitted else None
        found = calibration.certain_from(confidence.first(scores), scores.argmax(1) == labels, 0.95, doubted)
        if found is None:
            continue
        promised += 1
        others, truth = drawn(1000 + seed, 20_000, spread=4)
        certain = confidence.first(others) >= found
        # A thousandth for the draw that judges it.
        kept += (others.argmax(1) == truth)[certain].mean() >= 0.95 - 0.001
    assert promised > (100 if fitted else 40)
    assert kept >= 0.88 * promised


def test_where_confidence_cannot_be_set_right_what_was_seen_counts() -> None:
    random = np.random.default_rng(2)
    confidence, right = np.linspace(0.97, 1, 1000), random.random(1000) < 0.9
    assert calibration.certain_from(confidence, right, 0.95, confidence) is None


def test_few_pictures_leave_much_doubt() -> None:
    widths = []
    for count in (50, 5000):
        scores, labels = drawn(11, count)
        fitted = calibration.fit(scores, labels)
        doubtful = calibration.doubtful(fitted, scores, labels)
        widths.append(doubtful.temperature / fitted.temperature)
    assert widths[0] > 1.1 > 1.05 > widths[1] > 1


def test_too_few_pictures_promise_nothing() -> None:
    sure = np.linspace(0.9, 1, 44)
    assert calibration.certain_from(sure, np.ones(44, np.bool_), 0.95) is None
    assert calibration.certain_from(np.linspace(0.9, 1, 45), np.ones(45, np.bool_), 0.95) == 0.9


def test_what_is_less_likely_than_not_is_never_certain() -> None:
    assert calibration.certain_from(np.linspace(0.2, 1, 500), np.ones(500, np.bool_), 0.95) == 0.5


def test_a_network_that_guesses_promises_nothing() -> None:
    random = np.random.default_rng(0)
    assert calibration.certain_from(random.random(2000), random.random(2000) < 0.5, 0.95) is None


def test_equal_confidences_are_taken_together() -> None:
    right = np.ones(200, np.bool_)
    right[100:] = False
    assert calibration.certain_from(np.full(200, 0.8), right, 0.95) is None


def test_false_alarms_stay_as_rare_as_said() -> None:
    random = np.random.default_rng(1)
    alarms = []
    for _ in range(300):
        found = calibration.like_from(random.normal(size=200), FALSE_ALARMS)
        assert found is not None
        alarms.append((random.normal(size=1000) < found).mean())
    assert np.mean(alarms) <= FALSE_ALARMS + 0.003
    assert calibration.like_from(random.normal(size=48), FALSE_ALARMS) is None


def test_the_calibration_error_of_a_known_case() -> None:
    confidence = np.repeat([0.95, 0.65], 100)
    right = np.concatenate([np.arange(100) < 75, np.arange(100) < 65])
    found = reliability(confidence, right)
    assert found["ece"] == pytest.approx(0.1)
    assert found["within"][0] < 0.1 < found["within"][1]
    assert found["bins"] == [
        {"place": 6, "count": 100, "confidence": 0.65, "accuracy": 0.65},
        {"place": 9, "count": 100, "confidence": 0.95, "accuracy": 0.75},
    ]
    assert 0 < found["by_chance"] < 0.06
    exact = reliability(np.full(300, 0.8), np.arange(300) % 5 > 0)
    assert exact["within"][0] == exact["ece"] == 0 < exact["within"][1] < 0.05
    near = reliability(np.repeat([0.91, 0.81], 100), np.arange(200) % 100 < np.repeat([81, 91], 100))
    assert near["ece"] == pytest.approx(0.1), "two tenths of the confidence are not one bin"


def test_a_form_tells_what_was_promised_and_what_came_of_it() -> None:
    (scores, labels), (others, truth) = drawn(8, 800, spread=4), drawn(9, 2000, spread=4)
    of_valid, of_test = (
        Outputs(rows=np.arange(len(each)), scores=3 * each, features=np.empty((len(each), 0)))
        for each in (scores, others)
    )
    told = answers.form(of_valid, of_test, labels, truth, None, 0.9)
    test = told["test"]
    assert test["after"]["ece"] < 0.03 < test["before"]["ece"]
    assert test["certain"]
    assert test["certain_right"] is not None
    assert test["certain_right"] / test["certain"] > 0.87
    assert (told["like_from"], test["unlike"]) == (None, None), "no features, no word about likeness"


def test_of_very_many_pictures_some_of_every_class_are_kept() -> None:
    outputs = Outputs()
    outputs.begin(100)
    for picture in range(100):
        said = [np.full((1, 4), picture, np.float32), np.full((1, 2), -picture, np.float32)]
        outputs.add(picture, said, np.full((32, 32, 4), picture, np.uint8))
    assert (outputs.scores[:, 0] == np.arange(100)).all()
    assert (outputs.features[:, 1] == -np.arange(100)).all()
    assert outputs.looks[:, 0] == pytest.approx(np.arange(100) / 255)
    from training_code.evaluation.outputs import chosen

    assert chosen(100, 6, 120).tolist() == np.linspace(0, 99, 20).round().tolist()
