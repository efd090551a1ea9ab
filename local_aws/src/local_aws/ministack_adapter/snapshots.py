"""ministack's memory on the disk; by itself ministack writes it only when it stops.

Each service's state is one file in ministack's own format, which it restores when it starts. A file is
written, atomically and only if its content changed,

* before a request that changes something is answered (`commit`, which `durable` calls): what was acknowledged
  survives a `kill -9`. Requests that wait at the same time share one writing.
* from a thread, within seconds, for what changes without a request (timers, queues, running Lambdas) and for
  what nobody is promised (logs, points of metrics). Its pause grows with the size of the state, which keeps
  its cost below a tenth of one core.

Nothing is forced to the platter: a power cut may lose what the death of the process cannot.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ministack.app as ministack_app
from ministack.core import persistence
from ministack.services import lambda_svc

from local_aws.ministack_adapter import layers

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# After a snapshot that took t, the next one comes no sooner than this many times t.
COST_FACTOR = 10
# Services change state without a request too (timers, queues, running Lambdas): look at least this often.
QUIET_SECONDS = 10.0
# How long a state may go on changing under our hands before it counts as one that cannot be saved.
SETTLE_SECONDS = 2.0
_STACKS, _LAMBDA = "cloudformation", "lambda"


class NotSaved(OSError):
    """The state of a service could not be brought to the disk; what was saved before is still there."""

    def __init__(self, service: str, error: Exception) -> None:
        super().__init__(f"the state of {service} could not be saved: {error}")


class _Saving:
    """One writing, and who shares it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.done = False
        self.errors: dict[str, NotSaved] = {}


@dataclass(frozen=True)
class _Draft:
    """A service's state on its way to the disk; no path: it is there already."""

    service: str
    digest: str
    path: Path | None


class Snapshots:
    """Keeps `STATE_DIR` up to date."""

    def __init__(self) -> None:
        self._folder = Path(persistence.STATE_DIR)
        self._folder.mkdir(parents=True, exist_ok=True)
        _keep_blobs_in(self._folder)
        self._written: dict[str, str] = {}
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._joining, self._writing = threading.Lock(), threading.Lock()
        self._next = _Saving()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def touch(self) -> None:
        """Something may have changed."""
        self._changed.set()

    def start(self) -> None:
        """Begin to write; ministack must have restored its state before."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more and end."""
        self._stopped.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._save_or_tell()

    def commit(self, services: Iterable[str] | None = None) -> None:
        """Return when what these services (None: all) know now is on the disk. Raises NotSaved if not."""
        wanted = set(_states() if services is None else services)
        with self._joining:
            saving = self._next
            saving.names |= wanted
        with self._writing:
            if not saving.done:
                with self._joining:  # whoever comes from now on may have changed what is being read
                    self._next = _Saving()
                saving.errors = self._write(saving.names)
                saving.done = True
        for service, error in saving.errors.items():
            if service in wanted:
                raise error

    def _write(self, names: set[str]) -> dict[str, NotSaved]:
        """Write the services whose state changed since it was written last; what went wrong with which.

        CloudFormation is read last and replaced first: its record may be ahead of the services, whose
        resources it then finds gone already, but never behind them, with resources it knows nothing of.
        """
        states = _states()
        drafts: list[_Draft] = []
        errors: dict[str, NotSaved] = {}
        for name in sorted(names & states.keys(), key=lambda name: name == _STACKS):
            try:
                drafts.append(self._draft(name, states[name]))
            except Exception as error:
                errors[name] = NotSaved(name, error)
        for draft in reversed(drafts):
            try:
                self._take(draft)
            except OSError as error:
                errors[draft.service] = NotSaved(draft.service, error)
        return errors

    def _draft(self, name: str, get_state: Callable[[], Any]) -> _Draft:
        """The service's state in a file beside its own, unless it has none or has not changed."""
        text = _serialised(name, get_state)
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() if text else ""
        if not text or self._written.get(name) == digest:
            return _Draft(name, digest, None)
        path = self._folder / f"{name}.json.new"
        try:
            path.write_text(text)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return _Draft(name, digest, path)

    def _take(self, draft: _Draft) -> None:
        if draft.path is not None:
            draft.path.replace(draft.path.with_suffix(""))
            self._written[draft.service] = draft.digest
            if draft.service == _LAMBDA:
                layers.prune()

    def _save_or_tell(self) -> None:
        try:
            self.commit()
        except NotSaved as error:
            log.error("%s", error)

    def _run(self) -> None:
        pause = INTERVAL_SECONDS
        while not self._stopped.wait(pause):
            if self._changed.wait(QUIET_SECONDS):
                self._changed.clear()
            started = time.monotonic()
            self._save_or_tell()
            pause = max(INTERVAL_SECONDS, COST_FACTOR * (time.monotonic() - started))


def _states() -> dict[str, Callable[[], Any]]:
    states: dict[str, Callable[[], Any]] = ministack_app._build_persistence_save_dict()
    return states


def _keep_blobs_in(folder: Path) -> None:
    """Write functions' code beside the state, and make no folder that somebody took away again."""
    blobs, write = folder / "lambda-blobs", lambda_svc._write_code_blob
    blobs.mkdir(exist_ok=True)

    def write_there(code_zip: bytes) -> str:
        if not blobs.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(blobs))
        return str(write(code_zip))

    lambda_svc._write_code_blob = write_there


def _serialised(name: str, get_state: Callable[[], Any]) -> str | None:
    """A service's state as ministack would save it; None if it has none."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            state = get_state()
            if state is None:
                return None
            wrapped = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            return json.dumps(wrapped, default=persistence._json_default)
        except RuntimeError:  # "dictionary changed size during iteration": a request is writing; look again
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
