"""What this job runs on, and what follows from it: device, threads, number format.

bfloat16 is used where the hardware multiplies it natively (AVX-512 BF16 or AMX on a CPU, Ampere or newer on
a GPU): two to three times the speed of float32. Very small inputs stay in float32: where a 3x3 convolution of
stride 2 meets a single pixel, oneDNN's bfloat16 weight gradient holds memory that nobody wrote. What else a
CPU has no fast gradients for is computed as `convolutions` says.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from training_code.config import Config
from training_code.errors import InvalidHyperparameter
from training_code.hardware.convolutions import TrainedConvolutions
from training_code.hardware.cores import lines_of
from training_code.hardware.memory import keep_freed_memory

_LEAST_SIZE_FOR_BFLOAT16: Final = 32
"""Pixels. The single pixel appears at 16 and below; a test looks at the gradients from here on."""

_AT_ONCE: Final = 128
_AT_ONCE_IN_CACHE: Final = 16
"""The first activations of so many pictures of 224x224 fit into a cache (25 MB in bfloat16): a sixth more
pictures a second than of 128. Behind the freeze point activations are small, and many together are faster.
"""

_TRAINED_AT_ONCE: Final = 4
"""Of 224x224, for each thread."""


@dataclass(frozen=True)
class Machine:
    """Where and how the numbers are computed."""

    device: torch.device
    threads: int
    bfloat16: bool
    memory_format: torch.memory_format = torch.channels_last
    compiles: bool = False

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
        keep_freed_memory()
        torch.set_num_threads(threads)
        contiguous = config.memory_format == "contiguous"
        return Machine(
            device=torch.device("cuda", local_rank) if gpu else torch.device("cpu"),
            threads=threads,
            bfloat16=_bfloat16(config, gpu),
            memory_format=torch.contiguous_format if contiguous else torch.channels_last,
            compiles=config.compile == "on",
        )

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """The context in which the network runs forward."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            # What is compiled has kernels of its own.
            if self.device.type == "cpu" and torch.is_grad_enabled() and not self.compiles:
                with TrainedConvolutions(bfloat16=self.bfloat16):
                    yield
            else:
                yield

    def pieces(self, pictures: Tensor) -> list[slice]:
        """Of a step's pictures (n, 3, height, width): those that go forward and backward together, where that
        changes nothing else. On a CPU what is kept of them for the gradients is to fit into the caches.
        """
        if self.device.type != "cpu" or self.compiles:
            return [slice(None)]
        count, size = len(pictures), pictures.shape[2] * pictures.shape[3]
        number = min(count, math.ceil(count * size / (_TRAINED_AT_ONCE * self.threads * 224**2)))
        return [slice(count * each // number, count * (each + 1) // number) for each in range(number)]

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


def at_once(image_size: int, device: torch.device, *, from_freeze_point: bool = False) -> int:
    """How many pictures, or what the frozen part made of them, go through a network together where no
    gradients are kept: at most 128, and no more pixels than 128 pictures of 224x224 have; of whole pictures
    on a CPU, than 16.
    """
    full_size = _AT_ONCE_IN_CACHE if device.type == "cpu" and not from_freeze_point else _AT_ONCE
    return max(1, min(_AT_ONCE, full_size * 224**2 // image_size**2))


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


def _cpu_has_bfloat16() -> bool:
    flags = next((line for line in lines_of(Path("/proc/cpuinfo")) if line.startswith("flags")), "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
