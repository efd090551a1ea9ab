"""What this job runs on, and what follows from it: device, threads, number format.

bfloat16 is used where the hardware multiplies it natively (AVX-512 BF16 or AMX on a CPU, Ampere or newer on
a GPU): two to three times the speed of float32, weights and optimiser state staying float32. Elsewhere it
would be emulated and slower. Very small inputs stay in float32: where a 3x3 convolution of stride 2 meets a
single pixel, oneDNN's bfloat16 weight gradient (torch 2.12.1, AVX-512) holds memory that nobody wrote.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from training_code.config import Config
from training_code.errors import InvalidHyperparameter, OutOfMemory

_LEAST_SIZE_FOR_BFLOAT16: Final = 32
"""Pixels. The single pixel appears at 16 and below; a test looks at the gradients from here on."""

_AT_ONCE: Final = 128
_AT_ONCE_IN_CACHE: Final = 16
"""The first activations of so many pictures of 224x224 fit into a cache (25 MB in bfloat16): a sixth more
pictures a second than of 128. Behind the cut activations are small, and many together are faster.
"""

_SHORT_OF_MEMORY: Final = (
    "can't allocate memory",  # torch
    "could not create a primitive",  # oneDNN, when there is no room for a kernel
    "could not execute a primitive",  # or for its workspace
)

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


@dataclass(frozen=True)
class Machine:
    """Where and how the numbers are computed."""

    device: torch.device
    threads: int
    bfloat16: bool
    memory_format: torch.memory_format = torch.channels_last

    @staticmethod
    def prepare(threads: int, config: Config, local_rank: int = 0) -> Machine:
        """Find out what there is and set torch up for it, reproducibly.

        Raises:
            InvalidHyperparameter: a number format was asked for that gives wrong numbers here.
        """
        gpu = torch.cuda.is_available()
        if gpu:  # a CPU repeats its sums anyway, and would pay for this by importing the compiler
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at cuBLAS's first use
            torch.use_deterministic_algorithms(True, warn_only=True)
        _keep_freed_memory()
        torch.set_num_threads(threads)
        contiguous = config.memory_format == "contiguous"
        return Machine(
            device=torch.device("cuda", local_rank) if gpu else torch.device("cpu"),
            threads=threads,
            bfloat16=_bfloat16(config, gpu),
            memory_format=torch.contiguous_format if contiguous else torch.channels_last,
        )

    def autocast(self) -> torch.autocast:
        """The context in which the network runs forward."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        return tensor.to(self.device, non_blocking=True)

    def place(self, network: nn.Module) -> None:
        """Put a network on the device, in the memory format chosen."""
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]  # torch's stubs lack it
        network.to(self.device)

    def __str__(self) -> str:
        where = (
            torch.cuda.get_device_name()
            if self.device.type == "cuda"
            else f"{self.threads} CPU thread{'s' * (self.threads > 1)}"
        )
        return f"{where}, {'bfloat16' if self.bfloat16 else 'float32'}"


class CoreWatch:
    """Finds out how many cores others leave free, between its making and the question.

    torch's threads wait for each other by spinning. One thread more than there are free cores, and all wait
    for the one that is not running: two threads on two busy cores were forty times slower than one.
    """

    _LEAST_SECONDS: Final = 0.3

    def __init__(self) -> None:
        self._start, self._idle, self._own = time.monotonic(), _idle_seconds(), time.process_time()

    def free_cores(self) -> int:
        """Whole cores free for this process, at least 1 and at most `cores()`."""
        time.sleep(max(0.0, self._LEAST_SECONDS - (time.monotonic() - self._start)))
        elapsed = time.monotonic() - self._start
        free = _idle_seconds() - self._idle + time.process_time() - self._own
        return max(1, min(cores(), math.floor(free / elapsed + 0.1)))


