"""Lines of a running job into CloudWatch Logs: collected for a moment, then sent in one request.

A log never breaks what it logs: a line that cannot be sent is reported in the server's own log and dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
# CloudWatch Logs takes at most 10,000 events of 256 KiB and 1 MiB together per request:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
MAX_BATCH_LINES = 10_000
MAX_LINE_BYTES = 256 * 1024
MAX_BATCH_BYTES = 1024 * 1024
# What each event counts besides its text.
EVENT_BYTES = 26


class LogWriter:
    """Writes lines to one log stream from any thread; `close` sends what is left."""

    def __init__(self, client: Any, group: str, stream: str) -> None:
        self._client = client
        self._names = {"logGroupName": group, "logStreamName": stream}
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._create(group)
        self._flusher = threading.Thread(target=self._flush_often, name=f"log {group}", daemon=True)
        self._flusher.start()

    def write(self, line: str) -> None:
        """Add one line (without its line end), stamped with this moment."""
        line = line.rstrip("\r\n")
        if not line:  # CloudWatch refuses empty messages
            return
        with self._lock:
            self._lines.append({"timestamp": int(time.time() * 1000), "message": _cut(line)})

    def flush(self) -> None:
        """Send what is waiting; returns when CloudWatch has it."""
        with self._sending:  # one sender at a time keeps the lines in order
            while True:
                with self._lock:
                    size = _batch_size(self._lines)
                    batch, self._lines = self._lines[:size], self._lines[size:]
                if not batch:
                    return
                try:
                    self._client.put_log_events(**self._names, logEvents=batch)
                except Exception as error:
                    log.warning(
                        "%d log lines of %s lost: %s", len(batch), self._names["logStreamName"], error
                    )

    def close(self) -> None:
        """Send what is left and stop."""
        self._closed.set()
        self.flush()

    def _create(self, group: str) -> None:
        steps: list[tuple[Any, dict[str, str]]] = [
            (self._client.create_log_group, {"logGroupName": group}),
            (self._client.create_log_stream, self._names),
        ]
        for create, arguments in steps:
            try:
                create(**arguments)
            except self._client.exceptions.ResourceAlreadyExistsException:
                pass
            except Exception as error:
                log.warning("no log stream %s: %s", self._names["logStreamName"], error)

    def _flush_often(self) -> None:
        while not self._closed.wait(BATCH_SECONDS):
            self.flush()


def _cut(line: str) -> str:
    encoded = line.encode()
    if len(encoded) + EVENT_BYTES <= MAX_LINE_BYTES:
        return line
    return encoded[: MAX_LINE_BYTES - EVENT_BYTES].decode(errors="ignore")


def _batch_size(lines: list[dict[str, Any]]) -> int:
    """How many of the lines fit into one request."""
    total = 0
    for count, line in enumerate(lines[:MAX_BATCH_LINES]):
        total += len(line["message"].encode()) + EVENT_BYTES
        if total > MAX_BATCH_BYTES:
            return count
    return min(len(lines), MAX_BATCH_LINES)
