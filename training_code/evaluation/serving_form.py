"""The serving form: the trained network in the form that answers fastest on a CPU without answering worse.

Three precisions are tried, fastest first; int8 is made by post-training quantisation, its ranges read off
training pictures. The first that loses at most `MAX_DROP` points of the validation's top-1 accuracy is
written beside the weights, as an OpenVINO graph; model.json tells of it under `serving`.

A model without a serving form is still served, by PyTorch, several times slower; so whatever goes wrong here
is a line in the log and never the end of a job.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from contract.artifact import GRAPH, PRECISIONS, TOGETHER
from training_code.data.batches import Batches
from training_code.evaluation.outputs import Outputs
from training_code.evaluation.scores import Evaluation
from training_code.log import say
from training_code.network.network import Network
from training_code.stopping import Stopped, StopSignal

MAX_DROP: Final = 0.5
"""Percentage points of top-1 accuracy that a faster form may cost."""

CALIBRATION_PICTURES: Final = 128
"""More of them move the ranges of a ResNet by less than a rounding step (NNCF takes 300 for all networks)."""

_REASON_CHARACTERS: Final = 2000
"""Of what a library says when it fails; it goes into model.json and evaluation.json."""


@dataclass(frozen=True)
class Candidate:
    """One precision and what it came to on the validation split."""

    precision: str
    accuracy: float
    drop_points: float
    agreement: float
    milliseconds: float
    most_within: tuple[float, float]
    """Milliseconds; one picture in ten was quicker than the first, one in ten slower than the second."""
    accepted: bool

    def __str__(self) -> str:
        verdict = "" if self.accepted else f": more than {MAX_DROP} points below, not taken"
        return (
            f"serving form {self.precision}: valid accuracy {self.accuracy:.4f}, {0 - self.drop_points:+.2f} "
            f"points against PyTorch, {self.milliseconds:.1f} ms a picture{verdict}"
        )

    def describe(self) -> dict[str, Any]:
        """The form of model.json.

        `agreement`: the share of pictures that get PyTorch's class; `milliseconds`: the mean of all pictures.
        """
        return asdict(self) | {
            "drop_points": round(self.drop_points, 4),
            "milliseconds": round(self.milliseconds, 3),
            "most_within": [round(each, 3) for each in self.most_within],
        }


def write(
    folder: Path,
    network: Network,
    train: Batches,
    valid: Batches,
    reference: Evaluation,
    stop: StopSignal,
    outputs: Outputs | None = None,
) -> dict[str, Any]:
    """Write model.xml and model.bin into `folder`, and tell what was done for model.json.

    Calibrated on pictures of `train`, judged on `valid` against `reference`, PyTorch's own result there. A
    job that is stopped gets no serving form. What the one that is written says of `valid` goes to `outputs`.
    """
    start = time.perf_counter()
    try:
        form = _written(folder, network, train, valid, reference, stop, outputs or Outputs())
    except (Exception, Stopped) as error:  # the model itself is sound, and PyTorch can serve it
        for name in GRAPH:
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        if outputs:
            outputs.forget()
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")[:_REASON_CHARACTERS]
        say(f"no serving form ({reason}): the endpoint will run PyTorch, slower")
        return none_written(reason)
    seconds = round(time.perf_counter() - start, 3)
    print(f"serving form {form['precision']} written in {seconds:.1f} s", flush=True)
    return form | {"seconds": seconds}


def none_written(reason: str) -> dict[str, Any]:
    """What model.json says of a model that only PyTorch can serve."""
    return {"form": "pytorch", "reason": reason}


def ask(folder: Path, part: Batches, outputs: Outputs, stop: StopSignal) -> None:
    """Have the form that was written say what it makes of all pictures of a split, one by one.

    Raises:
        Stopped: the job was told to stop.
    """
    import openvino

    core = openvino.Core()
    precision = "bf16" if outputs.precision == "bf16" else "f32"
    compiled = _compiled(core.read_model(folder / GRAPH[0]), precision, part.machine.threads)
    request = compiled.create_infer_request()
    outputs.begin(len(part.split))
    for place in outputs.rows.tolist():
        stop.check()
        square = _opaque(part.split.images.pick(torch.tensor([place])))
        outputs.add(place, _said(request.infer([square], share_inputs=True)))


def _written(
    folder: Path,
    network: Network,
    train: Batches,
    valid: Batches,
    reference: Evaluation,
    stop: StopSignal,
    outputs: Outputs,
) -> dict[str, Any]:
    import openvino  # not needed by trials, and not there in an image without it

    from training_code.evaluation import serving_graph

    tried: list[Candidate] = []
    plain = serving_graph.graph(network, train.transform)
    for precision in PRECISIONS:
        graph = plain
        if precision == "int8":
            graph = _quantised(plain, _calibration(train, stop), train.machine.threads)
        compiled = _compiled(graph, precision, train.machine.threads)
        candidate = _judged(precision, compiled, valid, reference, stop, outputs)
        tried.append(candidate)
        print(candidate, flush=True)
        if candidate.accepted:
            break
    _compiled(graph, precision, train.machine.threads, squares=TOGETHER)  # fails here, and not in an endpoint
    folder.mkdir(parents=True, exist_ok=True)
    openvino.save_model(_of(graph, 1), folder / GRAPH[0], compress_to_fp16=precision == "bf16")
    for name in GRAPH:
        (folder / name).chmod(0o644)  # a server may run as another user
    return {
        "form": "openvino",
        "precision": precision,
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in GRAPH},
        "reference_accuracy": reference.accuracy,
        "candidates": [candidate.describe() for candidate in tried],
        "calibration_pictures": min(CALIBRATION_PICTURES, len(train.split)),
        "threads": train.machine.threads,
        "openvino": openvino.__version__,
    }


def _quantised(plain: Any, pictures: Iterable[NDArray[np.uint8]], threads: int) -> Any:
    from training_code.evaluation import quantise

    names, observed = quantise.observed(plain)
    request = _compiled(observed, "f32", threads).create_infer_request()
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


def _of(graph: Any, squares: int) -> Any:
    """The graph for so many squares at once."""
    graph = graph.clone()
    graph.reshape([squares, *list(graph.inputs[0].get_partial_shape())[1:]])
    return graph


def _compiled(graph: Any, precision: str, threads: int, squares: int = 1) -> Any:
    import openvino

    hints = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # int8 leaves little between its convolutions; bf16 there is emulated where the CPU has none.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
    }
    return openvino.Core().compile_model(_of(graph, squares), "CPU", hints)


def _calibration(train: Batches, stop: StopSignal) -> Iterator[NDArray[np.uint8]]:
    """Squares (1, crop, crop, 4) of training pictures, evenly from all classes, as evaluation sees them."""
    split, side = train.split, train.transform.crop
    count = min(CALIBRATION_PICTURES, len(split))
    margin = split.images.margin
    # Rows are sorted by class, so even steps through them meet every class.
    for place in torch.linspace(0, len(split) - 1, count).round().long():
        stop.check()
        square = split.images.pick(place[None])[:, margin : margin + side, margin : margin + side]
        yield _opaque(square)


def _opaque(squares: torch.Tensor) -> NDArray[np.uint8]:
    """Squares, uint8 RGB (n, side, side, 3), as the graph takes them: RGBA, alpha 255."""
    alpha = torch.full_like(squares[..., :1], 255)
    return torch.cat([squares, alpha], 3).numpy()


def _said(result: Any) -> list[NDArray[np.float32]]:
    """The graph's outputs: class scores, and the head's input where it tells it."""
    return [result[place] for place in range(len(result))]


def _judged(
    precision: str,
    compiled: Any,
    valid: Batches,
    reference: Evaluation,
    stop: StopSignal,
    outputs: Outputs | None = None,
) -> Candidate:
    request = compiled.create_infer_request()
    split = valid.split
    outputs = outputs or Outputs()
    outputs.begin(len(split), precision)
    found, took = np.empty(len(split), np.int64), np.empty(len(split))
    for place in range(len(split)):
        stop.check()
        start = time.perf_counter()
        square = _opaque(split.images.pick(torch.tensor([place])))
        said = _said(request.infer([square], share_inputs=True))
        found[place] = said[0][0].argmax()
        took[place] = (time.perf_counter() - start) * 1000
        outputs.add(place, said)
    quick, slow = np.quantile(took, (0.1, 0.9))
    accuracy = float((found == reference.labels.numpy()).mean())
    drop = (reference.accuracy - accuracy) * 100
    return Candidate(
        precision=precision,
        accuracy=accuracy,
        drop_points=drop,
        agreement=float((found == reference.predicted.numpy()).mean()),
        milliseconds=float(took.mean()),
        most_within=(float(quick), float(slow)),
        # f32, the last, is the network itself in another program.
        accepted=drop <= MAX_DROP + 1e-9 or precision == PRECISIONS[-1],
    )
