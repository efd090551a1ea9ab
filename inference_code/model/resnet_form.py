"""The PyTorch form of ResNet-18/34/50: straight from the weights, without what only training needs.

Parameter names are torchvision's (He et al. 2015, arXiv 1512.03385, with the stride in the 3×3 convolution),
so any state dict of `torchvision.models.resnet18/34/50` serves. torchvision is not imported, which more than
halves the start-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional

from contract.answers.explanation import ONE_PLACE, NotExplained
from contract.networks import BLOCKS, STEM_KERNELS, USUAL_STEM, stem_of
from inference_code.model.bad_artifact import BadArtifact

# Convolutions per block: two of 3×3, or 1×1, 3×3, 1×1 with four times the channels.
BASIC, BOTTLENECK = ((3, 3), 1), ((1, 3, 1), 4)
SHAPES = {"resnet18": BASIC, "resnet34": BASIC, "resnet50": BOTTLENECK}
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
EPSILON = 1e-5  # torchvision's, and PyTorch's default


@dataclass(frozen=True)
class Convolution:
    """One convolution as the architecture wants it: names of its weights and its geometry."""

    name: str
    norm: str
    channels_in: int
    channels_out: int
    kernel: int
    stride: int

    def shapes(self) -> dict[str, list[int]]:
        """Expected shape of each of its tensors by name."""
        kernel = [self.channels_out, self.channels_in, self.kernel, self.kernel]
        return {f"{self.name}.weight": kernel} | {
            f"{self.norm}.{part}": [self.channels_out] for part in BATCH_NORM
        }


@dataclass(frozen=True)
class Block:
    """A residual block: its convolutions in order, and the one on the shortcut where the shape changes."""

    convolutions: tuple[Convolution, ...]
    shortcut: Convolution | None


class ResNet:
    """A ResNet as functions, each convolution with its batch norm folded in."""

    def __init__(self, path: Path, arch: str, classes: int, place: dict[str, Any]) -> None:
        stem, blocks = _plan(arch, path)
        tensors = _read(path, arch, _shapes(stem, blocks, classes))
        self._first = _Folded(stem, tensors, place)
        self._pools = stem.stride > 1
        self._rest = [_ResidualBlock(block, tensors, place) for block in blocks]
        self._weight, self._bias = (tensors[name].to(**place) for name in ("fc.weight", "fc.bias"))

    def __call__(self, x: Tensor) -> Tensor:
        x = self._places(x).mean((2, 3))
        return torch.cat([functional.linear(x, self._weight, self._bias), x], 1)

    def by_place(self, x: Tensor) -> Tensor:
        """See `timm_form.Telling.by_place`."""
        places = self._places(x)[0]
        if places[0].numel() == 1:
            raise NotExplained(ONE_PLACE)
        return places.permute(1, 2, 0) @ self._weight.T

    def _places(self, x: Tensor) -> Tensor:
        x = self._first(x).relu_()
        if self._pools:
            x = functional.max_pool2d(x, 3, 2, 1)
        for block in self._rest:
            x = block(x)
        return x


class _Folded:
    """A convolution with its batch norm folded in: y = w·x·g/√(v+ε) + (b − m·g/√(v+ε))."""

    def __init__(self, plan: Convolution, tensors: dict[str, Tensor], place: dict[str, Any]) -> None:
        gamma, beta, mean, variance = (tensors[f"{plan.norm}.{part}"].double() for part in BATCH_NORM)
        scale = gamma / torch.sqrt(variance + EPSILON)
        weight = tensors[f"{plan.name}.weight"].double() * scale[:, None, None, None]
        self._weight = weight.to(**place, memory_format=torch.channels_last)
        self._bias = (beta - mean * scale).to(**place)
        self._stride = plan.stride
        self._padding = plan.kernel // 2

    def __call__(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self._weight, self._bias, self._stride, self._padding)


class _ResidualBlock:
    def __init__(self, plan: Block, tensors: dict[str, Tensor], place: dict[str, Any]) -> None:
        *self._first, self._last = (_Folded(convolution, tensors, place) for convolution in plan.convolutions)
        self._shortcut = _Folded(plan.shortcut, tensors, place) if plan.shortcut else None

    def __call__(self, x: Tensor) -> Tensor:
        y = x
        for convolution in self._first:
            y = convolution(y).relu_()
        return self._last(y).add_(self._shortcut(x) if self._shortcut else x).relu_()


def _plan(arch: str, path: Path) -> tuple[Convolution, list[Block]]:
    kernels, expansion = SHAPES[arch]
    blocks, channels = [], 64
    for stage, count in enumerate(BLOCKS[arch]):
        width = 64 * 2**stage
        for position in range(count):
            stride = 2 if stage > 0 and position == 0 else 1
            name = f"layer{stage + 1}.{position}"
            blocks.append(_block(name, channels, width, width * expansion, kernels, stride))
            channels = width * expansion
    stem = _stem(path)
    return Convolution("conv1", "bn1", 3, 64, STEM_KERNELS[stem], 2 if stem == USUAL_STEM else 1), blocks


def _stem(path: Path) -> str:
    """How the network of this file begins; the usual way where the file does not say, which `_read` tells."""
    try:
        with safe_open(path, "pt") as file:
            return stem_of(file.get_slice("conv1.weight").get_shape())
    except (SafetensorError, OSError):
        return USUAL_STEM


def _block(
    name: str, channels_in: int, width: int, channels_out: int, kernels: tuple[int, ...], stride: int
) -> Block:
    def convolutions() -> Iterator[Convolution]:
        channels, pending = channels_in, stride
        for number, kernel in enumerate(kernels, 1):
            out = channels_out if number == len(kernels) else width
            step = pending if kernel == 3 else 1
            yield Convolution(f"{name}.conv{number}", f"{name}.bn{number}", channels, out, kernel, step)
            # The stride belongs to the first 3×3 convolution of the block.
            channels, pending = out, 1 if kernel == 3 else pending

    shortcut = None
    if stride != 1 or channels_in != channels_out:
        names = f"{name}.downsample.0", f"{name}.downsample.1"
        shortcut = Convolution(*names, channels_in, channels_out, 1, stride)
    return Block(tuple(convolutions()), shortcut)


def _shapes(stem: Convolution, blocks: list[Block], classes: int) -> dict[str, list[int]]:
    shapes = stem.shapes()
    for block in blocks:
        for convolution in (*block.convolutions, *([block.shortcut] if block.shortcut else [])):
            shapes |= convolution.shapes()
    last = blocks[-1].convolutions[-1].channels_out
    return shapes | {"fc.weight": [classes, last], "fc.bias": [classes]}


def _read(path: Path, arch: str, shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """The tensors of the file as float32, if they are exactly those that the architecture has."""
    try:
        with safe_open(path, "pt") as file:
            # Counts of training steps; they play no part in an answer and old files lack them.
            names = {name for name in file.keys() if not name.endswith(".num_batches_tracked")}  # noqa: SIM118
            if wrong := sorted(names ^ shapes.keys()):
                raise BadArtifact(f"{path.name} is not a {arch}: {_differences(wrong, names)}.")
            for name, shape in shapes.items():
                if (found := list(file.get_slice(name).get_shape())) != shape:
                    raise BadArtifact(
                        f"{path.name} is not this {arch}: {name} has shape {found}, not {shape}."
                    )
            return {name: file.get_tensor(name).float() for name in shapes}
    except SafetensorError as error:
        raise BadArtifact(f"{path.name} is damaged: {error}") from error
    except OSError as error:
        # The archive keeps the modes that files had in training, and this process is not root.
        raise BadArtifact(
            f"{path.name} cannot be read: {error}. It must be readable for everybody."
        ) from error


def _differences(wrong: list[str], found: set[str]) -> str:
    words = [f"{name} is {'unexpected' if name in found else 'missing'}" for name in wrong[:3]]
    return ", ".join(words) + (f" and {len(wrong) - 3} more differences" if len(wrong) > 3 else "")
