"""Many pictures in one go: is every picture answered once, as the endpoint would, and as fast as can be?

5,000 real pictures, of which 2% are broken in four ways. They are answered
- in the job's way, with what it keeps and writes, in turns with a loop of the serving functions in as many
  threads as do best: the ratio of their pictures a second, in the median of the turns, and of the processor's
  time, which other work on this machine changes less;
- by the endpoint's server, over HTTP: how many answers or errors differ in anything;
- by `classifier batch FOLDER` on a local AWS that gets a `kill -9` when a part of the answers is stored, and
  by the same command after it: pictures without a line, and with more than one;
- 500 of them by the job's program: how much more memory 5,000 take at their peak.

    make bench NAME=batch ARGS="--data path/to/data"    # folders dogs, cifar10 and hymenoptera
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.batch_folder import fill, lay_out, pack
from benchmarks.faults_installation import Installation, until
from benchmarks.harness import ROOT, ask_for_pictures, publish
from benchmarks.serving_artifact import trained
from benchmarks.serving_load import ask
from benchmarks.serving_running import Running
from benchmarks.serving_systems import OURS
from contract.storage import BATCH_PARTS

HOME: Final = ROOT / ".local" / "bench-batch"
SETS: Final = ("dogs", "cifar10", "hymenoptera")
FEW: Final = 500

Answers = dict[str, dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all of it and publish it."""
    options = _options(arguments)
    model, archive, folder = _ready(options)
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {"pictures": options.pictures, "broken": options.broken}
    if "speed" in options.only:
        rows += _speed(model, archive, folder)
        summary |= _ratios(rows)
    if "memory" in options.only:
        summary["memory_growth_mb"] = _growth(rows, archive, folder)
    if "killed" in options.only:
        row, answers = _killed(archive, folder, options.port)
        rows.append(row)
        summary |= {key: row[key] for key in ("lost", "doubled")}
    elif "endpoint" in options.only:
        _job(archive, folder, None)
        answers = _read(HOME / "job" / "model" / "answers-1-of-1.jsonl")[0]
    if "endpoint" in options.only:
        summary["different_answers"] = _different(answers, model, folder)
    publish("batch", rows, summary)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench NAME=batch", description=__doc__)
    ask_for_pictures(parser)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--broken", type=int, default=100)
    parser.add_argument("--port", type=int, default=4690)
    parser.add_argument("--only", default="speed,memory,killed,endpoint")
    options = parser.parse_args(arguments)
    for name in SETS:
        if not (options.data / name).is_dir():
            parser.error(f"there is no {name} in {options.data}: name a folder with --data or BENCH_PICTURES")
    return options


