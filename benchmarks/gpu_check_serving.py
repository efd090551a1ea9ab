"""The container's server on PyTorch against plain eager PyTorch; used by `benchmarks.gpu_check`."""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from safetensors.torch import load_file

from benchmarks.serving_artifact import trained
from benchmarks.serving_load import Target, ask
from benchmarks.serving_measured import Picture, measured
from benchmarks.serving_running import Running
from benchmarks.serving_systems import REFERENCE

_EPOCHS: Final = 2
_PICTURES: Final = 64
_KEPT: Final = ("p50_1", "p99_1", "rps_1", "p50_16", "p99_16", "rps_16", "errors")


class Eager:
    """torchvision's network in float32 on the device, one picture at a time."""

    def __init__(self, model: Path) -> None:
        from torchvision import transforms
        from torchvision.models import get_model

        facts = json.loads((model / "model.json").read_text())
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        classes = json.loads((model / "classes.json").read_text())
        self._network = get_model(facts["arch"], weights=None, num_classes=len(classes))
        self._network.load_state_dict(load_file(model / "model.safetensors"))
        self._network.eval().to(self.device)
        transform = facts["transform"]
        self._transform = transforms.Compose(
            [
                transforms.Resize(transform["resize"]),
                transforms.CenterCrop(transform["crop"]),
                transforms.ToTensor(),
                transforms.Normalize(transform["mean"], transform["std"]),
            ]
        )

    @torch.inference_mode()
    def shares(self, body: bytes) -> list[float]:
        """The probability of each class."""
        picture = self._transform(Image.open(io.BytesIO(body)).convert("RGB"))[None].to(self.device)
        return self._network(picture).softmax(1)[0].cpu().tolist()  # type: ignore[no-any-return]


def main(data: Path, scratch: Path, scale: dict[str, Any]) -> None:
    """Print one JSON line: both systems' times, and how far their answers are apart."""
    model = trained(
        scratch / "job", data, scale["arch"], _EPOCHS, subprocess.DEVNULL, image_size=scale["image_size"]
    )
    files = sorted((data / "test").rglob("*.jpg"))
    files = files[:: max(1, len(files) // _PICTURES)]
    pictures: list[Picture] = [("test", path.parent.name, path.read_bytes()) for path in files]
    eager = Eager(model)
    expected = [eager.shares(body) for _, _, body in pictures]
    times = _eager_times(eager, pictures, scale["seconds"])
    with tempfile.TemporaryDirectory() as folder, Running(REFERENCE, model, Path(folder)) as server:
        server.wait(pictures[0][2])
        answers = [asyncio.run(_answer(server.target, body)) for _, _, body in pictures]
        row = measured(server, pictures, scale["seconds"])
        precision = _precision(Path(folder) / "log")
        row = {key: row[key] for key in _KEPT} | {"memory_mb": server.memory_mb()}
    same = [
        answer["class_index"] == shares.index(max(shares))
        for answer, shares in zip(answers, expected, strict=True)
    ]
    apart = [
        abs(each["confidence"] - shares[each["class_index"]])
        for answer, shares in zip(answers, expected, strict=True)
        for each in answer["predictions"]
    ]
    facts = {
        "server": row,
        "eager": {"p50_1": statistics.median(times), "rps_1": 1000 / statistics.mean(times)},
        "agreement": sum(same) / len(same),
        "largest_difference": max(apart),
        "precision": precision,
    }
    print(json.dumps(facts))


def _eager_times(eager: Eager, pictures: list[Picture], seconds: float) -> list[float]:
    """Milliseconds of each picture, one after the other; no HTTP is between."""
    times: list[float] = []
    end = time.perf_counter() + 3 * seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        eager.shares(pictures[len(times) % len(pictures)][2])
        times.append(1000 * (time.perf_counter() - start))
    return times


async def _answer(target: Target, body: bytes) -> dict[str, Any]:
    status, answer = await ask(target, body)
    if status != 200:
        raise SystemExit(f"a picture was answered with {status}: {answer[:200]!r}")
    facts: dict[str, Any] = json.loads(answer)
    return facts


def _precision(log: Path) -> str:
    """Where and in which precision the server says that it computes."""
    for line in log.read_text(encoding="utf-8").splitlines():
        facts = json.loads(line) if line.startswith("{") else {}
        if "device" in facts and "precision" in facts:
            return f"{facts['device']}, {facts['precision']}"
    return "unknown"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
