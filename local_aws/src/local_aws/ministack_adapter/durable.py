"""A request that changes something is answered when the change is on the disk, or with an error.

ministack's services keep their state in memory; `snapshots` writes it. Here each service's handler is
followed by `Snapshots.commit` of that service, unless the request only asked, and S3 keeps its objects by
itself (`objects`). What a stack operation has made is committed, in all services, before anybody is told
that the operation has ended. At ease, and so lost with the last moment before a `kill -9`: lines of logs and
points of metrics.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ministack.app as ministack_app
from ministack.core import iam_actions
from ministack.services import s3
from ministack.services.cloudformation import helpers

from local_aws.core.api import HttpAnswer, error_reply
from local_aws.core.errors import AwsError
from local_aws.ministack_adapter.snapshots import NotSaved, Snapshots

log = logging.getLogger(__name__)

_STACKS = "cloudformation"
# What actions that change nothing begin with. Another one is taken for a change, which costs time only.
_ASKING = (
    "Assume", "BatchGet", "Describe", "Filter", "Get", "Invoke", "List", "Receive", "Simulate", "Validate",
)  # fmt: skip
_AT_EASE = {"logs:CreateLogStream", "logs:PutLogEvents", "cloudwatch:PutMetricData"}
# Threads of their own: those of ministack may all be busy with functions that wait for such an answer.
_COMMITTING = ThreadPoolExecutor(max_workers=4, thread_name_prefix="commit")

Handler = Callable[..., Awaitable[HttpAnswer]]


@dataclass(frozen=True)
class Request:
    """A request as ministack hands it to a service's handler."""

    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it may change the service's state in memory."""
        if self.method in ("GET", "HEAD", "OPTIONS"):
            return False
        if self.service == "s3":
            return not self._of_an_object or self._locks
        action = iam_actions.extract_iam_action(
            self.service, self.method, self.path, self.headers, self.body, self.query
        )
        return action not in _AT_EASE and not (action or "").partition(":")[2].startswith(_ASKING)

    @property
    def _of_an_object(self) -> bool:
        return bool(s3._parse_bucket_key(self.path, self.headers)[1])

    @property
    def _locks(self) -> bool:
        """Locks of objects are kept with the buckets."""
        asked = "retention" in self.query or "legal-hold" in self.query
        return asked or any(name.startswith("x-amz-object-lock") for name in self.headers)

    def failed(self, error: NotSaved) -> HttpAnswer:
        """The answer when the change is not on the disk."""
        message = f"{self.method} {self.path} failed: {error}; make room"
        answer: HttpAnswer
        if self.service == "s3":
            answer = s3._error("InternalError", message, 500)
        elif "x-www-form-urlencoded" in self.headers.get("content-type", ""):
            answer = helpers._error("InternalFailure", message, 500)
        else:
            answer = error_reply(AwsError("InternalFailure", message, 500))
        return answer


def install(snapshots: Snapshots, ended: threading.Event) -> None:
    """Follow the handler of every service of ministack's by a commit; ours keep their state by themselves.

    Args:
        ended: set whenever a stack operation ends.
    """
    for service, handler in list(ministack_app.SERVICE_HANDLERS.items()):
        if not _files(service) <= ministack_app._state_map.keys():
            continue
        ministack_app.SERVICE_HANDLERS[service] = _durable(service, handler, snapshots, ended)


def _durable(service: str, handle: Handler, snapshots: Snapshots, ended: threading.Event) -> Handler:
    files = _files(service)

    async def handle_and_commit(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> HttpAnswer:
        answer = await handle(method, path, headers, body, query)
        request = Request(service, method, path, headers, body, query)
        everything = service == _STACKS and ended.is_set()
        if answer[0] >= 400 or not (everything or request.changes):
            return answer
        if everything:
            ended.clear()
        commit = lambda: snapshots.commit(None if everything else files)  # noqa: E731
        try:
            await asyncio.get_running_loop().run_in_executor(_COMMITTING, commit)
        except NotSaved as error:
            if everything:
                ended.set()
            log.error("%s", error)
            return request.failed(error)
        return answer

    return handle_and_commit


def _files(service: str) -> set[str]:
    """The names under which a service's state is kept."""
    name = ministack_app.SERVICE_NAME_ALIASES.get(service, service)
    entry = ministack_app.SERVICE_REGISTRY.get(name, {})
    return {entry.get("state_key", entry.get("module", name)), *entry.get("sub_modules", ())}
