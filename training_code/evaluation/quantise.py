"""A float graph in 8 bits, as OpenVINO's CPU plugin runs convolutions and linear layers on integers.

Weights are symmetric with one scale per output channel, activations have one scale per tensor, unsigned where
nothing is below zero (Krishnamoorthi 2018, arXiv 1806.08342). Where a block adds two branches one of them is
rounded, too: the convolution of the other then adds it while it writes its result, and no float goes through
memory. What rounded weights shift the mean output by is taken off the bias (Nagel 2019, arXiv 1906.04721).

Not every CPU has instructions for it (VNNI: Intel's since Cascade Lake, AMD's since Zen 4). Others, Skylake
among them, add the products of two neighbouring channels in 16 bits, and what is more is cut off in silence
(oneDNN's developer guide, "Nuances of int8 computations"). So the weights of two neighbours come to no more
than 16 bits hold, and a graph answers the same wherever it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino.opset13 as op
from numpy.typing import NDArray

from training_code.evaluation.serving_graph import CONVOLUTIONS, SHAPING, Node, Values, constant

_LEAST_GREATEST: Final = 1e-6
"""A range must have a width; a point that is always 0 gets this one."""
_STEPS: Final = 127
"""To each side of 0. Two neighbours' come to 128 at most, as each is rounded: 255 * 128 is within 16 bits."""
_LAYERS: Final = (*CONVOLUTIONS, "MatMul")
_CHANNELS_FIRST: Final = (*CONVOLUTIONS, "ReduceMean")

Means = NDArray[np.float64]
"""Of each channel."""


@dataclass(frozen=True)
class Seen:
    """What a point of the graph takes over all pictures: the extremes, and the mean of each channel."""

    least: float
    greatest: float
    means: Means


def observed(model: ov.Model) -> tuple[tuple[str, ...], ov.Model]:
    """A float graph that tells what its points take: their names, and of each least, greatest and means."""
    model = model.clone()
    names, results = [], []
    for name, (value, layers) in _points(model).items():
        rank = len(value.get_partial_shape())
        every = np.arange(rank)
        takers = (*layers, value.get_node())
        channels = 1 if any(each.get_type_name() in _CHANNELS_FIRST for each in takers) else rank - 1
        names.append(name)
        results += [
            op.reduce_min(value, every, False),
            op.reduce_max(value, every, False),
            op.reduce_mean(value, np.delete(every, channels), False),
        ]
    return tuple(names), ov.Model(results, model.get_parameters(), "observed")