def cores() -> int:
    """How many cores this process may use: OMP_NUM_THREADS if set, else those it is allowed to run on."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else len(os.sched_getaffinity(0))


def at_once(image_size: int, device: torch.device, *, from_cut: bool = False) -> int:
    """How many pictures, or what the frozen part made of them, go through a network together where no
    gradients are kept: at most 128, and no more pixels than 128 pictures of 224x224 have; of whole pictures
    on a CPU, than 16.
    """
    full_size = _AT_ONCE_IN_CACHE if device.type == "cpu" and not from_cut else _AT_ONCE
    return max(1, min(_AT_ONCE, full_size * 224**2 // image_size**2))


@contextmanager
def memory_explained(config: Config) -> Iterator[None]:
    """Turn torch's several ways of saying that memory is short into one message that says what to try."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not short and not any(words in str(error) for words in _SHORT_OF_MEMORY):
            raise
        raise OutOfMemory(f"{_step(config)} does not fit into memory; {_smaller(config)}") from None


def why_killed(config: Config) -> str:
    """The reason of a job that had no time to give one: its process was killed by the kernel, which promises
    memory first and misses it when it is used.
    """
    return (
        f"the training ended without a word of its own; with exit code 137 it was killed, most likely "
        f"because {_step(config)} used up the machine's memory: {_smaller(config)}"
    )


def _step(config: Config) -> str:
    return (
        f"a step of {config.batch_size} pictures of {config.image_size}x{config.image_size} "
        f"through {config.arch}"
    )


def _smaller(config: Config) -> str:
    return (
        f"try batch_size={max(2, config.batch_size // 2)}, a smaller image_size, "
        f"or an instance with more memory"
    )


def compiled(network: nn.Module, config: Config) -> nn.Module:
    """The network, rewritten by torch.compile if that is asked for.

    Raises:
        InvalidHyperparameter: there is no C++ compiler, without which torch.compile cannot work.
    """
    if config.compile == "off":
        return network
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise InvalidHyperparameter("compile=on needs a C++ compiler (g++), which this machine lacks")
    return torch.compile(network)  # type: ignore[return-value]


def available_memory() -> int:
    """Bytes this process may still take: what the machine has free, or its control group's limit leaves."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    for limit, used in (
        (group / "memory.max", group / "memory.current"),
        (group / "memory/memory.limit_in_bytes", group / "memory/memory.usage_in_bytes"),
    ):
        bound, taken = "".join(_lines(limit)), "".join(_lines(used))
        if bound.isdigit() and taken.isdigit():
            free = min(free, max(0, int(bound) - int(taken)))
    return free


def versions() -> dict[str, str]:
    """The libraries whose version can change a result, and Python's own."""
    names = ("torch", "numpy", "pillow", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _bfloat16(config: Config, gpu: bool) -> bool:
    if config.precision == "float32":
        return False
    large = gpu or config.image_size >= _LEAST_SIZE_FOR_BFLOAT16
    if config.precision == "bfloat16":
        if not large:
            raise InvalidHyperparameter(
                f"precision=bfloat16 with image_size={config.image_size}: on a CPU, gradients of pictures "
                f"below {_LEAST_SIZE_FOR_BFLOAT16} pixels are wrong in bfloat16; use float32 or "
                f"larger pictures"
            )
        return True
    native = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else _cpu_has_bfloat16()
    return native and large


def _idle_seconds() -> float:
    """Seconds all cores together have been idle since the machine started; see proc(5)."""
    fields = next(iter(_lines(Path("/proc/stat"))), "").split()
    return sum(int(each) for each in fields[4:6]) / os.sysconf("SC_CLK_TCK")


def _keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of handing them back to the kernel after every step.

    Activations and gradients are freed and wanted again in each step; faulting their pages in anew took a
    fifth of a step's time. See mallopt(3); another C library simply has no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the highest value it takes
        mallopt(_M_TRIM_THRESHOLD, 2**30)


def _cpu_has_bfloat16() -> bool:
    flags = next((line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("flags")), "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
