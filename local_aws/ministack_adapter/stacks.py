"""CloudFormation's stack operations as ministack runs them, with what it leaves out.

* Resource types of our own (`register_resource`); they run on worker threads, because they call this server.
* The stack at work, and its service role, for the handlers (`current`).
* Stacks that were busy when the server was killed are rolled back when it starts again (`recover`).
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import ministack.services.cloudformation as cloudformation
from botocore.exceptions import ClientError
from ministack.services.cloudformation import changesets, handlers, provisioners, stacks

from local_aws.ministack_adapter.journal import Journal, Made

log = logging.getLogger(__name__)

SERVICE = "cloudformation.amazonaws.com"
SESSION = "AWSCloudFormation"
STOPPED = "The local AWS was stopped during this operation."
STACK = "AWS::CloudFormation::Stack"
# What a stack was before the update that runs, kept on its record so that a new server can roll it back.
_BEFORE = "_before_update"
ROLE = "RoleARN"


class ProvisioningError(RuntimeError):
    """A service refused what a resource needs; the message is what its stack event says."""


@dataclass(frozen=True)
class CurrentStack:
    """The stack whose resources this context creates, updates or deletes."""

    name: str
    stack_id: str
    role_arn: str | None


@dataclass
class Making:
    """A resource that this context creates, and the physical id its handler announced for it."""

    logical_id: str
    resource_type: str
    properties: dict[str, Any]
    announced: str | None = None

    def made(self, physical_id: str, attributes: dict[str, Any]) -> Made:
        """The note of it."""
        stack = current()
        return Made(stack.name, stack.stack_id, self.logical_id, self.resource_type, physical_id,
                    self.properties, attributes)  # fmt: skip


_current: contextvars.ContextVar[CurrentStack | None] = contextvars.ContextVar(
    "local_aws_stack", default=None
)
_making: contextvars.ContextVar[Making | None] = contextvars.ContextVar("local_aws_making", default=None)
_own_types: set[str] = set()
_journal: Journal | None = None
_save: Callable[[], None] = lambda: None  # noqa: E731 (replaced by `install`)


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
        making.announced = physical_id
        _journal.add(making.made(physical_id, {}))


def register_resource(
    resource_type: str,
    handler: Mapping[str, Any],
    replacing: tuple[str, ...] | None = None,
    name_property: str | None = None,
    taggable: bool = False,
) -> None:
    """Provision `resource_type` with `handler`, instead of ministack's own one if it has one.

    Parameters
    ----------
    handler : ``create(logical_id, properties, stack)``, ``update(physical_id, old, new, stack)``, both
        answering ``(physical_id, attributes)``, and ``delete(physical_id, properties)``.
    replacing : the properties whose change makes a new resource; None leaves that to ``update``.
    name_property : a custom name, which forbids a replacement that keeps it.
    taggable : stack tags are merged into its Tags.
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
        making = Making(logical_id, resource_type, dict(properties))
        token = _making.set(making)
        try:
            made: tuple[str, dict[str, Any]] = handler["create"](logical_id, properties, stack_name)
        except Exception as error:
            if _journal is not None and making.announced is not None:
                _journal.remove(current().stack_id, making.announced)
            raise _quoted(resource_type, error) from error
        finally:
            _making.reset(token)
        if _journal is not None:
            _journal.add(making.made(*made), instead_of=making.announced)
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
    said, metadata = error.response["Error"], error.response.get("ResponseMetadata", {})
    return ProvisioningError(
        f"{said['Message']} (Service: Amazon{resource_type.split('::')[1]}; Status Code: "
        f"{metadata.get('HTTPStatusCode', 400)}; Error Code: {said['Code']}; Request ID: "
        f"{metadata.get('RequestId', '')}; Proxy: null)"
    )


def existing_handler(resource_type: str) -> dict[str, Any]:
    """ministack's own handler of a type, for one that adds to it."""
    return dict(provisioners._RESOURCE_HANDLERS[resource_type])


def replace_handler(resource_type: str, handler: Mapping[str, Any]) -> None:
    """Provision a type with a handler that adds to its present one, `existing_handler`."""
    provisioners._RESOURCE_HANDLERS[resource_type] = dict(handler)


def install(journal: Journal, save: Callable[[], None]) -> None:
    """Teach ministack's CloudFormation.

    Parameters
    ----------
    journal : where the resources of operations under way are noted.
    save : brings ministack's state to disk, or raises OSError.
    """
    global _journal, _save
    _journal, _save = journal, save
    _run_own_types_on_threads()
    _follow_operations()


