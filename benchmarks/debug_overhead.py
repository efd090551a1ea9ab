"""What looking on costs: a training step with debugging and profiling off, at their defaults, and at most.

The demo's network on pictures of its size (ResNet18, 32 pixels, batches of 64). Five ways: a loop out of
which every call of a callback was cut; everything off, which is the loop as it is with a callback whose
methods do nothing; the default of a last training (all rules every tenth step, every step timed); everything
at every step; and smdebug used naively (its own hook, every tensor saved at every step; in float32, because
it cannot save bfloat16, and against float32).

Machines drift by far more than what is looked for, so neighbours are compared (`debug_blocks`): blocks of ten
steps, one way's and then the other's, in turn first, on one network; each pair gives one ratio, and every
pair's first ten steps have one that is looked at. An overhead is the median of the ratios less one, with the
bounds between which it lies with 95 % (`_low`, `_high`). A way's side processes run during its own blocks
and stand still in the others'. Off and bare differ by less than a microsecond a step: they take turns step
by step, thousands of times, where a step is shortest and the same calls are more of it: batches of an eighth,
all but the last layer frozen, on one thread.

Not in the ratios is what is paid once, measured on whole short trainings: `begin_s`, for starting what looks
on (the longest, for a job imports it but once); `trace_s`, what the first ten steps, which are traced, take
longer than the next ten, less the same of a training that nobody watches; `end_s`, for waiting for the last
look. `sides_cpu` is the share of one core that the side processes take while the steps run, `sides_start_s`
what they compute before. `step_sum_error` and `wall_sum_error` say by what share the report's breakdown
misses a clock outside of it: over all steps, and over everything until the last one.

`make bench NAME=debug_overhead`; PAIRS, TURNS, ROUNDS in the environment.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.debug_blocks import Median, Way, Ways
from benchmarks.debug_training import BATCH, Run, pictures, train
from benchmarks.harness import Number, Row, publish
from training_code.network.network import Network
from training_code.training.callback import Callback

PAIRS = int(os.environ.get("PAIRS", "84"))
TURNS = int(os.environ.get("TURNS", "4000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
STEPS = 101
BLOCK = 10
RARER = 4
"""So many pairs of the default to one with everything."""
SHORT_STEPS = 32
NAIVE_STEPS = 12
"""Of the naive peer, which is many times slower."""

OFF = {"debug_rules": "none", "profile": "off"}
DEFAULT = {"debug_rules": "all", "debug_every": "10", "profile": "on"}
EVERYTHING = {"debug_rules": "all", "debug_every": "1", "profile": "on"}
NAIVE = "smdebug, everything saved, float32"


def naive(network: Network, folder: Path) -> Callback:
    """smdebug as its introduction shows it: a hook that saves everything at every step."""
    from smdebug.pytorch import Hook, SaveConfig

    hook = Hook(out_dir=str(folder), save_all=True, save_config=SaveConfig(save_interval=1))
    hook.register_module(network)
    return Callback()


def main() -> None:
    """Measure in turn, and publish."""
    threads = int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    os.environ["SMDEBUG_LOG_LEVEL"] = "error"
    # smdebug's own hook writes on in a thread.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        root = pictures(Path(scratch) / "all", STEPS)
        few = pictures(Path(scratch) / "few", NAIVE_STEPS)
        short = pictures(Path(scratch) / "short", SHORT_STEPS)
        with contextlib.redirect_stdout(io.StringIO()):  # the loop's own progress
            train(few, {})  # first allocations
            whole = {name: [train(short, told) for _ in range(ROUNDS)] for name, told in _WHOLE.items()}
            bare32 = train(few, {}, float32=True)
            saved = train(few, {}, prepare=partial(naive, folder=Path(scratch) / "naive"), float32=True)
            rows = _in_blocks(root)
            torch.set_num_threads(1)
            rows.insert(0, _in_turns(root))
    print(f"(every figure on {threads} threads; off on one)")
    ratio = _step_seconds(saved) / _step_seconds(bare32)
    rows.append(_row(NAIVE, 1000 * _step_seconds(saved), Median(ratio, ratio, ratio), 1))
    publish("debug_overhead", rows, _summary(rows, whole))


_WHOLE = {"off": OFF, "default": DEFAULT, "everything": EVERYTHING}


def _in_turns(root: Path) -> Row:
    """Off against the bare loop, step by step."""
    ways = Ways(root, OFF | {"batch_size": str(BATCH // 8), "trainable_from": "fc"})
    for warm_up in range(20):
        ways.pair(ways.off, ways.bare, 1, swapped=bool(warm_up % 2))
    ways.off.seconds = 0.0
    ratios = [ways.pair(ways.off, ways.bare, 1, swapped=bool(turn % 2)) for turn in range(TURNS)]
    return _row("off", 1000 * ways.off.seconds / TURNS, Median.of(ratios), TURNS)


def _in_blocks(root: Path) -> list[Row]:
    """The watched ways against off, ten steps by ten steps."""
    ways = Ways(root, OFF)
    ratios: dict[str, list[float]] = {"default": [], "everything": []}
    with ways.watched(DEFAULT) as default, ways.watched(EVERYTHING) as everything:
        start = {way: way.cpu_seconds for way in (default, everything)}
        by_name = {"default": default, "everything": everything}
        for number in range(PAIRS):
            for name in ("default", "everything") if number % RARER == 0 else ("default",):
                swapped = bool(number // (RARER if name == "everything" else 1) % 2)
                ratios[name].append(ways.pair(by_name[name], ways.off, BLOCK, swapped=swapped))
        return [_watched(name, way, ratios[name], start[way]) for name, way in by_name.items()]


def _watched(name: str, way: Way, ratios: Sequence[float], start: float) -> Row:
    ms = 1000 * way.seconds / (BLOCK * len(ratios))
    row = _row(name, ms, Median.of(ratios), len(ratios))
    return {**row, "sides_cpu": (way.cpu_seconds - start) / way.seconds, "sides_start_s": start}


def _row(name: str, ms: float, ratio: Median, pairs: int) -> Row:
    return {
        "system": name,
        "ms_per_step": ms,
        "overhead": ratio.middle - 1,
        "low": ratio.low - 1,
        "high": ratio.high - 1,
        "pairs": pairs,
    }


def _summary(rows: Sequence[Row], whole: dict[str, list[Run]]) -> dict[str, Number]:
    found: dict[str, Number] = {}
    by_name = {str(row["system"]).split(",")[0]: row for row in rows}
    for key, name in _KEYS.items():
        row = by_name[name]
        found[f"{key}_overhead"] = float(row["overhead"] or 0)
        if row["pairs"] != 1:
            found |= {f"{key}_overhead_{each}": float(row[each] or 0) for each in ("low", "high")}
    default = whole["default"]
    return found | {
        "sides_cpu": by_name["default"]["sides_cpu"],
        "sides_start_s": by_name["default"]["sides_start_s"],
        "begin_s": max(run.begin for run in default),
        "trace_s": _median(default, _first) - _median(whole["off"], _first),
        "end_s": _median(default, lambda run: run.end),
        "everything_end_s": _median(whole["everything"], lambda run: run.end),
        "step_sum_error": _worst(run.step_sum_error for run in default),
        "wall_sum_error": _worst(run.wall_sum_error for run in default),
    }


_KEYS = {"off": "off", "default": "default", "everything": "everything", "naive": "smdebug"}


def _first(run: Run) -> float:
    """What the first ten steps take longer than the next."""
    marks = run.asked
    return (marks[BLOCK] - marks[0]) - (marks[2 * BLOCK] - marks[BLOCK])


def _step_seconds(run: Run) -> float:
    """The mean step of a short training, its first two left out."""
    marks = run.asked[2:]
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def _median(runs: Sequence[Run], what: Callable[[Run], float]) -> float:
    return statistics.median(map(what, runs))


def _worst(errors: Iterable[float | None]) -> float | None:
    return max((each for each in errors if each is not None), default=None)


if __name__ == "__main__":
    main()
