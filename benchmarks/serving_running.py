"""One system's server as a process tree: started, waited for, weighed, and stopped with all its children."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import psutil

from benchmarks.serving_load import Target, ask
from benchmarks.serving_systems import CannotRun, System

START_SECONDS = 120.0


class Running:
    """A context manager: the server runs inside it."""

    def __init__(self, system: System, model: Path, scratch: Path) -> None:
        self._launch = system.launch(model, scratch, _free_ports())
        self._log = scratch / "log"
        self._scratch = scratch

    @property
    def target(self) -> Target:
        """Where it answers."""
        return self._launch.target

    def __enter__(self) -> Running:
        environment = {**os.environ, "PYTHONPATH": "", **self._launch.environment}
        self._started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._launch.command, env=environment, stdout=log, stderr=log, cwd=self._scratch
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tree = self._tree()
        self._process.terminate()
        _, alive = psutil.wait_procs(tree, timeout=10)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(alive, timeout=10)

    def wait(self, picture: bytes) -> float:
        """Until it has answered a picture: seconds from its start.

        Raises:
            CannotRun: it ended, or it has not answered in time.
        """
        last = "nothing"
        while time.perf_counter() - self._started < START_SECONDS:
            if self._process.poll() is not None:
                raise CannotRun(f"it ended with {self._process.returncode}: {self._last_words()}")
            try:
                status, body = asyncio.run(asyncio.wait_for(ask(self.target, picture), 30))
                if status == 200:
                    return time.perf_counter() - self._started
                last = f"{status} {body[:200]!r}"
            except (OSError, EOFError, TimeoutError) as error:
                last = type(error).__name__
            time.sleep(0.05)
        raise CannotRun(
            f"no answer {START_SECONDS:.0f} s after its start (last: {last}): {self._last_words()}"
        )

    async def classify(self, picture: bytes) -> str:
        """The class it finds."""
        status, body = await ask(self.target, picture)
        if status != 200:
            raise CannotRun(f"it answered a picture with {status}: {body[:200]!r}")
        return str(json.loads(body)["predicted_class"])

    def memory_mb(self) -> float:
        """Of the whole tree, shared pages shared out (PSS)."""
        total = 0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
        return total / 1e6

    def resident_mb(self) -> float:
        """Of the whole tree, shared pages counted with each process (RSS).

        Unlike PSS it does not change when others on this machine begin or end to use the same libraries.
        """
        total = 0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / 1e6

    def log_position(self) -> int:
        """How long its log is now."""
        return self._log.stat().st_size

    def inside(self, position: int) -> list[float]:
        """Milliseconds of decoding and predicting of each request logged since; only our server tells."""
        with self._log.open("rb") as log:
            log.seek(position)
            lines = [json.loads(line) for line in log if line.startswith(b'{"time"')]
        return [
            line["decode_ms"] + line["predict_ms"]
            for line in lines
            if line["event"] == "request" and "decode_ms" in line
        ]

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])[-400:]


def _free_ports() -> int:
    """The first of five free ports in a row."""
    for first in range(int(os.environ.get("BENCH_PORT", "4640")), 65_000, 5):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 5):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise CannotRun("no five ports in a row are free")
