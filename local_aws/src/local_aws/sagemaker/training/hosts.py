"""The hosts of a training job: each a base folder and a process of its own, all of them on this machine.

One host is called as on AWS. Of several each is an address of the loopback network (127.0.0.1, 127.0.0.2, …):
names that resolve everywhere, so that a job's processes find one another as they would on AWS.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.core.process import ContainerProcess

MAX_HOSTS = 8
SINGLE = "algo-1"
# How long the others may take to notice that one has failed before they are stopped too.
ALONE_SECONDS = 5.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Host:
    """One instance of a job."""

    name: str
    number: int
    base: Path

    @property
    def log_name(self) -> str:
        """Its part of the log stream's name, as on AWS."""
        return f"algo-{self.number}"


def of(job: Mapping[str, Any], folder: Path) -> list[Host]:
    """The hosts of a job whose files lie in `folder`; the first one's base is the folder `ml`."""
    count = job["ResourceConfig"].get("InstanceCount", 1)
    if count == 1:
        return [Host(SINGLE, 1, folder / "ml")]
    numbers = range(1, count + 1)
    return [
        Host(f"127.0.0.{number}", number, folder / ("ml" if number == 1 else f"ml-{number}"))
        for number in numbers
    ]


def rendezvous(hosts: Sequence[Host]) -> dict[str, str]:
    """The port where a job's hosts meet: on AWS a job has a network of its own, here it needs a free one."""
    if len(hosts) == 1:
        return {}
    with socket.socket() as free:
        free.bind((hosts[0].name, 0))
        return {"MASTER_PORT": str(free.getsockname()[1])}


class Containers:
    """The running processes of a job, watched as one."""

    def __init__(self) -> None:
        self._processes: list[ContainerProcess] = []
        self._first_failure: tuple[float, int] | None = None
        self._others_ending = False

    def add(self, process: ContainerProcess) -> None:
        self._processes.append(process)

    @property
    def exit_code(self) -> int | None:
        """The code of the process that failed first, else 0; None while any runs."""
        codes = [process.exit_code for process in self._processes]
        if None in codes:
            return None
        if self._first_failure is not None:
            return self._first_failure[1]
        return next((code for code in codes if code), 0)

    def wait(self, seconds: float) -> int | None:
        """Wait for the end of all, at most so long; a failure of one ends the others."""
        deadline = time.monotonic() + seconds
        for process in self._processes:
            while process.wait(max(0.0, min(POLL_SECONDS, deadline - time.monotonic()))) is None:
                self._end_the_bereaved()
                if time.monotonic() >= deadline:
                    return None
        return self.exit_code

    def terminate(self, grace: float) -> None:
        """SIGTERM to all at once, SIGKILL to who is left after `grace` seconds."""
        ending = [
            threading.Thread(target=process.terminate, args=(grace,), daemon=True)
            for process in self._processes
        ]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()

    def kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _end_the_bereaved(self) -> None:
        code = next((process.exit_code for process in self._processes if process.exit_code), 0)
        if self._others_ending or not code:
            return
        self._first_failure = self._first_failure or (time.monotonic(), code)
        if time.monotonic() - self._first_failure[0] >= ALONE_SECONDS:
            self._others_ending = True
            threading.Thread(target=self.terminate, args=(ALONE_SECONDS,), daemon=True).start()


def gather(hosts: Sequence[Host], part: str) -> Path:
    """The folder `part` of the first host with what only others have: AWS puts all hosts' files together."""
    first = hosts[0].base / part
    for other in hosts[1:]:
        folder = other.base / part
        for path in folder.rglob("*"):
            target = first / path.relative_to(folder)
            if path.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
    return first
