"""A network's OpenVINO graph on this machine: rounded to 8 bits by pictures, compiled, and asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from training_code.data.batches import Batches
from training_code.stopping import StopSignal

CALIBRATION_PICTURES: Final = 128
"""More of them move the ranges of a ResNet by less than a rounding step (NNCF takes 300 for all networks)."""


def quantised(plain: Any, pictures: Iterable[NDArray[np.uint8]], threads: int) -> Any:
    """The graph in 8 bits, its ranges read off these pictures."""
    from training_code.evaluation import quantise

    names, observed = quantise.observed(plain)
    request = compiled(observed, "f32", threads).create_infer_request()
    found: list[list[NDArray[np.float32]]] = [[] for _ in range(3 * len(names))]
    for pixels in pictures:
        for values, value in zip(found, request.infer([pixels], share_inputs=True).to_tuple(), strict=True):
            values.append(np.array(value))
    # The extremes of all pictures, nothing clipped: on CIFAR-10 the means of the pictures' extremes, NNCF's
    # default, moved single probabilities by up to 0.80, these by 0.10.
    seen = {
        name: quantise.Seen(
            least=float(np.min(least)),
            greatest=float(np.max(greatest)),
            means=np.stack(means).astype(np.float64).mean(0),
        )
        for name, least, greatest, means in zip(names, found[0::3], found[1::3], found[2::3], strict=True)
    }
    return quantise.quantised(plain, seen)


def of(graph: Any, squares: int) -> Any:
    """The graph for so many squares at once."""
    graph = graph.clone()
    graph.reshape([squares, *list(graph.inputs[0].get_partial_shape())[1:]])
    return graph


def compiled(graph: Any, precision: str, threads: int, squares: int = 1) -> Any:
    """The graph for so many squares at once, ready to answer one request as fast as these threads can."""
    import openvino

    hints = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # int8 leaves little between its convolutions; bf16 there is emulated where the CPU has none.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
    }
    return openvino.Core().compile_model(of(graph, squares), "CPU", hints)


def calibration(
    train: Batches, stop: StopSignal, most: int = CALIBRATION_PICTURES
) -> Iterator[NDArray[np.uint8]]:
    """Squares (1, crop, crop, 4) of training pictures, evenly from all classes, as evaluation sees them."""
    split, side = train.split, train.transform.crop
    count = min(most, len(split))
    margin = split.images.margin
    # Rows are sorted by class, so even steps through them meet every class.
    for place in torch.linspace(0, len(split) - 1, count).round().long():
        stop.check()
        square = split.images.pick(place[None])[:, margin : margin + side, margin : margin + side]
        yield opaque(square)


def opaque(squares: torch.Tensor) -> NDArray[np.uint8]:
    """Squares, uint8 RGB (n, side, side, 3), as the graph takes them: RGBA, alpha 255."""
    alpha = torch.full_like(squares[..., :1], 255)
    return torch.cat([squares, alpha], 3).numpy()


def said(result: Any) -> list[NDArray[np.float32]]:
    """The graph's outputs: class scores, and the head's input where it tells it."""
    return [result[place] for place in range(len(result))]


def queue(graph: Any, cores: int) -> Any:
    """Requests of one square each that run beside each other, one on each core."""
    import openvino

    hints = {"INFERENCE_NUM_THREADS": cores, "NUM_STREAMS": cores, "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.AsyncInferQueue(openvino.Core().compile_model(of(graph, 1), "CPU", hints), cores)
