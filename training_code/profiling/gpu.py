"""NVIDIA's management library, asked directly: utilisation and memory of each GPU.

The driver brings the library (libnvidia-ml.so.1); there is none without a GPU. See NVML API reference,
nvmlDeviceGetUtilizationRates and nvmlDeviceGetMemoryInfo.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


@dataclass(frozen=True)
class Gpu:
    """One look at one GPU: percent busy, bytes used, bytes there are."""

    busy: float
    used: int
    total: int


class Gpus:
    """All GPUs of the machine; none when there is no driver."""

    def __init__(self) -> None:
        self._handles: list[ctypes.c_void_p] = []
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return
        count = ctypes.c_uint()
        if self._library.nvmlInit_v2() or self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if not self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                self._handles.append(handle)

    def look(self) -> list[Gpu]:
        """How each is now; one that does not answer is left out."""
        gpus = []
        for handle in self._handles:
            busy, memory = _Utilization(), _Memory()
            if self._library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(busy)):
                continue
            if self._library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
                continue
            gpus.append(Gpu(float(busy.gpu), memory.used, memory.total))
        return gpus
