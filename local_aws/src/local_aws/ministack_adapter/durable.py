"""A request that changes something is answered when the change is on the disk, or with an error.

Each service's handler is followed by `Snapshots.commit` of that service, unless the request only asked; S3
keeps its objects by itself (`objects`). What a stack operation has made is committed before anybody is told
that it has ended. Lost with the last moment before a `kill -9`: lines of logs and points of metrics.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import ministack.app as ministack_app
from ministack.core import iam_actions
from ministack.services import s3
from ministack.services.cloudformation import helpers

from local_aws.core.api import HttpAnswer, error_reply
from local_aws.core.errors import AwsError
from local_aws.ministack_adapter.requests import Handler, Request
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


def install(snapshots: Snapshots, ended: threading.Event) -> None:
    """Follow the handler of every service of ministack's by a commit; ours keep their state by themselves.

    Args:
        ended: set whenever a stack operation ends.
    """
    for service, handler in list(ministack_app.SERVICE_HANDLERS.items()):
        if not _files(service) <= ministack_app._state_map.keys():
            continue
        commit = partial(_handle_and_commit, service, handler, snapshots, ended)
        ministack_app.SERVICE_HANDLERS[service] = commit


async def _handle_and_commit(
    service: str, handle: Handler, snapshots: Snapshots, ended: threading.Event, *arguments: Any
) -> HttpAnswer:
    answer = await handle(*arguments)
    request = Request.of(service, *arguments)
    everything = service == _STACKS and ended.is_set()
    if answer[0] >= 400 or not (everything or _changes(request)):
        return answer
    if everything:
        ended.clear()
    commit = partial(snapshots.commit, None if everything else _files(service))
    try:
        await asyncio.get_running_loop().run_in_executor(_COMMITTING, commit)
    except NotSaved as error:
        if everything:
            ended.set()
        log.error("%s", error)
        return _failed(request, error)
    return answer


def _changes(request: Request) -> bool:
    """Whether it may change the service's state in memory."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    if request.service == "s3":
        of_an_object = bool(s3._parse_bucket_key(request.path, request.headers)[1])
        return not of_an_object or _locks(request)
    action = iam_actions.extract_iam_action(
        request.service, request.method, request.path, request.headers, request.body, request.query
    )
    return action not in _AT_EASE and not (action or "").partition(":")[2].startswith(_ASKING)


def _locks(request: Request) -> bool:
    """Locks of objects are kept with the buckets."""
    asked = "retention" in request.query or "legal-hold" in request.query
    return asked or any(name.startswith("x-amz-object-lock") for name in request.headers)


def _failed(request: Request, error: NotSaved) -> HttpAnswer:
    """The answer when the change is not on the disk."""
    message = f"{request.method} {request.path} failed: {error}; make room"
    answer: HttpAnswer
    if request.service == "s3":
        answer = s3._error("InternalError", message, 500)
    elif "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        answer = helpers._error("InternalFailure", message, 500)
    else:
        answer = error_reply(AwsError("InternalFailure", message, 500))
    return answer


def _files(service: str) -> set[str]:
    """The names under which a service's state is kept."""
    name = ministack_app.SERVICE_NAME_ALIASES.get(service, service)
    entry = ministack_app.SERVICE_REGISTRY.get(name, {})
    return {entry.get("state_key", entry.get("module", name)), *entry.get("sub_modules", ())}
