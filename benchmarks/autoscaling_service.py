"""How long this project's own request path takes for one picture, with all cores busy at it."""

from __future__ import annotations

import io
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import harness

SIZE = (500, 375)
PICTURES = 400
TRANSFORM: dict[str, Any] = {
    "resize": 256,
    "resize_mode": "shorter",
    "crop": 224,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}


def seconds_per_picture(workers: int) -> float:
    """Seconds one of `workers` threads takes from a JPEG's bytes to scores, all of them working.

    The model is the serving form that training writes for a ResNet-18 (int8), with random weights: they
    change nothing in the time. HTTP is not in it (benchmarks/serving.py has that).
    """
    sys.path.insert(0, str(harness.ROOT / "inference_code"))
    import picture

    transform = picture.Transform(**TRANSFORM)
    jpeg, graph = _photo(), _int8_graph()
    local = threading.local()

    def one(_: int) -> None:
        if not hasattr(local, "request"):
            local.request = graph.create_infer_request()
        pixels = transform.pixels(picture.read(jpeg, 40_000_000).decoded(transform.enough))
        local.request.infer([pixels[None]], share_inputs=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(20)))
        began = time.perf_counter()
        list(pool.map(one, range(PICTURES)))
        return (time.perf_counter() - began) * workers / PICTURES


def _int8_graph() -> Any:
    """A compiled ResNet-18, its ranges read off noise; as many streams as there are callers."""
    import openvino
    import torch

    from training_code import serving_graph
    from training_code.pictures import Transform
    from training_code.resnet import resnet

    torch.manual_seed(0)
    network, transform = resnet("resnet18", 10).eval(), Transform.of_size(224)
    names, observed = serving_graph.observed(network, transform)
    noise = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 4), np.uint8)
    seen = [float(value) for value in openvino.compile_model(observed, "CPU")([noise]).to_tuple()]
    ranges = dict(zip(names, zip(seen[0::2], seen[1::2], strict=True), strict=True))
    graph = serving_graph.graph(network, transform, ranges)
    return openvino.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})


def _photo() -> bytes:
    """A picture with structure at every scale, as photos have: it compresses and decodes like one."""
    rng = np.random.default_rng(0)
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for power in range(2, 8):
        grain = Image.fromarray(rng.integers(0, 256, (2**power, 2**power, 3), dtype=np.uint8))
        picture += np.asarray(grain.resize(SIZE, Image.Resampling.BICUBIC), np.float32) / 2 ** (power - 1)
    out = io.BytesIO()
    Image.fromarray((picture / picture.max() * 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()