def quantised(model: ov.Model, seen: Mapping[str, Seen]) -> ov.Model:
    """The graph in 8 bits."""
    model = model.clone()
    points = _points(model)
    for name, (_, layers) in points.items():
        for layer in layers:
            _round_weights(layer, seen[name].means)
    for name, (value, _) in points.items():
        consumers = [each for each in value.get_target_inputs() if not _only_tells(each.get_node())]
        rounded = op.fake_quantize(value, *_bounds(seen[name], value), 256)
        for each in consumers:
            each.replace_source_output(rounded.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _layers(model: ov.Model) -> Iterator[Node]:
    """The convolutions and linear layers, in the order of the graph."""
    return (
        each
        for each in model.get_ordered_ops()
        if each.get_type_name() in _LAYERS and constant(each.input_value(1)) is not None
    )


def _points(model: ov.Model) -> dict[str, tuple[Node, list[Node]]]:
    """Where activations are rounded: by name, the value and the layers that take it."""
    points: dict[str, tuple[Node, list[Node]]] = {}
    for layer in _layers(model):
        if not _is_small(layer):
            value = _before_pooling(layer.input_value(0))
            if (mean := _mean_over_places(value)) is not None:
                value, places = mean.output(0), mean.input_value(0)
                points.setdefault(_name(places), (places, []))  # of bytes the mean is taken faster
            points.setdefault(_name(value), (value, []))[1].append(layer)
    for each in model.get_ordered_ops():
        if each.get_type_name() == "Add":
            values = [each.input_value(0), each.input_value(1)]
            if any(constant(value) is not None for value in values):
                continue
            of_convolution = [value for value in values if _of_convolution(value)]
            if of_convolution:
                points.setdefault(_name(of_convolution[-1]), (of_convolution[-1], []))
    return points


def _before_pooling(value: Node) -> Node:
    """The greatest of rounded numbers is the rounded greatest: pooling then reads bytes."""
    while value.get_node().get_type_name() == "MaxPool" and value.get_index() == 0:
        value = value.get_node().input_value(0)
    return value


def _mean_over_places(value: Node) -> Node | None:
    """The node that takes the mean over all places, if that is what this value is."""
    node = value.get_node()
    while node.get_type_name() in SHAPING:
        node = node.input_value(0).get_node()
    is_mean = node.get_type_name() == "ReduceMean" and len(node.get_output_partial_shape(0)) == 4
    takers = [each.get_node() for each in node.output(0).get_target_inputs()] if is_mean else []
    return node if len([each for each in takers if not _only_tells(each)]) == 1 else None


def _only_tells(node: Node) -> bool:
    """Whether a node leads to the graph's outputs and nowhere else: what is told is told unrounded."""
    if node.get_type_name() == "Result":
        return True
    takers = [each.get_node() for each in node.output(0).get_target_inputs()]
    return node.get_type_name() in SHAPING and all(map(_only_tells, takers))


def _of_convolution(value: Node) -> bool:
    node = value.get_node()
    if node.get_type_name() == "Add" and constant(node.input_value(1)) is not None:
        node = node.input_value(0).get_node()
    return node.get_type_name() in CONVOLUTIONS


def _is_small(layer: Node) -> bool:
    """Whether it works on one pooled pixel: a gate, of no work, whose rounding would be seen.

    Its weights stay floats, too: OpenVINO 2026.4 computes convolutions in floats with 8-bit weights wrongly,
    now and then, where a model is compiled for several streams.
    """
    if layer.get_type_name() not in CONVOLUTIONS:
        return False
    node = layer
    while _is_one_place(node):
        if node.get_type_name() == "ReduceMean":
            return True
        if not node.inputs():
            return False
        node = node.input_value(0).get_node()
    return False


def _is_one_place(node: Node) -> bool:
    """Whether a node gives one number of each channel, as a map of one place."""
    shape = [str(each) for each in node.get_output_partial_shape(0)]
    return len(shape) == 4 and shape[2:] == ["1", "1"]


def _name(value: Node) -> str:
    return f"{value.get_node().get_friendly_name()}:{value.get_index()}"


def _bounds(seen: Seen, value: Node) -> Sequence[np.float32]:
    if value.get_node().get_type_name() == "Transpose" and _is_pixels(value):
        return [np.float32(each) for each in (0, 255, 0, 255)]  # 8-bit numbers as they are
    if seen.least >= 0:
        low, high = 0.0, max(seen.greatest, _LEAST_GREATEST)
    else:  # signed: -128 to 127 steps, so that 0 is one of them
        step = max(-seen.least / 128, seen.greatest / 127)
        low, high = -128 * step, 127 * step
    return [np.float32(each) for each in (low, high, low, high)]


def _is_pixels(value: Node) -> bool:
    source = value.get_node().input_value(0).get_node()
    return bool(
        source.get_type_name() == "Convert"
        and source.input_value(0).get_node().get_type_name() == "Parameter"
    )


def _round_weights(layer: Node, means: Means) -> None:
    """Weights as 8-bit integers with a scale per output; what that shifts the mean output by is taken off."""
    weight = constant(layer.input_value(1))
    assert weight is not None  # noqa: S101 (of `_layers`)
    weight = weight.astype(np.float32)
    kind = layer.get_type_name()
    attributes = layer.get_attributes()
    outputs: tuple[int, ...]
    if kind == "Convolution":
        outputs, inputs = (0,), 1
    elif kind == "GroupConvolution":
        outputs, inputs = (0, 1), 2
    else:
        rows, columns = weight.ndim - 2, weight.ndim - 1
        outputs, inputs = ((rows,), columns) if attributes["transpose_b"] else ((columns,), rows)
    steps, scale = _rounded(weight, outputs, inputs)
    rounded = op.multiply(op.convert(op.constant(steps), "f32"), op.constant(scale))
    layer.input(1).replace_source_output(rounded.output(0))
    _take_off(layer, _shift(kind, steps * scale - weight, means, attributes), kind)


def _shift(kind: str, off: Values, means: Means, attributes: Mapping[str, Any]) -> Means:
    """By how much weights that are `off` move each output for the mean input."""
    exact = off.astype(np.float64)
    if kind == "GroupConvolution":
        groups, _, inputs = off.shape[:3]
        by_group = np.einsum("goi,gi->go", exact.sum((3, 4)), means.reshape(groups, inputs))
        shift: Means = by_group.ravel()
    elif kind == "Convolution":
        shift = exact.sum((2, 3)) @ means
    else:
        shift = exact @ means if attributes["transpose_b"] else means @ exact
    return shift


def _take_off(layer: Node, shift: Means, kind: str) -> None:
    shaped = shift.reshape(1, -1, 1, 1) if kind in CONVOLUTIONS else shift
    consumers = list(layer.output(0).get_target_inputs())
    if len(consumers) == 1 and (node := consumers[0].get_node()).get_type_name() == "Add":
        other = 1 - consumers[0].get_index()
        bias = constant(node.input_value(other))
        if bias is not None and bias.size == shift.size:
            new = op.constant((bias - shaped.reshape(bias.shape)).astype(np.float32))
            node.input(other).replace_source_output(new.output(0))
            return
    corrected = op.add(layer, op.constant((-shaped).astype(np.float32)))
    for each in consumers:
        each.replace_source_output(corrected.output(0))


def _rounded(values: Values, outputs: Sequence[int], inputs: int) -> tuple[NDArray[np.int8], Values]:
    """Steps from -127 to 127, and the size of a step for each output; by the axes of outputs and inputs."""
    others = tuple(axis for axis in range(values.ndim) if axis not in outputs)
    greatest = _together(values, inputs).max(axis=others, keepdims=True)
    scale = np.maximum(greatest, np.finfo(np.float32).tiny) / np.float32(_STEPS)
    return np.rint(values / scale).clip(-_STEPS, _STEPS).astype(np.int8), scale.astype(np.float32)


def _together(values: Values, inputs: int) -> Values:
    """What the weights of two neighbouring inputs come to, of one sign; without a neighbour, the one."""
    signs = values.clip(min=0), -values.clip(max=0)
    above, below = (np.add.reduceat(each, range(0, values.shape[inputs], 2), axis=inputs) for each in signs)
    greater: Values = np.maximum(above, below)
    return greater
