"""Planted slowness and a leak, each named by exactly its rule; and where the time of a training went."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import mmap
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from contract.debug_rules import PROFILE_RULES
from reports.shared import figures
from reports.training import insight
from tests.unit.training_code.debugged import SHORT, classes_of_noise, found, network
from tests.unit.training_code.samples import MACHINE, load
from training_code.config import Config, parse
from training_code.data.batches import Batches
from training_code.debugging.settings import DebugSettings
from training_code.findings import Finding, Findings
from training_code.network.resnet import ResNet
from training_code.output import record
from training_code.profiling import OPERATORS, STEPS, SYSTEM, TRACE, operators, probe
from training_code.profiling.profile import Profile
from training_code.profiling.rule_runner import ProfileRules
from training_code.profiling.spread import Spread
from training_code.profiling.steps import COLUMNS, StepTimer
from training_code.profiling.system import Sampler
from training_code.profiling.trace import Trace
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import PHASES, Callback, Callbacks
from training_code.training.checkpoints import Checkpoints
from training_code.watching.session import Session

STEPS_PER_EPOCH = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps' worth."""
    return classes_of_noise(tmp_path_factory.mktemp("pictures"), {"dark": (24, 4), "light": (24, 4)})


class Clock:
    """A clock that stands still unless a fault lets it run: a step of it takes 10 ms in each part."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


class Fault(Callback):
    """Does something at the beginning of a part of a step."""

    def __init__(self, part: str, work: Callable[[int], None]) -> None:
        self._part, self._work, self._step = part, work, -1

    def step_begins(self, epoch: int, step: int) -> None:
        self._step += 1

    def phase(self, name: str) -> None:
        if name == self._part:
            self._work(self._step)


def profile(
    pictures: Path, folder: Path, clock: Callable[[], float], *more: Callback, epochs: int = 2
) -> Findings:
    """Train with the profiler looking on, and put what it wrote to the rules."""
    config = parse(SHORT | {"epochs": str(epochs), "batch_size": "4"})
    dataset = load(pictures, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    folder.mkdir(exist_ok=True)
    timer = StepTimer(folder, clock)
    callback = Callbacks([timer, *more])
    loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), callback)
    timer.end()
    return judged(folder)


def judged(folder: Path) -> Findings:
    findings = Findings()
    ProfileRules(folder, PROFILE_RULES, findings).evaluate(final=True)
    return findings


def test_a_training_like_any_other_triggers_no_rule(pictures: Path, tmp_path: Path) -> None:
    assert found(profile(pictures, tmp_path, Clock())) == []


def test_a_slow_loader_is_told_with_what_it_costs(pictures: Path, tmp_path: Path) -> None:
    clock = Clock()

    def wait(_: int) -> None:
        clock.now += 0.1

    findings = profile(pictures, tmp_path, clock, Fault("data", wait))
    assert found(findings) == ["dataloader"]
    assert "waiting for data is 69% of the step" in findings.findings[0].message


def ticking(seconds: list[tuple[int, int]]) -> Callable[[], float]:
    """A clock for pairs of things that take so long, looked at before and after each."""
    now, looks = 0.0, []
    for each in itertools.chain.from_iterable(seconds):
        looks += [now, now + each]
        now += each
    return iter(looks).__next__


def test_a_probe_measures_what_two_threads_would_gain() -> None:
    together = threading.Barrier(2, timeout=120)

    def prepare(number: int) -> None:
        if threading.current_thread() is not threading.main_thread():
            together.wait()  # two at once, or never

    seconds = [(8, 4), (8, 5), (8, 2), (9, 3), (7, 7)]
    assert probe.faster_with_workers(prepare, ticking(seconds)) == Spread(2, 1, 4)
    sure = probe.gain_of_workers(0.5, Spread(2.0, 1.5, 3.0))
    assert sure == "steps 1.33× as fast, 1.20 to 1.50 with a second thread that prepares batches"
    assert probe.gain_of_workers(0.5, Spread(2.0, 1.0, 4.0)).startswith("nothing sure")


def test_a_probe_measures_what_twice_the_batch_would_gain_and_changes_nothing(pictures: Path) -> None:
    config = parse(SHORT | {"batch_size": "4"})
    dataset = load(pictures, config)
    batches = Batches(dataset.train, dataset.transform, config, MACHINE)
    trained, sizes = network(2), []
    trained.eval()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    trained.conv1.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    seconds = [(99, 99), (8, 10), (8, 9), (8, 16), (4, 4), (8, 11)]  # the first are not looked at
    measured = probe.faster_with_twice_the_batch(trained, batches, ticking(seconds))
    assert measured == Spread(1.6, 1.0, 2.0)
    assert sizes == ([4] * 2 + [8] * 2) * 6, "in turn: a machine that others use is now faster, now slower"
    assert probe.gain_of_twice_the_batch(measured) == (
        "nothing sure: 1.60× as many pictures a second, 1.00 to 2.00"
    )
    assert not trained.training
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    assert all(each.grad is None for each in trained.parameters())


def test_twice_a_batch_that_does_not_fit_gains_nothing(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse(SHORT | {"batch_size": "4"})
    dataset = load(pictures, config)
    batches = Batches(dataset.train, dataset.transform, config, MACHINE)

    def full(scores: Tensor, labels: Tensor) -> Tensor:
        if len(labels) > 4:
            raise torch.OutOfMemoryError
        return cross_entropy(scores, labels)

    monkeypatch.setattr(probe, "cross_entropy", full)
    assert probe.faster_with_twice_the_batch(network(2), batches) is None
    assert "does not fit" in probe.gain_of_twice_the_batch(None)


def test_findings_that_can_be_tried_out_say_what_was_measured(pictures: Path, tmp_path: Path) -> None:
    config = parse(SHORT | {"batch_size": "4"})
    dataset = load(pictures, config)
    batches = Batches(dataset.train, dataset.transform, config, MACHINE)
    findings = written(tmp_path / "profile", {}, BUSY | {"gpu0_busy": 30, "gpu0_used_mb": 20})
    findings.findings += written(tmp_path / "slow", {"data": 0.1}, BUSY).findings
    assert found(findings) == ["batch_size", "dataloader"]
    assert findings.findings[0].how == "from the GPU's use in 40 samples"
    probe.measure(findings, tmp_path / "slow", network(2), batches)
    assert [each.how for each in findings.findings] == [
        "measured on a probe: the median and the extremes of 5 tries of 2 steps",
        "measured on a probe: the median and the extremes of 5 tries of 2 batches",
    ]
    assert "×" in findings.findings[0].gain


def test_a_slow_step_is_told_with_its_number_and_its_part(pictures: Path, tmp_path: Path) -> None:
    clock = Clock()

    def stall(step: int) -> None:
        clock.now += 2.0 if step == 17 else 0.0

    findings = profile(pictures, tmp_path, clock, Fault("backward", stall))
    assert found(findings) == ["step_outlier"]
    assert "'backward'; the slowest is step 17" in findings.findings[0].message


def train_and_leak(pictures: Path, folder: Path) -> None:
    kept: list[mmap.mmap] = []

    def leak(_: int) -> None:
        kept.append(mmap.mmap(-1, 48 * 2**20))
        kept[-1].write(bytes(48 * 2**20))

    findings = profile(pictures, folder, Clock(), Fault("forward", leak), epochs=3)
    assert found(findings) == ["gpu_memory_increase"]
    assert "MiB a step" in findings.findings[0].message


def test_memory_that_grows_at_every_step_is_a_leak(pictures: Path, tmp_path: Path) -> None:
    # In a process of its own: what the tests before have left in this one is given back at any time.
    alone = multiprocessing.get_context("spawn").Process(target=train_and_leak, args=(pictures, tmp_path))
    alone.start()
    alone.join()
    assert alone.exitcode == 0


def test_the_parts_of_the_steps_add_up_to_the_wall_time(pictures: Path, tmp_path: Path) -> None:
    clock = Clock()
    uneven = Fault("backward", lambda step: setattr(clock, "now", clock.now + step % 5 / 7))
    begun = clock.now
    profile(pictures, tmp_path / "profile", clock, uneven)
    wall = clock.now - begun
    steps = record.watched(Findings(), tmp_path)["steps"]
    assert steps["wall_seconds"] == pytest.approx(wall, rel=0.02)
    assert sum(steps["seconds"].values()) + steps["between_seconds"] == pytest.approx(wall, rel=0.02)
    assert steps["count"] == 2 * STEPS_PER_EPOCH


class Bracketed(Callback):
    """A timer between two clocks: `inside` reads the time it cannot miss, `outside` that it cannot exceed."""

    def __init__(self, timer: StepTimer) -> None:
        self._timer = timer
        self.phase = timer.phase  # type: ignore[method-assign]
        self.inside: list[float] = []
        self.outside: list[float] = []

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        self._timer.training_begins(network, config, batches)

    def step_begins(self, epoch: int, step: int) -> None:
        self._before = time.perf_counter()
        self._timer.step_begins(epoch, step)
        self._begun = time.perf_counter()

    def step_ends(self, loss: Tensor) -> None:
        ended = time.perf_counter()
        self._timer.step_ends(loss)
        self.inside.append(ended - self._begun)
        self.outside.append(time.perf_counter() - self._before)


def test_the_parts_of_every_real_step_are_the_time_another_clock_measures(
    pictures: Path, tmp_path: Path
) -> None:
    config = parse(SHORT | {"epochs": "2", "batch_size": "4"})
    dataset = load(pictures, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    timer = StepTimer(tmp_path)
    clocks = Bracketed(timer)
    loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), clocks)
    timer.end()
    columns = Profile.read(tmp_path).steps
    spent = np.sum([columns[name] for name in (*PHASES, "rest")], axis=0)
    assert len(spent) == 2 * STEPS_PER_EPOCH
    rounding = 1e-5  # of six parts, to a microsecond each
    assert np.all(spent > np.array(clocks.inside) - rounding)
    assert np.all(spent < np.array(clocks.outside) + rounding)


def test_the_first_steps_are_traced_for_perfetto_and_the_dearest_operators_listed(
    pictures: Path, tmp_path: Path
) -> None:
    profile(pictures, tmp_path, Clock(), Trace(tmp_path, 3), epochs=1)
    operators.pack(tmp_path)
    trace = json.loads(gzip.decompress((tmp_path / TRACE).read_bytes()))
    assert list(tmp_path.glob("trace*")) == [tmp_path / TRACE]
    told = json.loads((tmp_path / OPERATORS).read_text())
    assert (told["steps"], told["device"]) == (3, "cpu")
    dearest = {each["operator"]: each for each in told["top"]}
    assert any("convolution" in name for name in dearest)
    # Every microsecond is some operator's own: together they are what the outermost ones took.
    events = [each for each in trace["traceEvents"] if each.get("cat") == "cpu_op"]
    own = operators._by_themselves(events)
    assert min(own.values()) > -1e-6 * max(own.values())
    busiest = max((each["dur"], each["name"]) for each in events)
    assert sum(own.values()) >= busiest[0]


def test_an_operators_own_time_leaves_out_what_it_called_and_kernels_count_for_who_started_them() -> None:
    def event(name: str, ts: float, dur: float, cat: str = "cpu_op", of: int = 0) -> dict[str, object]:
        return {
            "ph": "X",
            "cat": cat,
            "name": name,
            "tid": 1,
            "ts": ts,
            "dur": dur,
            "args": {"External id": of},
        }

    calls = [
        event("conv", 0, 10, of=1),
        event("add", 2, 3, of=2),
        event("add", 6, 1, of=3),
        event("relu", 20, 4),
    ]
    told = operators.dearest({"traceEvents": calls})
    assert told["device"] == "cpu"
    assert [(each["operator"], each["calls"], each["ms"]) for each in told["top"]] == [
        ("conv", 1, 0.006),
        ("add", 2, 0.004),
        ("relu", 1, 0.004),
    ]
    kernels = [event("sgemm", 30, 2000, "kernel", of=1), event("memset", 40, 500, "gpu_memset", of=99)]
    on_gpu = operators.dearest({"traceEvents": calls + kernels})
    assert on_gpu["device"] == "gpu"
    assert [(each["operator"], each["ms"]) for each in on_gpu["top"]] == [("conv", 2.0), ("memset", 0.5)]


def written(folder: Path, steps: dict[str, object], system: dict[str, object], count: int = 40) -> Findings:
    """The rules' word on columns of numbers, each one for all rows."""
    folder.mkdir()
    plain = dict.fromkeys(("between", *PHASES, "rest"), 0.01) | {"memory_mb": 500.0}
    for name, columns in ((STEPS, plain | steps), (SYSTEM, system)):
        if name == STEPS:
            columns = {"step": range(count), "begun": range(count)} | columns
            assert set(columns) == set(COLUMNS)
            columns = {key: columns[key] for key in COLUMNS}
        values = [
            np.broadcast_to(np.asarray(list(v) if isinstance(v, range) else v), count)
            for v in columns.values()
        ]
        lines = [",".join(f"{value:g}" for value in row) for row in zip(*values, strict=True)]
        (folder / name).write_text("\n".join([",".join(columns), *lines]) + "\n")
    return judged(folder)


