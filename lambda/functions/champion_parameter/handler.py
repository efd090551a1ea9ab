"""champion-parameter: a custom resource that makes a parameter only if it is missing.

There are two: the champion, which begins as `none`, and the endpoint's instance type, which begins as the
first that the settings allow.

A plain CloudFormation parameter resource would write its template's value back on any change of its
properties, and the endpoint would be gone. This one overwrites only an instance type that the settings do not
allow any more. The parameter goes with its stack.
"""

from __future__ import annotations

from typing import Any

from contract.names import NO_CHAMPION
from functions.champion_parameter import parameter
from functions.common import custom_resource, logs


def handler(event: dict[str, Any], context: Any) -> None:
    """Act on CloudFormation's Create, Update or Delete, and answer it.

    The physical id is the parameter's name: with another name, CloudFormation deletes the old parameter.
    """
    logs.start("champion-parameter", context)
    name = custom_resource.property_of(event, "ParameterName")
    allowed = str(event["ResourceProperties"].get("Allowed", NO_CHAMPION)).split(",")
    if event["RequestType"] == "Delete":
        name = event["PhysicalResourceId"]
        # A Create that failed before it had a name: there is nothing of ours to delete.
        custom_resource.answer(event, name, lambda: parameter.delete(name) if name.startswith("/") else None)
    else:
        custom_resource.answer(event, name, lambda: parameter.create(name, allowed))
