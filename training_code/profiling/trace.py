"""torch's own profiler over the first steps: a trace for Chrome or Perfetto, and the dearest operators."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from training_code.batches import Batches
from training_code.config import Config
from training_code.observer import Observer
from training_code.profiling.files import OPERATORS, TRACE
from training_code.progress import Trained
from training_code.resnet import ResNet

_SHOWN: Final = 20


class Trace(Observer):
    """Traces the first `steps` steps of this process into `folder`."""

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder, self._left = folder, steps
        self._steps = steps
        self._profiler: Any = None

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it complains where there is no GPU
        from torch.autograd.profiler import profile

        self._profiler = profile(use_device="cuda" if batches.machine.device.type == "cuda" else None)
        self._profiler.__enter__()

    def step_ends(self, loss: Tensor) -> None:
        if self._profiler is None:
            return
        self._left -= 1
        if not self._left:
            self._finish()

    def training_ends(self, trained: Trained) -> None:
        if self._profiler is not None:
            self._finish()

    def _finish(self) -> None:
        profiler, self._profiler = self._profiler, None
        profiler.__exit__(None, None, None)
        plain = self._folder / "trace.json"
        try:
            profiler.export_chrome_trace(str(plain))
            with plain.open("rb") as source, gzip.open(self._folder / TRACE, "wb", compresslevel=5) as packed:
                shutil.copyfileobj(source, packed)
            plain.unlink()
            averages = profiler.key_averages()
            on_gpu = any(_device_us(each) for each in averages)
            ranked = sorted(averages, key=_device_us if on_gpu else _host_us, reverse=True)
            spent = [
                {
                    "operator": each.key,
                    "calls": each.count,
                    "ms": round((_device_us(each) if on_gpu else _host_us(each)) / 1000, 3),
                }
                for each in ranked[:_SHOWN]
            ]
            content = {"steps": self._steps - self._left, "device": "gpu" if on_gpu else "cpu", "top": spent}
            (self._folder / OPERATORS).write_text(json.dumps(content), encoding="utf-8")
        except (OSError, RuntimeError) as error:
            print(f"warning: no trace of the first steps: {error}", flush=True)


def _host_us(event: Any) -> float:
    return float(event.self_cpu_time_total)


def _device_us(event: Any) -> float:
    return float(event.self_device_time_total)
