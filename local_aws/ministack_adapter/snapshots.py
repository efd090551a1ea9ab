"""Writes ministack's memory to disk while it runs; by itself ministack does so only when it stops.

A thread looks once a second whether any request or event came, takes every loaded service's state in
ministack's own format, and writes the files whose content changed, each atomically. So a `kill -9` loses at
most the last moment; ministack restores the files when it starts. The pause grows with the size of the
state, which keeps the cost below a tenth of one core.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import ministack.app as ministack_app
from ministack.core import persistence

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# After a snapshot that took t, the next one comes no sooner than this many times t.
COST_FACTOR = 10
# Services change state without a request too (timers, queues, running Lambdas): look at least this often.
QUIET_SECONDS = 10.0
_ATTEMPTS = 5
_STACKS = "cloudformation"


class Snapshots:
    """The thread that keeps `STATE_DIR` up to date."""

    def __init__(self) -> None:
        self._folder = Path(persistence.STATE_DIR)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._written: dict[str, str] = {}
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._saving = threading.Lock()
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
        self.save()

    def save(self) -> None:
        """Write every service whose state changed since it was written last.

        CloudFormation is read last and replaced first: its record may be ahead of the services, whose
        resources it then finds gone already, but never behind them, with resources it knows nothing of.
        """
        with self._saving:
            services = ministack_app._build_persistence_save_dict()
            drafts: list[Path] = []
            for name in sorted(services, key=lambda name: name == _STACKS):
                text = _serialised(name, services[name])
                if text is not None and (draft := self._draft(name, text)) is not None:
                    drafts.append(draft)
            for draft in reversed(drafts):
                draft.replace(draft.with_suffix(""))

    def _draft(self, name: str, text: str) -> Path | None:
        """The new content of a service's file, beside it; None if nothing changed or it cannot be written."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        if self._written.get(name) == digest:
            return None
        draft = self._folder / f"{name}.json.new"
        try:
            draft.write_text(text)
        except OSError as error:
            log.error("the state of %s could not be saved in %s: %s", name, self._folder, error)
            return None
        self._written[name] = digest
        return draft

    def _run(self) -> None:
        pause = INTERVAL_SECONDS
        while not self._stopped.wait(pause):
            if self._changed.wait(QUIET_SECONDS):
                self._changed.clear()
            started = time.monotonic()
            self.save()
            pause = max(INTERVAL_SECONDS, COST_FACTOR * (time.monotonic() - started))


def _serialised(name: str, get_state: Any) -> str | None:
    """A service's state as ministack would save it; None if it has none or keeps changing under our hands."""
    for _attempt in range(_ATTEMPTS):
        try:
            state = get_state()
            if state is None:
                return None
            wrapped = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            return json.dumps(wrapped, default=persistence._json_default)
        except RuntimeError:  # "dictionary changed size during iteration": a request is writing; look again
            time.sleep(0.01)
        except Exception:
            log.exception("the state of %s cannot be saved", name)
            return None
    return None
