"""Any of timm's classification networks, as `Network` wants it: with stages, and a freeze point between them.

Stages are timm's own groups of layers (`group_matcher`): `stem`, `stage1` to the last, and `head`, the layer
that tells the classes apart. The network can be cut in two at its head, and between stages where these are a
row, each made of what the one before gave. Whether they are, one picture through both halves tells.

The tensors have timm's names, so a model opens in plain timm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from contract import networks, timm_models
from training_code.errors import InvalidHyperparameter
from training_code.network import row, stages
from training_code.network.network import Network, pooled

_ALIKE: Final = 1e-4
"""Of the largest score, what those of the cut network may differ by."""
_HEAD: Final = 0.01
"""The deviation of a new head's weights."""


class Backbone(Network):
    """One of timm's networks. It has the network's own parts as its parts: their names are timm's."""

    def __init__(self, model: nn.Module, classes: int, image_size: int, *, of_one_size: bool) -> None:
        super().__init__()
        # Not a part of this one, whose parts are the same: a part that is replaced is so in both.
        self._timm: tuple[Any, ...] = (model,)
        self._modules, self._parameters, self._buffers = model._modules, model._parameters, model._buffers
        self._non_persistent_buffers_set = model._non_persistent_buffers_set
        self.classes = classes
        self._side = image_size
        self._is_of_one_size = of_one_size
        self._groups = stages.groups(model)
        self.stage_names = (
            networks.STEM,
            *(f"stage{n}" for n in range(1, len(self._groups) - 1)),
            networks.HEAD,
        )
        self._halves: tuple[nn.Module, nn.Module] | None = None
        self._halves_of: tuple[nn.Module, ...] = ()
        self._at_head = self._is_cut = False

    @property
    def model(self) -> Any:
        """The network as timm made it."""
        return self._timm[0]

    @property
    def plain(self) -> nn.Module:
        """See `Network.plain`."""
        return self.model  # type: ignore[no-any-return]

    def freeze_before(self, stage: str) -> None:
        """See `Network.freeze_before`; a stage that there is not says which there are.

        Raises:
            InvalidHyperparameter: there is no such stage.
        """
        if stage not in self.stage_names:
            raise InvalidHyperparameter(
                f"trainable_from={stage}: this network has {', '.join(self.stage_names)}"
            )
        super().freeze_before(stage)
        self._halves = None
        self._at_head = self.freeze_point == len(self.stage_names) - 1
        self._is_cut = self.freeze_point > 0 and self._cuts()

    @property
    def settings(self) -> dict[str, int]:
        """See `Network.settings`."""
        return super().settings | ({"img_size": self._side} if self._is_of_one_size else {})

    @property
    def is_cut(self) -> bool:
        """See `Network.is_cut`."""
        return self.freeze_point > 0 and self._is_cut

    def train(self, mode: bool = True) -> Backbone:
        """See `Network.train`."""
        super().train(mode)
        self.model.training = mode
        return self

    def frozen_part(self, x: Tensor) -> Tensor:
        """See `Network.frozen_part`; where the network cannot be cut, the pictures themselves."""
        if not self.is_cut:
            return x
        with torch.no_grad():
            if self._at_head:
                return self._before_head(self.model, x)
            activation: Tensor = self._cut()[0].forward_features(x)
            return activation

    def trained_part(self, x: Tensor) -> Tensor:
        """See `Network.trained_part`."""
        behind: Any = self.model
        if self.is_cut:
            behind = self.model.get_classifier() if self._at_head else self._cut()[1]
        # Some have a convolution of one pixel instead of a linear layer.
        one_pixel = isinstance(behind, nn.Conv2d)
        scores: Tensor = behind(x[:, :, None, None]).flatten(1) if one_pixel else behind(x)
        return scores

    def pooled(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """See `Network.pooled`."""
        last = self._first_part_of(len(self.stage_names) - 2)
        if from_freeze_point and self.is_cut:
            if self.freeze_point >= len(self.stage_names) - 2:
                return pooled(x, self._channels_last)
            run: Any = self._cut()[1]
        elif (self.is_cut and self._at_head) or len(self.stage_names) == 2:
            return self._before_head(self.model, x)
        else:
            run = self.model
        seen: list[Tensor] = []
        handle = last.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            run(x)
        finally:
            handle.remove()
        # A part that is not called as a module is not seen; then it is what the head gets.
        return pooled(seen[0], self._channels_last) if seen else self._before_head(run, x)

    def last_map(self, x: Tensor) -> Tensor:
        """See `Network.last_map`."""
        last: Tensor = self.model.forward_features(x)
        return last.permute(0, 3, 1, 2) if self._channels_last and last.dim() == 4 else last

    @property
    def head_names(self) -> frozenset[str]:
        """See `Network.head_names`."""
        return frozenset(self._groups[-1])

    @property
    def _channels_last(self) -> bool:
        return getattr(self.model, "output_fmt", "NCHW") == "NHWC"

    def _parameters_of(self, stage: str) -> list[nn.Parameter]:
        named = dict(self.named_parameters())
        return [named[name] for name in self._groups[self.stage_names.index(stage)] if name in named]

    @staticmethod
    def _before_head(model: Any, x: Tensor) -> Tensor:
        return model.forward_head(model.forward_features(x), pre_logits=True)  # type: ignore[no-any-return]

    def _cut(self) -> tuple[Any, Any]:
        """The halves of the network at the freeze point; they share its parts. A part that was
        replaced since, as several processes do with batch norms, is replaced in them.
        """
        parts = tuple(part for _, part in row.parts(self.model))
        if self._halves is None or any(a is not b for a, b in zip(parts, self._halves_of, strict=True)):
            before, behind = self._parts_before(), self._parts_behind()
            self._halves = row.without(self.model, behind), row.without(self.model, before)
            self._halves_of = parts
        return self._halves

    def _cuts(self) -> bool:
        """Whether the halves give the scores of the whole, tried with one picture."""
        training = self.training
        self.eval()
        where = next(self.parameters())
        picture = torch.linspace(-1, 1, 3 * self._side**2, device=where.device, dtype=where.dtype)
        picture = picture.view(1, 3, self._side, self._side)
        self._is_cut = True
        try:
            with torch.no_grad():
                whole = self.model(picture)
                cut = self.trained_part(self.frozen_part(picture))
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError):
            return False  # what one half gives is nothing that the other takes
        finally:
            self.train(training)
        same = whole.shape == cut.shape
        return same and bool((whole - cut).abs().max() <= _ALIKE * whole.abs().max().clamp(min=_ALIKE))

    def draw_head(self) -> None:
        """Draw the head narrowly, as torchvision draws MobileNet's.

        timm draws EfficientNets' five times as wide. Where pictures are few, training does not take that
        noise out of the answers again, which costs points of accuracy.
        """
        owners = {name.rpartition(".")[0] for name in self.head_names}
        for owner in sorted(owners):
            layer = self.get_submodule(owner)
            if isinstance(layer, nn.Linear | nn.Conv2d) and not layer.weight.is_meta:
                nn.init.normal_(layer.weight, std=_HEAD)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def try_out(self) -> None:
        """Run it once; whatever is raised says why it cannot see pictures of this size."""
        where = next(self.parameters()).device
        with torch.no_grad(), _evaluating(self):
            self.model(torch.zeros(1, 3, self._side, self._side, device=where))

    def _first_part_of(self, stage: int) -> nn.Module:
        """The first of the parts that a stage is made of."""
        names = set(self._groups[stage])
        for name, part in row.parts(self.model):
            if any(f"{name}.{each}" in names for each, _ in part.named_parameters()):
                return part
        raise ValueError(f"no part of stage {self.stage_names[stage]}")

    def _parts_before(self) -> set[str]:
        return {name for name, _ in row.parts(self.model)} - self._parts_behind()

    def _parts_behind(self) -> set[str]:
        """The parts from the first on that has something of a trained stage, in the order they run in."""
        frozen = {name for group in self._groups[: self.freeze_point] for name in group}
        order = self._order()
        parts = dict(row.parts(self.model))
        trained = {
            name
            for name, part in parts.items()
            if any(f"{name}.{each}" not in frozen for each, _ in part.named_parameters())
        }
        first = min((order.index(name) for name in trained if name in order), default=len(order))
        return {name for name in parts if name not in order[:first]}

    def _order(self) -> list[str]:
        """The names of the parts in the order in which a picture meets them."""
        where = next(self.parameters())
        picture = torch.zeros(1, 3, self._side, self._side, device=where.device, dtype=where.dtype)
        with _evaluating(self):
            return row.order(self.model, picture)


