"""uvicorn, with a farewell between SIGTERM and the closing of the port.

On SIGTERM the container goes on answering for a moment, says no to /ping, lets what is in flight end, and
leaves.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from types import FrameType

import uvicorn

from inference_code.serving.protocol import Protocol
from inference_code.serving.service import Service
from inference_code.serving.settings import Settings

log = logging.getLogger("serve")

# SageMaker sends SIGKILL 30 s after SIGTERM: what is in flight has ended or timed out by then.
DRAIN_SECONDS = 25
# After SIGTERM the port stays open this long: connections already on their way are served, and every client
# that keeps its connection is told to close it.
FAREWELL_SECONDS = 0.5
# A connection is closed when nobody has used it for so long. With uvicorn's 5 s that met requests which were
# already in the socket of a busy server: their senders saw a reset. Senders keep theirs for a minute.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Serves a `Service` until a signal."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        config = uvicorn.Config(
            service,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On the first signal say farewell and leave a moment later; on a second leave now."""
        if self._service.draining:
            self.force_exit = self.should_exit = True
            return
        self._service.draining = True
        log.info("draining", extra={"fields": {"signal": signal.Signals(sig).name}})
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, FAREWELL_SECONDS, self._leave)

    def _leave(self) -> None:
        self.should_exit = True
