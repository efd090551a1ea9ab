"""CloudFormation's stack operations as ministack runs them, with what it leaves out.

* Resource types of our own (`register_resource`); they run on worker threads, because they call this server.
* The stack at work, and its service role, for the handlers (`current`).
* What a new server needs to roll back a stack that was busy when this one was killed (`stack_recovery`).
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ministack.services.cloudformation as cloudformation
from botocore.exceptions import ClientError
from ministack.services.cloudformation import changesets, handlers, provisioners, stacks

from local_aws.ministack_adapter.journal import Journal, Made

log = logging.getLogger(__name__)

STACK = "AWS::CloudFormation::Stack"
BUSY = "_IN_PROGRESS"
"""The end of a status while an operation goes on."""
# What a stack was before the update that runs, kept on its record so that a new server can roll it back.
BEFORE = "_before_update"
ROLE = "RoleARN"


class ProvisioningError(RuntimeError):
    """A service refused what a resource needs; the message is what its stack event says."""


@dataclass(frozen=True)
class CurrentStack:
    """The stack whose resources this context creates, updates or deletes."""

    name: str
    stack_id: str
    role_arn: str | None


_current: contextvars.ContextVar[CurrentStack | None] = contextvars.ContextVar(
    "local_aws_stack", default=None
)
# What this context creates, by the physical id that its handler announced for it.
_making: contextvars.ContextVar[Made | None] = contextvars.ContextVar("local_aws_making", default=None)
_own_types: set[str] = set()
_journal: Journal | None = None
_save: Callable[[], None] = lambda: None  # noqa: E731 (replaced by `install`)


def enter(stack: CurrentStack) -> None:
    """Let this context work for a stack."""
    _current.set(stack)


def current() -> CurrentStack:
    """The stack at work here."""
    found = _current.get()
    if found is None:
        raise LookupError("no stack operation runs in this context")
    return found


def announce(physical_id: str) -> None:
    """A handler's `create` says under which physical id it is about to make its resource.

    Between the moment a resource exists and the moment the handler returns, a `kill -9` would leave it to
    nobody; announced, the next server gives it back to its stack. Only of a name that is not taken yet.
    """
    making = _making.get()
    if making is not None and _journal is not None:
        announced = replace(making, physical_id=physical_id)
        _making.set(announced)
        _journal.add(announced)


def _announced() -> str | None:
    making = _making.get()
    return making.physical_id or None if making else None


def register_resource(
    resource_type: str,
    handler: Mapping[str, Any],
    replacing: tuple[str, ...] | None = None,
    name_property: str | None = None,
    taggable: bool = False,
) -> None:
    """Provision `resource_type` with `handler`, instead of ministack's own one if it has one.

    Args:
        handler: ``create(logical_id, properties, stack)``, ``update(physical_id, old, new, stack)``, both
            answering ``(physical_id, attributes)``, and ``delete(physical_id, properties)``.
        replacing: the properties whose change makes a new resource; None leaves that to ``update``.
        name_property: a custom name, which forbids a replacement that keeps it.
        taggable: stack tags are merged into its Tags.
    """
    _own_types.add(resource_type)
    provisioners._RESOURCE_HANDLERS[resource_type] = _noted(resource_type, handler)
    if replacing is not None:
        provisioners._REPLACING_PROPERTIES[resource_type] = replacing
    if name_property is not None:
        provisioners._CUSTOM_NAME_REPLACEMENT[resource_type] = {"name": name_property}
    if taggable:
        provisioners._STACK_TAG_PROPERTY[resource_type] = ("Tags", "list")


def _noted(resource_type: str, handler: Mapping[str, Any]) -> dict[str, Any]:
    """The handler, which notes in the journal what it makes and what it deletes."""

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        stack = current()
        making = Made(stack.name, stack.stack_id, logical_id, resource_type, "", dict(properties), {})
        token = _making.set(making)
        try:
            made: tuple[str, dict[str, Any]] = handler["create"](logical_id, properties, stack_name)
        except Exception as error:
            if _journal is not None and (announced := _announced()):
                _journal.remove(stack.stack_id, announced)
            raise _quoted(resource_type, error) from error
        else:
            if _journal is not None:
                found = replace(making, physical_id=made[0], attributes=made[1])
                _journal.add(found, instead_of=_announced())
        finally:
            _making.reset(token)
        return made

    def update(*arguments: Any) -> tuple[str, dict[str, Any]]:
        try:
            changed: tuple[str, dict[str, Any]] = handler["update"](*arguments)
        except Exception as error:
            raise _quoted(resource_type, error) from error
        return changed

    def delete(physical_id: str, *rest: Any) -> None:
        handler["delete"](physical_id, *rest)
        if _journal is not None:
            _journal.remove(current().stack_id, physical_id)

    updating = {"update": update} if "update" in handler else {}
    return {**handler, **updating, "create": create, "delete": delete}


def _quoted(resource_type: str, error: Exception) -> Exception:
    """A service's refusal as CloudFormation puts it into an event: its words, and its code behind them.

    In this form: https://github.com/aws-samples/sagemaker-custom-project-templates/issues/51
    """
    if not isinstance(error, ClientError):
        return error
    refusal, metadata = error.response["Error"], error.response.get("ResponseMetadata", {})
    return ProvisioningError(
        f"{refusal['Message']} (Service: Amazon{resource_type.split('::')[1]}; Status Code: "
        f"{metadata.get('HTTPStatusCode', 400)}; Error Code: {refusal['Code']}; Request ID: "
        f"{metadata.get('RequestId', '')}; Proxy: null)"
    )


def existing_handler(resource_type: str) -> dict[str, Any]:
    """ministack's own handler of a type, for one that adds to it."""
    return dict(provisioners._RESOURCE_HANDLERS[resource_type])


