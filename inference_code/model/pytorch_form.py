"""The PyTorch form of a network: a ResNet (`resnet_form.py`), or any other of timm's (`timm_form.py`).

It is what the serving form (`openvino_form.py`) is held against, what serves a model that has none, and what
runs on a GPU: there in bfloat16 where the hardware has it, all its kernels launched as one CUDA graph.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contract.networks import is_resnet, untagged
from contract.pictures.transform import Pixels
from inference_code.model import gpu
from inference_code.model.artifact import Artifact
from inference_code.model.dynamic_batcher import BATCH, DynamicBatcher, Scores
from inference_code.model.explanations import Explainer
from inference_code.model.resnet_form import ResNet

if TYPE_CHECKING:
    from inference_code.model.timm_form import Telling

log = logging.getLogger("network")

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Layer = Callable[[Tensor], Tensor]

RGBA = 4


def load(source: Artifact) -> Callable[[NDArray[np.uint8], bool], Scores]:
    """The network of an artifact: from a square, uint8 RGBA (side, side, 4), to scores and the head's input.

    The second argument is for `openvino_form.py`; any thread may call.

    Raises:
        BadArtifact: see `build`.
    """
    scores = build(source.weights, source.arch, len(source.classes), source.transform.crop)

    def of_squares(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        return scores(np.concatenate([source.transform.normalised(square) for square in squares]))

    # One call of the network at a time, on one thread with all cores behind it: PyTorch gives every calling
    # thread its own team of OpenMP threads, and competing teams slow each other down.
    batcher = DynamicBatcher(of_squares, most=BATCH, threads=1, side=source.transform.crop)
    return lambda pixels, _: batcher.scores(pixels)


def build(
    path: Path, arch: str, classes: int, side: int = 224, precision: torch.dtype | None = None
) -> Network:
    """Build the network from a safetensors file.

    Args:
        path: state dict of timm's `arch` with `classes` outputs, in any float precision.
        arch: its name; torchvision's names of ResNets are timm's.
        classes: outputs it has.
        side: pixels of the side of its pictures.
        precision: to compute in; by default bfloat16 on a GPU that has it, else float32.

    Returns:
        A function from float32 pictures (n, 3, height, width) to scores and, behind them, the head's input:
        (n, classes + features). On a GPU always called by the same thread.

    Raises:
        BadArtifact: the file is damaged or holds another architecture or another number of classes.
        NoGpu: the image is for a GPU and finds none.
    """
    device = gpu.device()
    on_gpu = device.type == "cuda"
    if precision is None:
        native = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = torch.bfloat16 if native else torch.float32
    fields = {"device": device.type, "precision": str(precision).removeprefix("torch.")}
    log.info("device", extra={"fields": fields})
    forward = _network(path, arch, classes, side, {"device": device, "dtype": precision})
    run = _Captured(forward) if on_gpu else forward

    @torch.inference_mode()
    def scores(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        x = torch.from_numpy(pictures).to(device, precision, memory_format=torch.channels_last)
        answer: NDArray[np.float32] = run(x).float().cpu().numpy()
        return answer

    return scores


def explainer(source: Artifact) -> Explainer:
    """The network once more, in float32, as one that tells what each place adds to each score.

    Raises:
        NotExplained: this network's places cannot be told apart so.
    """
    device, side = gpu.device(), source.transform.crop
    place = {"device": device, "dtype": torch.float32}
    network = _network(source.weights, source.arch, len(source.classes), side, place)

    @torch.inference_mode()
    def by_place(pixels: Pixels) -> NDArray[np.float32]:
        picture = torch.from_numpy(source.transform.normalised(pixels)).to(device)
        told: NDArray[np.float32] = network.by_place(picture).cpu().numpy()
        return told

    by_place(np.zeros((side, side, RGBA), np.uint8))  # says whether it can
    return by_place


def _network(path: Path, arch: str, classes: int, side: int, place: dict[str, Any]) -> ResNet | Telling:
    if is_resnet(arch):
        return ResNet(path, untagged(arch), classes, place)
    from inference_code.model import timm_form

    return timm_form.network(path, arch, classes, side, place)


class _Captured:
    """The network as CUDA graphs, one for each shape of input, captured at the first of its shape.

    One replay instead of some sixty launches, each of which takes longer than its kernel at one picture.
    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """

    def __init__(self, forward: Layer) -> None:
        self._forward = forward
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape not in self._graphs:
            self._graphs[x.shape] = self._captured(x)
        graph, inputs, outputs = self._graphs[x.shape]
        inputs.copy_(x)
        graph.replay()
        return outputs

    def _captured(self, x: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        inputs = x.clone()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # first runs choose kernels and make room, which no capture may do
            for _ in range(3):
                self._forward(inputs)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._forward(inputs)
        return graph, inputs, outputs
