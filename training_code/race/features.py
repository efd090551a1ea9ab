"""What a network says of all pictures before its head, and how quickly it says that in the serving form."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from contract.artifact import GRAPH
from training_code.data.batches import Batches
from training_code.evaluation import openvino_graph, serving_graph
from training_code.evaluation.outputs import of_network
from training_code.log import say
from training_code.network.network import Network
from training_code.stopping import StopSignal

Features = NDArray[np.float16]
_CALIBRATION: Final = 32
"""Pictures that ranges are read off: a quarter of what the model that serves gets."""
_ALIKE: Final = 0.9
"""Cosine between what the float graph and the one in 8 bits say, on average; below it the float one is taken,
as it probably would be for serving."""
_TIMED: Final = 40
"""Single requests whose median is the network's time."""
_LARGEST_HALF: Final = 65504.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """All features, and the figures of the form that told them.

    Attributes:
        features: (n, width), of the parts in a row.
        precision: `int8` or `f32`; empty where PyTorch told them.
        ms: of one picture on one core; None where there is no serving form.
        mb: of the serving form.
        seconds: that all cores took to answer all pictures, decoded before; None where PyTorch did.
    """

    features: Features
    precision: str = ""
    ms: float | None = None
    mb: float | None = None
    seconds: float | None = None


class NoFeatures(Exception):
    """The network has no single layer as its head, so that nothing tells its features."""


def told(network: Network, parts: Sequence[Batches], stop: StopSignal) -> Told:
    """Ask the network of all pictures: on a CPU in its serving form, on a GPU in PyTorch.

    Raises:
        NoFeatures: see there.
        Stopped: the job was told to stop.
    """
    form = _serving_form(network, parts[0], stop)
    if form is not None and parts[0].machine.device.type == "cpu":
        return form.ask(parts, stop)
    found = [of_network(network, part, np.arange(len(part.split)), stop).features for part in parts]
    features = np.concatenate(found)
    if not features.shape[1]:
        raise NoFeatures(f"{type(network).__name__} has no single layer as its head")
    clipped = _halves(features)
    if form is None:
        return Told(features=clipped)
    return Told(features=clipped, precision=form.precision, ms=form.milliseconds(), mb=form.megabytes())


@dataclass(frozen=True)
class _Form:
    graph: Any
    precision: str
    square: NDArray[np.uint8]
    """Some picture, as the graph takes it: (1, side, side, 4)."""

    def milliseconds(self) -> float:
        """The median of one request on one core."""
        request = openvino_graph.compiled(self.graph, "f32", 1).create_infer_request()
        took = []
        for _ in range(_TIMED):
            start = time.perf_counter()
            request.infer([self.square], share_inputs=True)
            took.append((time.perf_counter() - start) * 1000)
        return float(np.median(took))

    def megabytes(self) -> float:
        """Of its files."""
        import openvino

        with tempfile.TemporaryDirectory() as folder:
            openvino.save_model(self.graph, Path(folder) / GRAPH[0], compress_to_fp16=False)
            return sum((Path(folder) / name).stat().st_size for name in GRAPH) / 1e6

    def ask(self, parts: Sequence[Batches], stop: StopSignal) -> Told:
        """All features, a picture per core at a time."""
        threads = parts[0].machine.threads
        queue = openvino_graph.queue(self.graph, threads)
        rows: dict[int, Features] = {}

        def keep(request: Any, place: int) -> None:
            rows[place] = _halves(request.get_output_tensor(1).data[0])

        queue.set_callback(keep)
        start, place = time.perf_counter(), 0
        for part in parts:
            for first in range(0, len(part.split), threads):
                stop.check()
                numbers = torch.arange(first, min(first + threads, len(part.split)))
                squares = openvino_graph.opaque(part.split.images.pick(numbers))
                for each in range(len(squares)):
                    queue.start_async([squares[each : each + 1]], place)
                    place += 1
        queue.wait_all()
        seconds = time.perf_counter() - start
        return Told(
            features=np.stack([rows[each] for each in range(place)]),
            precision=self.precision,
            ms=self.milliseconds(),
            mb=self.megabytes(),
            seconds=seconds,
        )


def _halves(features: NDArray[np.float32]) -> Features:
    return features.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)


def _serving_form(network: Network, train: Batches, stop: StopSignal) -> _Form | None:
    """The network's graph in 8 bits, or in float where that says something else; None without OpenVINO."""
    try:
        import openvino  # noqa: F401 - an image may lack it
    except ImportError:
        return None
    network.eval()
    try:
        plain = serving_graph.graph(network, train.transform)
    except Exception as error:  # of a network that OpenVINO cannot take, PyTorch tells the features
        say(f"  no serving form ({type(error).__name__}: {error}): neither timed nor weighed")
        return None
    if len(plain.outputs) < 2:
        raise NoFeatures("the head is not one layer on pooled features")
    pictures = list(openvino_graph.calibration(train, stop, _CALIBRATION))
    rounded = openvino_graph.quantised(plain, pictures, train.machine.threads)
    likeness = _likeness(plain, rounded, pictures, train.machine.threads)
    if likeness >= _ALIKE:
        return _Form(rounded, "int8", pictures[0])
    say(f"  in 8 bits it says something else (cosine {likeness:.2f}): measured in float")
    return _Form(plain, "f32", pictures[0])


def _likeness(plain: Any, rounded: Any, pictures: Sequence[NDArray[np.uint8]], threads: int) -> float:
    def features(graph: Any) -> NDArray[np.float32]:
        request = openvino_graph.compiled(graph, "f32", threads).create_infer_request()
        return np.concatenate(
            [openvino_graph.said(request.infer([each], share_inputs=True))[1].copy() for each in pictures]
        )

    ours, theirs = features(plain), features(rounded)
    # What all pictures have in common says nothing of how they differ.
    ours, theirs = ours - ours.mean(0), theirs - ours.mean(0)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(1) / np.maximum(lengths, 1e-12)).mean())
