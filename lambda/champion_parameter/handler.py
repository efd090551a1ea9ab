"""champion-parameter: a custom resource that makes the champion parameter, value `none`, only if it is
missing.

A plain CloudFormation parameter resource would write its template's value back on any change of its
properties, and the endpoint would be gone. This one never overwrites. The parameter goes with its stack.
"""

from __future__ import annotations

from typing import Any

from common import custom_resource, logs
from common.clients import client, error_code

NO_CHAMPION = "none"


def handler(event: dict[str, Any], context: Any) -> None:
    """Act on CloudFormation's Create, Update or Delete, and answer it.

    The physical id is the parameter's name: with another name, CloudFormation deletes the old parameter.
    """
    logs.start("champion-parameter", context)
    name = custom_resource.property_of(event, "ParameterName")
    if event["RequestType"] == "Delete":
        name = event["PhysicalResourceId"]
        # A Create that failed before it had a name: there is nothing of ours to delete.
        custom_resource.answer(event, name, lambda: _delete(name) if name.startswith("/") else None)
    else:
        custom_resource.answer(event, name, lambda: _create(name))


def _create(name: str) -> None:
    ssm = client("ssm")
    try:
        ssm.put_parameter(
            Name=name,
            Value=NO_CHAMPION,
            Type="String",
            Overwrite=False,
            Description="The model package that serves, or none. promote-model writes it.",
        )
    except ssm.exceptions.ClientError as error:
        if error_code(error) != "ParameterAlreadyExists":
            raise
        logs.info("the parameter exists and is left as it is", parameter=name)


def _delete(name: str) -> None:
    ssm = client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
