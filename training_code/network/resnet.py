"""ResNet-18/34/50, written out: He et al. 2015 (arXiv 1512.03385) in the form torchvision publishes.

The parameter names, shapes and numbers are torchvision's, so its published weights load unchanged. It is
written here because importing torchvision takes longer than importing torch, in every trial, and because
here it is a row of named stages with a freeze point: what is frozen runs first, without a graph.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from contract.networks import BLOCKS, STAGES


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; what ResNet-18 and -34 are made of."""

    expansion: Final = 1

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels_in, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut; the stride sits in the 3x3 one, as in torchvision (v1.5)."""

    expansion: Final = 4

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels_in, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)  # type: ignore[no-any-return]


def _shortcut(channels_in: int, channels_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels_in == channels_out:
        return None
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
    )


class ResNet(nn.Module):
    """A ResNet whose stages up to `trainable_from` are frozen: no gradients, no graph, evaluation mode.

    `forward` takes float pictures of shape (n, 3, height, width) and gives class scores (n, classes).
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], blocks: tuple[int, int, int, int], classes: int
    ) -> None:
        super().__init__()
        self._channels = 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._layer(block, 64, blocks[0], 1)
        self.layer2 = self._layer(block, 128, blocks[1], 2)
        self.layer3 = self._layer(block, 256, blocks[2], 2)
        self.layer4 = self._layer(block, 512, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, classes)
        self.freeze_point = 0
        self._initialise()

    def freeze_before(self, stage: str) -> None:
        """Freeze every stage before `stage`, train it and all behind it.

        Raises:
            ValueError: `stage` is not one of STAGES.
        """
        self.freeze_point = STAGES.index(stage)
        for module in self.frozen_modules():
            module.requires_grad_(False)

    def frozen_modules(self) -> list[nn.Module]:
        """The modules before the freeze point."""
        return [module for stage in STAGES[: self.freeze_point] for module in self._modules_of(stage)]

    def train(self, mode: bool = True) -> ResNet:
        """Like `nn.Module.train`, but frozen stages stay in evaluation mode: their statistics are fixed."""
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        return self

    def frozen_state(self) -> dict[str, Tensor]:
        """The entries of `state_dict` that training never changes."""
        trained = self.trained_state()
        return {name: value for name, value in self.state_dict().items() if name not in trained}

    def trained_state(self) -> dict[str, Tensor]:
        """The entries of `state_dict` that training changes: all behind the freeze point."""
        parts = self.frozen_modules()
        frozen = tuple(f"{name}." for name, module in self.named_children() if module in parts)
        return {name: value for name, value in self.state_dict().items() if not name.startswith(frozen)}

    def forward(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """Class scores of pictures, or of what `frozen_part` made of them."""
        return self.trained_part(x if from_freeze_point else self.frozen_part(x))

    def frozen_part(self, x: Tensor) -> Tensor:
        """What no training step changes: for the same picture always the same activation.

        It is pooled, (n, channels), where only the last layer is trained.
        """
        with torch.no_grad():
            for stage in STAGES[: self.freeze_point]:
                x = self._stage(stage, x)
            return self._pooled(x) if STAGES[self.freeze_point] == "fc" else x

    def trained_part(self, x: Tensor) -> Tensor:
        """From the activation at the freeze point to class scores."""
        for stage in STAGES[self.freeze_point :]:
            x = self._stage(stage, x)
        return x

    def pooled_before(self, stage: str, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """What pictures are to the network before `stage`, or at a later freeze point: (n, channels).

        With `from_freeze_point`, `x` is what `frozen_part` made of them.
        """
        first = self.freeze_point if from_freeze_point else 0
        for each in STAGES[first : max(STAGES.index(stage), self.freeze_point)]:
            x = self._stage(each, x)
        return x if x.dim() == 2 else self._pooled(x)

    def _stage(self, stage: str, x: Tensor) -> Tensor:
        if stage == "stem":
            return self.maxpool(self.relu(self.bn1(self.conv1(x))))  # type: ignore[no-any-return]
        if stage == "fc":
            return self.fc(x if x.dim() == 2 else self._pooled(x))  # type: ignore[no-any-return]
        return self.get_submodule(stage)(x)  # type: ignore[no-any-return]

    def _pooled(self, x: Tensor) -> Tensor:
        return torch.flatten(self.avgpool(x), 1)

    def _modules_of(self, stage: str) -> list[nn.Module]:
        return [self.conv1, self.bn1] if stage == "stem" else [self.get_submodule(stage)]

    def _layer(
        self, block: type[BasicBlock] | type[Bottleneck], width: int, blocks: int, stride: int
    ) -> nn.Sequential:
        row: list[nn.Module] = []
        for position in range(blocks):
            row.append(block(self._channels, width, stride if position == 0 else 1))
            self._channels = width * block.expansion
        return nn.Sequential(*row)

    def _initialise(self) -> None:
        """He initialisation for convolutions, as in torchvision; linear and norm layers keep torch's own.

        On the meta device there are no numbers, and drawing none would import torch's compiler (3 s).
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def resnet(arch: str, classes: int) -> ResNet:
    """A freshly initialised network that tells `classes` classes apart.

    Raises:
        ValueError: `arch` is not one of `BLOCKS`.
    """
    if arch not in BLOCKS:
        raise ValueError(f"no architecture {arch!r}: resnet18, resnet34 or resnet50")
    return ResNet(Bottleneck if arch == "resnet50" else BasicBlock, BLOCKS[arch], classes)