def recover() -> list[str]:
    """Roll back what was under way when the server was killed; the names of the stacks found so.

    Must run on the event loop, after ministack has restored its state.
    """
    busy = {
        stack["StackId"]: stack
        for stack in cloudformation._stacks._data.values()
        if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS"
    }
    _adopt_or_delete(busy)
    for stack in busy.values():
        before = stack.get(_BEFORE)
        if stack["StackStatus"] == "DELETE_IN_PROGRESS":
            _settle(stack, "DELETE_FAILED")
        elif before is None and not stack["StackStatus"].startswith(("CREATE", "ROLLBACK")):
            _settle(stack, "UPDATE_ROLLBACK_FAILED")
        else:
            rollback = stacks._roll_back_operation(
                stack["StackName"],
                stack["StackId"],
                stack,
                _interrupted(stack, before),
                reason_override=STOPPED,
            )
            stacks._create_stack_task_in_region(rollback, stack, stack["StackId"])
    return [stack["StackName"] for stack in busy.values()]


def _adopt_or_delete(busy: Mapping[str, dict[str, Any]]) -> None:
    """Give journalled resources back to the stacks that will roll them back, and delete those of no stack."""
    if _journal is None:
        return
    orphans = []
    for made in _journal.all():
        stack = busy.get(made.stack_id) or handlers._resolve_stack(made.stack_id) or {}
        record = stack.get("_resources", {}).get(made.logical_id, {})
        if record.get("PhysicalResourceId") == made.physical_id:
            continue
        if made.stack_id not in busy:
            orphans.append(made)
            continue
        stack["_resources"][made.logical_id] = {
            "PhysicalResourceId": made.physical_id,
            "ResourceType": made.resource_type,
            "ResourceStatus": "CREATE_COMPLETE",
            "LogicalResourceId": made.logical_id,
            "Properties": made.properties,
            "Attributes": made.attributes,
            "Timestamp": "",
        }
    if orphans:
        threading.Thread(target=_delete_orphans, args=(orphans,), name="orphans", daemon=True).start()


def _delete_orphans(orphans: list[Made]) -> None:
    for made in reversed(orphans):
        stack = handlers._resolve_stack(made.stack_id) or {}
        _current.set(CurrentStack(made.stack, made.stack_id, stack.get(ROLE)))
        try:
            provisioners._delete_resource(
                made.resource_type, made.physical_id, made.properties, made.stack, made.logical_id
            )
        except Exception:
            log.exception("%s of the stack %s is left over", made.physical_id, made.stack)


def _settle(stack: dict[str, Any], status: str) -> None:
    stack["StackStatus"], stack["StackStatusReason"] = status, STOPPED
    stacks._add_event(stack["StackId"], stack["StackName"], stack["StackName"], STACK, status, STOPPED)


def _interrupted(stack: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """What ministack's rollback wants to know, from what the stack's record says was done so far."""
    resources = stack.get("_resources", {})
    untouched = (before or {}).get("_resources", {})
    done = [logical_id for logical_id, record in resources.items() if record != untouched.get(logical_id)]
    replaced = [
        logical_id
        for logical_id in done
        if logical_id in untouched
        and untouched[logical_id]["PhysicalResourceId"] != resources[logical_id]["PhysicalResourceId"]
    ]
    return {
        "is_update": before is not None,
        "previous_stack": before,
        "created": done,
        "replaced_ids": replaced,
        "template": stack.get("_template") or {},
        "param_values": stack.get("_resolved_params") or {},
        "retain_except_on_create": True,
        "stack_tags": stack.get("Tags") or [],
        "previous_tags": (before or {}).get("Tags") or [],
    }


def everywhere(name: str, replacement: Any) -> None:
    """Put a function in the place of ministack's, in every module that imported it by name."""
    for module in (stacks, handlers, changesets):
        if hasattr(module, name):
            setattr(module, name, replacement)


def _run_own_types_on_threads() -> None:
    on_thread = stacks._runs_on_worker_thread
    everywhere("_runs_on_worker_thread", lambda type_: type_ in _own_types or on_thread(type_))


def _follow_operations() -> None:
    """Let the resource handlers know the stack, and keep what a new server would need to roll it back."""

    def followed(
        operation: Callable[..., Coroutine[Any, Any, None]],
    ) -> Callable[..., Coroutine[Any, Any, None]]:
        async def run(stack_name: str, stack_id: str, *args: Any, **kwargs: Any) -> None:
            stack = cloudformation._stacks.get(stack_name) or {}
            _current.set(CurrentStack(stack_name, stack_id, stack.get(ROLE)))
            if kwargs.get("previous_stack"):
                stack[_BEFORE] = kwargs["previous_stack"]
            await operation(stack_name, stack_id, *args, **kwargs)
            stack.pop(_BEFORE, None)
            threading.Thread(target=_close, args=(stack_id,), name="journal", daemon=True).start()

        return run

    for name in ("_deploy_stack_async", "_delete_stack_async", "_roll_back_operation",
                 "_continue_update_rollback_async"):  # fmt: skip
        everywhere(name, followed(getattr(stacks, name)))


def _close(stack_id: str) -> None:
    """An operation has ended: when that is on disk, its notes are of no use any more."""
    try:
        _save()
    except OSError as error:
        log.error("the notes of an operation of %s are kept: %s", stack_id, error)
        return
    if _journal is not None:
        _journal.clear(stack_id)