BUSY = {
    "seconds": range(40),
    "core0": 40,
    "core1": 40,
    "io_wait": 0,
    "gpu0_busy": 95,
    "gpu0_used_mb": 60,
    "gpu0_total_mb": 100,
}


@pytest.mark.parametrize(
    ("steps", "system", "rules"),
    [
        ({}, {}, []),
        ({"data": 0.1}, {"io_wait": 60}, ["io_bottleneck"]),
        ({}, {"core0": 99, "core1": 99, "gpu0_busy": 30}, ["cpu_bottleneck"]),
        ({}, {"gpu0_busy": 30}, ["low_gpu_utilization"]),
        ({}, {"gpu0_busy": 30, "gpu0_used_mb": 20}, ["batch_size"]),
        ({}, {"gpu1_busy": 60, "gpu1_used_mb": 60, "gpu1_total_mb": 100}, ["load_balancing"]),
    ],
)
def test_each_rule_of_the_machine_triggers_by_itself(
    steps: dict[str, object], system: dict[str, object], rules: list[str], tmp_path: Path
) -> None:
    assert found(written(tmp_path / "profile", steps, BUSY | system)) == rules


def columns(folder: Path, waits: list[float]) -> None:
    """A profile of as many steps of 40 ms as there are waits for data, each that much longer (s)."""
    folder.mkdir(exist_ok=True)
    lines = [",".join(COLUMNS)]
    for number, wait in enumerate(waits):
        step = dict.fromkeys(COLUMNS, 0.01) | {"step": number, "data": 0.01 + wait, "memory_mb": 500.0}
        lines.append(",".join(f"{step[name]:g}" for name in COLUMNS))
    (folder / STEPS).write_text("\n".join(lines) + "\n")


