"""A trained model as one ONNX file: from pixels to calibrated probabilities, with a script that asks it.

`python -m training_code.onnx_export MODEL OUT` writes into the new folder OUT what runs wherever onnxruntime,
Pillow and numpy are. It is the network in floats: an endpoint's 8-bit graph may round a confidence otherwise.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from contract.answers.confidence import EDGE
from contract.artifact import CARD, CLASSES, WEIGHTS
from training_code.errors import TrainingError
from training_code.network.fresh import trained

GRAPH: Final = "model.onnx"
SCRIPT: Final = "classify.py"
PIXELS, PROBABILITIES = "pixels", "probabilities"
_OPSET: Final = 17
_SCRIPT_SOURCE: Final = Path(__file__).with_name("onnx_classify.py")
_DAMAGED: Final = (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError)


class CannotExport(TrainingError):
    """Why a folder cannot leave as ONNX."""


class Exported(nn.Module):
    """The network with its normalisation before it and its calibration behind it.

    Args:
        network: takes float pictures (n, 3, side, side) and gives scores (n, classes).
        card: of model.json.
    """

    def __init__(self, network: nn.Module, card: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(card["transform"][each]).view(1, 3, 1, 1) for each in ("mean", "std"))
        # Attributes, not parts: the exporter writes them as constants, whichever they are.
        self.mean, self.scale = mean * 255, std * 255
        form = ((card.get("calibration") or {}).get("forms") or {}).get("pytorch") or {}
        self.temperature, self.slope = form.get("temperature", 1.0), form.get("slope", 1.0)
        self.offsets = torch.tensor(form.get("offsets") or 0.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities (n, classes) of RGB pixels, uint8 (n, side, side, 3); see `Confidence.shares`."""
        picture = pixels.permute(0, 3, 1, 2).float()
        scores = self.network((picture - self.mean) / self.scale)
        shares: Tensor = (scores / self.temperature + self.offsets).softmax(1)
        if self.slope == 1:
            return shares
        first = scores.argmax(1, keepdim=True)
        before = shares.gather(1, first)
        inside = before.clamp(EDGE, 1 - torch.finfo(torch.float32).eps)
        odds = (self.slope * (inside.log() - (1 - inside).log())).exp()
        after = odds / (1 + odds)
        others = shares * ((1 - after) / (1 - before).clamp(min=EDGE))
        return torch.where(torch.arange(shares.shape[1]) == first, after, others)


def export(model: Path, out: Path) -> None:
    """Write the graph, the classes, how a picture is prepared, and the script.

    Args:
        model: the unpacked artifact of a last training.
        out: a folder that is not there yet; nothing is left of it where this fails.

    Raises:
        CannotExport: the folder is there, or the model is damaged or of another kind.
    """
    if out.exists():
        raise CannotExport(f"{out} is there already: name another folder, or delete it")
    try:
        card, classes = (json.loads((model / name).read_text()) for name in (CARD, CLASSES))
        state = safetensors.torch.load_file(model / WEIGHTS)
        network = trained(card["arch"], len(classes), int(card["transform"]["crop"]), state)
        exported = Exported(network.plain, card).eval()
    except (*_DAMAGED, TrainingError) as error:
        raise CannotExport(f"{model} holds no model of this project that can be read: {error}") from None
    out.mkdir(parents=True)
    try:
        _write_graph(exported, int(card["transform"]["crop"]), out / GRAPH)
        (out / CLASSES).write_text(json.dumps(classes, ensure_ascii=False, indent=1))
        (out / "transform.json").write_text(json.dumps(card["transform"], indent=1))
        shutil.copyfile(_SCRIPT_SOURCE, out / SCRIPT)
    except BaseException:
        shutil.rmtree(out)
        raise


def _write_graph(exported: Exported, side: int, file: Path) -> None:
    pixels = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    with torch.no_grad(), _without_onnx(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of what tracing takes for constant, and that there is a newer exporter
        torch.onnx.export(
            exported,
            (pixels,),
            str(file),
            dynamo=False,  # the newer exporter wants a protobuf that smdebug does not know
            opset_version=_OPSET,
            input_names=[PIXELS],
            output_names=[PROBABILITIES],
            dynamic_axes={PIXELS: {0: "pictures"}, PROBABILITIES: {0: "pictures"}},
        )


@contextmanager
def _without_onnx() -> Iterator[None]:
    """torch looks with the package onnx for functions written in onnxscript; there are none here."""
    stand_in = ModuleType("onnx")
    empty = SimpleNamespace(graph=SimpleNamespace(node=()))
    stand_in.load_model_from_string = lambda _: empty  # type: ignore[attr-defined]
    with patch.dict(sys.modules, {"onnx": stand_in}):
        yield


def main(arguments: list[str]) -> int:
    """Export; a mistake is one line."""
    model, out = map(Path, arguments)
    try:
        export(model, out)
    except CannotExport as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