def _ready(options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """The model's folder and archive, and the pictures."""
    base, archive, folder = HOME / "training", HOME / "model.tar.gz", HOME / "pictures"
    HOME.mkdir(parents=True, exist_ok=True)
    if not archive.exists():
        model = trained(base, options.data / "hymenoptera", "resnet18", 2)
        pack(model, archive)
    fill(folder, [options.data / name / "train" for name in SETS[:2]], options.pictures, options.broken)
    return base / "model", archive, folder


def _speed(model: Path, archive: Path, folder: Path) -> list[dict[str, Any]]:
    """The functions alone and the job's way of calling them, in turns."""
    base = HOME / "job"
    lay_out(base, archive, folder)
    command = [sys.executable, "-m", "benchmarks.batch_speed", str(base), str(model)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    ways = told["ways"]
    best = min((name for name in ways if name.endswith("threads")), key=lambda name: sum(ways[name]["turns"]))
    rows: list[dict[str, Any]] = []
    # A turn's part of what a job does once, at its end.
    turns = ways["batch"]["turns"]
    ways["batch"]["turns"] = [each + told["output"] / len(turns) for each in turns]
    for name, way in ways.items():
        ratios = [alone / mine for mine, alone in zip(way["turns"], ways[best]["turns"], strict=True)]
        rows.append(
            {
                "system": name,
                "per_second": told["pictures"] / sum(way["turns"]),
                "processor_ms": 1000 * way["processor"] / told["pictures"],
                "of_functions_alone": statistics.median(ratios),
            }
        )
    return rows


def _ratios(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    (batch,) = (row for row in rows if row["system"] == "batch")
    alone = min(row["processor_ms"] for row in rows if row["system"].startswith("functions"))
    return {
        "per_second": batch["per_second"],
        "fraction_of_functions_alone": batch["of_functions_alone"],
        "fraction_by_processor_time": alone / batch["processor_ms"],
    }


def _job(archive: Path, folder: Path, most: int | None) -> tuple[float, dict[str, Any]]:
    """Run the job's program on fresh folders; its peak of memory in MB, and its summary."""
    base = HOME / "job"
    lay_out(base, archive, folder, most)
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    process = subprocess.Popen(
        [sys.executable, "-m", "batch"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the job failed: {(base / 'output' / 'failure').read_text()}")
    return usage.ru_maxrss / 1024, json.loads((base / "model" / "summary-1-of-1.json").read_text())


def _growth(rows: list[dict[str, Any]], archive: Path, folder: Path) -> float:
    peaks = {most: _job(archive, folder, most)[0] for most in (FEW, None)}
    for most, peak in peaks.items():
        rows.append({"system": f"memory of {most or 'all'} pictures", "peak_mb": peak})
    return peaks[None] - peaks[FEW]


def _killed(archive: Path, folder: Path, port: int) -> tuple[dict[str, Any], Answers]:
    """Kill the local AWS in the middle of a batch, run the same command again, and count lines."""
    home = HOME / "aws"
    shutil.rmtree(home, ignore_errors=True)
    here = Installation(home, port)
    here.configure(bake_seconds=0)
    try:
        if here.cli("up", "--yes", seconds=900):
            sys.exit(f"classifier up failed: {home / 'cli.log'} says why")
        _register(here, archive)
        batch = ("batch", str(folder), "--version", "1", "--out", str(HOME / "answers.jsonl"))
        process = here.begin(*batch)
        until(lambda: process.poll() is not None or _parts(here) > 0, 600, "the first stored part")
        in_time = process.poll() is None
        here.kill_server()
        process.wait(120)
        (HOME / "answers.jsonl").unlink(missing_ok=True)
        here.start()
        stored = _parts(here)
        if here.cli(*batch, seconds=900):
            sys.exit(f"the second run failed: {home / 'cli.log'} says why")
    finally:
        here.cli("down", "--wipe", seconds=120)
    answers, lines = _read(HOME / "answers.jsonl")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    kept = int(re.findall(r"([\d,]+) answered before", (home / "cli.log").read_text())[-1].replace(",", ""))
    row = {
        "system": "killed in the middle, and run again",
        "killed_in_time": "yes" if in_time else "no",
        "parts_stored": stored,
        "kept": kept,
        "lines": sum(lines.values()),
        "lost": len(names - set(lines)),
        "doubled": sum(count - 1 for count in lines.values()),
        "unknown": len(set(lines) - names),
    }
    return row, answers


def _register(here: Installation, archive: Path) -> None:
    """The model as a version of the registry, at the place where training leaves it."""
    project = here.target.project
    stack = here.client("cloudformation").describe_stacks(StackName=f"{project}-storage")["Stacks"][0]
    bucket = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}["ArtifactsBucket"]
    key = "jobs/bench/output/model.tar.gz"
    here.client("s3").upload_file(str(archive), bucket, key)
    container = {
        "Image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1",
        "ModelDataUrl": f"s3://{bucket}/{key}",
    }
    here.client("sagemaker").create_model_package(
        ModelPackageGroupName=project,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.c7i.large"],
        },
    )


def _parts(here: Installation) -> int:
    """Parts of the answers that are stored."""
    s3 = here.client("s3")
    (bucket,) = (each["Name"] for each in s3.list_buckets()["Buckets"] if "storage-artifacts" in each["Name"])
    return int(s3.list_objects_v2(Bucket=bucket, Prefix=f"{BATCH_PARTS}/").get("KeyCount", 0))


def _read(path: Path) -> tuple[Answers, Counter[str]]:
    """The answers by picture, and how many lines each has."""
    found: Answers = {}
    lines = Counter[str]()
    for text in path.read_text(encoding="utf-8").split("\n"):
        if text:
            line = json.loads(text)
            lines[line["key"]] += 1
            found[line.pop("key")] = line
    return found, lines


def _different(answers: Answers, model: Path, folder: Path) -> int:
    """How many pictures the endpoint's server answers with anything else; only its own name may differ."""
    differing = []
    scratch = HOME / "server"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    names = list(answers)
    with Running(OURS, model, scratch) as server:
        server.wait(next(path for path in folder.rglob("*.jpg") if path.stat().st_size > 1000).read_bytes())

        async def some(mine: Sequence[str]) -> None:
            for name in mine:
                _, body = await ask(server.target, (folder / name).read_bytes())
                said, ours = json.loads(body), dict(answers[name])
                for each in (said, ours):
                    each.pop("model", None)
                    each.pop("request_id", None)
                if said != ours:
                    differing.append(name)
                    if len(differing) <= 3:
                        print(f"{name}: {ours} here, {said} there")

        async def all_of_them() -> None:
            await asyncio.gather(*(some(names[first::4]) for first in range(4)))

        asyncio.run(all_of_them())
    return len(differing)


if __name__ == "__main__":
    main()
