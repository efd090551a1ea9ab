"""What looking on costs: a training step with debugging and profiling off, at their defaults, and at most.

The demo's network on pictures of its size (ResNet18, 32 pixels, batches of 64), the same steps in turn: a
loop out of which every call of an observer was cut; everything off, which is the loop as it is with an
observer whose methods do nothing; the default of a last training (all rules every tenth step, every step
timed, the first ten traced, the side processes running); everything at every step; and smdebug used naively
(its own hook, every tensor saved at every step; in float32, because it cannot save bfloat16, and against
float32).

A run's time is the median of its tens of steps behind the first twenty, the side processes' share of the
cores included; each ten has one step that is looked at. Overheads are medians over the rounds, each against
the bare loop's run of the same round. Off and bare differ by less than a microsecond a step, far below what
two runs differ by anyway: they are also put against each other in turns of ten steps, on one network, many
times over.

What is paid once is told apart: `trace_s`, the first twenty steps with the trace less those without;
`begin_s`, for starting what looks on (the longest, for a job imports it but once), and `end_s`, for waiting
for its last look. `step_sum_error` and `wall_sum_error` say by what share the report's breakdown misses a
clock outside of it: over all steps, and over everything until the last one. `make bench NAME=debug_overhead`;
ROUNDS, STEPS, PAIRS in the environment.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.debug_training import (
    Run,
    bare_loop,
    between_blocks,
    calls_of_a_step,
    pictures,
    train,
)
from benchmarks.harness import Row, publish
from training_code import loop
from training_code.observer import Observer
from training_code.resnet import ResNet

ROUNDS = int(os.environ.get("ROUNDS", "7"))
STEPS = int(os.environ.get("STEPS", "100"))
PAIRS = int(os.environ.get("PAIRS", "60"))
BLOCK = 10
FIRST = 20
"""Steps at the beginning that are left out in every row; ten of them are traced."""
NAIVE_STEPS = 12
"""Of the naive peer, which is many times slower."""

BARE = "no observer"
SYSTEMS: dict[str, dict[str, str]] = {
    BARE: {},
    "off": {"debug_rules": "none", "profile": "off"},
    "default": {"debug_rules": "all", "profile": "on"},
    "everything on": {"debug_rules": "all", "debug_every": "1", "profile": "on"},
}


def step_seconds(run: Run) -> float:
    """A step's time: the median over its tens of steps, or the mean of a run that has too few."""
    first = FIRST if len(run.asked) > FIRST + BLOCK else 2
    marks = run.asked[first:]
    tens = [(late - early) / BLOCK for early, late in zip(marks[::BLOCK], marks[BLOCK::BLOCK], strict=False)]
    return statistics.median(tens) if tens else (marks[-1] - marks[0]) / (len(marks) - 1)


def naive(network: ResNet, folder: Path) -> Observer:
    """smdebug as its introduction shows it: a hook that saves everything at every step."""
    from smdebug.pytorch import Hook, SaveConfig

    hook = Hook(out_dir=str(folder), save_all=True, save_config=SaveConfig(save_interval=1))
    hook.register_module(network)
    return Observer()


def main() -> None:
    """Measure in turn, and publish."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0)))
    os.environ["SMDEBUG_LOG_LEVEL"] = "error"
    bare = bare_loop()
    runs: dict[str, list[Run]] = {name: [] for name in SYSTEMS}
    # smdebug's own hook writes on in a thread.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        root = pictures(Path(scratch) / "all", STEPS)
        few = pictures(Path(scratch) / "few", NAIVE_STEPS)
        ten = pictures(Path(scratch) / "ten", BLOCK)
        train(few, {})  # first allocations
        for number in range(ROUNDS):
            names = list(SYSTEMS)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                runs[name].append(train(root, SYSTEMS[name], by=bare if name == BARE else loop))
        runs[f"{BARE}, float32"] = [train(few, {}, by=bare, float32=True)]
        everything = partial(naive, folder=Path(scratch) / "naive")
        runs["smdebug, everything saved, float32"] = [train(few, {}, prepare=everything, float32=True)]
        factors = between_blocks(ten, PAIRS, BLOCK)
    publish("debug_overhead", [_row(name, runs) for name in runs], _summary(runs, factors))


def _row(name: str, runs: dict[str, list[Run]]) -> Row:
    seconds = [step_seconds(each) for each in runs[name]]
    watched = runs[name][0].step_sum_error is not None
    return {
        "system": name,
        "ms_per_step": 1000 * statistics.median(seconds),
        "least_ms": 1000 * min(seconds),
        "overhead": _overhead(runs, name),
        "trace_s": _trace(runs, name) if watched else None,
        "begin_s": max(run.begin for run in runs[name]) if watched else None,
        "end_s": _median(runs[name], lambda run: run.end) if watched else None,
        "step_sum_error": _worst(run.step_sum_error for run in runs[name]),
        "wall_sum_error": _worst(run.wall_sum_error for run in runs[name]),
    }


def _summary(runs: dict[str, list[Run]], factors: Sequence[float]) -> dict[str, float | None]:
    step = statistics.median(step_seconds(each) for each in runs[BARE])
    deviation = statistics.stdev(factors) if len(factors) > 1 else 0.0
    return {
        "off_overhead": statistics.median(factors) - 1,
        # Of a median, 95%: 1.96 * sqrt(pi / 2) standard errors of the mean.
        "off_overhead_plus_minus": 2.46 * deviation / len(factors) ** 0.5,
        "off_calls_share": calls_of_a_step() / step,
        "default_overhead": _overhead(runs, "default"),
        "everything_overhead": _overhead(runs, "everything on"),
        "naive_overhead": _overhead(runs, "smdebug, everything saved, float32"),
        "trace_s": _trace(runs, "default"),
        "begin_s": max(run.begin for run in runs["default"]),
        "end_s": _median(runs["default"], lambda run: run.end),
        "step_sum_error": _worst(run.step_sum_error for run in runs["default"]),
        "wall_sum_error": _worst(run.wall_sum_error for run in runs["default"]),
        "steps": STEPS,
        "rounds": ROUNDS,
    }


def _overhead(runs: dict[str, list[Run]], name: str) -> float:
    """By what share the steps take longer: the median of the rounds' own ratios."""
    bare = f"{BARE}, float32" if name.endswith("float32") else BARE
    ratios = [
        step_seconds(one) / step_seconds(other) for one, other in zip(runs[name], runs[bare], strict=True)
    ]
    return statistics.median(ratios) - 1


def _trace(runs: dict[str, list[Run]], name: str) -> float:
    """What the first steps take longer than those that nobody watches."""

    def first(run: Run) -> float:
        return run.asked[FIRST] - run.asked[0]

    return statistics.median(
        first(one) - first(other) for one, other in zip(runs[name], runs["off"], strict=True)
    )


def _median(runs: Sequence[Run], what: Callable[[Run], float]) -> float:
    return statistics.median(map(what, runs))


def _worst(errors: Iterable[float | None]) -> float | None:
    return max((each for each in errors if each is not None), default=None)


if __name__ == "__main__":
    main()
