"""The OpenVINO form of a network: the graph that training wrote and judged, on this machine's CPU.

It needs no PyTorch: ready in half a second, 90 MB of memory less. The graph is compiled three times. A
request that is alone gets all cores; requests that come together get one core each, one by one or four at
once, which wastes nothing on cores waiting for each other.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from contract.cores import usable_cores
from inference_code.model.artifact import Artifact, Graph
from inference_code.model.bad_artifact import BadArtifact
from inference_code.model.dynamic_batcher import BATCH, DynamicBatcher, Infer, Scores
from inference_code.model.explanations import Explainer

RGB, RGBA = 3, 4

Network = Callable[[NDArray[np.uint8], bool], Scores]
"""From the pixels of a square, uint8 RGBA (side, side, 4), to class scores and behind them, where the form
tells it, what goes into the head: float32 (classes + features,).

Any thread may call. The second argument: whether no other request is being answered."""


def load(source: Artifact, graph: Graph) -> Network:
    """Read and compile the graph of an artifact.

    Raises:
        BadArtifact: a file is damaged, or the graph is not one of this artifact's pictures and classes.
    """
    for path, digest in graph.digests.items():
        if hashlib.sha256(_bytes(path)).hexdigest() != digest:
            raise BadArtifact(f"{path.name} is damaged: it is not the file that model.json describes.")
    core = openvino.Core()
    side = source.transform.crop
    try:
        model = core.read_model(graph.path)
        channels = _check(model, source, graph)
        cores = usable_cores()
        one = _compiled(core, model, graph, streams=cores, threads=cores)
        alone_on_all = _compiled(core, model, graph, streams=1, threads=cores) if cores > 1 else one
        model.reshape([BATCH, side, side, channels])
        many = _compiled(core, model, graph, streams=cores, threads=cores)
        batcher = DynamicBatcher(
            lambda squares: (one if len(squares) == 1 else many)(squares[..., :channels]),
            most=BATCH,
            threads=cores,
            side=side,
        )
    except RuntimeError as error:  # OpenVINO's own: what it says spans lines and names its source files
        reason = str(error).strip().splitlines()[-1]
        raise BadArtifact(f"{graph.path.name} cannot be compiled: {reason}") from error

    def scores(pixels: NDArray[np.uint8], alone: bool) -> Scores:
        if not alone:
            return batcher.scores(pixels)
        answer = Scores()
        answer.set_result(alone_on_all(pixels[None, ..., :channels])[0])
        return answer

    return scores


def explainer(source: Artifact, graph: Graph) -> Explainer:
    """Read and compile the graph once more, as one that tells what each place adds to each score.

    Raises:
        NotExplained: this network's places cannot be told apart so.
    """
    from inference_code.model.places import by_place

    core = openvino.Core()
    model = core.read_model(graph.path)
    channels = _check(model, source, graph)
    threads = usable_cores()
    infer = _compiled(core, by_place(model), graph, streams=1, threads=threads)
    return lambda pixels: np.array(infer(pixels[None, ..., :channels]))


def _bytes(path: Any) -> bytes:
    try:
        return bytes(path.read_bytes())
    except FileNotFoundError:
        raise BadArtifact(f"{path.name} is missing, though model.json describes it.") from None
    except OSError as error:
        raise BadArtifact(f"{path.name} cannot be read: {error}.") from error


def _check(model: Any, source: Artifact, graph: Graph) -> int:
    """How many channels it takes: RGBA, or RGB if it was trained before alpha had a use."""
    side, classes = source.transform.crop, len(source.classes)
    shapes = [list(port.partial_shape.to_shape()) for port in (*model.inputs, *model.outputs)]
    # The head's input behind the scores: graphs of before it had a use do not tell it.
    features = shapes[2:] if len(shapes) == 3 and len(shapes[2]) == 2 and shapes[2][0] == 1 else []
    for channels in (RGBA, RGB):
        if shapes == [[1, side, side, channels], [1, classes], *features]:
            return channels
    raise BadArtifact(
        f"{graph.path.name} is not this model: from {side} pixels to {classes} classes its shapes would "
        f"be [1, {side}, {side}, {RGBA}] and [1, {classes}], not {' and '.join(map(str, shapes))}."
    )


def _compiled(core: Any, model: Any, graph: Graph, *, streams: int, threads: int) -> Infer:
    """A function any number of threads may call. A request holds the memory of the whole network, so there
    are as many as have been computed at the same time, and not one per thread.
    """
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if graph.precision == "bf16" else "f32",
        },
    )
    idle: deque[Any] = deque()

    def infer(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            request = idle.pop()
        except IndexError:
            request = compiled.create_infer_request()
        try:
            said = request.infer([squares], share_inputs=True)
        finally:
            idle.append(request)
        return said[0] if len(said) == 1 else np.concatenate([said[0], said[1]], 1)

    return infer
