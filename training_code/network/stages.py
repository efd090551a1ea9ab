"""Which parameters of one of timm's networks make which stage: timm's own groups of layers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn


def groups(model: Any) -> list[list[str]]:
    """The parameters' names of each stage; the last are those of the layer that tells classes apart."""
    from timm.models import group_parameters

    head = _head_names(model)
    try:
        layers: Collection[list[str]] = group_parameters(model, model.group_matcher(coarse=True)).values()
    except (AttributeError, AssertionError):  # a few families have no groups: all before the head is one
        layers = [[name for name, _ in model.named_parameters()]]
    stages = [[name for name in group if name not in head] for group in layers]
    stages = [stage for stage in stages if stage]
    if len(stages) > 1 and not _makes_a_stage(stages[-1], layers):
        rest = stages.pop()  # a norm, or a layer before the last
        stages[-1] = stages[-1] + rest
    return [*stages, sorted(head)]


def _makes_a_stage(names: list[str], layers: Collection[list[str]]) -> bool:
    """Whether the last names are a stage of their own, and not what was left of the head's group."""
    return names in list(layers)


def _head_names(model: Any) -> set[str]:
    classifier = model.get_classifier()
    heads = classifier if isinstance(classifier, tuple | list) else (classifier,)
    own = {id(parameter) for head in heads if isinstance(head, nn.Module) for parameter in head.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in own}
