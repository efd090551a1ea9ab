"""Layers whose products are as large as 8 bits allow, computed with only some of the CPU's instructions.

oneDNN reads `ONEDNN_MAX_CPU_ISA` when it starts, so a test runs this module and reads what it prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as op

from training_code.evaluation import openvino_graph

SIDE = 6
SIDES: dict[str, Any] = {"strides": [1, 1], "pads_begin": [0, 0], "pads_end": [0, 0], "dilations": [1, 1]}
LAYERS = ("Convolution", "FullyConnected", "MatMul")


def main() -> None:
    """Print for each layer how far its greatest error is from the greatest answer, and what computed it."""
    random = np.random.default_rng(0)
    told = {}
    for name, shape, layer in layers(random):
        taken = op.parameter(shape, np.float32)
        plain = openvino.Model([layer(taken)], [taken], "one")
        for signs, least in {"unsigned": 0, "signed": -256}.items():
            values = random.integers(least + 180, 256 + least // 2, (8, *shape)).astype(np.float32)
            values[0].flat[0] = least // 2
            told[f"{name}, {signs}"] = judged(plain, values)
    print(json.dumps(told))


def layers(random: np.random.Generator) -> Iterator[tuple[str, tuple[int, ...], Callable[[Any], Any]]]:
    """What to call each, the shape it takes, and how it is made of what it takes."""

    def weights(*shape: int) -> Any:
        return op.constant(random.uniform(0.6, 1, shape).astype(np.float32))

    for channels, kernel in ((3, 3), (64, 1), (64, 3), (37, 3)):
        weight = weights(32, channels, kernel, kernel)
        convolution = partial(op.convolution, filters=weight, **SIDES)
        yield f"{kernel} x {kernel} of {channels} channels", (1, channels, SIDE, SIDE), convolution
    for channels in (6, 16):
        convolution = partial(op.group_convolution, filters=weights(4, channels, channels, 3, 3), **SIDES)
        yield f"four groups of {channels} channels", (1, 4 * channels, SIDE, SIDE), convolution
    convolution = partial(op.group_convolution, filters=weights(32, 1, 1, 5, 5), **SIDES)
    yield "a filter for each channel", (1, 32, SIDE, SIDE), convolution
    product = partial(op.matmul, data_b=weights(32, 64), transpose_a=False, transpose_b=True)
    yield "linear", (1, SIDE, 64), product


def judged(plain: Any, values: Any) -> dict[str, Any]:
    exact = openvino_graph.compiled(plain, "f32", 1)
    rounded = openvino_graph.compiled(openvino_graph.quantised(plain, values, 1), "int8", 1)
    said = [(exact([each])[0].copy(), rounded([each])[0].copy()) for each in values]
    off = max(float(np.abs(ours - theirs).max() / np.abs(ours).max()) for ours, theirs in said)
    nodes = [each.get_rt_info() for each in rounded.get_runtime_model().get_ordered_ops()]
    (node,) = (each for each in nodes if each["layerType"].astype(str) in LAYERS)
    return {"off": off} | {name: node[name].astype(str) for name in ("primitiveType", "runtimePrecision")}


if __name__ == "__main__":
    main()
