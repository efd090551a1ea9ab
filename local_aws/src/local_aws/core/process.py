"""Container images as real processes that never outlive the server.

`start` runs an image's command as the leader of its own session. When the leader ends, whatever it left in
its process group is killed, as a container's end does.

Three things keep strays away. A clean stop calls `end`, which kills every group. After a kill -9 a tiny
guardian, whose pipe to the server closes then, kills the groups it knows. Should it be killed as well, each
process has a file with its pid and start time, from which `begin` cleans up at the next start.
(PR_SET_PDEATHSIG fires when the *thread* that forked ends, and misses grandchildren.)
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from local_aws.core import process_groups as groups
from local_aws.core.proxies import spare_loopback

if TYPE_CHECKING:
    from local_aws.images.store import Image

BASE = PurePosixPath("/opt/ml")
# CloudWatch Logs' limit for one event is 256 KiB of UTF-8; a longer line is cut into pieces.
MAX_LINE_CHARACTERS = 60_000
# How long output may still flow after a process has ended (something that left its group holds the pipe).
DRAIN_SECONDS = 5.0
# What a container sees of the server's own environment. Credentials and settings stay outside.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

BEHIND = 10
"""The niceness of what gives way: beside others that want a core it has a tenth of what one of them has.

The greatest, 19, is too much: on a machine that others keep busy such a process hardly moves.
"""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


LineWriter = Callable[[str], object]
"""Where a container's output goes, line by line and without the line's end."""


class ProcessesNotBegunError(RuntimeError):
    """`start` was called before `begin` said where pid files go."""


def begin(directory: Path) -> None:
    """Kill what a former server left running, and keep pid files in ``directory`` from now on."""
    global _state
    if _state is not None:
        _state.close()
    directory.mkdir(parents=True, exist_ok=True)
    groups.sweep(directory)
    _state = _State(directory)


def end() -> None:
    """Kill every process of this server. From here on `ending` is true and nothing can be started."""
    if _state is not None:
        _state.ending = True
        _state.kill_all()


def ending() -> bool:
    """Whether the server is stopping, so that a process which just died was killed by us."""
    return _state is not None and _state.ending


def start(
    image: Image,
    args: Sequence[str],
    env: Mapping[str, str],
    base_dir: Path,
    log: LineWriter,
    *,
    entrypoint: Sequence[str] | None = None,
    gives_way: bool = False,
) -> ContainerProcess:
    """Run ``image`` with ``args`` as a process of its own.

    Args:
        args: what follows the entrypoint; empty means the image's own CMD.
        env: added over the image's ENV.
        base_dir: stands for ``/opt/ml``; the process finds it in ``SAGEMAKER_BASE_DIR``.
        log: receives stdout and stderr, merged, line by line.
        entrypoint: instead of the image's ENTRYPOINT.
        gives_way: whether it leaves the processor to other processes that want it.

    Raises OSError, as the kernel says it, for a command that does not exist or may not be run.
    """
    if _state is None:
        raise ProcessesNotBegunError("call process.begin(directory) before starting a process")
    # As in Docker, another entrypoint drops the image's CMD.
    command = [*image.entrypoint, *(args or image.cmd)] if entrypoint is None else [*entrypoint, *args]
    started = _state.start(command, _environment(image, env, base_dir), image.workdir, log)
    if gives_way:
        _give_way(started.pid)
    return started


class ContainerProcess:
    """A running (or ended) container. All methods may be called from any thread."""

    def __init__(self, popen: subprocess.Popen[bytes], log: LineWriter) -> None:
        self._popen = popen
        self._log = log
        self._exited = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(popen.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The leader's process id, which is also the id of its process group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, then the exit code as Docker tells it: 128 + n for signal n."""
        return self._docker_code() if self._exited.is_set() else None

    def _docker_code(self) -> int:
        code = int(self._popen.returncode)
        return 128 - code if code < 0 else code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait at most ``timeout`` seconds (None: for ever); the exit code, or None if it still runs."""
        self._exited.wait(timeout)
        return self.exit_code

    def terminate(self, grace: float) -> int:
        """SIGTERM to the leader as `docker stop` does, SIGKILL to all after ``grace`` seconds."""
        self._popen.terminate()  # does nothing when it has been reaped already
        code = self.wait(grace)
        return self.kill() if code is None else code

    def kill(self) -> int:
        """SIGKILL to the whole group, and wait until it is gone."""
        if not self._exited.is_set():
            groups.kill_group(self.pid)
        self._exited.wait()
        return self._docker_code()

    def _reap(self) -> None:
        """Wait for the leader, then end its group and drain the output (the watcher thread's work)."""
        self._popen.wait()
        groups.kill_group(self.pid)  # the kernel keeps the id as long as the group has a member
        self._reader.join(DRAIN_SECONDS)
        self._exited.set()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for raw in iter(lambda: output.readline(MAX_LINE_CHARACTERS), b""):
                self._log(raw.decode("utf-8", errors="replace").rstrip("\r\n"))


class _State:
    """The processes of this server, their pid files, and the guardian."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ending = False
        self._lock = threading.Lock()
        self._running: dict[Path, ContainerProcess] = {}
        end, self._pipe = os.pipe()  # neither is inherited by any other process (PEP 446)
        self._guardian = subprocess.Popen(
            groups.GUARDIAN,
            stdin=end,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal must not reach it
            cwd="/",
        )
        os.close(end)

    def start(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: LineWriter
    ) -> ContainerProcess:
        with self._lock:
            if self.ending:
                raise ProcessesNotBegunError("the server is stopping: nothing can be started any more")
            popen = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._tell_guardian(f"+{popen.pid}")
            file = self.directory / f"{uuid.uuid4().hex}.json"
            # The last of three nets: on a full disk the guardian alone has to do.
            with contextlib.suppress(OSError):
                file.write_text(json.dumps({"pid": popen.pid, "started": groups.start_time(popen.pid)}))
            process = ContainerProcess(popen, log)
            self._running[file] = process
        threading.Thread(target=self._watch, args=(file, process), daemon=True).start()
        return process

    def kill_all(self) -> None:
        with self._lock:
            running = list(self._running.values())
        for process in running:
            groups.kill_group(process.pid)
        for process in running:
            process.wait(DRAIN_SECONDS)

    def close(self) -> None:
        """Kill everything and let the guardian go."""
        self.ending = True
        self.kill_all()
        with self._lock:
            os.close(self._pipe)
            self._pipe = -1  # a watcher that comes late must not write into somebody else's file
        self._guardian.wait()

    def _watch(self, file: Path, process: ContainerProcess) -> None:
        process._reap()
        with self._lock:
            self._tell_guardian(f"-{process.pid}")
            self._running.pop(file, None)
        file.unlink(missing_ok=True)

    def _tell_guardian(self, line: str) -> None:
        # Without a guardian the pid files remain: the next start cleans up.
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{line}\n".encode())


_state: _State | None = None
atexit.register(end)


def _environment(image: Image, env: Mapping[str, str], base_dir: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # `python` in an image's scripts means the interpreter this server runs under.
    inherited["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    # Output must arrive line by line; image folders are shared, so no bytecode is written into them.
    defaults = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    given = {**inherited, **defaults, **image.env, **_devices(), **env, "SAGEMAKER_BASE_DIR": str(base_dir)}
    # Where a container would have the folder that is mounted there.
    for name in image.env.keys() - env.keys():
        given[name] = ":".join(_mounted(part, base_dir) for part in given[name].split(":"))
    spare_loopback(given)  # a proxy that a job is given is for elsewhere; the local AWS is here
    return given


def _give_way(pid: int) -> None:
    """Put a process that was just started behind all others; the threads it starts inherit that."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, BEHIND)
    # Where the kernel shares by session, a process's own priority counts within its session only.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(BEHIND))


def _mounted(word: str, base_dir: Path) -> str:
    path = PurePosixPath(word)
    return str(base_dir / path.relative_to(BASE)) if path.is_relative_to(BASE) else word


def _devices() -> dict[str, str]:
    """What an image that asks for NVIDIA's devices is told on a machine without: that nobody gives it any.

    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    return {} if NVIDIA_DRIVER.exists() else {"NVIDIA_VISIBLE_DEVICES": "void"}
