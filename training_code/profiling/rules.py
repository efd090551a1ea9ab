"""The profiler's rules: what slows the training down, what to change, and what that would gain.

Names follow AWS's ("List of Debugger profiler rules", docs.aws.amazon.com/sagemaker/latest/dg/
debugger-built-in-profiler-rules.html); parameters are in `contract.debug_rules`. Shares and utilisations are
percent. Each comes with its least and greatest value over the four quarters of the training.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from training_code.findings import Problem
from training_code.profiling.profile import Column, Profile
from training_code.profiling.spread import PARTED, Spread, by_quarter
from training_code.training.callback import PHASES

_LEAST_STEPS: Final = 8
_LEAST_SAMPLES: Final = 6

Values = Mapping[str, float]


def shares(steps: Mapping[str, Column]) -> dict[str, float]:
    """Each part's share of the time of the steps themselves, percent; what is between them left out."""
    total = sum(float(steps[name].sum()) for name in (*PHASES, "rest"))
    return {name: 100 * float(steps[name].sum()) / max(1e-9, total) for name in (*PHASES, "rest")}


def dataloader(profile: Profile, values: Values) -> Problem | None:
    """Batches are not ready when they are needed. AWS counts loader workers; here the wait is measured."""
    waited = _data_share(profile)
    if waited.middle <= values["threshold"]:
        return None
    return Problem(
        f"waiting for data is {waited.text('.0f', '% of the step')}% {PARTED}",
        "make less of each picture while training: cached or smaller pictures, augment without crops, "
        "or more cores for the loader",
        _at_most(waited, "faster steps"),
        _steps_seen(profile),
    )


def io_bottleneck(profile: Profile, values: Values) -> Problem | None:
    """The disk is what data waits for. AWS: I/O wait above 50 while the GPU is below 10."""
    waits = profile.system.get("io_wait", np.zeros(0))
    waited = _data_share(profile)
    if len(waits) < _LEAST_SAMPLES or waits.mean() <= values["io_threshold"]:
        return None
    if waited.middle <= values["threshold"]:
        return None
    disk = by_quarter(len(waits), lambda part: float(waits[part].mean()))
    return Problem(
        f"waiting for data is {waited.text('.0f', '% of the step')}% {PARTED}, and the cores wait for the "
        f"disk {disk.text('.0f', '% of the time')}%",
        "an instance with more memory, so that the decoded pictures fit into it; or a faster volume",
        _at_most(waited, "faster steps"),
        _steps_seen(profile),
    )


def cpu_bottleneck(profile: Profile, values: Values) -> Problem | None:
    """The GPU waits for the CPU, as AWS has it."""
    if len(profile.cores) < _LEAST_SAMPLES:
        return None
    busy = profile.gpu("busy").mean(0)
    waits = (profile.cores > values["cpu_threshold"]) & (busy < values["gpu_threshold"])
    both = by_quarter(len(waits), lambda part: 100 * float(np.mean(waits[part])))
    if both.middle <= values["threshold"]:
        return None
    return Problem(
        f"in {both.text('.0f', '% of the time')}% {PARTED}, the cores are full and the GPU is not",
        "an instance with more cores per GPU, or less work for them: cheaper augmentation, smaller pictures",
        _at_most(_idle(busy), "faster"),
        _samples_seen(profile),
    )


def low_gpu_utilization(profile: Profile, values: Values) -> Problem | None:
    """The GPU is busy less than `threshold` (70) percent of the time. AWS: its 95th percentile below 70."""
    busy = profile.gpu("busy")
    if busy.shape[1] < _LEAST_SAMPLES or np.percentile(busy.mean(0), 95) >= values["threshold"]:
        return None
    idle = _idle(busy.mean(0))
    return Problem(
        _busy(idle),
        "a smaller and cheaper GPU does the same work; or a larger batch_size or image_size uses this one",
        f"the same work on a slower GPU, or on this one {_at_most(idle, 'as much')}",
        _samples_seen(profile),
    )