def check_first(resource_type: str, check: Callable[[str, dict[str, Any], str | None], None]) -> None:
    """Call `check` with the verb, the properties and the physical id, if any, before the type's handler."""
    original = existing_handler(resource_type)

    def create(logical_id: str, properties: dict[str, Any], *rest: Any) -> Any:
        check("create", properties, None)
        return original["create"](logical_id, properties, *rest)

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        check("update", new, physical_id)
        return original["update"](physical_id, old, new, *rest)

    def delete(physical_id: str, properties: dict[str, Any], *rest: Any) -> None:
        check("delete", properties, physical_id)
        original["delete"](physical_id, properties, *rest)

    updating = {"update": update} if original.get("update") else {}
    handler = {**original, "create": create, **updating, "delete": delete}
    provisioners._RESOURCE_HANDLERS[resource_type] = handler


def install(journal: Journal, save: Callable[[], None]) -> None:
    """Teach ministack's CloudFormation.

    Args:
        journal: where the resources of operations under way are noted.
        save: brings ministack's state to disk, or raises OSError.
    """
    global _journal, _save
    _journal, _save = journal, save
    on_thread = stacks._runs_on_worker_thread
    everywhere("_runs_on_worker_thread", lambda type_: type_ in _own_types or on_thread(type_))
    for name in ("_deploy_stack_async", "_delete_stack_async", "_roll_back_operation",
                 "_continue_update_rollback_async"):  # fmt: skip
        everywhere(name, partial(_followed, getattr(stacks, name)))


def everywhere(name: str, replacement: Any) -> None:
    """Put a function in the place of ministack's, in every module that imported it by name."""
    for module in (stacks, handlers, changesets):
        if hasattr(module, name):
            setattr(module, name, replacement)


async def _followed(
    operation: Callable[..., Awaitable[None]], stack_name: str, stack_id: str, *args: Any, **kwargs: Any
) -> None:
    """Let the resource handlers know the stack, and keep what a new server would need to roll it back."""
    stack = cloudformation._stacks.get(stack_name) or {}
    enter(CurrentStack(stack_name, stack_id, stack.get(ROLE)))
    if kwargs.get("previous_stack"):
        stack[BEFORE] = kwargs["previous_stack"]
    await operation(stack_name, stack_id, *args, **kwargs)
    stack.pop(BEFORE, None)
    threading.Thread(target=_close, args=(stack_id,), name="journal", daemon=True).start()


def _close(stack_id: str) -> None:
    """An operation has ended: when that is on disk, its notes are of no use any more."""
    try:
        _save()
    except OSError as error:
        log.error("the notes of an operation of %s are kept: %s", stack_id, error)
        return
    if _journal is not None:
        _journal.clear(stack_id)
