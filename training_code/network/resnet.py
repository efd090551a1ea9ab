"""ResNet-18/34/50, written out: He et al. 2015 (arXiv 1512.03385) in the form torchvision publishes.

The parameter names, shapes and numbers are torchvision's, so its published weights load unchanged. It is
written here because importing torchvision takes longer than importing torch, in every trial, and because
here it is a row of named stages with a freeze point: what is frozen runs first, without a graph.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from contract.networks import BLOCKS, STAGES, STEM_KERNELS, USUAL_STEM, untagged
from training_code.network.network import Network

FIRST_CONVOLUTION: Final = "conv1.weight"


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


class ResNet(Network):
    """A ResNet: a row of named stages, any of which may be the first that is trained."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        classes: int,
        stem: str = USUAL_STEM,
    ) -> None:
        super().__init__()
        self.stage_names, self.classes = STAGES, classes
        self._channels = 64
        usual, kernel = stem == USUAL_STEM, STEM_KERNELS[stem]
        self.conv1 = nn.Conv2d(3, 64, kernel, 2 if usual else 1, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if usual else nn.Identity()
        self.layer1 = self._layer(block, 64, blocks[0], 1)
        self.layer2 = self._layer(block, 128, blocks[1], 2)
        self.layer3 = self._layer(block, 256, blocks[2], 2)
        self.layer4 = self._layer(block, 512, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, classes)
        self._initialise()

    def frozen_part(self, x: Tensor) -> Tensor:
        """See `Network.frozen_part`."""
        with torch.no_grad():
            for stage in STAGES[: self.freeze_point]:
                x = self._stage(stage, x)
            return self._pooled(x) if STAGES[self.freeze_point] == "fc" else x

    def trained_part(self, x: Tensor) -> Tensor:
        """See `Network.trained_part`."""
        for stage in STAGES[self.freeze_point :]:
            x = self._stage(stage, x)
        return x

    def pooled(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        """See `Network.pooled`: what goes into `layer4`."""
        first = self.freeze_point if from_freeze_point else 0
        for each in STAGES[first : max(STAGES.index("layer4"), self.freeze_point)]:
            x = self._stage(each, x)
        return x if x.dim() == 2 else self._pooled(x)

    def last_map(self, x: Tensor) -> Tensor:
        """See `Network.last_map`."""
        for each in STAGES[: STAGES.index("fc")]:
            x = self._stage(each, x)
        return x

    @property
    def head_names(self) -> frozenset[str]:
        """See `Network.head_names`."""
        return frozenset(("fc.weight", "fc.bias"))

    def _stage(self, stage: str, x: Tensor) -> Tensor:
        if stage == "stem":
            return self.maxpool(self.relu(self.bn1(self.conv1(x))))  # type: ignore[no-any-return]
        if stage == "fc":
            return self.fc(x if x.dim() == 2 else self._pooled(x))  # type: ignore[no-any-return]
        return self.get_submodule(stage)(x)  # type: ignore[no-any-return]

    def _pooled(self, x: Tensor) -> Tensor:
        return torch.flatten(self.avgpool(x), 1)

    def _parameters_of(self, stage: str) -> list[nn.Parameter]:
        parts = [self.conv1, self.bn1] if stage == "stem" else [self.get_submodule(stage)]
        return [parameter for part in parts for parameter in part.parameters()]

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


def resnet(arch: str, classes: int, stem: str = USUAL_STEM) -> ResNet:
    """A freshly initialised network that tells `classes` classes apart.

    Raises:
        ValueError: `arch` is not one of `BLOCKS`.
        KeyError: there is no such stem.
    """
    kind = untagged(arch)
    if kind not in BLOCKS:
        raise ValueError(f"no architecture {arch!r}: resnet18, resnet34 or resnet50")
    return ResNet(Bottleneck if kind == "resnet50" else BasicBlock, BLOCKS[kind], classes, stem)
