"""Convolutions of maps smaller than their filter have the gradients that torch gives them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training_code.hardware import convolutions
from training_code.hardware.machine import Machine

SMALL = {
    "each channel alone, 5x5 on 2x2": (nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False), (2, 2)),
    "each channel alone, every second pixel": (nn.Conv2d(8, 8, 5, 2, 2, groups=8), (4, 4)),
    "each channel alone, 7x7 on 4x9": (nn.Conv2d(8, 8, 7, padding=3, groups=8), (4, 9)),
    "of all channels, 3x3 on 2x2": (nn.Conv2d(6, 5, 3, padding=1, bias=False), (2, 2)),
    "of all channels, on a single pixel": (nn.Conv2d(6, 5, 3, 2, 1), (1, 1)),
    "of all channels, not square": (nn.Conv2d(6, 5, (3, 5), (2, 1), (1, 2)), (7, 2)),
    "of the only channel": (nn.Conv2d(1, 5, 3, 1, 1), (2, 2)),
    "each channel alone, on a single pixel": (nn.Conv2d(6, 6, 3, 2, 1, groups=6), (1, 1)),
    "each channel alone, not square": (nn.Conv2d(6, 6, (3, 5), (2, 1), (1, 2), groups=6), (7, 2)),
    "padded further than the filter reaches": (nn.Conv2d(6, 6, 3, 1, 4, groups=6), (2, 2)),
}
OTHERS = {
    "a map as large as the filter": (nn.Conv2d(8, 8, 3, padding=1, groups=8), (3, 3)),
    "groups of two": (nn.Conv2d(8, 8, 3, padding=1, groups=4), (2, 2)),
    "two filters a channel": (nn.Conv2d(4, 8, 3, padding=1, groups=4), (2, 2)),
    "holes": (nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8), (2, 2)),
    "padding by name": (nn.Conv2d(8, 8, 3, padding="same", groups=8), (2, 2)),
    "a frozen filter": (nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).requires_grad_(False), (2, 2)),
}


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each gradient of weights that we put together ourselves."""
    found: list[str] = []
    compute = convolutions.weight_gradient

    def noted(*args: Any) -> Tensor:
        found.append("weights")
        return compute(*args)

    monkeypatch.setattr(convolutions, "weight_gradient", noted)
    return found


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("name", [*SMALL, *OTHERS])
def test_gradients_are_those_of_torch(name: str, layout: torch.memory_format, own: list[str]) -> None:
    layer, size = (SMALL | OTHERS)[name]
    layer.to(memory_format=layout)  # type: ignore[call-overload]
    drawn = torch.Generator().manual_seed(0)
    picture = torch.randn(3, layer.in_channels, *size, generator=drawn).to(memory_format=layout)
    answer, expected = _gradients(layer.double(), picture.double(), bfloat16=None)
    assert not own
    ours, found = _gradients(layer.float(), picture, bfloat16=False)
    assert len(own) == (name in SMALL)
    torch.testing.assert_close(ours, answer.float())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4)


def test_in_bfloat16_those_of_each_channel_alone_are_float32s(own: list[str]) -> None:
    layer, size = SMALL["each channel alone, 5x5 on 2x2"]
    picture = torch.randn(3, layer.in_channels, *size, generator=torch.Generator().manual_seed(0))
    _, expected = _gradients(layer.float(), picture, bfloat16=False)
    answer, found = _gradients(layer, picture, bfloat16=True)
    assert (answer.dtype, len(own)) == (torch.bfloat16, 2)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


def test_in_bfloat16_those_of_all_channels_are_torchs(own: list[str]) -> None:
    layer, size = SMALL["of all channels, 3x3 on 2x2"]
    picture = torch.randn(3, layer.in_channels, *size, generator=torch.Generator().manual_seed(0))
    answer, _ = _gradients(layer.float(), picture, bfloat16=True)
    assert (answer.dtype, own) == (torch.bfloat16, [])


def test_nothing_is_changed_where_nothing_is_trained(own: list[str]) -> None:
    layer, size = SMALL["each channel alone, 5x5 on 2x2"]
    with torch.no_grad(), _machine(bfloat16=False).autocast():
        assert layer(torch.zeros(1, layer.in_channels, *size)).grad_fn is None
    assert not own


def _gradients(layer: nn.Conv2d, picture: Tensor, *, bfloat16: bool | None) -> tuple[Tensor, list[Tensor]]:
    """The answer, and the gradients of picture, filter and bias; without `bfloat16` as torch does it."""
    picture = picture.clone().requires_grad_()
    layer.zero_grad()
    if bfloat16 is None:
        answer = layer(picture)
    else:
        with _machine(bfloat16=bfloat16).autocast():
            answer = layer(picture)
    drawn = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1))
    answer.backward(drawn.to(answer.dtype))
    trained = [picture, *(each for each in layer.parameters() if each.requires_grad)]
    return answer.detach(), [each.grad for each in trained if each.grad is not None]


def _machine(*, bfloat16: bool) -> Machine:
    return Machine(torch.device("cpu"), 1, bfloat16=bfloat16)
