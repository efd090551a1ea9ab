"""Convolutions that torch has no fast gradients for on a CPU, computed otherwise.

In bfloat16 no depthwise one (a filter for each channel) is fast, so these are computed in float32. And where
a map is smaller than the filter that goes over it, as the last maps of small pictures are, oneDNN 3.11 falls
back for the weights' gradient to a product for each picture and group: up to 40 ms for a layer that takes
one. That gradient is put together here from one product for each of the filter's places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

_AS_A_LAYER_CALLS: Final = 7
"""How many arguments `nn.Conv2d`, and what timm makes of it, give `torch.conv2d`: all, and by place."""


class TrainedConvolutions(TorchFunctionMode):
    """The context in which convolutions that are trained are computed so.

    Args:
        bfloat16: whether all else is computed in it, by autocast.
    """

    def __init__(self, *, bfloat16: bool) -> None:
        super().__init__()
        self._bfloat16 = bfloat16

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        trained = func is torch.conv2d and torch.is_grad_enabled()
        if not trained or (self._bfloat16 and args[1].shape[1] > 1):
            return func(*args, **named)
        compute: Callable[..., Any] = _OnSmallMaps.apply if _is_on_a_small_map(args) else func
        if not self._bfloat16:
            return compute(*args, **named)
        picture, *rest = args
        with torch.autocast("cpu", enabled=False):
            return compute(picture.float(), *rest, **named).to(torch.bfloat16)


def _is_on_a_small_map(args: tuple[Any, ...]) -> bool:
    """Whether a layer, whole or depthwise, gave `torch.conv2d` these for a map smaller than its filter."""
    if len(args) != _AS_A_LAYER_CALLS:
        return False
    picture, weight, _, stride, padding, dilation, groups = args
    smaller = picture.shape[2] < weight.shape[2] or picture.shape[3] < weight.shape[3]
    depthwise = groups == picture.shape[1] == weight.shape[0]
    by_sides = isinstance(stride, tuple) and isinstance(padding, tuple) and dilation == (1, 1)
    return smaller and (groups == 1 or depthwise) and by_sides and weight.requires_grad


class _OnSmallMaps(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        picture: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> Tensor:
        context.save_for_backward(picture, weight)
        context.how = stride, padding, dilation, groups
        return torch.conv2d(picture, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        picture, weight = context.saved_tensors
        stride, padding, dilation, groups = context.how
        of_picture, of_weight, of_bias = context.needs_input_grad[:3]
        to_picture, *_ = torch.ops.aten.convolution_backward(
            gradient,
            picture,
            weight,
            None,
            *(stride, padding, dilation),
            *(False, [0, 0], groups),
            [of_picture, False, False],  # asked for the bias's, oneDNN computes the weights' too
        )
        to_weight = weight_gradient(picture, gradient, weight, stride, padding) if of_weight else None
        to_bias = gradient.sum((0, 2, 3)) if of_bias else None
        return to_picture, to_weight, to_bias, None, None, None, None


def weight_gradient(
    picture: Tensor, gradient: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """The gradient of a convolution's weights.

    Args:
        picture: (n, channels, height, width).
        gradient: of the answer, (n, filters, rows, columns).
        weight: (filters, channels, kernel height, kernel width), or (channels, 1, ...) where each channel has
            a filter of its own.
        stride: down and right.
        padding: above and left.
    """
    found = torch.zeros_like(weight)
    size, answers = picture.shape[2:], gradient.shape[2:]
    for row, rows, lines in _places(weight.shape[2], size[0], answers[0], stride[0], padding[0]):
        for column, columns, dots in _places(weight.shape[3], size[1], answers[1], stride[1], padding[1]):
            seen, told = picture[:, :, lines, dots], gradient[:, :, rows, columns]
            if weight.shape[1] == picture.shape[1]:
                found[:, :, row, column] = _by_channel(told).T @ _by_channel(seen)
            else:
                found[:, 0, row, column] = (seen * told).sum((0, 2, 3))
    return found


def _places(
    kernel: int, size: int, answers: int, stride: int, padding: int
) -> Iterator[tuple[int, slice, slice]]:
    """Of each place of a filter along one side that meets the map: the place, for which answers it does, and
    where on the map.
    """
    for place in range(kernel):
        shift = place - padding
        first = max(0, -(shift // stride))
        last = min(answers - 1, (size - 1 - shift) // stride)
        if first <= last:
            begin = first * stride + shift
            yield place, slice(first, last + 1), slice(begin, last * stride + shift + 1, stride)


def _by_channel(maps: Tensor) -> Tensor:
    """Maps (n, channels, height, width) as a table (n * height * width, channels)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
