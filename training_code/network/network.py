"""What every network here can do: freeze its first stages, and run before and behind the freeze point."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from contract.networks import HEAD


@dataclass(frozen=True)
class OldHead:
    """The last layer that starting weights came with: one linear layer, of classes of their own.

    Attributes:
        owner: what the network calls its last layer.
        weight: (old classes, features).
        bias: (old classes,).
    """

    owner: str
    weight: Tensor
    bias: Tensor


class Network(nn.Module):
    """A network whose stages before the freeze point are frozen: no gradients, no graph, evaluation mode.

    `forward` takes float pictures of shape (n, 3, height, width) and gives class scores (n, classes).

    Attributes:
        stage_names: its parts, from the picture to the classes.
        classes: how many it tells apart.
        freeze_point: the first stage that is trained, counted from 0.
        keeps_statistics: whether batch normalisations keep the statistics they began with.
        origin: source, licence and hash of the weights it started from; empty for fresh ones.
        old_head: what these had in place of the head; None for fresh ones, and where it is not one layer.
    """

    stage_names: tuple[str, ...]
    classes: int
    freeze_point: int = 0
    keeps_statistics: bool = False
    _froze: tuple[nn.Parameter, ...] = ()
    origin: Mapping[str, str] = MappingProxyType({})
    old_head: OldHead | None = None

    def freeze_before(self, stage: str) -> None:
        """Freeze every stage before `stage`, train it and all behind it; `head` is the last of any network.

        What an earlier call froze, and this one does not, is trained again.

        Raises:
            ValueError: there is no such stage.
        """
        last = len(self.stage_names) - 1
        self.freeze_point = last if stage == HEAD else self.stage_names.index(stage)
        for parameter in self._froze:
            parameter.requires_grad_(True)
        before = self.stage_names[: self.freeze_point]
        self._froze = tuple(
            parameter for each in before for parameter in self._parameters_of(each) if parameter.requires_grad
        )
        for parameter in self._froze:
            parameter.requires_grad_(False)

    def depths(self) -> dict[str, int]:
        """Of each parameter, how many stages its own comes before the head."""
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        last = len(self.stage_names) - 1
        return {
            names[id(parameter)]: last - place
            for place, stage in enumerate(self.stage_names)
            for parameter in self._parameters_of(stage)
        }

    @property
    def settings(self) -> dict[str, int]:
        """What timm's `create_model` is to be told, beside its name, to make the same network."""
        return {"num_classes": self.classes}

    @property
    def is_cut(self) -> bool:
        """Whether the frozen part can run on its own, so that its answers can be kept."""
        return self.freeze_point > 0

    @property
    def follows_batches(self) -> bool:
        """Whether training makes of a picture something else where it comes with others."""
        return any(isinstance(module, _BatchNorm) and module.training for module in self.modules())

    def frozen_modules(self) -> list[nn.Module]:
        """The modules all of whose parameters are frozen."""
        if not self.freeze_point:
            return []
        return [each for each in self.modules() if _is_frozen(each)]

    def train(self, mode: bool = True) -> Network:
        """Like `nn.Module.train`, but frozen stages stay in evaluation mode: their statistics are fixed.

        Those of all batch normalisations are with `keeps_statistics`.
        """
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        if self.keeps_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def frozen_state(self) -> dict[str, Tensor]:
        """The entries of `state_dict` that training never changes."""
        trained = self.trained_state()
        return {name: value for name, value in self.state_dict().items() if name not in trained}

    def trained_state(self) -> dict[str, Tensor]:
        """The entries of `state_dict` that training changes: all behind the freeze point."""
        frozen = {name for name, value in self.named_parameters() if not value.requires_grad}
        still = tuple(f"{name}." for name, module in self.named_modules() if name and _is_frozen(module))
        return {
            name: value
            for name, value in self.state_dict().items()
            if name not in frozen and not name.startswith(still)
        }

    def forward(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """Class scores of pictures, or of what `frozen_part` made of them."""
        return self.trained_part(x if from_freeze_point else self.frozen_part(x))

    @abstractmethod
    def frozen_part(self, x: Tensor) -> Tensor:
        """What no training step changes: for the same picture always the same activation.

        It is pooled, (n, channels), where only the last layer is trained.
        """

    @abstractmethod
    def trained_part(self, x: Tensor) -> Tensor:
        """From the activation at the freeze point to class scores."""

    @abstractmethod
    def pooled(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """What pictures are to the network before the last stage but one, or at a later freeze point:
        (n, channels). With `from_freeze_point`, `x` is what `frozen_part` made of them.
        """

    @abstractmethod
    def last_map(self, x: Tensor) -> Tensor:
        """What is made of pictures before anything is pooled for the head: (n, channels, height, width), or
        whatever this network has in its place.
        """

    @property
    def plain(self) -> nn.Module:
        """The network as it is exported: from pictures to scores, and nothing of freezing."""
        return self

    @property
    @abstractmethod
    def head_names(self) -> frozenset[str]:
        """The parameters of the layer that tells classes apart, which is always learned anew."""

    @abstractmethod
    def _parameters_of(self, stage: str) -> list[nn.Parameter]:
        """All that is trained in a stage."""


def only_layer(tensors: Collection[str]) -> str | None:
    """The layer that tensors of these names are of; None where they are of several, or none."""
    owners = {name.rpartition(".")[0] for name in tensors}
    return owners.pop() if len(owners) == 1 else None


class WithFeatures(nn.Module):
    """A network that tells what goes into its head, beside the class scores.

    Args:
        network: takes float pictures (n, 3, height, width).
        head_names: see `Network.head_names`. Where they are of several layers, there are no features.
    """

    def __init__(self, network: nn.Module, head_names: frozenset[str]) -> None:
        super().__init__()
        self.network = network
        self._head = only_layer(head_names)

    def forward(self, x: Tensor, **options: bool) -> tuple[Tensor, ...]:
        """Scores (n, classes), and features (n, features) where there are any."""
        if self._head is None:
            return (self.network(x, **options),)
        found: list[Tensor] = []
        handle = self.network.get_submodule(self._head).register_forward_pre_hook(
            lambda _module, inputs: found.append(inputs[0])
        )
        try:
            scores = self.network(x, **options)
        finally:
            handle.remove()
        rows = [each.flatten(1) for each in found]
        # A head that is asked at every place of a picture, or again and again, tells no features.
        return (scores, *rows) if [each.shape[1] for each in rows] == [self.width] else (scores,)

    @property
    def width(self) -> int:
        """How many features there are; 0 where the head is not one layer."""
        if self._head is None:
            return 0
        return int(self.weight.shape[1])

    @property
    def weight(self) -> Tensor:
        """The head's weights, (classes, features), where it is one layer."""
        return self.network.get_submodule(str(self._head)).weight.flatten(1)  # type: ignore[operator]


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(each.requires_grad for each in parameters)


def pooled(activation: Tensor, channels_last: bool = False) -> Tensor:
    """The mean over all places of activations (n, channels, height, width), or, with the channels last, of
    (n, places, channels) and (n, height, width, channels): (n, channels).
    """
    if activation.dim() == 4 and not channels_last:
        return activation.mean((2, 3))
    return activation if activation.dim() == 2 else activation.flatten(1, -2).mean(1)
