"""Requests of any AWS protocol, read back into the members of their operation's input shape.

Forms (query), JSON bodies, and REST with JSON. Blobs stay as they came, numbers of a form become numbers.
CBOR, which botocore writes to nobody who also reads JSON, is not read. https://smithy.io/2.0/aws/protocols/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as a service gets it, with the names of its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Any]


@cache
def model_of(service: str) -> ServiceModel:
    """botocore's model of a service."""
    found: ServiceModel = botocore.session.get_session().get_service_model(service)
    return found


def operation_of(model: ServiceModel, request: HttpRequest) -> str | None:
    """The name of the operation that a request is for; None if it cannot be told without more ado."""
    if target := request.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if model.metadata["protocol"].startswith("rest"):
        route = _route(model, request.method, request)
        return route[0] if route else None
    action = re.search(rb"(?:^|&)Action=(\w+)", request.body)
    return action[1].decode() if action else _first(request.query, "Action")


def decode(model: ServiceModel, name: str, request: HttpRequest) -> dict[str, Any] | None:
    """The members of the operation; None for a body that the service itself has to refuse."""
    if name not in model.operation_names:
        return None
    operation = model.operation_model(name)
    shape = operation.input_shape
    if shape is None:
        return {}
    try:
        if "x-amz-target" in request.headers:
            members = json.loads(request.body or b"{}")
        elif model.metadata["protocol"].startswith("rest"):
            members = _rest(operation, shape, request)
        else:
            form = dict(parse_qsl(request.body.decode(), keep_blank_values=True)) or {
                key: values[0] for key, values in request.query.items()
            }
            members = _structure(shape, "", form)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _first(query: Mapping[str, Any], name: str) -> str | None:
    values = query.get(name)
    return str(values[0]) if values else None


# Forms: lists and maps are numbered from 1, structures are dotted.


def _form(shape: Shape, prefix: str, form: Mapping[str, str]) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, f"{prefix}.", form)
    if isinstance(shape, ListShape):
        flat = shape.serialization.get("flattened")
        stem = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        return _numbered(shape.member, stem, form) if _given(prefix, form) else None
    if isinstance(shape, MapShape):
        return _map(shape, prefix, form)
    text = form.get(prefix)
    return text if text is None else _scalar(shape, text)


def _scalar(shape: Shape, text: str) -> Any:
    if shape.type_name == "boolean":
        return text == "true"
    return _NUMBERS[shape.type_name](text) if shape.type_name in _NUMBERS else text


def _structure(shape: StructureShape, prefix: str, form: Mapping[str, str]) -> dict[str, Any] | None:
    found = {
        name: value
        for name, member in shape.members.items()
        if (value := _form(member, prefix + _written(member, name), form)) is not None
    }
    return found if found or not prefix or _given(prefix.rstrip("."), form) else None


def _written(member: Shape, name: str) -> str:
    """A member's name in a form: a flattened list goes by the name of its members."""
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name", member.serialization.get("name", name)))
    return str(member.serialization.get("name", name))


def _numbered(shape: Shape, stem: str, form: Mapping[str, str]) -> list[Any]:
    found: list[Any] = []
    while (value := _form(shape, f"{stem}.{len(found) + 1}", form)) is not None:
        found.append(value)
    return found


def _map(shape: MapShape, prefix: str, form: Mapping[str, str]) -> dict[str, Any] | None:
    if not _given(prefix, form):
        return None
    stem = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
    key, value = (
        each.serialization.get("name", name) for each, name in ((shape.key, "key"), (shape.value, "value"))
    )
    found: dict[str, Any] = {}
    while (name := form.get(f"{stem}.{len(found) + 1}.{key}")) is not None:
        found[name] = _form(shape.value, f"{stem}.{len(found) + 1}.{value}", form)
    return found


def _given(prefix: str, form: Mapping[str, str]) -> bool:
    return prefix in form or any(name.startswith(f"{prefix}.") for name in form)


# REST: labels in the path, the query, headers, and the rest in the body.


def _route(model: ServiceModel, method: str, request: HttpRequest) -> tuple[str, dict[str, str]] | None:
    for name, wanted, pattern, marks in _routes(model.service_name):
        marked = all(_first(request.query, key) == value for key, value in marks)
        if wanted == method and marked and (found := pattern.fullmatch(request.path)):
            return name, {label: unquote(text) for label, text in found.groupdict().items()}
    return None


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], list[tuple[str, str]]]]:
    """Every operation with its method, path and query; of two that match, the longer comes first."""
    model = model_of(service)
    made = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri, _, marks = http["requestUri"].partition("?")
        parts = re.split(r"(\{\w+\+?\})", uri)
        pattern = "".join(_label(part) if part.startswith("{") else re.escape(part) for part in parts)
        literal = sum(len(part) for part in parts if not part.startswith("{")) + len(marks)
        compiled = re.compile(pattern.rstrip("/") + "/?", re.DOTALL)
        made.append((literal, name, http["method"], compiled, parse_qsl(marks, keep_blank_values=True)))
    made.sort(key=lambda entry: -entry[0])
    return [entry[1:] for entry in made]


def _label(part: str) -> str:
    name = part.strip("{}")
    return f"(?P<{name.rstrip('+')}>{'.+' if name.endswith('+') else '[^/]+'})"


def _rest(operation: OperationModel, shape: StructureShape, request: HttpRequest) -> dict[str, Any]:
    route = _route(operation.service_model, operation.http["method"], request)
    labels = route[1] if route else {}
    body, payload = request.body, shape.serialization.get("payload")
    members: dict[str, Any] = {}
    if payload:
        blob = shape.members[payload].type_name == "blob"
        members[payload] = body if blob else json.loads(body or b"null")
    elif body:
        document = json.loads(body)
        for name, member in shape.members.items():
            value = (
                document.get(member.serialization.get("name", name)) if isinstance(document, dict) else None
            )
            if value is not None and "location" not in member.serialization:
                members[name] = value
    for name, member in shape.members.items():
        text = _placed(member, name, labels, request)
        if text is not None:
            members[name] = _scalar(member, text)
    return members


def _placed(member: Shape, name: str, labels: Mapping[str, str], request: HttpRequest) -> str | None:
    """The text of a scalar member that is not in the body."""
    written = member.serialization.get("name", name)
    if isinstance(member, (StructureShape, ListShape, MapShape)):
        return None
    place = member.serialization.get("location")
    if place == "uri":
        return labels.get(written)
    if place == "header":
        return request.headers.get(written.lower())
    return _first(request.query, written) if place == "querystring" else None
