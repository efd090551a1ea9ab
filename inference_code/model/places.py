"""What each place of the last feature map adds to each class score, of the OpenVINO form's own graph.

The graph's head is put upon the feature map instead of its mean. Which network it is plays no part: from the
scores back there has to be one linear layer, then the mean over all places.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import openvino
import openvino.opset13 as op

from contract.answers.explanation import NOT_LINEAR, NOT_POOLED, ONE_PLACE, NotExplained

_SHAPING: Final = ("Reshape", "Squeeze", "Unsqueeze")
_ROUNDING: Final = "FakeQuantize"
_CHANNELS_FIRST, _CHANNELS_LAST = {2, 3}, {1, 2}
"""The axes of the places."""

Node = Any
"""openvino.Node and openvino.Output; the package's own type hints do not name what its operators return."""


def by_place(model: openvino.Model) -> openvino.Model:
    """The same graph, told to give what each place adds to each score: float32 (height, width, classes).

    Args:
        model: its first output are the scores of one picture, (1, classes).

    Raises:
        NotExplained: it has no places, or its head is more than they can have a share in.
    """
    layer = _head(model.get_results()[0].input_value(0))
    mean = _mean(layer.input_value(0))
    places = mean.input_value(0)
    first = _axes(mean) == _CHANNELS_FIRST
    shape = list(places.get_partial_shape().to_shape())
    height, width = shape[2:] if first else shape[1:3]
    if height * width == 1:
        raise NotExplained(ONE_PLACE)
    if not first:
        places = op.transpose(places, np.array([0, 3, 1, 2])).output(0)
    weights = layer.input_value(1)
    if layer.get_type_name() == "MatMul":
        if not layer.get_attributes()["transpose_b"]:
            weights = op.transpose(weights, np.array([1, 0])).output(0)
        weights = op.unsqueeze(weights, np.array([2, 3])).output(0)
    scores = op.convolution(places, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    told = op.squeeze(op.transpose(scores, np.array([0, 2, 3, 1])), np.array([0]))
    return openvino.Model([told], model.get_parameters(), "by_place")


def _head(scores: Node) -> Node:
    """The linear layer that gives these scores.

    Raises:
        NotExplained: they come of something else.
    """
    node = _source(scores, _SHAPING)
    if node.get_type_name() == "Add":
        fixed = [_is_fixed(node.input_value(place)) for place in (0, 1)]
        if any(fixed):
            node = _source(node.input_value(fixed.index(False) if False in fixed else 0), _SHAPING)
    kind = node.get_type_name()
    is_linear = kind == "MatMul" and not node.get_attributes()["transpose_a"]
    if not (is_linear or kind == "Convolution") or not _is_fixed(node.input_value(1)):
        raise NotExplained(NOT_LINEAR)
    return node


def _mean(pooled: Node) -> Node:
    """The mean over places that goes into the head.

    Raises:
        NotExplained: something else goes into it.
    """
    node = _source(pooled, (*_SHAPING, _ROUNDING))
    if _is_mean(node):
        return node
    while len(node.inputs()) and all(_is_fixed(each.get_source_output()) for each in node.inputs()[1:]):
        node = node.input_value(0).get_node()
        if _is_mean(node):
            raise NotExplained(NOT_LINEAR)
    raise NotExplained(NOT_POOLED)


def _is_mean(node: Node) -> bool:
    if node.get_type_name() != "ReduceMean" or len(node.input_value(0).get_partial_shape()) != 4:
        return False
    return _axes(node) in (_CHANNELS_FIRST, _CHANNELS_LAST)


def _axes(mean: Node) -> set[int]:
    constant = mean.input_value(1).get_node()
    if constant.get_type_name() != "Constant":
        return set()
    return {int(axis) % 4 for axis in np.ravel(constant.data)}


def _source(value: Node, passing: tuple[str, ...]) -> Node:
    """The node behind those that only pass a value on."""
    node = value.get_node()
    while node.get_type_name() in passing:
        node = node.input_value(0).get_node()
    return node


def _is_fixed(value: Node) -> bool:
    """Whether it is the same for every picture."""
    found, met = [value.get_node()], set[str]()
    while found:
        node = found.pop()
        if node.get_type_name() == "Parameter":
            return False
        if node.get_name() not in met:
            met.add(node.get_name())
            found += [each.get_source_output().get_node() for each in node.inputs()]
    return True
