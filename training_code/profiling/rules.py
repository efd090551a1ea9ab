"""The profiler's rules: what slows the training down, what to change, and what that would gain.

Names follow AWS's ("List of Debugger profiler rules", docs.aws.amazon.com/sagemaker/latest/dg/
debugger-built-in-profiler-rules.html). Parameters and their defaults are in `debugging.catalogue`; shares and
utilisations are percent. The first steps are left out.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from training_code.debugging.findings import Finding, Findings, RuleState
from training_code.observer import PHASES
from training_code.profiling.data import Column, Profile

_SECONDS_BETWEEN_LOOKS: Final = 10.0
_LOOKED_AT: Final = 512 * 1024
"""Bytes at the end of each file that are judged while the training runs."""
_LEAST_STEPS: Final = 8
_LEAST_SAMPLES: Final = 6

Values = Mapping[str, float]


class Seen(NamedTuple):
    """What is wrong, what to change, what that would gain, and how the gain was got."""

    message: str
    change: str
    gain: str
    how: str


CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "dataloader": ("io_bottleneck",),
    "low_gpu_utilization": ("io_bottleneck", "dataloader", "cpu_bottleneck", "batch_size"),
    "batch_size": ("io_bottleneck", "dataloader", "cpu_bottleneck"),
    "cpu_bottleneck": ("io_bottleneck", "dataloader"),
}
"""By rule, those whose finding explains what it finds."""


class ProfileRules:
    """Puts the profile in `folder` to the rules, now and then."""

    def __init__(self, folder: Path, rules: Mapping[str, Values], findings: Findings) -> None:
        self._folder, self._rules, self._findings = folder, rules, findings
        self._states = {name: RuleState(rule=name, kind="profile") for name in rules}
        findings.rules.extend(self._states.values())
        self._looked = 0.0

    def evaluate(self, *, final: bool = False) -> None:
        """Look, if the last look is long enough ago or this is the last one, which sees everything."""
        now = time.monotonic()
        if not self._rules or (not final and now - self._looked < _SECONDS_BETWEEN_LOOKS):
            return
        self._looked = now
        profile = Profile.read(self._folder, None if final else _LOOKED_AT)
        for name in sorted(self._rules, key=lambda each: len(CAUSES.get(each, ()))):
            self._put(name, profile)

    def _put(self, name: str, profile: Profile) -> None:
        state = self._states[name]
        if name in _OF_GPUS and not profile.gpus:
            state.note = "no GPU"
            return
        if name == "load_balancing" and profile.gpus < 2:
            state.note = "one GPU"
            return
        state.evaluated += 1
        seen = _RULES[name](profile, self._rules[name])
        if seen is None:
            return
        step = int(profile.steps["step"][-1]) if len(profile.steps.get("step", ())) else 0
        state.triggered += 1
        state.last_step = step
        if state.first_step is not None:
            return
        state.first_step = step
        cause = next((found for each in CAUSES.get(name, ()) if (found := self._findings.of(each))), None)
        if cause is not None:
            state.explained_by = cause.rule
            cause.consequences.append(name)
            return
        self._findings.findings.append(Finding(rule=name, kind="profile", step=step, **seen._asdict()))


def shares(steps: Mapping[str, Column]) -> dict[str, float]:
    """Each part's share of the time of the steps themselves, percent; what is between them left out."""
    total = sum(float(steps[name].sum()) for name in (*PHASES, "rest"))
    return {name: 100 * float(steps[name].sum()) / max(1e-9, total) for name in (*PHASES, "rest")}


def dataloader(profile: Profile, values: Values) -> Seen | None:
    """Batches are not ready when they are needed: data takes more than `threshold` (20) of the step.

    AWS: compares the number of loader workers with that of cores; here the wait itself is measured.
    """
    waited = _data_share(profile)
    if waited <= values["threshold"]:
        return None
    return Seen(
        f"waiting for data is {waited:.0f}% of the step",
        "make less of each picture while training: cached or smaller pictures, augment without crops, "
        "or more cores for the loader",
        f"at most {100 / (100 - min(99.0, waited)):.1f} times faster steps",
        "from the parts of the steps",
    )


def io_bottleneck(profile: Profile, values: Values) -> Seen | None:
    """The disk is what data waits for: data above `threshold` (20), and the cores wait `io_threshold` (20).

    AWS: I/O wait above 50 while the GPU is below 10.
    """
    waits = profile.system.get("io_wait", np.zeros(0))
    waited = _data_share(profile)
    if len(waits) < _LEAST_SAMPLES or waited <= values["threshold"] or waits.mean() <= values["io_threshold"]:
        return None
    return Seen(
        f"waiting for data is {waited:.0f}% of the step, and the cores wait for the disk {waits.mean():.0f}% "
        "of the time",
        "an instance with more memory, so that the decoded pictures fit into it; or a faster volume",
        f"at most {100 / (100 - min(99.0, waited)):.1f} times faster steps",
        "from the parts of the steps",
    )


def cpu_bottleneck(profile: Profile, values: Values) -> Seen | None:
    """The GPU waits for the CPU, as AWS has it: cores above `cpu_threshold` (90) while the GPU is below
    `gpu_threshold` (50), in more than `threshold` (50) percent of the samples.
    """
    if len(profile.cores) < _LEAST_SAMPLES:
        return None
    busy = profile.gpu("busy").mean(0)
    both = 100 * np.mean((profile.cores > values["cpu_threshold"]) & (busy < values["gpu_threshold"]))
    if both <= values["threshold"]:
        return None
    return Seen(
        f"in {both:.0f}% of the time the cores are full and the GPU is not",
        "an instance with more cores per GPU, or less work for them: cheaper augmentation, smaller pictures",
        f"at most {100 / max(1.0, float(busy.mean())):.1f} times faster",
        "from the GPU's use",
    )


