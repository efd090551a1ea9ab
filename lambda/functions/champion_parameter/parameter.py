"""The SSM parameter that the custom resource stands for."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from contract.names import NO_CHAMPION
from functions.common import logs
from functions.common.clients import client
from functions.common.errors import error_code

_DESCRIPTION = "The model package, or the instance type, that serves. promote-model writes it."


def create(name: str, allowed: list[str]) -> None:
    """Make it with the first value, or keep what it has if that is allowed."""
    ssm = client("ssm")
    try:
        ssm.put_parameter(
            Name=name,
            Value=allowed[0],
            Type="String",
            Overwrite=False,
            Description=_DESCRIPTION,
        )
    except ClientError as error:
        if error_code(error) != "ParameterAlreadyExists":
            raise
        _keep(ssm, name, allowed)


def _keep(ssm: Any, name: str, allowed: list[str]) -> None:
    if allowed == [NO_CHAMPION] or ssm.get_parameter(Name=name)["Parameter"]["Value"] in allowed:
        logs.info("the parameter exists and is left as it is", parameter=name)
        return
    logs.info("the parameter is put to the first that is allowed", parameter=name, value=allowed[0])
    ssm.put_parameter(Name=name, Value=allowed[0], Type="String", Overwrite=True, Description=_DESCRIPTION)


def delete(name: str) -> None:
    """Remove it, if it is there."""
    ssm = client("ssm")
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if error_code(error) != "ParameterNotFound":
            raise
