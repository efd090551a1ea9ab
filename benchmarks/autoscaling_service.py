"""What a picture costs of a core where the server is busy: the real one, HTTP in and JSON out."""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import uvloop
from PIL import Image

from benchmarks.serving_artifact import trained
from benchmarks.serving_load import Target, closed_loop
from benchmarks.serving_measured import CLIENTS, WINDOWS
from benchmarks.serving_running import Running
from benchmarks.serving_systems import OURS

SIZE = (500, 375)
WINDOW_SECONDS, SETTLE_SECONDS = 4.0, 2.0


def seconds_per_picture(cores: int) -> float:
    """Seconds of one of `cores` cores for each picture that sixteen clients at a time have answered.

    The server is inference_code with what training writes for a ResNet-18 at 224 pixels (int8), so
    all it does under load is in it: HTTP, decoding, pictures computed together. The clients share its cores
    (0.1 to 0.2 ms a picture).
    """
    photo = _photo()
    with tempfile.TemporaryDirectory() as folder:
        model, scratch = _model(Path(folder)), Path(folder) / "server"
        scratch.mkdir()
        with Running(OURS, model, scratch) as server:
            server.wait(photo)
            return cores / uvloop.run(_per_second(server.target, photo))


async def _per_second(target: Target, photo: bytes) -> float:
    await closed_loop(target, [photo], CLIENTS, seconds=SETTLE_SECONDS)
    windows = [await closed_loop(target, [photo], CLIENTS, seconds=WINDOW_SECONDS) for _ in range(WINDOWS)]
    return statistics.median(window.per_second for window in windows)


def _model(base: Path) -> Path:
    """An artifact by the real training code. Weights change nothing in the time: it learns two colours."""
    for split, count in (("train", 8), ("valid", 4), ("test", 4)):
        for label, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
            folder = base / "pictures" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                shade = tuple(max(0, each - 5 * number) for each in colour)
                Image.new("RGB", (256, 256), shade).save(folder / f"{number}.png")
    model = trained(base, base / "pictures", "resnet18", epochs=2, output=subprocess.DEVNULL)
    precision = json.loads((model / "model.json").read_text())["serving"].get("precision")
    if precision != "int8":
        raise RuntimeError(f"training chose {precision} as the serving form and not int8")
    return model


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
