"""Fitting a file's tensors to a network: by their names, by timm's translation of them, or by their order."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from contract.words import listed
from training_code.errors import UnusableWeights
from training_code.network.backbone import Backbone
from training_code.network.network import Network, OldHead, only_layer

_COUNTER: Final = "num_batches_tracked"
"""Plays no part in an answer, and files from before it was counted lack it."""
_TRANSLATIONS: Final = ("checkpoint_filter_fn", "_filter_fn", "_convert_openai_clip")
"""What timm calls the function that makes of a publisher's tensors the network's, in each family's module."""
_SHOWN: Final = 5
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class Fitted:
    """What of a file's tensors a network takes, by its own names.

    Attributes:
        tensors: all but those of the last layer.
        head: the file's last layer, if it is one linear layer of the network's features: weight (old classes,
            features, ...) and bias (old classes,), whatever the number of its classes.
    """

    tensors: dict[str, Tensor]
    head: dict[str, Tensor]

    @property
    def old_head(self) -> OldHead | None:
        """The last layer, for a head that begins from it."""
        if not self.head:
            return None
        owner = next(iter(self.head)).rpartition(".")[0]
        weight = self.head[f"{owner}.weight"].flatten(1).float()
        bias = self.head.get(f"{owner}.bias", weight.new_zeros(len(weight)))
        return OldHead(owner, weight, bias.float())


def fitting(network: Network, arch: str, state: Mapping[str, Tensor], file: str) -> Fitted:
    """What of `state` the network takes; what it leaves is said.

    Raises:
        UnusableWeights: tensors are missing, have other shapes or are those of more layers than there are, or
            hold numbers that are not finite.
    """
    own = network.state_dict()
    wanted = {name: value for name, value in own.items() if name not in network.head_names}
    fits = next((each for each in _ways(network, state) if not _misfits(wanted, each[0])), None)
    if fits is None:
        misfits = _misfits(wanted, state)
        more = f"; and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        raise UnusableWeights(f"{file}: not the weights of a {arch}: {'; '.join(misfits[:_SHOWN])}{more}")
    found, said = fits
    if said:
        print(f"{file}: {said}", flush=True)
    if unused := [name for name in found if name not in own]:
        print(f"{file}: a {arch} has no place for {listed(unused, _SHOWN)}: left out", flush=True)
    fitted: dict[str, Tensor] = {}
    for name, like in wanted.items():
        if name not in found:
            continue
        fitted[name] = found[name].to(like.dtype)
        if not torch.isfinite(fitted[name]).all():
            raise UnusableWeights(f"{file}: {name} holds numbers that are not finite (NaN or infinite)")
    return Fitted(fitted, _head(network, found))


def _head(network: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = {name: value for name, value in network.state_dict().items() if name in network.head_names}
    kinds = {name.rpartition(".")[2] for name in own}
    if only_layer(own) is None or not {"weight"} <= kinds <= {"weight", "bias"}:
        return {}
    head = {name: state[name] for name in own if name in state}
    fits = (
        head.keys() == own.keys()
        and all(value.shape[1:] == own[name].shape[1:] for name, value in head.items())
        and len({len(value) for value in head.values()}) == 1
        and all(value.isfinite().all() for value in head.values())
    )
    return head if fits else {}


def _misfits(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What is missing, of another shape, or of a layer more than the network has, in words."""
    misfits = []
    for name, like in wanted.items():
        if name in state and state[name].shape == like.shape:
            continue
        if name in state or not name.endswith(_COUNTER):
            have = f"has shape {tuple(state[name].shape)}" if name in state else "is missing"
            misfits.append(f"{name} of shape {tuple(like.shape)} {have}")
    kinds = {_NUMBER.sub("#", name) for name in wanted}
    deeper = [name for name in state if name not in wanted and _NUMBER.sub("#", name) in kinds]
    return misfits + [f"{name} is of a layer that the network does not have" for name in deeper]


def _ways(network: Network, state: Mapping[str, Tensor]) -> Iterator[tuple[Mapping[str, Tensor], str]]:
    """The tensors by their own names, as timm translates them, and in the network's own order; and what is
    to be said of it.
    """
    yield state, ""
    yield _translated(network, state), ""
    own = network.state_dict()
    if _in_order(network, own, list(state.values())):
        yield (
            dict(zip(own, state.values(), strict=True)),
            "the tensors have other names, and are as many, in the order and of the shapes that the network "
            "has: they are taken in this order",
        )


def _translated(network: Network, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What timm's own function for the family makes of them: other names, positions for other sizes."""
    if not isinstance(network, Backbone):
        return state
    family = sys.modules[type(network.model).__module__]
    translate: Any = next((getattr(family, each) for each in _TRANSLATIONS if hasattr(family, each)), None)
    if translate is None:
        return state
    try:
        return dict(translate(dict(state), network.model))
    except Exception:  # made for its family's files; of others it may make anything
        return state


def _in_order(network: Network, own: Mapping[str, Tensor], values: Sequence[Tensor]) -> bool:
    """Whether these could be the network's: as many, and of its shapes but for the number of classes."""
    if len(own) != len(values):
        return False
    return all(
        like.shape[1:] == value.shape[1:] if name in network.head_names else like.shape == value.shape
        for (name, like), value in zip(own.items(), values, strict=True)
    )
