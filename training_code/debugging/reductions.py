"""Cheap summaries of many tensors at once: what a saved step costs.

smdebug reduces and writes each tensor by itself, which takes 0.3 s a step of a ResNet-18. Here the norms of
all gradients take one fused pass of 2 ms, weights are compared on an even sample of all of them, and each
kind of number is one vector. There are few operations, because many small ones wait for one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SAMPLE: Final = 4096
"""Values of one tensor at which its change is measured."""
_LOOKED_AT: Final = 2**16
"""Activations of one layer at which it is judged: with 512 channels, 128 of each."""

Vector = NDArray[np.float32]


def root_mean_squares(tensors: Sequence[Tensor]) -> Tensor:
    """The root mean square of each tensor, (n,); not a number or infinite if one of its values is."""
    norms = torch.stack(torch._foreach_norm(list(tensors)))
    return norms / torch.tensor([math.sqrt(each.numel()) for each in tensors], device=norms.device)


class Sampler:
    """Compares values of some tensors at one time with those at another, on an even sample of each."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        """`tensors` are looked at where they lie then; they keep their shapes."""
        self._tensors = [(each, _odd(-(-each.numel() // _SAMPLE))) for each in tensors]
        counts = [-(-each.numel() // stride) for each, stride in self._tensors]
        self._starts = np.cumsum([0, *counts[:-1]])
        self.count = sum(counts)

    def sample(self) -> Tensor:
        """Up to 4,096 values of each tensor as they are now, evenly spread over its memory: (count,)."""
        return torch.cat([_flat(each.detach())[::stride] for each, stride in self._tensors]).float()

    def update_ratios(self, before: Vector, after: Vector) -> Vector:
        """How far each tensor moved in relation to its size, (n,): the norms' ratio; infinite from zero."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._norms(after - before) / self._norms(before)).astype(np.float32)

    def largest_changes(self, before: Vector, after: Vector, rtol: float, atol: float) -> Vector:
        """By how much each tensor's largest change exceeds what `numpy.allclose` calls equal, (n,)."""
        with np.errstate(invalid="ignore"):
            excess = np.abs(after - before) - (np.float32(atol) + np.float32(rtol) * np.abs(before))
        return np.maximum.reduceat(excess, self._starts)

    def _norms(self, values: Vector) -> NDArray[np.float64]:
        norms: NDArray[np.float64] = np.sqrt(
            np.add.reduceat(np.square(values, dtype=np.float64), self._starts)
        )
        return norms


def _odd(stride: int) -> int:
    """The next stride without a factor 2 or 3: it meets each of a kernel's nine places, channels and rows."""
    while math.gcd(stride, 6) > 1:
        stride += 1
    return stride


def activity(activation: Tensor) -> Tensor:
    """In how many percent of the places each channel of (pictures, channels, ...) is above zero, (channels,).

    All pictures are looked at, at evenly spaced places of each: a channel that tells few kinds of pictures is
    silent in the others and not dead.
    """
    sample = activation.detach()
    if sample.ndim == 4 and sample.numel() > _LOOKED_AT:
        apart = _odd(math.ceil(math.sqrt(sample.numel() / _LOOKED_AT)))
        sample = sample[:, :, ::apart, ::apart]
    sample = sample[:: max(1, sample.numel() // _LOOKED_AT)]
    places = sample.movedim(1, -1).reshape(-1, sample.shape[1])
    return (places > 0).sum(0) * (100 / len(places))


def spread(named: Sequence[tuple[str, Tensor]]) -> Tensor:
    """The standard deviation of each tensor, (n,); 0 for a single value."""
    return torch.stack([each.detach().float().std(correction=0) for _, each in named])


def he_deviation(tensor: Tensor, groups: int = 1) -> float:
    """The standard deviation He initialisation gives a weight (arXiv 1502.01852, outgoing connections), of
    which an input has one group's in a convolution of several.
    """
    receptive = tensor[0, 0].numel() if tensor.ndim > 2 else 1
    return math.sqrt(2 * groups / (tensor.shape[0] * receptive))


def groups_of(network: nn.Module) -> dict[str, int]:
    """The groups of each convolution, by its weight's name."""
    convolutions = ((n, each) for n, each in network.named_modules() if isinstance(each, nn.Conv2d))
    return {f"{name}.weight": each.groups for name, each in convolutions}


def weights_of(network: nn.Module) -> list[tuple[str, Tensor]]:
    """The weights proper: of layers, with two or more dimensions, by name. Norms and biases are left out, and
    what stands for positions and classes in a transformer.
    """
    named = network.named_parameters()
    return [(name, value) for name, value in named if value.ndim >= 2 and name.endswith("weight")]


def _flat(tensor: Tensor) -> Tensor:
    """The values in the order of memory, without a copy where there are no gaps (channels-last included)."""
    dense = tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.as_strided((tensor.numel(),), (1,)) if dense else tensor.reshape(-1)