def test_what_only_the_first_steps_show_is_taken_back(tmp_path: Path) -> None:
    """On a machine that others use as well the first steps say as much about them."""
    told = {"message": "m", "change": "c", "gain": "g", "how": "h"}
    findings = Findings(findings=[Finding(rule="overfit", kind="debug", step=3, **told)])
    rules = ProfileRules(tmp_path, PROFILE_RULES, findings)
    slow = [0.2] * 30
    columns(tmp_path, slow)
    rules.evaluate()
    assert found(findings) == ["overfit", "dataloader"]
    columns(tmp_path, slow + [0.0] * 2000)
    rules.evaluate(final=True)
    assert found(findings) == ["overfit"]
    [state] = [each for each in findings.rules if each.rule == "dataloader"]
    assert (state.evaluated, state.triggered, state.first_step) == (2, 1, None)
    assert state.note == "in a part of the training only"
    assert "in a part of the training only" in insight.rules({"rules": [dataclasses.asdict(state)]})


def test_what_is_told_in_the_end_is_the_whole_trainings_with_how_far_its_quarters_lie_apart(
    tmp_path: Path,
) -> None:
    findings = Findings()
    rules = ProfileRules(tmp_path, {"dataloader": PROFILE_RULES["dataloader"]}, findings)
    columns(tmp_path, [0.4] * 30)
    rules.evaluate()
    assert "waiting for data is 89% of the step" in findings.findings[0].message
    columns(tmp_path, [9.0] * 12 + [0.4] * 100 + [0.0] * 100 + [0.1] * 200)
    rules.evaluate(final=True)
    [finding] = findings.findings
    assert finding.step == 29, "where it was first seen"
    assert finding.message == "waiting for data is 76% of the step, 17 to 89% by quarter of the training"
    assert finding.gain == "at most 4.2 times faster steps, 1.2 to 9.2 by quarter of the training"
    assert finding.how == "from the parts of 400 steps, the first 12 left out as warm-up"


