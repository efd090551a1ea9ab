"""The doctor on real pictures with planted faults, beside cleanlab's and imagededup's own defaults.

In each of three seeds 5% of the labels are flipped and changed copies of 3% of the pictures are added (JPEG
quality 40, 0.7 of the size, a tenth cropped, mirrored). The doctor gets the features of EfficientNet-Lite0,
and cleanlab the same ones. How good a list of suspects is: which share of the flipped stands in its first
tenth. Copies are counted by pairs; a pair that the data set itself has is none too many if somebody has
looked at it (`doctor_natural.json`), and all others are put on a sheet below .local/bench/doctor. On digits
all that is found is printed, as nothing is wrong there. Last, time and memory without a network at 1, 10 and
50 times a set of 1,000 pictures, the further ones blended from two each with noise.

    make bench NAME=doctor ARGS="--data path/to/data"    # folders dogs and cifar10

All of it takes half an hour on two cores; parts: ARGS="--only faults --sets cifar10 --seeds 0",
"--only digits", "--only growth".
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.doctor_faults import Planted, plant
from benchmarks.harness import ROOT, ask_for_pictures, publish
from cli.commands.demo_data import write_digits

SETS = ("cifar10", "dogs")
OWN = Path(sys.executable)
PEERS = ROOT / ".local" / "peers" / "doctor"
SHEETS = ROOT / ".local" / "bench" / "doctor"
NATURAL = ROOT / "benchmarks" / "doctor_natural.json"
# Each alone: what they need beside these is in this project's own environment, which theirs sees.
PACKAGES = (
    *("cleanlab==2.9.0", "imagededup==0.3.3.post2"),
    *("scikit-learn", "pandas", "tqdm", "termcolor", "matplotlib", "pywavelets"),
    *("contourpy", "cycler", "fonttools", "kiwisolver", "pyparsing"),
)
GROWTH = (1, 10, 50)
FIRST = 0.1

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for and publish it."""
    options = _options(arguments)
    rows: list[Row] = []
    if options.only in ("", "faults"):
        python = _peers()
        for name in options.sets.split(","):
            for seed in map(int, options.seeds.split(",")):
                rows.append(_with_faults(options.data / name, seed, python, options.handmade))
                print(json.dumps(rows[-1]), flush=True)
    if options.only in ("", "digits"):
        rows.append(_digits())
    if options.only in ("", "growth"):
        rows += _growth(options.data / "cifar10", options.most)
    publish("doctor", rows, _summary(rows))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench NAME=doctor", description=__doc__)
    ask_for_pictures(parser)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", choices=("", "faults", "digits", "growth"))
    parser.add_argument("--handmade", action="store_true", help="without a network")
    parser.add_argument("--most", type=int, default=GROWTH[-1], help="times the set, of the growth")
    options = parser.parse_args(arguments)
    if not (options.data / SETS[0]).is_dir():
        parser.error(f"there is no {SETS[0]} in {options.data}: name a folder with --data or BENCH_PICTURES")
    return options


