"""The moving average of a network's weights over its steps, which is often better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    """Follows tensors that training changes, the statistics of norms among them; without decay, not at all.

    Args:
        live: the tensors themselves, by name.
        decay: what is kept of the average at a step, at most. The first steps keep less, (1 + n) / (10 + n)
            at the nth, so that the weights training began with are soon forgotten.
    """

    def __init__(self, live: Mapping[str, Tensor], decay: float) -> None:
        self._live, self._decay = dict(live), decay
        self._averaged = {name: value.clone() for name, value in live.items()} if decay else {}

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        """Take up what the tensors are after so many steps."""
        if not self._averaged:
            return
        share = 1 - min(self._decay, (1 + steps) / (10 + steps))
        numbers = [name for name, value in self._averaged.items() if value.is_floating_point()]
        averaged, live = ([of[name] for name in numbers] for of in (self._averaged, self._live))
        torch._foreach_lerp_(averaged, live, share)
        for name in self._averaged.keys() - numbers:
            self._averaged[name].copy_(self._live[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the `with` lasts, the network has the average."""
        own = {name: self._live[name].clone() for name in self._averaged}
        self._put(self._averaged)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint has to keep, as its group of tensors."""
        return {"average": self._averaged} if self._averaged else {}

    @torch.no_grad()
    def restore(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over what `state` gave."""
        for name, value in self._averaged.items():
            value.copy_(groups["average"][name])

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._live[name].copy_(value)
