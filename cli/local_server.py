"""Starting and stopping the local AWS: a background process of its own session which outlives the command.

`up` starts `python -m local_aws` once and records its process in `.local/aws.json`; the record names the
process by id and start time, so a recycled process id is never taken for ours. `stop` ends it and everything
it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.errors import LocalAwsFailed, PortTaken
from cli.local_code import fingerprint
from cli.target import LOCAL_ACCOUNT, Target

READY_SECONDS = 90
STOP_SECONDS = 40


@dataclass(frozen=True)
class Record:
    """The server `up` started: process id, its start time (seconds since the epoch), its port, and what code
    it runs (`fingerprint`).
    """

    pid: int
    started: float
    port: int
    code: str = ""


def who_listens(target: Target) -> str:
    """`us` when the local AWS answers on the target's port, `nobody`, or `other` for something else."""
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect(("127.0.0.1", target.port))
        except OSError:
            return "nobody"
    try:
        sts = target.client("sts", read_timeout=5, retries={"total_max_attempts": 1})
        return "us" if sts.get_caller_identity()["Account"] == LOCAL_ACCOUNT else "other"
    except Exception:  # anything at all may answer there, in any protocol
        return "other"


def start(target: Target, tick: Callable[[], None] = lambda: None) -> bool:
    """Starts the local AWS and returns when it answers; False when it was up already.

    Raises:
        PortTaken: something else has the port, or our server runs on another one.
        LocalAwsFailed: it ended or did not answer in time; carries the last lines of its log.
    """
    running = read_record(target)
    if running is not None and running.port != target.port:
        raise PortTaken(
            f"The local AWS is already up on port {running.port}. Use it with "
            f"CLASSIFIER_PORT={running.port}, or stop it with `make down` first."
        )
    if running is not None and _came_up(target, running.pid, tick):
        return False
    listener = who_listens(target)
    if listener == "us":
        return False
    if listener == "other":
        raise PortTaken(
            f"Port {target.port} is taken by another program. Stop it, or choose another port: "
            f"CLASSIFIER_PORT={target.port + 1} make up."
        )
    process = _launch(target)
    try:
        wait_ready(target, process.pid, tick)
    except BaseException:  # Ctrl-C too: a server nobody asked to keep must not stay
        stop(target)
        raise
    return True


def outdated(target: Target) -> bool:
    """Whether the server that `up` started runs other code than the checkout has now."""
    running = read_record(target)
    return running is not None and running.code != fingerprint(target.root)


def _launch(target: Target) -> subprocess.Popen[bytes]:
    target.home.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "local_aws",
        "--port",
        str(target.port),
        "--state",
        str(state_dir(target)),
    ]
    # Taken before the start: a file that changes in between makes it outdated, not the reverse.
    code = fingerprint(target.root)
    with log_path(target).open("ab") as log:
        process = subprocess.Popen(
            command, cwd=target.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    started = _start_time(process.pid) or time.time()
    record = Record(pid=process.pid, started=started, port=target.port, code=code)
    _record_path(target).write_text(json.dumps(asdict(record)))
    return process


def wait_ready(target: Target, pid: int, tick: Callable[[], None] = lambda: None) -> None:
    """Returns when the local AWS answers; `tick` is called a few times a second meanwhile."""
    if not _came_up(target, pid, tick):
        raise LocalAwsFailed(
            f"The local AWS stopped while starting. Log ({log_path(target)}):\n{log_tail(target)}"
        )


def _came_up(target: Target, pid: int, tick: Callable[[], None]) -> bool:
    """True when the local AWS answers, False when its process is gone before it does."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if who_listens(target) == "us":
            return True
        if _gone(pid):
            return False
        tick()
        time.sleep(0.2)
    raise LocalAwsFailed(
        f"The local AWS did not answer on {target.endpoint_url} within {READY_SECONDS} s. "
        f"Its last words ({log_path(target)}):\n{log_tail(target)}"
    )


def stop(target: Target) -> bool:
    """Stops the local AWS and every process it started; False when none of ours is running."""
    record = read_record(target)
    if record is None:
        _record_path(target).unlink(missing_ok=True)
        return False
    family = _family(record.pid)
    _signal(record.pid, signal.SIGTERM)
    _wait_gone([record.pid], STOP_SECONDS)
    for pid, started in family:  # whatever the server did not take down with it
        if _start_time(pid) == started:
            _signal(pid, signal.SIGKILL)
    _wait_gone([pid for pid, _ in family], 5)
    _record_path(target).unlink(missing_ok=True)
    return True


def wipe(target: Target) -> None:
    """Removes the local AWS's state and everything said about it."""
    import shutil

    shutil.rmtree(state_dir(target), ignore_errors=True)
    log_path(target).unlink(missing_ok=True)
    target.outputs_path.unlink(missing_ok=True)


def read_record(target: Target) -> Record | None:
    """The running server that `up` started, or None when it started none or that one is gone."""
    try:
        record = Record(**json.loads(_record_path(target).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return record if _start_time(record.pid) == record.started else None


def state_dir(target: Target) -> Path:
    return target.state_dir


def log_path(target: Target) -> Path:
    return target.home / "aws.log"


def log_tail(target: Target, lines: int = 8) -> str:
    try:
        return "\n".join(log_path(target).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def _record_path(target: Target) -> Path:
    return target.home / "aws.json"


def _process(pid: int) -> Any:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def _start_time(pid: int) -> float | None:
    process = _process(pid)
    return None if process is None else float(process.create_time())


def _gone(pid: int) -> bool:
    return _process(pid) is None


def _family(pid: int) -> list[tuple[int, float]]:
    """The process and all its descendants, each with its start time."""
    import psutil

    process = _process(pid)
    if process is None:
        return []
    try:
        members = [process, *process.children(recursive=True)]
        return [(member.pid, float(member.create_time())) for member in members]
    except psutil.Error:
        return []


def _wait_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(_gone(pid) for pid in pids):
        time.sleep(0.1)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
