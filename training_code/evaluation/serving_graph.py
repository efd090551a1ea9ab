"""The network as an OpenVINO graph, written from its weights: what an endpoint without a GPU serves.

The graph takes the pixels of one square as Pillow gives them (uint8, height, width, RGBA). Each batch norm is
folded into the convolution before it, and the normalisation into the first: alpha is 255 in the square and 0
in the padding around it, and its weights take the mean away where there is picture. It is written node by
node in a second; PyTorch's frontend takes ten for the same graph.

Given `Ranges` it is quantised to 8 bits as OpenVINO's CPU plugin runs whole convolutions on integers:
weights symmetric with one scale per output channel, activations with one scale per tensor, unsigned behind a
ReLU (Krishnamoorthi 2018, arXiv 1806.08342). Where a block adds two branches one of them is rounded, too: the
convolution of the other then adds it while it writes its result, and no float goes through memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino.opset13 as op
from numpy.typing import NDArray
from torch import nn

from contract.pictures.transform import Transform
from training_code.network.resnet import ResNet

Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest value that each point of the graph takes."""

_LEAST_GREATEST: Final = 1e-6
"""A range must have a width; a point that is always 0 gets this one."""

Node = Any
"""openvino.Node; the package's own type hints do not name what its operators return."""


@dataclass
class _Writer:
    """Writes nodes; `points` collects where activations are quantised, in the order of the network."""

    ranges: Ranges | None
    points: dict[str, Node] = field(default_factory=dict)

    def point(self, name: str, value: Node) -> Node:
        """`value`, rounded to 256 levels of its range if the graph is quantised."""
        self.points[name] = value
        if self.ranges is None:
            return value
        least, greatest = self.ranges[name]
        if least >= 0:
            low, high = 0.0, max(greatest, _LEAST_GREATEST)
        else:  # signed: -128 to 127 steps, so that 0 is one of them
            step = max(-least / 128, greatest / 127)
            low, high = -128 * step, 127 * step
        bounds = [np.float32(bound) for bound in (low, high, low, high)]
        return op.fake_quantize(value, *bounds, 256)

    def weight(self, values: NDArray[np.float32]) -> Node:
        """A constant; as 8-bit integers with a scale per output channel if the graph is quantised."""
        if self.ranges is None:
            return op.constant(values)
        steps, scale = _rounded(values)
        return op.multiply(op.convert(op.constant(steps), "f32"), op.constant(scale))

    def convolution(self, x: Node, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Node:
        """The convolution with its norm folded in."""
        weight, bias = _folded(convolution, norm)
        return self._convolution(x, convolution, weight.astype(np.float32), bias)

    def stem(self, pixels: Node, transform: Transform, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Node:
        """The first convolution, with its norm and the normalisation (p/255 − m)/s folded in.

        Over the square, Σ w(p/255 − m)/s = Σ vp − Σ vm·255 with v = w/255s: the second sum is that of alpha,
        255 there, with the weight −Σ vm over the colours.
        """
        weight, bias = _folded(convolution, norm)
        mean, std = (
            np.array(values, np.float64).reshape(1, 3, 1, 1) for values in (transform.mean, transform.std)
        )
        weight = weight / (255 * std)
        weight = np.concatenate([weight, -(weight * mean).sum(1, keepdims=True)], 1).astype(np.float32)
        x = op.transpose(op.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
        if self.ranges is not None:
            x = op.fake_quantize(x, *map(np.float32, (0, 255, 0, 255)), 256)  # 8-bit numbers as they are
            steps, scale = _rounded(weight)
            # Rounded weights shall see the mean picture as the exact ones do: what they are off by adds up.
            picture = 255 * np.concatenate([mean, np.ones((1, 1, 1, 1))], 1)
            bias = bias - ((steps * scale - weight) * picture).sum((1, 2, 3))
        return self._convolution(x, convolution, weight, bias)

    def _convolution(
        self, x: Node, convolution: nn.Conv2d, weight: NDArray[np.float32], bias: NDArray[np.float64]
    ) -> Node:
        stride, padding = list(convolution.stride), [int(side) for side in convolution.padding]
        product = op.convolution(x, self.weight(weight), stride, padding, padding, [1, 1])
        return op.add(product, bias.astype(np.float32).reshape(1, -1, 1, 1))


def graph(network: ResNet, transform: Transform, ranges: Ranges | None = None) -> ov.Model:
    """From RGBA pixels, uint8 (1, crop, crop, 4), alpha 255, to class scores, float32 (1, classes), and what
    goes into the head, float32 (1, features).

    With `ranges` it is quantised to 8 bits, else it is float32.
    """
    pixels, outputs, _ = _write(network, transform, ranges)
    return ov.Model(outputs, [pixels], network.__class__.__name__)


def observed(network: ResNet, transform: Transform) -> tuple[tuple[str, ...], ov.Model]:
    """A float graph that tells its ranges: the points' names, and for each its least and greatest value."""
    pixels, _, points = _write(network, transform, None)
    results = []
    for value in points.values():
        axes = np.arange(len(value.get_output_partial_shape(0)))
        results += [op.reduce_min(value, axes, False), op.reduce_max(value, axes, False)]
    return tuple(points), ov.Model(results, [pixels], "observed")


def _write(
    network: ResNet, transform: Transform, ranges: Ranges | None
) -> tuple[Node, list[Node], dict[str, Node]]:
    write = _Writer(ranges)
    pixels = op.parameter([1, transform.crop, transform.crop, 4], np.uint8, name="pixels")
    x = write.point("stem", op.relu(write.stem(pixels, transform, network.conv1, network.bn1)))
    x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
    for name, block in _blocks(network):
        x = _block(write, name, block, x)
    features = op.reduce_mean(x, np.array([2, 3]), False)
    x = write.point("pooled", features)
    weight, bias = (_values(tensor, np.float32) for tensor in (network.fc.weight, network.fc.bias))
    scores = op.add(op.matmul(x, write.weight(weight), False, True), bias[None])
    return pixels, [scores, features], write.points


def _blocks(network: ResNet) -> Iterator[tuple[str, nn.Module]]:
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        for number, block in enumerate(network.get_submodule(stage).children()):
            yield f"{stage}.{number}", block


def _block(write: _Writer, name: str, block: Any, x: Node) -> Node:
    """A residual block of either kind."""
    pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
    if hasattr(block, "conv3"):
        pairs.append((block.conv3, block.bn3))
    y = x
    for number, (convolution, norm) in enumerate(pairs, 1):
        y = write.convolution(y, convolution, norm)
        if number < len(pairs):
            y = write.point(f"{name}.{number}", op.relu(y))
    if block.downsample is None:
        y, shortcut = write.point(f"{name}.{len(pairs)}", y), x
    else:
        shortcut = write.point(f"{name}.shortcut", write.convolution(x, *block.downsample))
    return write.point(name, op.relu(op.add(y, shortcut)))


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias of a convolution and its norm in one: w·g/√(v+ε) and b − m·g/√(v+ε)."""
    gamma, beta, mean, variance = (
        _values(tensor, np.float64)
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    scale = gamma / np.sqrt(variance + norm.eps)
    return _values(convolution.weight, np.float64) * scale[:, None, None, None], beta - mean * scale


def _rounded(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Steps from -127 to 127, and the size of a step for each output channel."""
    greatest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.maximum(greatest, np.finfo(np.float32).tiny) / np.float32(127)
    return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale.astype(np.float32)


def _values(tensor: Any, kind: type[np.floating[Any]]) -> NDArray[Any]:
    values: NDArray[Any] = tensor.detach().cpu().numpy().astype(kind)
    return values