def low_gpu_utilization(profile: Profile, values: Values) -> Seen | None:
    """The GPU is busy less than `threshold` (70) percent of the time. AWS: its 95th percentile below 70."""
    busy = profile.gpu("busy")
    if busy.shape[1] < _LEAST_SAMPLES or np.percentile(busy.mean(0), 95) >= values["threshold"]:
        return None
    mean = float(busy.mean())
    return Seen(
        f"the GPU is busy {mean:.0f}% of the time",
        "a smaller and cheaper GPU does the same work; or a larger batch_size or image_size uses this one",
        f"the same work on a GPU of {max(1.0, mean):.0f}% of the speed, or {100 / max(1.0, mean):.1f} times "
        "as much on this one",
        "from the GPU's use",
    )


def gpu_memory_increase(profile: Profile, values: Values) -> Seen | None:
    """Memory grows and grows: the GPU's, or on a machine without one the process's.

    AWS: a GPU's memory grows by `increase` (10) percent over a moving window. Here the steps after the first
    third are cut into four; each part's median has to be above the last one's, and the last above the first
    by `increase` percent and `least_mb` (64).
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
    return Seen(
        f"memory grew from {parts[0]:.0f} to {parts[-1]:.0f} MiB, {per_step:.1f} MiB a step",
        "something keeps what each step makes: losses or outputs that are collected with their graph "
        "(detach them), or a list that is never emptied",
        f"no end for want of memory: 1000 more steps would take {per_step * 1000 / 1024:.1f} GiB",
        "from the memory of each step",
    )


def batch_size(profile: Profile, values: Values) -> Seen | None:
    """The GPU has room: busy below `gpu_threshold` (70), memory below `memory_threshold` (50). As AWS."""
    busy, used = profile.gpu("busy"), profile.gpu("used_mb")
    if busy.shape[1] < _LEAST_SAMPLES:
        return None
    full = 100 * float((used / np.maximum(1, profile.gpu("total_mb"))).max())
    if np.percentile(busy.mean(0), 95) >= values["gpu_threshold"] or full >= values["memory_threshold"]:
        return None
    return Seen(
        f"the GPU is busy {busy.mean():.0f}% of the time with {full:.0f}% of its memory",
        "double batch_size, and raise learning_rate by about 1.4 (its square root) to two with it",
        f"up to {100 / max(1.0, float(busy.mean())):.1f} times faster",
        "from the GPU's use",
    )


def step_outlier(profile: Profile, values: Values) -> Seen | None:
    """Single steps that take many times as long as the others.

    AWS: steps above `stddev` (3) standard deviations. The deviation is that of the middle here (the
    median's, scaled), which outliers cannot stretch, times `deviations` (6); a step has to take three times
    the median as well, and all of them together more than `least_share` (3) percent of the time.
    """
    steady = profile.steady
    if len(steady.get("step", ())) < _LEAST_STEPS:
        return None
    spent = np.sum([steady[name] for name in (*PHASES, "rest")], axis=0)
    median = float(np.median(spent))
    deviation = 1.4826 * float(np.median(np.abs(spent - median)))
    slow = (spent > median + values["deviations"] * deviation) & (spent > 3 * median)
    lost = float((spent[slow] - median).sum())
    share = 100 * lost / max(1e-9, float(spent.sum()))
    if not slow.any() or share <= values["least_share"]:
        return None
    worst = int(np.argmax(spent))
    part = max((*PHASES, "rest"), key=lambda name: float(steady[name][worst]))
    return Seen(
        f"{int(slow.sum())} of {len(spent)} steps take up to {spent.max() / median:.0f} times the median "
        f"({median * 1000:.0f} ms), most of it in {part!r}; the slowest is step {int(steady['step'][worst])}",
        f"look at what else happens in {part!r} at these steps: other jobs on the machine, a disk that "
        "stalls, memory that is short",
        f"{100 / (100 - share):.2f} times faster",
        "from the time of each step",
    )


def load_balancing(profile: Profile, values: Values) -> Seen | None:
    """GPUs that are not equally busy: `threshold` (20) points apart or more. AWS: differing histograms."""
    busy = profile.gpu("busy").mean(1)
    if busy.max() - busy.min() < values["threshold"]:
        return None
    return Seen(
        f"GPU {int(busy.argmax())} is busy {busy.max():.0f}% of the time, GPU {int(busy.argmin())} "
        f"{busy.min():.0f}%",
        "batches of the same size for each; nothing else on the busy one (validation, saving)",
        f"up to {busy.max() / max(1.0, float(busy.mean())):.1f} times faster",
        "from the GPUs' use",
    )


def _data_share(profile: Profile) -> float:
    steady = profile.steady
    return shares(steady)["data"] if len(steady.get("step", ())) >= _LEAST_STEPS else 0.0


_RULES: Final[Mapping[str, Callable[[Profile, Values], Seen | None]]] = {
    "dataloader": dataloader,
    "io_bottleneck": io_bottleneck,
    "cpu_bottleneck": cpu_bottleneck,
    "low_gpu_utilization": low_gpu_utilization,
    "gpu_memory_increase": gpu_memory_increase,
    "batch_size": batch_size,
    "step_outlier": step_outlier,
    "load_balancing": load_balancing,
}
_OF_GPUS: Final = frozenset({"cpu_bottleneck", "low_gpu_utilization", "batch_size", "load_balancing"})
