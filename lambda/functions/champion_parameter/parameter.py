"""The SSM parameter that the custom resource stands for."""

from __future__ import annotations

from botocore.exceptions import ClientError

from contract.aws_errors import code_of
from contract.names import NO_CHAMPION
from functions.common import logs
from functions.common.clients import client

_DESCRIPTION = "The model package, or the instance type, that serves. promote-model writes it."


def create(name: str, allowed: list[str]) -> None:
    """Make it with the first value, or keep what it has if that is allowed."""
    try:
        _put(name, allowed[0], overwrite=False)
    except ClientError as error:
        if code_of(error) != "ParameterAlreadyExists":
            raise
        _keep(name, allowed)


def _keep(name: str, allowed: list[str]) -> None:
    if allowed == [NO_CHAMPION] or client("ssm").get_parameter(Name=name)["Parameter"]["Value"] in allowed:
        logs.info("the parameter exists and is left as it is", parameter=name)
        return
    logs.info("the parameter is put to the first that is allowed", parameter=name, value=allowed[0])
    _put(name, allowed[0], overwrite=True)


def _put(name: str, value: str, *, overwrite: bool) -> None:
    client("ssm").put_parameter(
        Name=name, Value=value, Type="String", Overwrite=overwrite, Description=_DESCRIPTION
    )


def delete(name: str) -> None:
    """Remove it, if it is there."""
    try:
        client("ssm").delete_parameter(Name=name)
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
