"""Which process is this checkout's local AWS: the one that holds the lock of its state folder.

The server takes the lock before anything else, writes into it who it is, and the kernel lets go when it ends,
however it ends. So the lock is the record: no other file has to be right, no clock, and no command that
started it has to be alive.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from cli import locks
from cli.errors import LocalAwsFailed

# Between taking the lock and writing into it lie microseconds.
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Server:
    """The running server: its process id, its port, and what code it runs (`local_code.fingerprint`; empty
    when somebody started it by hand).
    """

    pid: int
    port: int
    label: str = ""


def state_dir(home: Path) -> Path:
    """The local AWS's state folder."""
    return home / "aws"


def path(home: Path) -> Path:
    """The lock file."""
    return state_dir(home) / "server.lock"


def holder(home: Path) -> Server | None:
    """The server that runs on the state of `home`, or None.

    Raises:
        LocalAwsFailed: one runs and does not say what this needs to know.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    text = ""
    while (found := _read(path(home))) is not None:
        text = found
        server = _parse(text)
        if server is not None:
            return server
        if time.monotonic() > deadline:
            raise LocalAwsFailed(
                f"The local AWS on {state_dir(home)} (process {text.strip()[:60] or 'unknown'}) was started "
                "by another version of this project. End that process and run again."
            )
        time.sleep(0.05)
    return None


def _read(lock: Path) -> str | None:
    """What stands in the lock file, or None if nobody holds it."""
    try:
        with lock.open() as file:
            # Shared, so that two who look do not see each other; a server that starts asks again.
            if not locks.take(file.fileno(), shared=True):
                return file.read()
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def _parse(text: str) -> Server | None:
    try:
        record = json.loads(text)
        return Server(pid=int(record["pid"]), port=int(record["port"]), label=str(record["label"]))
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return None


def has_it_open(pid: int, home: Path) -> bool:
    """Whether that process has the lock file open, asked before it is ended: in the moment in which a server
    takes the lock, the file still names the one before it, and that process id may be somebody else's by now.
    """
    import psutil

    try:
        return any(Path(file.path).samefile(path(home)) for file in psutil.Process(pid).open_files())
    except (psutil.Error, OSError):
        return False
