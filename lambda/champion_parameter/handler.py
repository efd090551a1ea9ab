"""champion-parameter: a custom resource that makes a parameter only if it is missing: the champion, value
`none`, and the instance type of the endpoint, the first of those allowed.

A plain CloudFormation parameter resource would write its template's value back on any change of its
properties, and the endpoint would be gone. This one overwrites only an instance type that the settings do not
allow any more. The parameter goes with its stack.
"""

from __future__ import annotations

from typing import Any

from common import custom_resource, logs
from common.clients import client, error_code

NO_CHAMPION = "none"
_DESCRIPTION = "The model package, or the instance type, that serves. promote-model writes it."


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
        custom_resource.answer(event, name, lambda: _delete(name) if name.startswith("/") else None)
    else:
        custom_resource.answer(event, name, lambda: _create(name, allowed))


def _create(name: str, allowed: list[str]) -> None:
    ssm = client("ssm")
    try:
        ssm.put_parameter(
            Name=name,
            Value=allowed[0],
            Type="String",
            Overwrite=False,
            Description=_DESCRIPTION,
        )
    except ssm.exceptions.ClientError as error:
        if error_code(error) != "ParameterAlreadyExists":
            raise
        _keep(ssm, name, allowed)


def _keep(ssm: Any, name: str, allowed: list[str]) -> None:
    if allowed == [NO_CHAMPION] or ssm.get_parameter(Name=name)["Parameter"]["Value"] in allowed:
        logs.info("the parameter exists and is left as it is", parameter=name)
        return
    logs.info("the parameter is put to the first that is allowed", parameter=name, value=allowed[0])
    ssm.put_parameter(Name=name, Value=allowed[0], Type="String", Overwrite=True, Description=_DESCRIPTION)


def _delete(name: str) -> None:
    ssm = client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
