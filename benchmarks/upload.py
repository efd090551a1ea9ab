"""`classifier upload` against `aws s3 sync`: the first time, and when nothing has changed.

Both are whole commands on the local AWS, in turns, on the same 10,000 small pictures. Ours looks at every
picture, finds copies and contradictions, deals out the splits and writes a version; theirs copies files.

    make bench NAME=upload ARGS="--pictures 10000 --runs 3"
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from benchmarks import harness
from benchmarks.faults_installation import Installation
from cli.stacks import outputs

CLASSES = 10
SIDE = 48
CHANGED = 20


def main() -> None:
    """Measure, print, and write `benchmarks/results/upload.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=4790)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-upload-") as place:
        folder = drawn(Path(place) / "pictures", options.pictures)
        installation = Installation(Path(place) / "home", options.port)
        if installation.cli("up", seconds=600):
            sys.exit(f"`classifier up` failed; see {installation.home / 'cli.log'}")
        try:
            seconds = measured(installation, folder, options.runs)
        finally:
            installation.cli("down", seconds=120)
    rows: list[harness.Row] = [
        {"system": system, "work": work, "seconds": statistics.median(each), "runs": len(each)}
        for (system, work), each in seconds.items()
    ]
    middle = {key: statistics.median(each) for key, each in seconds.items()}
    summary = {
        f"{work}_vs_aws_s3_sync": middle["aws s3 sync", work] / middle["classifier upload", work]
        for work in ("first", "again", "changed")
    }
    harness.publish("upload", rows, {"pictures": options.pictures, **summary})


def measured(
    installation: Installation, folder: Path, runs: int
) -> Mapping[tuple[str, str], Sequence[float]]:
    """The seconds of each command at each kind of work, in turns."""
    seconds: dict[tuple[str, str], list[float]] = {}
    data = outputs(installation.target, "storage")["DataBucket"]
    for run in range(runs):
        ours = [sys.executable, "-m", "cli", "upload", str(folder), "--yes", "--dataset", f"ours-{run}"]
        aws = str(Path(sys.executable).with_name("aws"))
        theirs = [aws, "s3", "sync", "--only-show-errors", str(folder), f"s3://{data}/theirs-{run}/"]
        (installation.home / "pictures.sqlite").unlink(missing_ok=True)
        for work in ("first", "again", "changed"):
            if work == "changed":
                change(folder, run)
            for system, command in {"classifier upload": ours, "aws s3 sync": theirs}.items():
                seconds.setdefault((system, work), []).append(timed(installation, command))
    return seconds


def timed(installation: Installation, command: Sequence[str]) -> float:
    """The seconds of a command, which has to succeed."""
    environment = {
        **installation.environment,
        **installation.target.environment(),
        "PYTHONPATH": str(harness.ROOT),
    }
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=harness.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - begun


def drawn(folder: Path, count: int) -> Path:
    """Pictures of noise, each another one, in class folders."""
    chance = random.Random(0)
    for number in range(count):
        path = folder / f"class{number % CLASSES}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(chance))
    return folder


def change(folder: Path, run: int) -> None:
    """Give some pictures another content."""
    chance = random.Random(run + 1)
    for path in sorted(folder.rglob("*.jpg"))[:CHANGED]:
        path.write_bytes(jpeg(chance))


def jpeg(chance: random.Random) -> bytes:
    small = Image.frombytes("RGB", (6, 6), chance.randbytes(108)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )
    out = io.BytesIO()
    small.save(out, "JPEG", quality=90)
    return out.getvalue()


if __name__ == "__main__":
    main()
