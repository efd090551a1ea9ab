"""What every benchmark shares: how a result looks, where it goes, and what machine it was measured on."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.target import spare_loopback

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"

spare_loopback(os.environ)  # whoever is measured here, and whoever asks it

Number = float | int | str | None
Row = Mapping[str, Number]


def publish(name: str, rows: Sequence[Row], summary: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Print the result of a benchmark as tables, and write it to `benchmarks/results/<name>.json`.

    Args:
        name: the benchmark's, as in `make bench NAME=<name>`.
        rows: one per system and piece of work; the first key is "system". Rows may have different keys.
        summary: the few figures a reader looks for, mostly ratios.
        folder: another place for the file.

    Returns:
        The file written.
    """
    result = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "rows": [dict(row) for row in rows],
        "summary": dict(summary),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(rows, summary)
    print(f"written to {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    return path


def show(rows: Sequence[Row], summary: Mapping[str, Any]) -> None:
    """Print rows as tables, and the summary below them."""
    console = Console(width=None if os.isatty(1) else 160)
    for keys, alike in _alike(rows).items():
        console.print(_table(keys, alike))
    for key, value in summary.items():
        console.print(f"{key}: [bold]{escape(_shown(value))}[/bold]")


def median_of(runs: int, work: Callable[[], float]) -> float:
    """The median of several runs of `work`, which answers its own measure."""
    return statistics.median(work() for _ in range(runs))


def classifier(*arguments: str, environment: Mapping[str, str] | None = None, check: bool = True) -> str:
    """What a command of the CLI prints on the local AWS; with `check` one that fails ends the benchmark."""
    command = [sys.executable, "-m", "cli", "--target", "local", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"classifier {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def job_folder(base: Path, data: Path, **hyperparameters: object) -> Path:
    """Lay a training job out as SageMaker does in its containers; it may have begun here before.

    Args:
        base: the job's folder, which is returned.
        data: folders train, valid and test of class folders; they are linked.
        hyperparameters: written as text, as SageMaker does.
    """
    config, channels = base / "input" / "config", base / "input" / "data"
    for folder in (config, channels):
        folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        if not (channels / split).exists():
            (channels / split).symlink_to((data / split).resolve())
    texts = {key: str(value) for key, value in hyperparameters.items()}
    (config / "hyperparameters.json").write_text(json.dumps(texts))
    return base


def ask_for_pictures(parser: argparse.ArgumentParser) -> None:
    """Let --data, or else BENCH_PICTURES, name the folder of picture sets."""
    near = ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BENCH_PICTURES", near)))


def give(base: Path, channel: str, name: str, file: Path) -> None:
    """Give the job of a `job_folder` a channel that holds a link of this name to a file; it may be there."""
    folder = base / "input" / "data" / channel
    folder.mkdir(exist_ok=True)
    if not (folder / name).exists():
        (folder / name).symlink_to(file)


def commit() -> str:
    """The commit that is checked out, with `+` behind it when files differ from it; empty outside git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, Any]:
    """Processor, cores, memory, and the libraries whose version can change a figure."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: found for name in ("torch", "torchvision", "numpy", "pillow") if (found := _version(name))},
    }


def _alike(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """The rows by the keys they have, each such group in the order of its first row."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return groups


def _table(keys: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table()
    for key in keys:
        numeric = not any(isinstance(row[key], str) for row in rows)
        table.add_column(key, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_shown(row[key]) for key in keys))
    return table


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