def gpu_memory_increase(profile: Profile, values: Values) -> Problem | None:
    """Memory grows and grows: the GPU's, or on a machine without one the process's.

    AWS: over a moving window. Here the steps after the first third are cut into four; each part's median has
    to be above the last one's, and the last above the first by `increase` percent and `least_mb`.
    """
    memory = profile.steps.get("memory_mb", np.zeros(0))
    tail = memory[len(memory) // 3 :]
    if len(tail) < 2 * _LEAST_STEPS:
        return None
    parts = [float(np.median(part)) for part in np.array_split(tail, 4)]
    grown = parts[-1] - parts[0]
    steady = all(later - earlier > grown / 10 > 0 for earlier, later in itertools.pairwise(parts))
    if not steady or grown < max(values["least_mb"], values["increase"] / 100 * parts[0]):
        return None
    per_step = grown / (len(tail) * 0.75)
    return Problem(
        f"memory grew from {parts[0]:.0f} to {parts[-1]:.0f} MiB, {per_step:.1f} MiB a step",
        "something keeps what each step makes: losses or outputs that are collected with their graph "
        "(detach them), or a list that is never emptied",
        f"no end for want of memory: 1000 more steps would take {per_step * 1000 / 1024:.1f} GiB",
        "from the memory of each step",
    )


def batch_size(profile: Profile, values: Values) -> Problem | None:
    """The GPU has room: busy below `gpu_threshold` (70), memory below `memory_threshold` (50). As AWS."""
    busy, used = profile.gpu("busy"), profile.gpu("used_mb")
    if busy.shape[1] < _LEAST_SAMPLES:
        return None
    full = 100 * float((used / np.maximum(1, profile.gpu("total_mb"))).max())
    if np.percentile(busy.mean(0), 95) >= values["gpu_threshold"] or full >= values["memory_threshold"]:
        return None
    idle = _idle(busy.mean(0))
    return Problem(
        f"{_busy(idle)}, with {full:.0f}% of its memory at most",
        "double batch_size, and raise learning_rate by about 1.4 (its square root) to two with it",
        _at_most(idle, "faster"),
        _samples_seen(profile),
    )


def step_outlier(profile: Profile, values: Values) -> Problem | None:
    """Single steps that take many times as long as the others.

    AWS: steps above 3 standard deviations. The deviation is that of the middle here (the median's, scaled),
    which outliers cannot stretch; a step has to take three times the median as well.
    """
    steady = profile.steady
    if len(steady.get("step", ())) < _LEAST_STEPS:
        return None
    spent = np.sum([steady[name] for name in (*PHASES, "rest")], axis=0)
    median = float(np.median(spent))
    deviation = 1.4826 * float(np.median(np.abs(spent - median)))
    slow = (spent > median + values["deviations"] * deviation) & (spent > 3 * median)
    lost = np.where(slow, spent - median, 0)
    share = by_quarter(
        len(spent), lambda part: 100 * float(lost[part].sum()) / max(1e-9, float(spent[part].sum()))
    )
    if not slow.any() or share.middle <= values["least_share"]:
        return None
    worst = int(np.argmax(spent))
    slowest = int(steady["step"][worst])
    part = max((*PHASES, "rest"), key=lambda name: float(steady[name][worst]))
    return Problem(
        f"{int(slow.sum())} of {len(spent)} steps take up to {spent.max() / median:.0f} times the median "
        f"({median * 1000:.0f} ms), most of it in {part!r}; the slowest is step {slowest}. "
        f"They lose {share.text('.0f', '% of the time')}% {PARTED}",
        f"look at what else happens in {part!r} at these steps: other jobs on the machine, a disk that "
        "stalls, memory that is short",
        f"{_at_most(share, 'faster steps')}, if what stalls them is this training's own",
        _steps_seen(profile),
    )


def load_balancing(profile: Profile, values: Values) -> Problem | None:
    """GPUs that are not equally busy: `threshold` (20) points apart or more. AWS: differing histograms."""
    every = profile.gpu("busy")
    busy = every.mean(1)
    if busy.max() - busy.min() < values["threshold"]:
        return None
    most, least = int(busy.argmax()), int(busy.argmin())
    ahead = by_quarter(
        every.shape[1], lambda part: float(every[most, part].mean() / max(1.0, every[:, part].mean()))
    )
    return Problem(
        f"GPU {most} is busy {busy[most]:.0f}% of the time, GPU {least} {busy[least]:.0f}%",
        "batches of the same size for each; nothing else on the busy one (validation, saving)",
        f"at most {ahead.text('.1f', ' times faster')} {PARTED}",
        _samples_seen(profile),
    )


def _data_share(profile: Profile) -> Spread:
    """What waiting for data is of the steps, percent."""
    steady = profile.steady
    if len(steady.get("step", ())) < _LEAST_STEPS:
        return Spread(0.0, 0.0, 0.0)

    def share(part: slice) -> float:
        return shares({name: values[part] for name, values in steady.items()})["data"]

    return by_quarter(len(steady["step"]), share)


def _idle(busy: Column) -> Spread:
    """How much of the time a GPU has left, percent."""
    return by_quarter(len(busy), lambda part: 100 - float(busy[part].mean()))


def _busy(idle: Spread) -> str:
    return f"the GPU is busy {idle.map(lambda share: 100 - share).text('.0f', '% of the time')}% {PARTED}"


def _at_most(lost: Spread, what: str) -> str:
    """What it would bring to win back a lost share of the time, percent: in no case more than this."""
    faster = lost.map(lambda share: 100 / (100 - min(99.0, share)))
    return f"at most {faster.text('.1f', f' times {what}')} {PARTED}"


def _steps_seen(profile: Profile) -> str:
    everything, steady = len(profile.steps["step"]), len(profile.steady["step"])
    return f"from the parts of {steady} steps, the first {everything - steady} left out as warm-up"


def _samples_seen(profile: Profile) -> str:
    return f"from the GPU's use in {len(profile.system['seconds'])} samples"


RULES: Final[Mapping[str, Callable[[Profile, Values], Problem | None]]] = {
    "dataloader": dataloader,
    "io_bottleneck": io_bottleneck,
    "cpu_bottleneck": cpu_bottleneck,
    "low_gpu_utilization": low_gpu_utilization,
    "gpu_memory_increase": gpu_memory_increase,
    "batch_size": batch_size,
    "step_outlier": step_outlier,
    "load_balancing": load_balancing,
}
OF_GPUS: Final = frozenset({"cpu_bottleneck", "low_gpu_utilization", "batch_size", "load_balancing"})
