"""A linear head on features: what it says of pictures that it was not fitted to.

Logistic regression is fitted to all folds but one and asked the left one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

FOLDS: Final = 5
_PENALTY: Final = 1e-2
"""Of the squared weights, for features of about unit spread. A tenth of it found fewer flipped labels."""
_STEPS: Final = 40


def folds(labels: NDArray[np.int64], group: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """A fold for each picture: every class dealt out evenly, groups kept together."""
    random = np.random.default_rng(seed)
    fold = np.zeros(len(labels), np.int64)
    heads = np.flatnonzero(group == np.arange(len(group)))
    for label in np.unique(labels):
        rows = random.permutation(heads[labels[heads] == label])
        fold[rows] = (np.arange(len(rows)) + random.integers(FOLDS)) % FOLDS
    return fold[group]


def probabilities(
    features: Tensor, truth: Tensor, fold: Tensor, kept: Tensor, on_fold: Callable[[], None]
) -> Tensor:
    """Of each class, (n, classes), by heads that were fitted to the `kept` pictures of other folds."""
    classes = int(truth.max()) + 1
    probability = torch.full((len(truth), classes), 1 / classes)
    for number in range(FOLDS):
        out = fold == number
        inside = ~out & kept
        if out.any() and inside.any():
            weight = _fitted(features[inside], truth[inside], classes)
            probability[out] = (features[out] @ weight[:-1] + weight[-1]).softmax(1)
        on_fold()
    return probability


def _fitted(features: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Weights (d + 1, classes) of logistic regression, the last row added."""
    _without_compiler()
    weight = torch.zeros(features.shape[1] + 1, classes, requires_grad=True)
    descent = torch.optim.LBFGS([weight], max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        descent.zero_grad()
        scores = features @ weight[:-1] + weight[-1]
        loss = functional.cross_entropy(scores, truth) + _PENALTY * weight[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    descent.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach()


def _without_compiler() -> None:
    """Keep the first optimizer from importing torch's compiler, which takes as long as importing torch.

    torch wraps some of its methods so that a compiled step leaves them alone, and looks up how at the first
    call; nothing here is compiled, so the answer is the method itself.
    """
    for method in (torch.optim.Optimizer.add_param_group, torch.optim.Optimizer.zero_grad):
        plain = getattr(method, "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain
