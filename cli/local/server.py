"""Starting and stopping the local AWS: a background process of its own session which outlives the command.

`start` runs `python -m local_aws` once, however many commands ask for it at the same time; `stop` ends it and
everything it started. Which process it is, its lock tells (`server_lock`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from cli import server_lock
from cli.console import say
from cli.errors import LocalAwsFailed, PortTaken
from cli.files import alone, nothing, open_private, private_folder
from cli.interrupt import held_back, uninterrupted
from cli.local.code import fingerprint
from cli.local.listener import Listener, who_listens
from cli.local.processes import end, process_of
from cli.target import Target

READY_SECONDS = 90


def start(target: Target, tick: Callable[[], None] = nothing) -> bool:
    """Starts the local AWS and returns when it answers; False when it was up already.

    Raises:
        PortTaken: something else has the port, or our server runs on another one.
        LocalAwsFailed: it ended or did not answer in time; carries the last lines of its log.
    """
    with _turn(target) as turn:
        return _start(target, tick, turn)


def stop(target: Target) -> bool:
    """Stops the local AWS and all it started; False when none of ours runs. Raises LocalAwsFailed."""
    if not target.home.is_dir():
        return False
    with _turn(target), uninterrupted():
        return _stop(target)


def restart(target: Target, tick: Callable[[], None] = nothing) -> None:
    """Stops the local AWS and starts it anew; raises as both do."""
    with _turn(target) as turn:
        with uninterrupted():
            _stop(target)
        _start(target, tick, turn)


def wipe(target: Target) -> None:
    """Removes the local AWS's state and all said about it. Raises LocalAwsFailed while it runs."""
    if not target.home.is_dir():
        return
    with _turn(target), uninterrupted():
        _refuse_if_up(target)
        _take_away(target)
        log_path(target).unlink(missing_ok=True)
        target.outputs_path.unlink(missing_ok=True)


def outdated(target: Target) -> bool:
    """Whether the server that `up` started runs other code than the checkout has now."""
    running = server_lock.holder(target.home)
    return running is not None and running.label not in ("", fingerprint(target.root))


def log_path(target: Target) -> Path:
    return target.home / "aws.log"


def log_tail(target: Target, lines: int = 8) -> str:
    try:
        return "\n".join(log_path(target).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def _turn(target: Target) -> AbstractContextManager[int]:
    """Nobody else starts, stops or wipes meanwhile."""
    return alone(
        private_folder(target.home) / "server.turn",
        lambda: say(
            "Another command is starting or stopping the local AWS of this checkout: waiting for it."
        ),
    )


def _start(target: Target, tick: Callable[[], None], turn: int) -> bool:
    running = server_lock.holder(target.home)
    if running is not None and running.port != target.port:
        raise PortTaken(
            f"The local AWS is already up on port {running.port}. Use it with "
            f"CLASSIFIER_PORT={running.port}, or stop it with `make down` first."
        )
    if running is not None and _came_up(target, running.pid, tick):
        return False
    listener = who_listens(target)
    if listener is not Listener.NOBODY:
        raise PortTaken(
            f"Port {target.port} is taken by {listener.value}. Stop it, or choose another port: "
            f"CLASSIFIER_PORT={target.port + 1} make up."
        )
    process: subprocess.Popen[bytes] | None = None
    try:
        with held_back():
            process = _launch(target, turn)
        wait_ready(target, process.pid, tick)
    except BaseException:  # Ctrl-C too: a server nobody asked to keep must not stay
        with uninterrupted():
            if process is not None:
                end(process.pid)
                process.wait()
        raise
    return True


def _launch(target: Target, turn: int) -> subprocess.Popen[bytes]:
    """The server's process. It keeps the turn until it has its own lock: should this command be killed
    before, the next one waits, and then finds it.
    """
    # Taken before the start: a file that changes in between makes it outdated, not the reverse.
    code = fingerprint(target.root)
    state = server_lock.state_dir(target.home)
    options = ["--port", str(target.port), "--state", str(state), "--label", code]
    options += ["--release", str(turn)]
    try:
        log = open_private(log_path(target), "a")
    except OSError as error:
        raise LocalAwsFailed(
            f"The log {log_path(target)} cannot be written ({error.strerror}), so nothing was started."
        ) from None
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "local_aws", *options],
            cwd=target.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(turn,),
        )


def wait_ready(target: Target, pid: int, tick: Callable[[], None] = nothing) -> None:
    """Returns when the local AWS answers; `tick` is called a few times a second meanwhile."""
    if not _came_up(target, pid, tick):
        raise LocalAwsFailed(
            f"The local AWS stopped while starting. Log ({log_path(target)}):\n{log_tail(target)}"
        )


def _came_up(target: Target, pid: int, tick: Callable[[], None]) -> bool:
    """True when the local AWS answers, False when its process is gone before it does."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if who_listens(target) is Listener.US:
            return True
        if process_of(pid) is None:
            return False
        tick()
        time.sleep(0.2)
    raise LocalAwsFailed(
        f"The local AWS did not answer on {target.endpoint_url} within {READY_SECONDS} s. "
        f"Its last words ({log_path(target)}):\n{log_tail(target)}"
    )


def _stop(target: Target) -> bool:
    server = _found(target.home)
    if server is None:
        return False
    end(server.pid)
    if (still := server_lock.holder(target.home)) is not None:
        raise LocalAwsFailed(
            f"The local AWS (process {still.pid}) could not be stopped. If it is another user's, that user "
            "has to do it."
        )
    return True


def _found(home: Path) -> server_lock.Server | None:
    """The server, if it is surely the process that its lock names."""
    for _attempt in range(20):
        server = server_lock.holder(home)
        if server is None or server_lock.has_it_open(server.pid, home):
            return server
        time.sleep(0.05)
    raise LocalAwsFailed(
        f"{server_lock.path(home)} names the process {server.pid if server else ''}, which does not have it."
        " Run `lsof` on that file to see which process has, and end it."
    )


def _refuse_if_up(target: Target) -> None:
    server = server_lock.holder(target.home)
    if server is not None or who_listens(target) is Listener.US:
        who = f"process {server.pid}" if server else f"port {target.port}"
        raise LocalAwsFailed(
            f"The local AWS is up ({who}), so its state was not removed. Run "
            f"`{target.command('down --wipe')}`."
        )


def _take_away(target: Target) -> None:
    """Moves the state aside in one step, while nobody can have its lock, and then removes it."""
    state = server_lock.state_dir(target.home)
    if state.exists():
        aside = state.with_name(f"{state.name}.removed-{time.time_ns()}")
        with alone(server_lock.path(target.home), on_wait=lambda: _refuse_if_up(target)):
            state.rename(aside)
    for left in target.home.glob(f"{state.name}.removed-*"):
        shutil.rmtree(left)