def _peers() -> Path:
    """The peers' interpreter: an environment that sees this one's packages, and has theirs beside."""
    python = PEERS / "bin" / "python"
    done = PEERS / "installed"
    if done.exists() and done.read_text() == " ".join(PACKAGES):
        return python
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), *PACKAGES], check=True
    )
    (site,) = PEERS.glob("lib/python3*/site-packages")
    (site / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    done.write_text(" ".join(PACKAGES))
    return python


def _run(python: Path, *arguments: str) -> Any:
    """What a program says on its last line."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "lambda")))}
    done = subprocess.run(
        [str(python), *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _with_faults(source: Path, seed: int, python: Path, handmade: bool) -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        folder, kept = Path(scratch) / "pictures", Path(scratch) / "kept.npz"
        planted = plant(source, folder, seed)
        cache = SHEETS / f"{source.name}.features"
        SHEETS.mkdir(parents=True, exist_ok=True)
        network = [] if handmade else ["--weights", "--cache", str(cache)]
        found = _run(OWN, "-m", "benchmarks.doctor_run", str(folder), "--keep", str(kept), *network)
        peers = str(ROOT / "benchmarks" / "peers" / "doctor_peers.py")
        theirs = _run(python, peers, "cleanlab", str(kept))
        hashed = _run(python, peers, "imagededup", str(folder))
        natural = _natural(source.name)
        ours = {pair for group in found["groups"] for pair in combinations(sorted(group), 2)}
        copies = _judged(ours, planted, natural)
        hashes = _judged({tuple(sorted(pair)) for pair in hashed}, planted, natural)
        _sheet(f"{source.name}-{seed}-unknown", folder, copies["unknown"])
    flipped = set(planted.flipped)
    wrong = set(found["wrong"])
    return {
        "system": f"doctor, {source.name}, seed {seed}",
        "pictures": found["pictures"],
        "accuracy": found["accuracy"],
        "wrong_label_recall": _recall(found["names"], found["suspicion"], flipped),
        "wrong_label_recall_cleanlab": _recall(found["names"], theirs, flipped),
        "flagged": len(wrong),
        "flagged_right": len(wrong & flipped) / max(1, len(wrong)),
        "near_duplicate_recall": copies["recall"],
        "near_duplicate_precision": copies["precision"],
        "natural": copies["natural"],
        "recall_imagededup": hashes["recall"],
        "precision_imagededup": hashes["precision"],
        "seconds": found["seconds"],
        "cpu_seconds": found["cpu_seconds"],
        "memory_mb": found["memory_mb"],
    }


def _recall(names: Sequence[str], suspicion: Sequence[float], flipped: set[str]) -> float:
    """Which share of the flipped stands in the first tenth of the list."""
    first = np.argsort(-np.asarray(suspicion), kind="stable")[: round(FIRST * len(names))]
    return len(flipped & {names[row] for row in first.tolist()}) / len(flipped)


def _natural(name: str) -> dict[str, int]:
    """Pictures that the set itself has more than once, by the number of their group; somebody has looked."""
    groups = json.loads(NATURAL.read_text()).get(name, []) if NATURAL.exists() else []
    return {_bare(picture): number for number, group in enumerate(groups) for picture in group}


def _bare(name: str) -> str:
    """A picture's name without its class, which may have been flipped."""
    parts = name.split("/")
    return f"{parts[0]}/{parts[-1]}"


def _judged(pairs: Iterable[tuple[str, ...]], planted: Planted, natural: dict[str, int]) -> dict[str, Any]:
    """How many planted copies are found, and which pairs are neither those nor natural ones."""
    original = {_bare(copy): _bare(of) for copy, of, _ in planted.copies}
    found, unknown, known = set(), [], 0
    for one, other in pairs:
        sources = [original.get(_bare(each), _bare(each)) for each in (one, other)]
        if sources[0] == sources[1]:
            found.add(sources[0])
        elif natural.get(sources[0], -1) == natural.get(sources[1], -2):
            known += 1
        else:
            unknown.append((one, other))
    right = len(found) + known
    return {
        "recall": len(found) / len(planted.copies),
        "precision": right / max(1, right + len(unknown)),
        "natural": known,
        "unknown": unknown,
    }


def _digits() -> Row:
    """Digits as they are: whatever is found is printed and put on a sheet."""
    with tempfile.TemporaryDirectory() as scratch:
        write_digits(Path(scratch))
        found = _run(OWN, "-m", "benchmarks.doctor_run", scratch)
        for kind, score, reason, pictures in found["findings"]:
            print(f"digits: {kind} {score:.2f} {', '.join(pictures)}: {reason}", flush=True)
        _sheet("digits", Path(scratch), [pictures for _, _, _, pictures in found["findings"]])
    kinds = [kind for kind, _, _, _ in found["findings"]]
    return {
        "system": "doctor, digits without a network",
        "pictures": found["pictures"],
        "accuracy": found["accuracy"],
        "copies_found": sum(kind in ("contradiction", "leak", "duplicate") for kind in kinds),
        "wrong_labels_found": kinds.count("wrong-label"),
        "others_found": sum(
            kind not in ("contradiction", "leak", "duplicate", "wrong-label") for kind in kinds
        ),
        "seconds": found["seconds"],
        "cpu_seconds": found["cpu_seconds"],
    }


def _growth(source: Path, most: int) -> list[Row]:
    rows = []
    for times in (each for each in GROWTH if each <= most):
        with tempfile.TemporaryDirectory() as scratch:
            _blend(source / "test", Path(scratch), times)
            found = _run(OWN, "-m", "benchmarks.doctor_run", scratch)
        rows.append(
            {
                "system": f"doctor without a network, {times} times the set",
                "pictures": found["pictures"],
                "seconds_per_1000": 1000 * found["seconds"] / found["pictures"],
                "cpu_seconds_per_1000": 1000 * found["cpu_seconds"] / found["pictures"],
                "memory_mb": found["memory_mb"],
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def _blend(source: Path, target: Path, times: int) -> None:
    """The set, and further ones: each picture blended with another one, with noise."""
    chance, noise = random.Random(0), np.random.default_rng(0)
    files = sorted(path for path in source.rglob("*") if path.is_file())
    for path in files:
        place = target / path.parent.name
        place.mkdir(exist_ok=True)
        shutil.copyfile(path, place / path.name)
        one = np.asarray(Image.open(path).convert("RGB"), np.float32)
        for number in range(1, times):
            other = np.asarray(
                Image.open(chance.choice(files)).convert("RGB").resize((one.shape[1], one.shape[0])),
                np.float32,
            )
            mixed = 0.55 * one + 0.45 * other + noise.normal(0, 8, one.shape)
            made = Image.fromarray(mixed.clip(0, 255).astype(np.uint8))
            made.save(place / f"{path.stem}-{number}.jpg", quality=90)


def _sheet(name: str, folder: Path, rows: Sequence[Sequence[str]], side: int = 96) -> None:
    """Pictures that belong together, side by side, to be looked at."""
    if not rows:
        return
    across = max(map(len, rows))
    columns = max(1, 12 // across)
    sheet = Image.new("RGB", (columns * across * side, -(-len(rows) // columns) * side), "white")
    for number, row in enumerate(rows[:600]):
        for place, picture in enumerate(row):
            with Image.open(folder / picture) as opened:
                small = opened.convert("RGB").resize((side - 4, side - 4))
            sheet.paste(small, ((number % columns * across + place) * side, number // columns * side))
    SHEETS.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEETS / f"{name}.png")
    print(f"to look at: {SHEETS / name}.png", flush=True)


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The worst of each over sets and seeds."""
    keys = (
        *("wrong_label_recall", "wrong_label_recall_cleanlab"),
        *("near_duplicate_recall", "near_duplicate_precision", "recall_imagededup", "precision_imagededup"),
    )
    summary: dict[str, Any] = {}
    for name in SETS:
        of_set = [row for row in rows if row["system"].startswith(f"doctor, {name},")]
        summary |= {f"{key}_{name}": min(row[key] for row in of_set) for key in keys if of_set}
    for key in keys:
        values = [row[key] for row in rows if key in row]
        if values:
            summary[key] = min(values)
    grown = [row for row in rows if "seconds_per_1000" in row]
    if grown:
        summary["seconds_per_1000"] = max(row["seconds_per_1000"] for row in grown)
        summary["cpu_seconds_per_1000"] = max(row["cpu_seconds_per_1000"] for row in grown)
    timed = [1000 * row["cpu_seconds"] / row["pictures"] for row in rows if "wrong_label_recall" in row]
    if timed:
        summary["cpu_seconds_per_1000_network"] = statistics.median(timed)
    return summary


if __name__ == "__main__":
    main()
