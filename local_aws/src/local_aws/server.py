"""The local AWS as one process: from the command line to a server that is ready, and back to a clean stop.

`run` reads from top to bottom: look at the port and the state folder, set ministack up, put our services and
CloudFormation types in, answer requests on 127.0.0.1 only, take up what a former server left, save while
running, and on SIGTERM or Ctrl-C stop the jobs and endpoints, save once more and leave no child behind.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import stat
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil

from local_aws import ministack_adapter, root_key
from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.proxies import spare_loopback
from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.root_key import RootKey

if TYPE_CHECKING:
    from local_aws.services import Services

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# A training job's base folder, its artifact twice and the state fit in this for every model we know of.
MIN_FREE_BYTES = 1 << 30
# How long jobs and endpoints may take to stop before they are killed.
STOP_SECONDS = 15
# For how long a lock that is held is asked for again.
LOCK_SECONDS = 1.0
# How often is looked whether the state folder is still there.
LOOK_SECONDS = 2.0


class CannotStartError(Exception):
    """The server cannot start here; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Settings:
    """Where the server listens and where it keeps everything."""

    port: int
    state: Path
    label: str = ""
    """Kept in the lock file for whoever started the server: what it runs, say."""
    release: int | None = None
    """A file descriptor to close when the state folder is locked."""
    account: str = "000000000000"
    region: str = "us-east-1"

    @property
    def endpoint_url(self) -> str:
        """The URL clients use for every service."""
        return f"http://{HOST}:{self.port}"


def run(settings: Settings) -> int:
    """Serve until told to stop; the process's exit code."""
    os.umask(0o077)  # what is kept here, secrets too, is its owner's alone
    spare_loopback(os.environ)
    try:
        lock = claim(settings)
        key = _root_key(settings)
    except CannotStartError as problem:
        print(f"local AWS: {problem}", file=sys.stderr)
        return 1
    if settings.release is not None:
        os.close(settings.release)
    ministack_adapter.configure(settings.port, settings.state, settings.account, settings.region, key)
    # Only now: ministack reads its environment when it is imported.
    from local_aws.services import Services

    store = Store(settings.state / "local_aws.db")
    root = settings.state / "local_aws"
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        # Not asyncio.run: at the end that would wait for every stack operation under way, and one that
        # waits for a Lambda may never end. The next start rolls them back.
        services = Services(_context(settings, store, root, key), settings.port)
        threading.Thread(target=_end_without_state, args=(lock, settings.state), daemon=True).start()
        loop.run_until_complete(_serve(settings, services))
    finally:
        process.end()
        _end_children()
        # The lock is left to the kernel: whoever finds it free can be sure that this process is gone.
    return 0


def claim(settings: Settings) -> IO[str]:
    """The state folder's lock, held until the process ends; in it, as JSON, stands who holds it.

    Raises CannotStartError for whatever stands in the way.
    """
    state = settings.state
    try:
        lock = _lock(state)
        (state / "local_aws").mkdir(exist_ok=True)
    except OSError as error:
        raise CannotStartError(
            f"the state folder {state} cannot be used ({error.strerror}); choose another with --state"
        ) from error
    try:
        _check_disk(state)
        _check_port(settings.port)
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid(), "port": settings.port, "label": settings.label}) + "\n")
        lock.flush()
    except CannotStartError:
        lock.close()
        raise
    except OSError as error:
        lock.close()
        raise CannotStartError(f"the state folder {state} cannot be written ({error.strerror})") from error
    return lock


def _lock(state: Path) -> IO[str]:
    """The lock file of the state folder, locked; made with the folder if they are not there.

    Who only looks whether the lock is held has it for a moment: it is asked for more than once.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(state)
        path = state / "server.lock"
        lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = _owner(lock)
            lock.close()
            if time.monotonic() > deadline:
                raise CannotStartError(
                    f"the state folder {state} is in use by another server (process {owner}); "
                    "stop that one first"
                ) from error
        else:
            if _is_in_place(lock, path):
                return lock
            lock.close()  # the folder was taken away between opening and locking
        time.sleep(0.05)


def _owner(lock: IO[str]) -> str:
    lock.seek(0)
    try:
        return str(json.loads(lock.read())["pid"])
    except (ValueError, TypeError, KeyError):
        return "unknown"


def _make_private(folder: Path) -> None:
    """Close a folder that others could read, or fail where it is somebody else's; a shared one stays open."""
    found = folder.stat()
    if found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        folder.chmod(0o700)


def _is_in_place(lock: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _end_without_state(lock: IO[str], state: Path) -> None:
    """End when the state folder is taken away: nothing could be kept, and nobody would find us."""
    while _is_in_place(lock, state / "server.lock"):
        time.sleep(LOOK_SECONDS)
    print(f"local AWS: the state folder {state} was taken away, so the server ends", file=sys.stderr)
    process.end()
    _end_children()
    os._exit(1)


def _root_key(settings: Settings) -> RootKey:
    try:
        return root_key.of(settings.state)
    except root_key.UnusableRootKeyError as error:
        raise CannotStartError(str(error)) from error
    except OSError as error:
        raise CannotStartError(
            f"the state folder {settings.state} cannot be written ({error.strerror})"
        ) from error


def _check_disk(state: Path) -> None:
    free = shutil.disk_usage(state).free
    if free < MIN_FREE_BYTES:
        raise CannotStartError(
            f"only {free // 2**20} MiB are free on the disk of {state}, "
            f"and {MIN_FREE_BYTES // 2**20} are needed; make room, or choose another folder with --state"
        )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            why = (
                "is already in use"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise CannotStartError(
                f"port {port} of {HOST} {why}; stop what runs there, or choose another with --port"
            ) from error


def _context(settings: Settings, store: Store, root: Path, key: RootKey) -> LocalAws:
    from local_aws.ministack_adapter import backend

    images = ImageStore(store, root / "images")
    images.sweep()
    return LocalAws(
        store=store,
        root=root,
        endpoint_url=settings.endpoint_url,
        account=settings.account,
        region=settings.region,
        root_key=key,
        images=images,
        backend=backend,
    )


async def _serve(settings: Settings, services: Services) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def start() -> None:
        try:
            services.start(loop)
            print(f"local AWS ready on {settings.endpoint_url}, state in {settings.state}", flush=True)
        except Exception:
            log.exception("the local AWS could not start")
            loop.call_soon_threadsafe(stopping.set)

    async def until_told() -> None:
        # hypercorn calls this when ministack has restored its state and the port is open.
        threading.Thread(target=start, name="start", daemon=True).start()
        await stopping.wait()
        stop = asyncio.create_task(asyncio.to_thread(services.stop))
        _done, late = await asyncio.wait([stop], timeout=STOP_SECONDS)
        if late:
            log.warning("some job or endpoint did not stop within %d seconds", STOP_SECONDS)
        await asyncio.to_thread(services.save)

    config = Config()
    config.bind = [f"{HOST}:{settings.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.shutdown_timeout = 10
    config.loglevel = "WARNING"
    await serve(services.application, config, shutdown_trigger=until_told)


def _end_children() -> None:
    """Whatever the server still runs (Lambda workers) ends with it."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    _gone, alive = psutil.wait_procs(children, timeout=3)
    for child in alive:
        child.kill()
