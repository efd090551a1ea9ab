"""A head that begins with what the starting weights' own classifier says of the new classes.

Published weights tell apart classes of their own. What their classifier makes of the pictures of a new class
says which of the old ones that class is like, and its weights begin as a mean of theirs. An old class counts
by how much of the new one goes to it, and by how much of what goes to it is the new one: Bayesian label
mapping (Cai et al. 2024, arXiv 2410.24018). Where the old classes have the new ones or their like, most of
the training is done then; where they have not, the head begins as a drawn one does.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from training_code.data.batches import Batches
from training_code.evaluation.outputs import chosen, of_network
from training_code.log import say
from training_code.network.network import Network, OldHead
from training_code.stopping import StopSignal

_LEAST: Final = 500
_OF_A_CLASS: Final = 10
"""Pictures that are looked at where that takes a pass through the network: so many, or of each class."""
_WORTH: Final = 1 / 3
"""Of what there is to know of the classes, what a mapped head has to tell. ImageNet's classes tell nearly all
of breeds of dogs, half of CIFAR-10's classes and a tenth of digits, which training would have to undo.
"""
_SCALES: Final = torch.logspace(-2, 1, 31)
_RARE: Final = 1e-3
"""Of one picture: an old class that all pictures together give less tells nothing of who gives it."""


def begin(network: Network, batches: Batches, stop: StopSignal) -> None:
    """Let the head begin as the starting weights' classifier has the new classes, where there is such a one.

    Args:
        network: in every process the same, and nothing trained of it yet.
        batches: of the training split.
        stop: looked at on the way.

    Raises:
        Stopped: the job was told to stop.
    """
    old = network.old_head
    if old is None or batches.config.head != "mapped" or len(old.bias) < network.classes:
        return
    count = len(batches.split)
    enough = count if batches.from_freeze_point else max(_LEAST, _OF_A_CLASS * network.classes)
    said = of_network(network, batches, chosen(count, 1, enough), stop)
    if said.features.shape[1] != old.weight.shape[1]:
        return  # a head that is not asked once a picture tells no features
    features, labels = torch.from_numpy(said.features), batches.split.labels[torch.from_numpy(said.rows)]
    scale, known = _judged(features, labels, old, network.classes)
    if known < _WORTH:
        say(
            f"the weights' own classifier of {len(old.bias)} classes tells too little of the new ones "
            f"({max(known, 0.0):.2f} of what there is to know): the head begins as a new one"
        )
        return
    weight, bias = _head(features, labels, old, network.classes)
    own = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in (("weight", weight), ("bias", bias)):
            parameter = own.get(f"{old.owner}.{name}")
            if parameter is not None:
                parameter.copy_((scale * value).view_as(parameter))
    say(
        f"the head begins as the weights' own classifier of {len(old.bias)} classes has the new ones: before "
        f"any training it tells {known:.2f} of what there is to know"
    )


def _judged(features: Tensor, labels: Tensor, old: OldHead, classes: int) -> tuple[float, float]:
    """At which scale a mapped head is as sure as it is right, and how much it tells then.

    Each half of each class is judged by the head of the other half. It tells nothing at 0, and all at 1: the
    part of the labels' entropy that its answers take away.
    """
    scores = torch.empty(len(labels), classes)
    halves = _rank_in_class(labels, classes) % 2
    for half in (0, 1):
        weight, bias = _head(features[halves != half], labels[halves != half], old, classes)
        scores[halves == half] = features[halves == half] @ weight.T + bias
    losses = torch.stack([cross_entropy(scores * scale, labels) for scale in _SCALES])
    shares = torch.bincount(labels, minlength=classes) / len(labels)
    entropy = float(torch.special.entr(shares).sum())
    known = 1 - float(losses.min()) / entropy if entropy else 0.0
    return float(_SCALES[int(losses.argmin())]), known


def _rank_in_class(labels: Tensor, classes: int) -> Tensor:
    member = one_hot(labels, classes)
    return (member.cumsum(0) * member).sum(1) - 1


def _head(features: Tensor, labels: Tensor, old: OldHead, classes: int) -> tuple[Tensor, Tensor]:
    """Weights (classes, features) and biases of the new classes, without what all have in common."""
    shares = mapping(torch.softmax(features @ old.weight.T + old.bias, 1), labels, classes)
    weight, bias = shares @ old.weight, shares @ old.bias
    return weight - weight.mean(0), bias - bias.mean()


def mapping(old: Tensor, labels: Tensor, classes: int) -> Tensor:
    """What of each new class's weights comes from each old class's; rows add up to one.

    Args:
        old: probabilities of the old classes, (n, old).
        labels: the new classes' indices, (n,).
        classes: how many new ones there are; one without pictures gets the mean of all.

    Returns:
        Shares, (classes, old).
    """
    member = one_hot(labels, classes).to(old.dtype)
    counts = member.sum(0)[:, None]
    given = torch.where(counts > 0, member.T @ old / counts.clamp(min=1), old.mean(0))
    shares = given * given / (given.sum(0) + _RARE)
    return shares / shares.sum(1, keepdim=True)
