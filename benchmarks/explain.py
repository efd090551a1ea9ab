"""Whether a map lies on what was seen: digits at drawn places on textured ground, so that the place is known.

The project's own job trains a ResNet-18 from fresh weights to tell three digits apart. Its artifact is
asked as an endpoint asks it, `explain=true`, by the form that the job wrote. Of each test picture: whether
the middle of the map's highest place lies on the digit (its square), beside the share of all places that
do, which a blind guess would reach. Then what an explanation costs: the time of a plain request before and
after the first, and its own.

    make bench NAME=explain    # ARGS="--seeds 0" for one of three; each takes some minutes on two cores
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness import ROOT, job_folder, publish
from inference_code import inference

Row = dict[str, Any]
Box = tuple[int, int, int, int]

SIDE: Final = 256
"""Pixels of a picture; the network sees the 224 in its middle, as seven by seven places."""
SEEN: Final = 224
DIGITS: Final = (98, 140)
"""Pixels of a digit's side, least and most."""
TOLD: Final = (0, 1, 4)
"""The digits, of shapes that are soon told apart: the question is where they are seen."""
COUNTS: Final = {"train": 720, "valid": 90, "test": 300}
TRAINING: Final = {
    "arch": "resnet18",
    "weights": "none",
    "image_size": SEEN,
    "augment": "none",
    "optimizer": "sgd",
    "epochs": 5,
    "batch_size": 16,
    "learning_rate": 0.02,
    "schedule": "one-cycle",
}
ASKED: Final = 40
"""Requests of each kind that are timed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and ask with each seed, and publish what came of it."""
    parser = argparse.ArgumentParser(prog="make bench NAME=explain", description=__doc__)
    parser.add_argument("--seeds", default="0,1,2")
    seeds = [int(each) for each in parser.parse_args(arguments).seeds.split(",")]
    rows: list[Row] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append({"system": f"ResNet-18, seed {seed}", **_measured(Path(scratch), seed)})
        print(json.dumps(rows[-1]), flush=True)
    summary = {
        "on_digit": min(row["on_digit"] for row in rows),
        "by_chance": max(row["by_chance"] for row in rows),
        "plain_after_vs_before": statistics.median(
            row["plain_ms_after"] / row["plain_ms_before"] for row in rows
        ),
    }
    publish("explain", rows, summary)


def _measured(scratch: Path, seed: int) -> Row:
    boxes = drawn(scratch / "pictures", seed)
    job = job_folder(scratch / "job", scratch / "pictures", **TRAINING, seed=seed)
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(job), "TRAINING_JOB_NAME": "bench-explain"}
    subprocess.run([sys.executable, "-m", "training_code"], cwd=ROOT, env=environment, check=True)
    model = inference.model_fn(str(job / "model"))
    bodies = [(scratch / "pictures" / "test" / name).read_bytes() for name in boxes]
    plain_before = _milliseconds(model, bodies[:ASKED], explain=False)
    first = _milliseconds(model, bodies[:1], explain=True)
    explained = _milliseconds(model, bodies[:ASKED], explain=True)
    plain_after = _milliseconds(model, bodies[:ASKED], explain=False)
    right, on_digit, of_right, chance = 0, 0, 0, []
    for (name, box), body in zip(boxes.items(), bodies, strict=True):
        answer = _answer(model, body, explain=True)
        lies = hits(answer["explanation"], box)
        best = np.array(answer["explanation"]["map"]).argmax()
        is_right = answer["predicted_class"] == name.partition("/")[0]
        right, on_digit = right + is_right, on_digit + bool(lies.flat[best])
        of_right += bool(is_right and lies.flat[best])
        chance.append(float(lies.mean()))
    return {
        "pictures": len(boxes),
        "accuracy": right / len(boxes),
        "on_digit": on_digit / len(boxes),
        "on_digit_where_right": of_right / max(1, right),
        "by_chance": float(np.mean(chance)),
        "form": model.form,
        "plain_ms_before": plain_before,
        "plain_ms_after": plain_after,
        "explained_ms": explained,
        "first_explained_ms": first,
    }


def hits(explanation: dict[str, Any], box: Box) -> NDArray[np.bool_]:
    """Whether the middle of each place of a map lies in a box of the picture, in pixels."""
    rows = np.array(explanation["map"])
    left, top, right, bottom = (SIDE * each for each in explanation["box"])
    down, across = (
        low + (high - low) * (np.arange(count) + 0.5) / count
        for low, high, count in ((top, bottom, rows.shape[0]), (left, right, rows.shape[1]))
    )
    inside: NDArray[np.bool_] = ((box[1] <= down) & (down <= box[3]))[:, None] & (
        (box[0] <= across) & (across <= box[2])
    )
    return inside


def drawn(folder: Path, seed: int) -> dict[str, Box]:
    """Write the pictures of all splits, no digit of one in another; where the test pictures' digits are."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    random = np.random.default_rng(seed)
    order = random.permutation(np.flatnonzero(np.isin(digits.target, TOLD)))
    parts = dict(zip(COUNTS, np.split(order, [360, 430]), strict=True))
    boxes: dict[str, Box] = {}
    for split, count in COUNTS.items():
        for number in range(count):
            which = parts[split][number % len(parts[split])]
            picture, box = _pasted(digits.images[which] / 16, random)
            name = f"{digits.target[which]}/{number:04d}.png"
            (folder / split / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / split / name)
            if split == "test":
                boxes[name] = box
    return boxes


def _pasted(digit: NDArray[np.float64], random: np.random.Generator) -> tuple[NDArray[np.uint8], Box]:
    """A digit on textured ground, somewhere in what the network sees, and its square."""
    ground = np.full((SIDE, SIDE, 3), 64.0)
    for grain in (4, 9, 20, 50):  # noise of several sizes
        noise = Image.fromarray(random.integers(0, 256, (grain, grain, 3), np.uint8))
        ground += np.asarray(noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float) / 8
    side = int(random.integers(*DIGITS, endpoint=True))
    margin = (SIDE - SEEN) // 2
    left, top = (int(each) for each in random.integers(margin, margin + SEEN - side, 2, endpoint=True))
    shape = Image.fromarray((255 * digit).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    share = np.asarray(shape, float)[..., None] / 255
    ink = random.integers(0, 40, 3) if random.random() < 0.5 else random.integers(215, 256, 3)
    part = ground[top : top + side, left : left + side]
    part[:] = (1 - share) * part + share * ink
    return ground.clip(0, 255).astype(np.uint8), (left, top, left + side, top + side)


class _Asked:
    """The context of a request that wants to know why, or not."""

    def __init__(self, explain: bool) -> None:
        self._explain = "true" if explain else "false"

    def get_request_header(self, index: int, key: str) -> str | None:
        return f"explain={self._explain}"


def _answer(model: inference.Classifier, body: bytes, *, explain: bool) -> dict[str, Any]:
    return inference.predict_fn(inference.input_fn(body, "image/png", _Asked(explain)), model)


def _milliseconds(model: inference.Classifier, bodies: Sequence[bytes], *, explain: bool) -> float:
    """The median time of an answer, one after the other."""
    took = []
    for body in bodies:
        begun = time.perf_counter()
        _answer(model, body, explain=explain)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


if __name__ == "__main__":
    main()
