"""What a resource handler knows of its stack: its name, its role, and clients that act as the role."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_aws.core.context import LocalAws

Properties = dict[str, Any]
Attributes = dict[str, Any]
Provisioned = tuple[str, Attributes]
"""The physical id (what Ref gives) and the attributes (what GetAtt gives)."""

SERVICE = "cloudformation.amazonaws.com"
SESSION = "AWSCloudFormation"
_ALPHABET = string.ascii_letters + string.digits


class Register(Protocol):
    """How a room puts its handlers into the CloudFormation engine."""

    def __call__(
        self,
        resource_type: str,
        handler: dict[str, Any],
        replacing: tuple[str, ...] | None = None,
        name_property: str | None = None,
        taggable: bool = False,
    ) -> None: ...


class InvalidPropertyError(ValueError):
    """A resource has a property that its type does not know, or a value of the wrong type."""


@dataclass(frozen=True)
class Stack:
    """The stack at work: clients under its service role, and names for what it makes."""

    aws: LocalAws
    role: Callable[[], str | None]
    """The service role of the stack that the current thread works for."""
    announce: Callable[[str], None]
    """Says which physical id is about to exist, so that a crash in the next moment leaves nothing over."""

    def client(self, service: str) -> Any:
        """A client with the permissions of the stack's role (without one: of root)."""
        return self.aws.client(service, self.role(), SESSION, SERVICE)

    def lambda_client(self, service: str, function_arn: str) -> Any:
        """A client with the permissions of a custom resource's Lambda, which we stand in for."""
        function = self.aws.client("lambda").get_function_configuration(FunctionName=function_arn)
        return self.aws.client(service, function["Role"], SESSION, "lambda.amazonaws.com")


def generated_name(stack_name: str, logical_id: str, longest: int = 63) -> str:
    """A new physical name, as CloudFormation makes them: stack, logical id, twelve random characters."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return f"{stack_name}-{logical_id}"[: longest - len(suffix) - 1].rstrip("-") + "-" + suffix


def is_true(value: object) -> bool:
    """Whether a property is: CloudFormation lets booleans be strings."""
    return str(value).lower() == "true"


def request_for(client: Any, operation: str, properties: Properties) -> dict[str, Any]:
    """A resource's properties as an operation of the client takes them."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    return dict(request_of(shape, properties))


def request_of(shape: Shape, properties: Any, path: str = "") -> Any:
    """A resource's properties as the API takes them: CloudFormation lets numbers and booleans be strings."""
    if isinstance(shape, StructureShape):
        if not isinstance(properties, dict):
            raise InvalidPropertyError(f"Properties validation failed: {path} must be an object")
        unknown = sorted(set(properties) - set(shape.members))
        if unknown:
            where = path or "the resource"
            raise InvalidPropertyError(
                f"Properties validation failed: {where}: extraneous key [{unknown[0]}] is not permitted"
            )
        return {
            name: request_of(shape.members[name], value, f"{path}/{name}")
            for name, value in properties.items()
        }
    if isinstance(shape, ListShape):
        if not isinstance(properties, list):
            raise InvalidPropertyError(f"Properties validation failed: {path} must be a list")
        return [request_of(shape.member, item, f"{path}/{index}") for index, item in enumerate(properties)]
    if isinstance(shape, MapShape):
        return {
            key: request_of(shape.value, value, f"{path}/{key}") for key, value in dict(properties).items()
        }
    return _scalar(shape.type_name, properties, path)


def _scalar(kind: str, value: Any, path: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(value)
        if kind in ("float", "double"):
            return float(value)
        if kind == "boolean":
            return {"true": True, "false": False}[str(value).lower()]
        if kind == "string":
            return str(value).lower() if isinstance(value, bool) else str(value)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidPropertyError(
            f"Properties validation failed: {path} must be a {kind}, not {value!r}"
        ) from error
    return value
