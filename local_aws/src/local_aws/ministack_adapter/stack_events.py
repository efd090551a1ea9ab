"""A stack's new status, told to the event bus and to who waits for the disk.

Each "CloudFormation Stack Status Change" is told at least once: a stack's record says while nobody has been
told of its last status, so that the next server tells of an end just before a `kill -9`.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-events-eventbridge.html
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import ministack.services.cloudformation as cloudformation
from ministack.services.cloudformation import handlers, stacks

from local_aws.core.store import waiting_for_room
from local_aws.ministack_adapter.stacks import BUSY, STACK, everywhere

log = logging.getLogger(__name__)

_UNTOLD = "_untold"
# Set when an operation ends: what it made has to be on the disk before anybody is told.
ended = threading.Event()
_pending: queue.Queue[tuple[contextvars.Context, str, str, str]] = queue.Queue()

EmitStatus = Callable[[str, str, str], None]


def install(emit: EmitStatus) -> None:
    """Tell every new status of a stack: `emit` is called with stack id, status and reason, in their order."""
    everywhere("_add_event", partial(_add_and_tell, stacks._add_event))
    threading.Thread(target=_send, args=(emit,), name="stack events", daemon=True).start()


def _add_and_tell(add_event: Callable[..., None], stack_id: str, stack_name: str, logical_id: str,
                  resource_type: str, status: str, *args: Any, **kwargs: Any) -> None:  # fmt: skip
    add_event(stack_id, stack_name, logical_id, resource_type, status, *args, **kwargs)
    if resource_type == STACK and logical_id == stack_name:
        (handlers._resolve_stack(stack_id) or {})[_UNTOLD] = True
        if not status.endswith(BUSY):
            ended.set()
        _put(stack_id, status, kwargs.get("reason") or (args[0] if args else ""))


def tell_again() -> None:
    """Tell the ends that a former server had come to and told nobody of."""
    for stack in cloudformation._stacks._data.values():
        if stack.get(_UNTOLD) and not stack["StackStatus"].endswith(BUSY):
            _put(stack["StackId"], stack["StackStatus"], stack.get("StackStatusReason", ""))


def _put(stack_id: str, status: str, reason: str) -> None:
    _pending.put((contextvars.copy_context(), stack_id, status, reason))


def _send(emit: EmitStatus) -> None:
    while True:
        context, stack_id, status, reason = _pending.get()
        try:
            context.run(_tell, emit, stack_id, status, reason)
        except Exception:
            log.exception("the status %s of %s was not announced", status, stack_id)


def _tell(emit: EmitStatus, stack_id: str, status: str, reason: str) -> None:
    with waiting_for_room():
        emit(stack_id, status, reason)
    stack = handlers._resolve_stack(stack_id) or {}
    if stack.get("StackStatus") == status:
        stack.pop(_UNTOLD, None)
