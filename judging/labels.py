"""Wrong labels, by out-of-fold prediction: what a classifier says of pictures that it was not fitted to.

The probabilities of a linear head (`judging.out_of_fold`) are made as modest as it turns out to be right
(temperature scaling, Guo et al. 2017): features that tell classes apart badly contradict no label. Pictures
are ranked by the probability of their label, as in confident learning (Northcutt et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from judging.out_of_fold import folds, probabilities

_DOUBTED: Final = 0.05
"""Share of pictures, those with the least probable labels, that a second fit leaves out."""
_WRONG: Final = 0.6
_SURE: Final = 0.8
"""By so much is another class more probable than a label that is called wrong, and surely wrong."""
_TEMPERATURES: Final = torch.logspace(0, 2, 81)
"""Of 1 to 100. Never below 1: a few flipped labels among many easy ones would make it bolder than it is."""


@dataclass(frozen=True)
class Judgement:
    """What is thought of each label.

    Attributes:
        probability: (n, classes), out of fold.
        suspicion: (n,), 0 to 1, higher where the label is less probable: ranks all pictures.
        proposed: (n,), the class that is likeliest beside the label.
        wrong: (n,), whether the prediction is to be believed more than the label.
        sure: (n,), whether so much more that the label can be changed without a look.
    """

    probability: Tensor
    suspicion: NDArray[np.float32]
    proposed: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    sure: NDArray[np.bool_]


def judge(
    features: Tensor,
    labels: NDArray[np.int64],
    group: NDArray[np.int64],
    on_fold: Callable[[], None] = lambda: None,
    seed: int = 0,
    deals: int = 1,
) -> Judgement:
    """Ask for each picture what those of other folds would call it.

    Args:
        features: (n, d) of about unit spread.
        labels: (n,) indices of classes.
        group: (n,) pictures of one group are in one fold: a copy would give its label away.
        deals: how often the folds are dealt anew; two find more than one, for twice the time.
    """
    truth = torch.from_numpy(labels)
    answers = [
        _answers(features, truth, torch.from_numpy(folds(labels, group, seed + deal)), on_fold)
        for deal in range(deals)
    ]
    return _judged(_modest(torch.stack(answers).mean(0), truth), truth)


def _answers(features: Tensor, truth: Tensor, fold: Tensor, on_fold: Callable[[], None]) -> Tensor:
    """Logarithms of out-of-fold probabilities, after a first fit has told which labels to leave out."""
    first = probabilities(features, truth, fold, torch.ones(len(truth), dtype=torch.bool), on_fold)
    own = first.gather(1, truth[:, None])[:, 0]
    kept = own > own.quantile(_DOUBTED) if len(own) < 1 << 24 else torch.ones_like(own, dtype=torch.bool)
    probability = probabilities(features, truth, fold, kept, on_fold)
    return probability.clamp(min=torch.finfo(torch.float32).tiny).log()


def _modest(answers: Tensor, truth: Tensor) -> Tensor:
    """The probabilities at the temperature by which the labels are likeliest."""
    losses = [functional.nll_loss((answers / each).log_softmax(1), truth) for each in _TEMPERATURES]
    return (answers / _TEMPERATURES[int(torch.stack(losses).argmin())]).softmax(1)


def _judged(probability: Tensor, truth: Tensor) -> Judgement:
    own = probability.gather(1, truth[:, None])[:, 0]
    others = probability.scatter(1, truth[:, None], -1.0)
    best = others.max(1)
    ahead = best.values - own
    wrong, sure = (ahead >= _WRONG).numpy(), (ahead >= _SURE).numpy()
    return Judgement(probability, (1 - own).numpy(), best.indices.numpy(), wrong, sure)
