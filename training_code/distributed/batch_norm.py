"""Batch normalisation over the pictures of all processes, as if one process had seen the whole batch.

On GPUs torch's own SyncBatchNorm does it; that one refuses to run on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose batch is everybody's; its state and its evaluation are the same."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        count = torch.tensor(float(x.numel() // x.shape[1]))
        total, count = _summed(wide.sum((0, 2, 3))), _summed(count)
        mean = total / count
        centred = wide - mean.view(1, -1, 1, 1)
        variance = _summed(centred.square().sum((0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps) * self.weight
        normalised: Tensor = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normalised.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics as `nn.BatchNorm2d` does."""
        assert self.running_mean is not None and self.running_var is not None  # noqa: S101, PT018 (for mypy)
        assert self.num_batches_tracked is not None and self.momentum is not None  # noqa: S101, PT018
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class _WithActivation(nn.Module):
    """What timm's batch normalisations do behind the normalisation; in front of one that is synchronised."""

    drop: nn.Module
    act: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.drop(super().forward(x)))
        return activated


class _SyncedAct2d(_WithActivation, SyncedBatchNorm2d):
    pass


class _SyncAct(_WithActivation, nn.SyncBatchNorm):
    pass


class _Sum(torch.autograd.Function):
    """The sum over all processes; what one's gradient is, is the sum of everybody's."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        return _added(values)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return _added(gradient)


def _added(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def _summed(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def _kind(norm: nn.BatchNorm2d) -> type[SyncedBatchNorm2d] | type[nn.SyncBatchNorm]:
    if hasattr(norm, "act"):
        return _SyncAct if norm.weight.is_cuda else _SyncedAct2d
    return nn.SyncBatchNorm if norm.weight.is_cuda else SyncedBatchNorm2d


def synchronise(module: nn.Module) -> None:
    """Replace each trained batch normalisation below `module` by one over all processes, state kept."""
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            synchronise(child)
        elif child.weight.requires_grad:
            synced = _kind(child)(child.num_features, eps=child.eps, momentum=child.momentum)
            synced.to(child.weight.device, child.weight.dtype).load_state_dict(child.state_dict())
            if isinstance(synced, _WithActivation):
                synced.drop, synced.act = child.get_submodule("drop"), child.get_submodule("act")
            setattr(module, name, synced)
