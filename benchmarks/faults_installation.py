"""A local AWS of the campaign's own, and what is done to it: started, killed, taken down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from benchmarks import harness
from cli import server_lock
from cli.local import server as local_server
from cli.target import Target, resolve

_T = TypeVar("_T")
_BUSY_JOBS = {"InProgress", "Stopping"}
_BUSY_ENDPOINTS = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}


class NeverHappenedError(Exception):
    """What was waited for did not come in time."""


@dataclass(frozen=True)
class Installation:
    """The local AWS below `home`, on `port`."""

    home: Path
    port: int

    @property
    def target(self) -> Target:
        """As the CLI knows it; made anew, because its credentials may have changed."""
        return replace(resolve("local"), home=self.home, port=self.port)

    @property
    def environment(self) -> dict[str, str]:
        own = {"CLASSIFIER_HOME": str(self.home), "CLASSIFIER_PORT": str(self.port)}
        if self.settings.exists():
            own["CLASSIFIER_CONFIG"] = str(self.settings)
        return {**os.environ, **own}

    @property
    def settings(self) -> Path:
        return self.home / "settings.json"

    def configure(self, **serving: int) -> None:
        """The settings of the next `up`."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.settings.write_text(json.dumps({"serving": serving}))

    def client(self, service: str) -> Any:
        return self.target.client(service, retries={"total_max_attempts": 1}, read_timeout=90)

    def begin(self, *arguments: str, program: tuple[str, ...] = ("-m", "cli")) -> subprocess.Popen[str]:
        """Start `classifier <arguments>`."""
        command = [sys.executable, *program, *arguments]
        # Into a file: nobody reads a pipe of a process that is about to be killed.
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "cli.log").open("a") as log:
            return subprocess.Popen(
                command, cwd=harness.ROOT, env=self.environment, stdout=log, stderr=log, text=True
            )

    def cli(self, *arguments: str, seconds: float = 300) -> int:
        """Run `classifier <arguments>`; its exit code.

        Raises
        ------
        NeverHappenedError : it did not end within `seconds`.
        """
        process = self.begin(*arguments)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NeverHappenedError(f"classifier {' '.join(arguments)} took over {seconds:.0f} s") from None

    def start(self) -> None:
        """Start the server, as `up` does, if it does not run."""
        local_server.start(self.target)
        if self.server is None:
            raise NeverHappenedError(f"another server answers on port {self.port}; choose one with --port")

    @property
    def server(self) -> int | None:
        """The process id of the server that has the state's lock."""
        held = server_lock.holder(self.home)
        return None if held is None else held.pid

    def kill_server(self) -> None:
        pid = self.server
        if pid is not None:
            kill(pid)

    def down(self) -> None:
        self.cli("down", seconds=120)

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this installation, wherever it went since."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = [*process.cmdline(), *process.environ().values()]
                if process.pid != os.getpid() and any(str(self.home) in word for word in words):
                    found.append(process)
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def containers(self, part: str) -> list[tuple[int, Path]]:
        """The leaders of the `training-jobs`' or `endpoints`' processes, and their base folders."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                base = process.environ().get("SAGEMAKER_BASE_DIR", "")
                if f"/{part}/" in base and os.getpgid(process.pid) == process.pid:
                    found.append((process.pid, Path(base)))
        return found

    def leaked(self) -> list[str]:
        """What still runs some seconds after `down`; it is ended then."""
        with suppress(NeverHappenedError):
            until(lambda: not self.processes(), 15, "the last process's end")
        left = self.processes()
        told = [f"process {process.pid}: {' '.join(process.cmdline())[:120]}" for process in left]
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, 10)
        return told

    def busy(self) -> list[str]:
        """What is under way: jobs, endpoints, stacks."""
        sagemaker, found = self.client("sagemaker"), []
        jobs = sagemaker.list_training_jobs(MaxResults=100, SortBy="CreationTime", SortOrder="Descending")
        for job in jobs["TrainingJobSummaries"]:
            if job["TrainingJobStatus"] in _BUSY_JOBS:
                found.append(f"{job['TrainingJobName']} is {job['TrainingJobStatus']}")
        searches = sagemaker.list_hyper_parameter_tuning_jobs(MaxResults=100)
        for search in searches["HyperParameterTuningJobSummaries"]:
            if search["HyperParameterTuningJobStatus"] in _BUSY_JOBS:
                name = search["HyperParameterTuningJobName"]
                found.append(f"{name} is {search['HyperParameterTuningJobStatus']}")
        for endpoint in sagemaker.list_endpoints()["Endpoints"]:
            if endpoint["EndpointStatus"] in _BUSY_ENDPOINTS:
                found.append(f"{endpoint['EndpointName']} is {endpoint['EndpointStatus']}")
        for stack in self.client("cloudformation").describe_stacks()["Stacks"]:
            if stack["StackStatus"].endswith("_IN_PROGRESS") and not stack["StackStatus"].startswith(
                "REVIEW"
            ):
                found.append(f"{stack['StackName']} is {stack['StackStatus']}")
        return found

    def settled(self, seconds: float) -> list[str]:
        """Wait until nothing is under way; what still is after `seconds`."""
        with suppress(NeverHappenedError):
            until(lambda: not self.busy(), seconds, "the end of it")
        return self.busy()

    @property
    def outputs(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.home / "outputs.json").read_text())
        return read

    def answers(self, picture: bytes) -> str:
        """The version that classifies a picture now; empty if none does."""
        headers = {"x-api-key": self.outputs["api_key"], "content-type": "image/png"}
        url = f"{self.outputs['api_url'].rstrip('/')}/classify"
        try:
            answer = httpx.post(url, content=picture, headers=headers, timeout=60, trust_env=False)
        except httpx.HTTPError:
            return ""
        return str(answer.json()["model"]["version"]) if answer.status_code == 200 else ""


def kill(pid: int) -> bool:
    """`kill -9`, and wait until it is gone; whether it was there."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        return True
    return True


def until(holds: Callable[[], _T | None], seconds: float, what: str) -> _T:
    """What `holds` answers as soon as that is something; a server that is down for a moment is no answer.

    Raises
    ------
    NeverHappenedError : it did not come within `seconds`.
    """
    deadline, last = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except Exception as error:  # the next look may succeed
            last = f" (at last: {type(error).__name__}: {error})"
        time.sleep(0.2)
    raise NeverHappenedError(f"{what} did not come within {seconds:.0f} s{last}")
