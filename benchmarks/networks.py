"""The networks of docs/networks.md in the serving form: milliseconds and megabytes, on one core.

`make bench NAME=networks` converts and quantises each as a training job does, with weights nobody trained
(speed and size do not depend on them), writes the form, and asks all of them in turns: one square at a time,
without decoding a picture. ARGS="names" takes other networks of timm's.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
import torch
from numpy.typing import NDArray

from benchmarks import harness
from contract import networks
from contract.pictures.transform import Transform
from training_code.evaluation import openvino_graph, serving_graph
from training_code.network.fresh import fresh

CLASSES: Final = 120
TURNS: Final = 50
LARGEST: Final = 300
"""Pixels: a network made for larger pictures is measured at 224, as it would be fine-tuned."""


def main(names: list[str]) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    asked: dict[str, tuple[Any, NDArray[np.uint8]]] = {}
    rows: dict[str, dict[str, harness.Number]] = {}
    for name in names or networks.ARCHITECTURES:
        own = networks.backbone(name)
        side = own.size if own.size <= LARGEST else 224
        network = fresh(name, CLASSES, side).eval()
        random = np.random.default_rng(0)
        squares = random.integers(0, 256, (8, 1, side, side, 4), np.uint8)
        begun = time.perf_counter()
        plain = serving_graph.graph(network, Transform.of(name, side))
        form = openvino_graph.quantised(plain, squares, 1)
        seconds = time.perf_counter() - begun
        rows[name] = {
            "system": name,
            "pixels": side,
            "million_parameters": round(sum(each.numel() for each in network.parameters()) / 1e6, 2),
            "mb": _megabytes(form),
            "seconds_to_make": round(seconds, 1),
        }
        asked[name] = (openvino_graph.compiled(form, "int8", 1).create_infer_request(), squares[0])
    for name, milliseconds in _in_turns(asked).items():
        rows[name] |= {
            "ms": round(statistics.median(milliseconds), 2),
            "least_ms": round(min(milliseconds), 2),
        }
    harness.publish("networks", list(rows.values()), {"classes": CLASSES, "turns": TURNS})


def _megabytes(form: Any) -> float:
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(openvino_graph.of(form, 1), f"{folder}/model.xml", compress_to_fp16=False)
        return round(sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6, 2)


def _in_turns(asked: dict[str, tuple[Any, NDArray[np.uint8]]]) -> dict[str, list[float]]:
    """Milliseconds of each turn of each network."""
    took: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(TURNS + 3):
        for name, (request, square) in asked.items():
            begun = time.perf_counter()
            request.infer([square], share_inputs=True)
            if turn >= 3:  # the first ones take memory
                took[name].append((time.perf_counter() - begun) * 1000)
    return took


if __name__ == "__main__":
    main(sys.argv[1:])
