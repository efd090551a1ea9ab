"""A network's parts in the order in which a picture meets them, and the network without some of them."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn


def parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts that could be a row, by name: the network's own, and of its lists those in them."""
    for name, part in model.named_children():
        if isinstance(part, nn.Sequential | nn.ModuleList) and len(list(part.parameters())):
            yield from ((f"{name}.{each}", inner) for each, inner in part.named_children())
        else:
            yield name, part


def order(model: nn.Module, picture: Tensor) -> list[str]:
    """The names of the parts in the order in which a picture (1, 3, side, side) meets them."""
    met: list[str] = []
    handles = [
        part.register_forward_pre_hook(lambda _module, _inputs, name=name: met.append(name))
        for name, part in parts(model)
    ]
    try:
        with torch.no_grad():
            model(picture)
    finally:
        for handle in handles:
            handle.remove()
    return list(dict.fromkeys(met))


def without(model: nn.Module, names: Collection[str]) -> nn.Module:
    """The network with these parts passing on what they are given; it shares the others."""
    half = copy.copy(model)
    half._modules = dict(model._modules)
    for name in names:
        outer, _, inner = name.partition(".")
        if not inner:
            half._modules[outer] = nn.Identity()
            continue
        if half._modules[outer] is model._modules[outer]:
            part = copy.copy(model._modules[outer])
            part._modules = dict(part._modules)  # type: ignore[union-attr]
            half._modules[outer] = part
        half._modules[outer]._modules[inner] = nn.Identity()  # type: ignore[union-attr]
    return half
