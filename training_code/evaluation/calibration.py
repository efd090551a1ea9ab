"""Confidence that means something: temperature and thresholds, chosen on the validation split.

One number sets most of it right. A second, the slope, is added only where the validation pictures speak for
it (label smoothing squeezes scores in a way that no temperature undoes), and one for classes where rare ones
weighed more in the loss: what that added to their scores is taken back as far as the pictures say so. The
class that is answered stays the one with the highest score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.answers.confidence import Confidence, sloped

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

_HOTTEST: Final = 20.0
_LEAST_SLOPE: Final = 0.2
_TAKEN_BACK: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of the classes' weights that are tried. A network that fits its pictures wholly learns the same with
and without weights (Byrd & Lipton 2019, arXiv 1812.03372), so all of it may be too much.
"""
_CHANCE: Final = 0.1
"""How likely the pictures may make a promise that does not hold."""
_LEAST_CERTAIN: Final = 0.5
"""What is less likely than not is certain in no model, however often that is right on average."""
_STEPS: Final = 40
"""Shares of the pictures at which a promise is tried."""


def fit(scores: Floats, labels: Labels, weights: Floats | None = None) -> Confidence:
    """The confidence that the labels of these pictures are most likely under.

    Few pictures pull it less: a temperature of 1 is the likeliest before any is seen.

    Args:
        scores: (n, classes).
        labels: class indices, (n,).
        weights: what each class weighed in the loss, (classes,); None for all alike.
    """
    best, least = Confidence(), math.inf
    offsets = [None] if weights is None else [-part * np.log(weights) for part in _TAKEN_BACK]
    for offset in offsets:
        temperature, loss = _temperature(scores, labels, offset)
        if loss < least:
            kept = offset if offset is not None and offset.any() else None
            best, least = Confidence(temperature, 1.0, kept), loss
    return Confidence(best.temperature, _slope(best, scores, labels), best.offsets)


def _temperature(scores: Floats, labels: Labels, offsets: Floats | None) -> tuple[float, float]:
    """The likeliest temperature, and the loss at it."""
    loss, edge = _loss_by(scores, labels, offsets), math.log(_HOTTEST)
    found = _least(loss, -edge, edge)
    return math.exp(found), loss(found)


def _loss_by(scores: Floats, labels: Labels, offsets: Floats | None) -> Callable[[float], float]:
    """The loss by the temperature's logarithm: cross entropy, and what the logarithm itself costs."""
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        logits = scores.astype(np.float64) * math.exp(-logarithm)
        if offsets is not None:
            logits += offsets
        logits -= logits.max(1, keepdims=True)
        each = np.log(np.exp(logits).sum(1)) - logits[rows, labels]
        return float(each.sum()) + logarithm**2 / 2

    return loss


def _slope(confidence: Confidence, scores: Floats, labels: Labels) -> float:
    """The likeliest slope if it beats none by more than its price (Schwarz 1978), else 1."""
    first = confidence.first(scores)
    right = scores.argmax(1) == labels

    def loss(slope: float) -> float:
        shares = np.clip(sloped(first, slope), 1e-12, 1 - 1e-12)
        return -float(np.log(np.where(right, shares, 1 - shares)).sum())

    found = _least(loss, _LEAST_SLOPE, 1.0)
    return found if 2 * (loss(1.0) - loss(found)) > math.log(len(labels)) else 1.0


def _least(function: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Where a function with one valley is least, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def doubtful(confidence: Confidence, scores: Floats, labels: Labels) -> Confidence:
    """The least sure confidence that these pictures still allow: one in ten would speak for a hotter one.

    Few pictures, or sure mistakes among them, allow much.
    """
    offsets = confidence.offsets
    loss = _loss_by(scores, labels, offsets)
    fitted, edge = math.log(confidence.temperature), math.log(_HOTTEST)
    # Half the 80% quantile of chi-square with one degree of freedom: one side of it is a tenth (Wilks 1938).
    allowed = loss(fitted) + 1.2816**2 / 2
    low, high = fitted, edge
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) <= allowed else (low, middle)
    return Confidence(math.exp(low), confidence.slope, offsets)


def certain_from(
    confidence: Floats, right: NDArray[np.bool_], precision: float, doubted: Floats | None = None
) -> float | None:
    """The least confidence from which on so large a share of answers is right; None if none can be promised.

    There are two proofs, and the one that takes in more pictures counts; each is wrong once in ten at most.

    By the fitted confidence: all pictures together tell the temperature, so the mean of the `doubted`
    confidences above a threshold is a bound of the share that is right. It rests on the temperature's form,
    so the share that was seen must be as high as promised, too.

    By counting alone: it begins where the confidences make a proof likeliest and takes in more and more
    pictures, as long as the lower bound of the share that is right (Clopper & Pearson 1934) is as high as
    promised; the first failure ends it. Tests in an order that their results have no part in need no price
    for their number (Angelopoulos et al. 2021, arXiv 2110.01052).

    Either takes as many pictures as would be a proof without a mistake: 45 at 0.95.

    Args:
        confidence: of each picture, set right, (n,).
        right: whether its answer was, (n,).
        precision: what to promise, 0 to 1.
        doubted: the confidences that `doubtful` leaves, (n,); None for no such proof.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, hits = confidence[order], np.cumsum(right[order], dtype=np.int64)
    fewest = math.ceil(math.log(_CHANCE) / math.log(precision))
    # All with the same confidence are taken or none.
    ends = {
        int(np.searchsorted(-sure, -sure[math.ceil(len(sure) * step / _STEPS) - 1], side="right"))
        for step in range(1, _STEPS + 1)
        if len(sure)
    }
    taken = sorted(end for end in ends if end >= fewest)
    counted = _counted(taken, np.cumsum(sure), hits, precision)
    fitted = 0
    if doubted is not None:
        bound = np.cumsum(doubted[order])
        fitted = max(
            (end for end in taken if min(bound[end - 1], hits[end - 1]) >= precision * end), default=0
        )
    end = max(counted, fitted)
    return max(float(sure[end - 1]), _LEAST_CERTAIN) if end else None


def _counted(taken: list[int], expected: Floats, hits: NDArray[np.integer[Any]], precision: float) -> int:
    """How many of the surest pictures counting alone allows to be called certain; 0 for none."""
    likely = [_chance_of_at_least(int(expected[end - 1]), end, precision) for end in taken]
    found = 0
    for end in taken[int(np.argmin(likely)) :] if taken else []:
        if _chance_of_at_least(int(hits[end - 1]), end, precision) > _CHANCE:
            break
        found = end
    return found


def _chance_of_at_least(hits: int, trials: int, share: float) -> float:
    """How likely so many hits or more are, each at a probability of `share`."""
    logs = [
        math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        + count * math.log(share) + (trials - count) * math.log1p(-share)
        for count in range(hits, trials + 1)
    ]  # fmt: skip
    return math.fsum(map(math.exp, logs))


def like_from(likeness: Floats, false_alarms: float) -> float | None:
    """The likeness below which at most this share of pictures like these lies; None if they are too few.

    A further picture of the same kind is below the k-th of n with a probability of at most k / (n + 1)
    (Vovk et al. 2005, conformal prediction).
    """
    place = math.floor(false_alarms * (len(likeness) + 1))
    return float(np.sort(likeness)[place - 1]) if place else None