@contextmanager
def _evaluating(network: Network) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def backbone(arch: str, classes: int, image_size: int) -> Backbone:
    """A freshly initialised network of timm's that tells `classes` classes apart.

    Args:
        arch: timm's name, with or without the tag of its weights.
        classes: how many outputs it has.
        image_size: pixels of the side of its pictures.

    Raises:
        InvalidHyperparameter: it cannot be had, or not for pictures of this size.
    """
    timm = timm_models.timm()
    cfg = timm.get_pretrained_cfg(arch)
    one_size = cfg is not None and cfg.fixed_input_size
    settings = {"num_classes": classes} | ({"img_size": image_size} if one_size else {})
    try:
        network = Backbone(timm.create_model(arch, **settings), classes, image_size, of_one_size=one_size)
        network.draw_head()
        network.try_out()
    except (AssertionError, AttributeError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InvalidHyperparameter(
            f"a {arch} for pictures of image_size={image_size} cannot be had of timm: {reason}"
        ) from None
    if one_size and (rest := image_size % (patch := _patch(network.model))):
        near = ", ".join(str(each) for each in (image_size - rest, image_size - rest + patch) if each)
        raise InvalidHyperparameter(
            f"a {arch} looks at patches of {patch} pixels, and would not see the last {rest} of "
            f"image_size={image_size}; take a multiple: {near}"
        )
    return network


def _patch(model: Any) -> int:
    """Pixels of a side of the patches that a transformer looks at; 1 of other networks."""
    size = getattr(getattr(model, "patch_embed", None), "patch_size", 1)
    return int(size[0] if isinstance(size, tuple) else size)
