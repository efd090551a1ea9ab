"""Stacks that were busy when the server was killed: rolled back when it starts again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import ministack.services.cloudformation as cloudformation
from ministack.services.cloudformation import handlers, provisioners, stacks

from local_aws.ministack_adapter.journal import Journal, Made
from local_aws.ministack_adapter.stacks import BEFORE, BUSY, ROLE, STACK, CurrentStack, enter

log = logging.getLogger(__name__)

STOPPED = "The local AWS was stopped during this operation."


def recover(journal: Journal) -> list[str]:
    """Roll back what was under way when the server was killed; the names of the stacks found so.

    Must run on the event loop, after ministack has restored its state.
    """
    busy = {
        stack["StackId"]: stack
        for stack in cloudformation._stacks._data.values()
        if stack["StackStatus"].endswith(BUSY) and stack["StackStatus"] != "REVIEW_IN_PROGRESS"
    }
    _adopt_or_delete(journal, busy)
    for stack in busy.values():
        before = stack.get(BEFORE)
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


def _adopt_or_delete(journal: Journal, busy: Mapping[str, dict[str, Any]]) -> None:
    """Give journalled resources back to the stacks that will roll them back, and delete those of no stack."""
    orphans = []
    for made in journal.all():
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
        enter(CurrentStack(made.stack, made.stack_id, stack.get(ROLE)))
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
