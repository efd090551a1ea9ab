"""SGD and AdamW by torch's own kernels, and the learning rate of every step.

`torch.optim`'s functions do the arithmetic; creating the first of its classes would import the compiler
(torch._dynamo), which takes as long as importing torch itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from training_code.config import Config

_BETAS: Final = (0.9, 0.999)
_ONE_CYCLE_RISE: Final = 0.3
_ONE_CYCLE_START: Final = 1 / 25
_ONE_CYCLE_END: Final = 1e-4


class Optimizer:
    """Steps the trained parameters of a network; `config` says how.

    Args:
        network: parameters that need no gradient are not stepped.
        config: the kind, and how the learning rate falls from stage to stage.
        depths: of each parameter, by name, how many stages it comes before the head; left out: none.
    """

    def __init__(self, network: nn.Module, config: Config, depths: Mapping[str, int] | None = None) -> None:
        self._named = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self._config = config
        moments = ("momentum",) if config.optimizer == "sgd" else ("mean", "square")
        self._moments = {
            moment: [torch.zeros_like(value) for value in self._named.values()] for moment in moments
        }
        self._counts = [torch.zeros((), device=value.device) for value in self._named.values()]
        self._groups = _of_one_rate(list(self._named), depths or {}, config.layer_decay)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter along its gradient, and forget the gradients."""
        parameters: list[Tensor] = list(self._named.values())
        # A parameter that no picture meets, as some networks have, gets none.
        gradients = [torch.zeros_like(value) if value.grad is None else value.grad for value in parameters]
        for factor, places in self._groups:
            columns = (parameters, gradients, *self._moments.values(), self._counts)
            self._move(learning_rate * factor, *([column[place] for place in places] for column in columns))
        for value in parameters:
            value.grad = None

    def _move(self, rate: float, *columns: list[Tensor]) -> None:
        """Step parameters of one rate: themselves, their gradients, their moments, their counts."""
        if self._config.optimizer == "sgd":
            parameters, gradients, momentum, _ = columns
            sgd(
                parameters,
                gradients,
                list(momentum),
                fused=True,
                lr=rate,
                momentum=self._config.momentum,
                weight_decay=self._config.weight_decay,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            return
        parameters, gradients, mean, square, counts = columns
        adamw(
            parameters,
            gradients,
            mean,
            square,
            [],
            counts,
            fused=True,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=rate,
            weight_decay=self._config.weight_decay,
            eps=self._config.eps,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Everything to go on from here, by name."""
        named = {
            f"{moment}.{name}": value
            for moment, values in self._moments.items()
            for name, value in zip(self._named, values, strict=True)
        }
        return {**named, "taken": torch.stack(self._counts)}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for moment, values in self._moments.items():
            for name, value in zip(self._named, values, strict=True):
                value.copy_(state[f"{moment}.{name}"])
        # In place: the fused kernels want the counters where the parameters are, and a checkpoint is read
        # into the CPU's memory.
        for steps, value in zip(self._counts, state["taken"].unbind(), strict=True):
            steps.copy_(value)


def schedule(config: Config, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step, counted from 0 over all epochs.

    A warm-up rises in a straight line. After it `constant` stays, `cosine` falls to zero in half a wave
    (SGDR, arXiv 1608.03983), and `one-cycle` (arXiv 1708.07120) falls in half a wave after rising in
    one: over the warm-up, or over 30% of the steps when none is set. A probe, and what follows it at a
    lower rate, each run through all of it.
    """
    total, probe = (epochs * steps_per_epoch for epochs in (config.epochs, config.probing))
    warmup = round(config.warmup_epochs * steps_per_epoch)

    def share(step: int, total: int) -> float:
        rise = warmup
        if config.schedule == "one-cycle":
            rise = rise or round(total * _ONE_CYCLE_RISE)
        if step < rise:
            progress = (step + 1) / rise
            return _wave(_ONE_CYCLE_START, 1, progress) if config.schedule == "one-cycle" else progress
        if config.schedule == "constant":
            return 1.0
        progress = (step - rise) / max(1, total - rise)
        return _wave(1, _ONE_CYCLE_END if config.schedule == "one-cycle" else 0, progress)

    def rate(step: int) -> float:
        if step < probe:
            return config.learning_rate * share(step, probe)
        highest = config.learning_rate * config.finetune_rate if probe else config.learning_rate
        return highest * share(step - probe, total - probe)

    return rate


def _of_one_rate(
    names: Sequence[str], depths: Mapping[str, int], decay: float
) -> list[tuple[float, list[int]]]:
    """The places of the parameters whose learning rate is multiplied by the same factor, with that factor."""
    groups: dict[float, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(decay ** depths.get(name, 0), []).append(place)
    return list(groups.items())


def _wave(start: float, end: float, progress: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