def test_a_finding_of_the_profiler_is_no_line_of_the_log_until_the_training_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path, DebugSettings.of(parse({"debug_rules": "none"})), ("a", "b"))
    findings = Findings()
    for rule, kind in (("dataloader", "profile"), ("overfit", "debug")):
        findings.findings.append(Finding(rule=rule, kind=kind, step=1, message="m", change="c"))
    session._tell(findings, over=False)
    assert capsys.readouterr().out == "debugger: rule=overfit step=1: m; c\n"
    session._tell(findings, over=True)
    assert capsys.readouterr().out == "debugger: rule=dataloader step=1: m; c\n"


def test_how_long_a_step_takes_is_told_with_its_spread_and_without_the_warm_up(tmp_path: Path) -> None:
    columns(tmp_path / "profile", [5.0] * 12 + [0.0] * 90 + [0.06] * 10)
    steps = record.watched(Findings(), tmp_path)["steps"]
    assert (steps["count"], steps["left_out"]) == (112, 12)
    assert figures.step_time(steps) == (
        "60 ms (median), nine in ten 60 to 120 ms, the first 12 left out as warm-up"
    )
    assert figures.step_time({"median_ms": 50.0}) == "50 ms (median)", "of a record that knows no more"


def test_rules_of_gpus_say_why_they_did_not_look(tmp_path: Path) -> None:
    system = {name: value for name, value in BUSY.items() if not name.startswith("gpu")}
    notes = {each.rule: each.note for each in written(tmp_path / "profile", {}, system).rules}
    assert notes["batch_size"] == notes["cpu_bottleneck"] == "no GPU"
    assert notes["dataloader"] == ""


def test_a_line_torn_by_a_crash_is_left_out(tmp_path: Path) -> None:
    written(tmp_path / "profile", {}, BUSY)
    with (tmp_path / "profile" / STEPS).open("a") as file:
        file.write("40,1.0,0.0")
    assert len(Profile.read(tmp_path / "profile").steps["step"]) == 40


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    sampler = Sampler(os.getpid(), tmp_path)
    sampler.sample()
    seen = Profile.read(tmp_path)
    assert seen.system["process_mb"][0] > 10
    assert len(seen.cores) == 1
