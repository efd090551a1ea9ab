"""What a job makes of the machine it finds."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from training_code.config import parse
from training_code.errors import InvalidHyperparameter
from training_code.hardware import cores, machine
from training_code.hardware.cores import CoreWatch
from training_code.hardware.machine import Machine
from training_code.network.model import compiled
from training_code.network.resnet import resnet


def test_a_job_takes_no_more_threads_than_others_leave_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 4)
    clock = iter([0.0, 10.0, 10.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    idle = iter([100.0, 121.0])  # 21 of 40 core seconds were idle
    monkeypatch.setattr(cores, "_idle_seconds", lambda: next(idle))
    assert CoreWatch().free_cores() == 2


def test_a_job_always_has_one_thread_and_never_more_than_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "_idle_seconds", lambda: 0.0)
    assert CoreWatch().free_cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    seconds = iter([0.0, 1000.0])
    monkeypatch.setattr(cores, "_idle_seconds", lambda: next(seconds))
    assert CoreWatch().free_cores() == 2


def test_no_more_pictures_go_through_a_network_together_than_fit_into_the_cache_or_memory() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert [machine.at_once(size, cpu) for size in (32, 224, 1024)] == [128, 16, 1]
    assert [machine.at_once(size, gpu) for size in (32, 224, 1024)] == [128, 128, 6]
    assert machine.at_once(224, cpu, from_freeze_point=True) == 128


def test_a_step_goes_through_a_cpu_in_pieces_that_fit_into_its_caches() -> None:
    pictures = torch.empty(64, 3, 224, 224, device="meta")
    two = Machine(torch.device("cpu"), 2, bfloat16=False)
    assert two.pieces(pictures) == [slice(start, start + 8) for start in range(0, 64, 8)]
    assert two.pieces(pictures[:9]) == [slice(0, 4), slice(4, 9)]
    assert len(two.pieces(torch.empty(3, 3, 1024, 1024, device="meta"))) == 3
    assert len(two.pieces(torch.empty(64, 3, 64, 64, device="meta"))) == 1
    for other in (replace(two, device=torch.device("cuda")), replace(two, compiles=True)):
        assert other.pieces(pictures) == [slice(None)]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_large_block_is_used_again_without_its_pages_being_faulted_in_anew() -> None:
    code = """
import resource, torch
from training_code.hardware.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
print(faults(), min(faults() for _ in range(4)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, again = map(int, done.stdout.split())
    assert again < first / 10


def test_bfloat16_is_left_out_where_its_gradients_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cpu_has_bfloat16", lambda: True)
    large, small = parse({"image_size": "32"}), parse({"image_size": "31"})
    assert Machine.prepare(1, large).bfloat16 is not torch.cuda.is_available()
    assert Machine.prepare(1, small).bfloat16 is False


def test_number_format_and_memory_order_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = Machine.prepare(1, parse({}))
    assert (found.bfloat16, found.memory_format) == (False, torch.channels_last)
    asked = Machine.prepare(1, parse({"precision": "bfloat16", "memory_format": "contiguous"}))
    assert (asked.bfloat16, asked.memory_format) == (True, torch.contiguous_format)
    with pytest.raises(InvalidHyperparameter, match="wrong in bfloat16; use float32 or larger"):
        Machine.prepare(1, parse({"precision": "bfloat16", "image_size": "16"}))


def test_torch_compile_is_used_when_asked_for_and_says_when_it_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = torch.nn.Linear(2, 2)
    monkeypatch.setattr(torch, "compile", lambda module: ("compiled", module))
    assert compiled(network, parse({})) is network
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/g++")
    assert compiled(network, parse({"compile": "on"})) == ("compiled", network)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InvalidHyperparameter, match="needs a C\\+\\+ compiler"):
        compiled(network, parse({"compile": "on"}))


@pytest.mark.parametrize("size", [32, 48])
def test_bfloat16_gradients_are_float32s_also_in_memory_that_was_used_before(size: int) -> None:
    def gradients(*, bfloat16: bool) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        network = resnet("resnet18", 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        pictures = torch.randn(16, 3, size, size)
        used = [torch.full((count,), 1e30) for count in (10**5, 10**6, 1_179_648, 2_359_296)]
        del used
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            scores = network(pictures)
        functional.cross_entropy(scores.float(), torch.arange(16) % 2).backward()  # type: ignore[no-untyped-call]
        return {name: value.grad for name, value in network.named_parameters() if value.grad is not None}

    exact, short = gradients(bfloat16=False), gradients(bfloat16=True)
    for name, expected in exact.items():
        assert short[name].abs().max() <= 3 * expected.abs().max() + 1e-3, name


@pytest.mark.parametrize("trained", [True, False])
def test_depthwise_convolutions_are_trained_in_float32(trained: bool) -> None:
    """Their gradients have no fast kernel in bfloat16, where 1 + 2**-8 is 1."""
    layer = torch.nn.Conv2d(4, 4, 3, groups=4, bias=False)
    torch.nn.init.constant_(layer.weight, 1 + 2**-8)
    machine = Machine(torch.device("cpu"), 1, bfloat16=True)
    with torch.set_grad_enabled(trained), machine.autocast():
        answer = layer(torch.full((1, 4, 3, 3), 256.0))
    assert answer.dtype == torch.bfloat16
    in_float32, in_bfloat16 = 2320.0, 2304.0  # of 9 * 256 * (1 + 2**-8), in steps of 16
    assert set(answer.flatten().tolist()) == {in_float32 if trained else in_bfloat16}
    if trained:
        answer.sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32
