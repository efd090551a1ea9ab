"""torch's own profiler over the first steps: a trace for Chrome or Perfetto."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from training_code.config import Config
from training_code.data.batches import Batches
from training_code.network.network import Network
from training_code.profiling import PLAIN_TRACE
from training_code.training.callback import Callback
from training_code.training.progress import Trained


class Trace(Callback):
    """Traces the first `steps` steps of this process into `folder`; the side process packs what it writes."""

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder, self._steps = folder, steps
        self._done = 0
        self._profiler: Any = None

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it complains where there is no GPU
        from torch.autograd.profiler import profile

        self._profiler = profile(use_device="cuda" if batches.machine.device.type == "cuda" else None)
        self._profiler.__enter__()

    def step_ends(self, loss: Tensor) -> None:
        self._done += 1
        if self._done == self._steps:
            self._finish()

    def training_ends(self, trained: Trained) -> None:
        self._finish()

    def _finish(self) -> None:
        profiler, self._profiler = self._profiler, None
        if profiler is None:
            return
        profiler.__exit__(None, None, None)
        unfinished = self._folder / "trace.unfinished"
        try:
            profiler.export_chrome_trace(str(unfinished))
            unfinished.replace(self._folder / PLAIN_TRACE.format(steps=self._done))
        except (OSError, RuntimeError) as error:
            print(f"warning: no trace of the first steps: {error}", flush=True)
