"""Layers whose products are as large as 8 bits allow, computed with only some of the CPU's instructions.

oneDNN reads `ONEDNN_MAX_CPU_ISA` when it starts, so a test runs this module and reads what it prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as op

from training_code.evaluation import openvino_graph

SIDE = 6
ONCE, NO_MARGIN = [1, 1], [0, 0]


def main() -> None:
    """Print for each layer how far its greatest error is from the greatest answer, and what computed it."""
    random = np.random.default_rng(0)
    told = {}
    for name, layer, shape in layers(random):
        for signs, least in {"unsigned": 0, "signed": -256}.items():
            values = random.integers(least + 180, 256 + least // 2, (8, *shape)).astype(np.float32)
            values[0].flat[0] = least // 2
            told[f"{name}, {signs}"] = judged(openvino.Model(*layer(shape)), values)
    print(json.dumps(told))


def layers(random: np.random.Generator) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    def weights(*shape: int) -> Any:
        return op.constant(random.uniform(0.6, 1, shape).astype(np.float32))

    def convolution(make: Any, weight: Any) -> Any:
        def layer(shape: tuple[int, ...]) -> Any:
            values = op.parameter(shape, np.float32)
            return [make(values, weight, ONCE, NO_MARGIN, NO_MARGIN, ONCE)], [values], "one"

        return layer

    def product(shape: tuple[int, ...]) -> Any:
        values = op.parameter(shape, np.float32)
        return [op.matmul(values, weights(32, 64), False, True)], [values], "one"

    for channels, kernel in ((3, 3), (64, 1), (64, 3), (37, 3)):
        layer = convolution(op.convolution, weights(32, channels, kernel, kernel))
        yield f"{kernel} x {kernel} of {channels} channels", layer, (1, channels, SIDE, SIDE)
    for channels in (6, 16):
        layer = convolution(op.group_convolution, weights(4, channels, channels, 3, 3))
        yield f"four groups of {channels} channels", layer, (1, 4 * channels, SIDE, SIDE)
    layer = convolution(op.group_convolution, weights(32, 1, 1, 5, 5))
    yield "a filter for each channel", layer, (1, 32, SIDE, SIDE)
    yield "linear", product, (1, SIDE, 64)


def judged(plain: Any, values: Any) -> dict[str, Any]:
    exact = openvino_graph.compiled(plain, "f32", 1)
    rounded = openvino_graph.compiled(openvino_graph.quantised(plain, values, 1), "int8", 1)
    said = [(exact([each])[0].copy(), rounded([each])[0].copy()) for each in values]
    off = max(float(np.abs(ours - theirs).max() / np.abs(ours).max()) for ours, theirs in said)
    (node,) = (
        each.get_rt_info()
        for each in rounded.get_runtime_model().get_ordered_ops()
        if each.get_rt_info()["layerType"].astype(str) in ("Convolution", "FullyConnected", "MatMul")
    )
    return {"off": off} | {
        name: node[f"{name}Type" if name == "primitive" else name].astype(str)
        for name in ("primitive", "runtimePrecision")
    }


if __name__ == "__main__":
    main()
