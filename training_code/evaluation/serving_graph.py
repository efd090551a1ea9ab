"""The network as an OpenVINO graph from pixels to scores: what an endpoint without a GPU serves.

The graph takes the pixels of one square as Pillow gives them (uint8, height, width, RGBA). The normalisation
goes into the first convolution: alpha is 255 in the square and 0 in the padding around it, and its weights
take the mean away where there is picture. OpenVINO's own conversion folds batch norms into convolutions.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino.opset13 as op
import torch
from numpy.typing import NDArray
from openvino.passes import ConstantFolding, Manager

from contract.pictures.transform import Transform
from training_code.network.network import Network, WithFeatures

CONVOLUTIONS: Final = ("Convolution", "GroupConvolution")
SHAPING: Final = ("Reshape", "Squeeze", "Unsqueeze")

Node = Any
"""openvino.Node and openvino.Output; the package's own type hints do not name what its operators return."""
Values = NDArray[np.float32]


def graph(network: Network, transform: Transform) -> ov.Model:
    """From RGBA pixels, uint8 (n, crop, crop, 4), alpha 255, to class scores, float32 (n, classes), and what
    goes into the head, float32 (n, features).

    A head that is not one layer tells no features.
    """
    side = transform.crop
    plain = copy.deepcopy(network.plain).cpu().float().eval()
    module = WithFeatures(plain, network.head_names)
    picture = torch.zeros(1, 3, side, side)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what tracing takes for constant: a picture's size is
        # The check would import half of PyTorch's compiler; the validation split is a better one.
        traced = torch.jit.trace(module, picture, check_trace=False)  # type: ignore[no-untyped-call]
        model = ov.convert_model(traced, input=[-1, 3, side, side])
    for result in model.get_results()[1:]:
        _tell_apart(result)
    folding = Manager()
    folding.register_pass(ConstantFolding())  # paddings that were computed from the picture's size
    folding.run_passes(model)
    return _with_pixels(model, transform)


def constant(value: Node) -> NDArray[Any] | None:
    """The numbers of a constant; None of anything else."""
    node = value.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.data if node.get_type_name() == "Constant" else None


def _tell_apart(result: Node) -> None:
    """Take what is told from before it was shaped for the head: its rounding is the head's alone."""
    value = result.input_value(0)
    while value.get_node().get_type_name() in SHAPING:
        value = value.get_node().input_value(0)
    rows = op.reshape(value, np.array([0, -1]), special_zero=True)
    result.input(0).replace_source_output(rows.output(0))


def _with_pixels(model: ov.Model, transform: Transform) -> ov.Model:
    """The graph of normalised pictures (n, 3, side, side) as one of pixels, uint8 RGBA (n, side, side, 4)."""
    side = transform.crop
    old = model.get_parameters()[0]
    pixels = op.parameter([-1, side, side, 4], np.uint8, name="pixels")
    picture = op.transpose(op.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
    consumers = list(old.output(0).get_target_inputs())
    for each in consumers:
        _fold_pad(each.get_node())
    consumers = list(old.output(0).get_target_inputs())
    if all(_is_first(each.get_node()) for each in consumers):
        for each in consumers:
            _take_alpha(each.get_node(), picture, transform)
    else:
        mean, std = (np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (transform.mean, transform.std))
        colours = op.slice(picture, np.array([0]), np.array([3]), np.array([1]), np.array([1]))
        normalised = op.divide(op.subtract(colours, 255 * mean), 255 * std)
        for each in consumers:
            each.replace_source_output(normalised.output(0))
    model.add_parameters([pixels])
    model.remove_parameter(old)
    for node in model.get_ordered_ops():
        _fold_pad(node)
    model.validate_nodes_and_infer_types()
    return model


def _is_first(node: Node) -> bool:
    return node.get_type_name() == "Convolution" and constant(node.input_value(1)) is not None


def _take_alpha(convolution: Node, picture: Node, transform: Transform) -> None:
    """Fold the normalisation (p/255 − m)/s into the convolution.

    Over the square, Σ w(p/255 − m)/s = Σ vp − Σ vm·255 with v = w/255s: the second sum is that of alpha,
    255 there, with the weight −Σ vm over the colours.
    """
    weight = constant(convolution.input_value(1))
    assert weight is not None  # noqa: S101 (of `_is_first`)
    mean, std = (np.array(v, np.float64).reshape(1, 3, 1, 1) for v in (transform.mean, transform.std))
    folded = weight.astype(np.float64) / (255 * std)
    folded = np.concatenate([folded, -(folded * mean).sum(1, keepdims=True)], 1).astype(np.float32)
    convolution.input(0).replace_source_output(picture.output(0))
    convolution.input(1).replace_source_output(op.constant(folded).output(0))


def _fold_pad(node: Node) -> None:
    """Let a convolution pad with zeros itself, where a node before it does."""
    if node.get_type_name() == "Pad":
        for each in list(node.output(0).get_target_inputs()):
            _fold_pad(each.get_node())
        return
    if node.get_type_name() not in CONVOLUTIONS:
        return
    pad = node.input_value(0).get_node()
    if pad.get_type_name() != "Pad" or pad.get_attributes()["pad_mode"] != "constant":
        return
    begin, end = (constant(pad.input_value(place)) for place in (1, 2))
    filling = constant(pad.input_value(3)) if len(pad.inputs()) > 3 else np.zeros(1)
    if begin is None or end is None or filling is None or filling.any() or begin[:2].any() or end[:2].any():
        return
    attributes = node.get_attributes()
    kind = op.convolution if node.get_type_name() == "Convolution" else op.group_convolution
    padded = kind(
        pad.input_value(0),
        node.input_value(1),
        attributes["strides"],
        [a + b for a, b in zip(attributes["pads_begin"], begin[2:].tolist(), strict=True)],
        [a + b for a, b in zip(attributes["pads_end"], end[2:].tolist(), strict=True)],
        attributes["dilations"],
    )
    padded.set_friendly_name(node.get_friendly_name())
    for each in list(node.output(0).get_target_inputs()):
        each.replace_source_output(padded.output(0))
