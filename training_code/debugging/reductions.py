"""Cheap summaries of many tensors at once: what a saved step costs.

A fine-tuned ResNet18 has 62 trained tensors with 11 million numbers. smdebug reduces and writes each on its
own, several times over: 0.3 s a step here. These take a norm of all gradients in one fused pass (2 ms,
torch's L2 norm is the one that is vectorised on a CPU), compare weights on an even sample of each tensor,
and come out as one vector per kind of number, so that a step writes a handful of tensors instead of five
hundred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

_SAMPLE: Final = 16_384
"""Values of one tensor at which its change is measured."""
_LOOKED_AT: Final = 2**17
"""Activations of one layer at which it is judged."""


def root_mean_squares(tensors: Sequence[Tensor]) -> Tensor:
    """The root mean square of each tensor, (n,); not a number or infinite if one of its values is."""
    norms = torch.stack(torch._foreach_norm(list(tensors)))
    return norms / torch.tensor([math.sqrt(each.numel()) for each in tensors], device=norms.device)


def samples(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Views of at most 16,384 values of each tensor, evenly spread over its memory."""
    return [_flat(each.detach())[:: _stride(each.numel())] for each in tensors]


def _stride(count: int) -> int:
    """A step through `count` values that meets every place of a kernel and every channel in turn.

    One with a factor in common with the kernel's nine places would see the same few of them for ever.
    """
    stride = -(-count // _SAMPLE)
    while math.gcd(stride, 6) > 1:
        stride += 1
    return stride


def update_ratios(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """How far each tensor moved in relation to its size, (n,): the norms' ratio; infinite from zero."""
    moved = torch.stack(torch._foreach_norm(torch._foreach_sub(list(after), list(before))))
    return moved / torch.stack(torch._foreach_norm(list(before)))


def largest_changes(before: Sequence[Tensor], after: Sequence[Tensor], rtol: float, atol: float) -> Tensor:
    """By how much the largest change of each tensor exceeds what `numpy.allclose` calls equal, (n,)."""
    return torch.stack(
        [
            ((new - old).abs() - (atol + rtol * old.abs())).max()
            for old, new in zip(before, after, strict=True)
        ]
    )


def activity(activation: Tensor) -> Tensor:
    """The activity of each channel of an activation, in percent of the places where it is above zero.

    All pictures are looked at, at evenly spaced places of each: a channel that tells few kinds of pictures is
    silent in the others and not dead.

    Args:
        activation: (pictures, channels, ...), of which some 131,072 values are read.

    Returns:
        (channels,), 0 to 100.
    """
    seen = activation.detach()
    if seen.ndim == 4 and seen.numel() > _LOOKED_AT:
        apart = math.ceil(math.sqrt(seen.numel() / _LOOKED_AT))
        seen = seen[:, :, ::apart, ::apart]
    seen = seen[:: max(1, seen.numel() // _LOOKED_AT)]
    return (seen > 0).float().mean(dim=[each for each in range(seen.ndim) if each != 1]) * 100


def spread(named: Sequence[tuple[str, Tensor]]) -> Tensor:
    """The standard deviation of each tensor, (n,); 0 for a single value."""
    return torch.stack([each.detach().float().std(correction=0) for _, each in named])


def he_deviation(tensor: Tensor) -> float:
    """The standard deviation He initialisation gives a weight (arXiv 1502.01852, outgoing connections)."""
    receptive = tensor[0, 0].numel() if tensor.ndim > 2 else 1
    return math.sqrt(2 / (tensor.shape[0] * receptive))


def weights_of(network: nn.Module) -> list[tuple[str, Tensor]]:
    """The weights proper: parameters with two or more dimensions, by name; norms and biases are left out."""
    return [(name, value) for name, value in network.named_parameters() if value.ndim >= 2]


def _flat(tensor: Tensor) -> Tensor:
    """The values in the order of memory, without a copy where there are no gaps (channels-last included)."""
    dense = tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.as_strided((tensor.numel(),), (1,)) if dense else tensor.reshape(-1)
