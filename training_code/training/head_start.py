"""A head that begins with what the starting weights' own classifier says of the new classes.

Published weights tell apart classes of their own. What their classifier makes of the pictures of a new class
says which of the old ones that class is like, and its weights begin as a mean of theirs. An old class counts
by how much of the new one goes to it, and by how much of what goes to it is the new one: Bayesian label
mapping (Cai et al. 2024, arXiv 2410.24018). Where the old classes have the new ones or their like, most of
the training is done then; where they have not, the head begins no worse than a drawn one.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from training_code.data.batches import Batches
from training_code.evaluation.outputs import chosen, of_network
from training_code.log import say
from training_code.network.network import Network
from training_code.stopping import StopSignal

_LEAST: Final = 500
_OF_A_CLASS: Final = 10
"""Pictures that are looked at where that takes a pass through the network: so many, or of each class."""
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
    shares = mapping(torch.softmax(features @ old.weight.T + old.bias, 1), labels, network.classes)
    weight, bias = shares @ old.weight, shares @ old.bias
    own = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in (("weight", weight), ("bias", bias)):
            parameter = own.get(f"{old.owner}.{name}")
            if parameter is not None:
                parameter.copy_(value.view_as(parameter))
    right = float(((features @ weight.T + bias).argmax(1) == labels).float().mean())
    say(
        f"the head begins as the weights' own classifier of {len(old.bias)} classes has the new ones: before "
        f"any training {right:.2f} of {len(labels)} training pictures are right"
    )


def mapping(old: Tensor, labels: Tensor, classes: int) -> Tensor:
    """What of each new class's weights comes from each old class's; rows add up to one.

    Args:
        old: probabilities of the old classes, (n, old).
        labels: the new classes' indices, (n,).
        classes: how many new ones there are; one without pictures gets the mean of all.

    Returns:
        Shares, (classes, old).
    """
    member = torch.nn.functional.one_hot(labels, classes).to(old.dtype)
    counts = member.sum(0)[:, None]
    given = torch.where(counts > 0, member.T @ old / counts.clamp(min=1), old.mean(0))
    shares = given * given / (given.sum(0) + _RARE)
    return shares / shares.sum(1, keepdim=True)
