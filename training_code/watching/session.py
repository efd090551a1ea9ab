"""Debugging and profiling of one job, from its start to what follows from the findings.

With `on_trigger=stop` the first finding of a debugging rule ends the training, between two steps, and its
best epoch is kept. Nothing of this is imported when nothing is asked for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from torch import Tensor

from training_code.config import Config
from training_code.data.batches import Batches
from training_code.debugging.settings import DebugSettings
from training_code.findings import FILE, Findings
from training_code.log import say
from training_code.network.network import Network
from training_code.profiling import DONE
from training_code.stopping import Stopped
from training_code.training.callback import Callback, Callbacks
from training_code.training.progress import Trained
from training_code.watching.side_process import ORDERS

_SECONDS_BETWEEN_LOOKS: Final = 1.0
_PATIENCE: Final = 120.0
"""Seconds the job waits at its end for the side process."""


class Session(Callback):
    """Watches one training. `folder` gets the tensors, the findings and the profile."""

    def __init__(self, folder: Path, settings: DebugSettings, classes: Sequence[str]) -> None:
        self.folder, self.settings = folder, settings
        self.stopped_by = ""
        self._interrupted = False
        self._reported: set[str] = set()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._looked = time.monotonic()
        self._changed = 0
        self._batches: Batches | None = None
        self._network: Network | None = None
        self._callbacks: list[Callback] = []
        if settings.debug_rules:
            from training_code.debugging.capture import Capture

            self._capture: Capture | None = Capture(folder, settings, classes)
            self._callbacks.append(self._capture)
        else:
            self._capture = None
        if settings.profile:
            from training_code.profiling.steps import StepTimer
            from training_code.profiling.trace import Trace

            (folder / "profile").mkdir(parents=True, exist_ok=True)
            self._timer: StepTimer | None = StepTimer(folder / "profile")
            self._callbacks.insert(0, self._timer)  # a step is over before the debugger looks at it
            if settings.traced_steps:
                self._callbacks.append(Trace(folder / "profile", settings.traced_steps))
        else:
            self._timer = None

    def callback(self) -> Callback:
        """For the loop: what looks on, this session last."""
        return Callbacks([*self._callbacks, self])

    def begin(self) -> None:
        """Start the side process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in (DONE, FILE):
                (self.folder / left).unlink(missing_ok=True)
            orders = {
                "pid": os.getpid(),
                "on_trigger": self.settings.on_trigger,
                "debug_rules": self.settings.debug_rules,
                "profile_rules": self.settings.profile_rules,
            }
            (self.folder / ORDERS).write_text(json.dumps(orders), encoding="utf-8")
            self._start("training_code.watching.side_process", self.folder)
            if self.settings.profile:
                self._start("training_code.profiling.system", self.folder / "profile")
        except OSError as error:
            print(f"warning: nobody watches the training: {error}", flush=True)

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
        self._network, self._batches = network, batches

    def training_ends(self, trained: Trained) -> None:
        self._interrupted = trained.stopped and not self.stopped_by
        if not trained.stopped:  # several processes agree before a step, and there was none to come
            self.stopped_by = ""

    def _start(self, module: str, folder: Path) -> None:
        """A Python of its own, with this package and one thread."""
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )
        )

    def step_ends(self, loss: Tensor) -> None:
        """Look now and then at what was found.

        Raises:
            Stopped: a debugging rule found something, and the job is to stop then.
        """
        now = time.monotonic()
        if now - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        self._act()

    def _act(self) -> None:
        path = self.folder / FILE
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return
        if changed == self._changed:
            return
        self._changed = changed
        findings = Findings.read(self.folder)
        self._tell(findings, over=False)
        cause = next((each for each in findings.findings if each.kind == "debug"), None)
        if self.settings.on_trigger == "stop" and cause is not None:
            self.stopped_by = cause.rule
            print(f"debugger: {cause.rule} ends the training (on_trigger=stop)", flush=True)
            raise Stopped

    def _tell(self, findings: Findings, *, over: bool) -> None:
        """Each finding once, as one line of the log; the profiler's, which the rest of the training may
        refute, when it is over.
        """
        for each in findings.findings:
            if each.rule not in self._reported and (over or each.kind == "debug"):
                self._reported.add(each.rule)
                say(f"debugger: rule={each.rule} step={each.step}: {each.message}; {each.change}")

    def end(self, *, hurry: bool = False) -> Findings:
        """What was found, once all is written and the side process looked a last time; in a `hurry`, after a
        training that failed or was told to stop, nothing is tried out any more.
        """
        if self._capture:
            self._capture.end()
        if self._timer:
            self._timer.end()
        self._wait()
        findings = Findings.read(self.folder)
        findings.stopped_by = self.stopped_by
        if not (hurry or self._interrupted):
            self._probe(findings)
        self._tell(findings, over=True)
        try:
            for left in (DONE, ORDERS):
                (self.folder / left).unlink(missing_ok=True)
            if findings.rules:
                findings.write(self.folder)
        except OSError as error:
            print(f"warning: what the rules found is not kept: {error}", flush=True)
        return findings

    def _wait(self) -> None:
        """Let the side processes look a last time, and see them end."""
        try:
            (self.folder / DONE).touch()
            for process in self._processes:
                process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            print("warning: the rules did not keep up; the report has what they saw", flush=True)
        except OSError as error:
            print(f"warning: debugging ends early: {error}", flush=True)
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _probe(self, findings: Findings) -> None:
        """Measure what the findings propose, where that is cheap."""
        if self._network is None or self._batches is None or not findings.findings:
            return
        from training_code.profiling.probe import measure

        measure(findings, self.folder / "profile", self._network, self._batches)
