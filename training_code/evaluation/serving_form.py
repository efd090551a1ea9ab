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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from contract.artifact import GRAPH, PRECISIONS, TOGETHER
from training_code.data.batches import Batches
from training_code.evaluation import openvino_graph
from training_code.evaluation.outputs import Outputs
from training_code.evaluation.scores import Evaluation
from training_code.log import say
from training_code.network.network import Network
from training_code.stopping import Stopped, StopSignal

MAX_DROP: Final = 0.5
"""Percentage points of top-1 accuracy that a faster form may cost."""

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
    compiled = openvino_graph.compiled(core.read_model(folder / GRAPH[0]), precision, part.machine.threads)
    request = compiled.create_infer_request()
    outputs.begin(len(part.split))
    for place in outputs.rows.tolist():
        stop.check()
        square = openvino_graph.opaque(part.split.images.pick(torch.tensor([place])))
        outputs.add(place, openvino_graph.said(request.infer([square], share_inputs=True)), square[0])


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
            graph = openvino_graph.quantised(
                plain, openvino_graph.calibration(train, stop), train.machine.threads
            )
        compiled = openvino_graph.compiled(graph, precision, train.machine.threads)
        candidate = _judged(precision, compiled, valid, reference, stop, outputs)
        tried.append(candidate)
        print(candidate, flush=True)
        if candidate.accepted:
            break
    openvino_graph.compiled(
        graph, precision, train.machine.threads, squares=TOGETHER
    )  # fails here, and not in an endpoint
    folder.mkdir(parents=True, exist_ok=True)
    openvino.save_model(openvino_graph.of(graph, 1), folder / GRAPH[0], compress_to_fp16=precision == "bf16")
    for name in GRAPH:
        (folder / name).chmod(0o644)  # a server may run as another user
    return {
        "form": "openvino",
        "precision": precision,
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in GRAPH},
        "reference_accuracy": reference.accuracy,
        "candidates": [candidate.describe() for candidate in tried],
        "calibration_pictures": min(openvino_graph.CALIBRATION_PICTURES, len(train.split)),
        "threads": train.machine.threads,
        "openvino": openvino.__version__,
    }


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
        square = openvino_graph.opaque(split.images.pick(torch.tensor([place])))
        said = openvino_graph.said(request.infer([square], share_inputs=True))
        found[place] = said[0][0].argmax()
        took[place] = (time.perf_counter() - start) * 1000
        outputs.add(place, said, square[0])
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
