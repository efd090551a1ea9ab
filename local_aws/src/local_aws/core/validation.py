"""Requests checked against botocore's service models and parsed, as at the front door of an AWS service.

`parse` collects every broken constraint in AWS's wording, and turns timestamps into datetimes and blobs into
bytes. `serialise` keeps the members the model knows, so a handler may hand over its whole document.
"""

from __future__ import annotations

import base64
import itertools
import re
import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_aws.core.errors import AwsError, ValidationException


def parse(shape: Shape | None, value: Any) -> Any:
    """The request as a handler wants it.

    Raises ValidationException, or SerializationException for a wrong type.
    """
    if shape is None:
        return {}
    errors: list[str] = []
    parsed = _parse(shape, value, "", errors)
    if errors:
        raise ValidationException(summary(errors))
    return parsed


def summary(errors: list[str]) -> str:
    """What is wrong with a request, in AWS's words."""
    return (
        f"{len(errors)} validation {'error' if len(errors) == 1 else 'errors'} detected: {'; '.join(errors)}"
    )


def violations(shape: Shape | None, value: Any, *, complete: bool = True) -> list[str]:
    """Every length, range, pattern and enumeration of the model that a value breaks, in AWS's wording.

    For services that parse their requests themselves: types and unknown members are left to them, and so is a
    pattern that Python cannot read. `complete=False`: required members may be missing.
    """
    errors: list[str] = []
    if shape is not None:
        _look(shape, value, "", errors, complete)
    return errors


def _look(shape: Shape, value: Any, path: str, errors: list[str], complete: bool) -> None:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        missing = [name for name in shape.required_members if value.get(name) is None] if complete else []
        errors.extend(_constraint("null", _member(path, name), "Member must not be null") for name in missing)
        for name, member in shape.members.items():
            if value.get(name) is not None:
                _look(member, value[name], _member(path, name), errors, complete)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        _check_bounds(shape, value, len(value), "length", path, errors)
        for number, item in enumerate(value, 1):
            _look(shape.member, item, f"{path}.{number}.member", errors, complete)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        _check_bounds(shape, value, len(value), "length", path, errors)
        for key, item in value.items():
            _look(shape.key, key, f"{path}.{key}.key", errors, complete)
            _look(shape.value, item, f"{path}.{key}", errors, complete)
    elif shape.type_name == "string" and isinstance(value, str):
        _check_string(shape, value, path, errors)
    elif shape.type_name in ("integer", "long", "float", "double") and _is_number(value):
        _check_bounds(shape, value, value, "value", path, errors)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def serialise(shape: Shape | None, value: Any) -> Any:
    """A handler's answer as JSON values, cut to what the model knows; members that are None are left out."""
    if shape is None:
        return {}
    if isinstance(shape, StructureShape):
        if getattr(shape, "is_document_type", False):
            return value
        return {
            name: serialise(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [serialise(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: serialise(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return round(value.timestamp(), 3) if isinstance(value, datetime) else float(value)
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return value


def _parse(shape: Shape, value: Any, path: str, errors: list[str]) -> Any:
    if isinstance(shape, StructureShape):
        return _parse_structure(shape, _typed(value, dict, path), path, errors)
    if isinstance(shape, ListShape):
        _check_bounds(shape, value, len(_typed(value, list, path)), "length", path, errors)
        return [_parse(shape.member, item, f"{path}.{i}.member", errors) for i, item in enumerate(value, 1)]
    if isinstance(shape, MapShape):
        _check_bounds(shape, value, len(_typed(value, dict, path)), "length", path, errors)
        for key in value:
            _parse(shape.key, key, f"{path}.{key}.key", errors)
        return {key: _parse(shape.value, item, f"{path}.{key}", errors) for key, item in value.items()}
    return _SCALARS[shape.type_name](shape, value, path, errors)


def _string(shape: Shape, value: Any, path: str, errors: list[str]) -> str:
    text: str = _typed(value, str, path)
    _check_string(shape, text, path, errors)
    return text


def _integer(shape: Shape, value: Any, path: str, errors: list[str]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number: int = _typed(value, int, path)
    _check_bounds(shape, number, number, "value", path, errors)
    return number


def _float(shape: Shape, value: Any, path: str, errors: list[str]) -> float:
    number: float = _typed(value, (int, float), path)
    _check_bounds(shape, number, number, "value", path, errors)
    return number


def _boolean(shape: Shape, value: Any, path: str, errors: list[str]) -> bool:
    return bool(_typed(value, bool, path))


def _blob(shape: Shape, value: Any, path: str, errors: list[str]) -> bytes:
    try:
        return base64.b64decode(_typed(value, str, path), validate=True)
    except ValueError as error:
        raise AwsError("SerializationException", f"'{path}' is not base64: {error}") from error


def _parse_structure(
    shape: StructureShape, value: dict[str, Any], path: str, errors: list[str]
) -> dict[str, Any]:
    if getattr(shape, "is_document_type", False):
        return value
    for name in shape.required_members:
        if value.get(name) is None:
            errors.append(_constraint("null", _member(path, name), "Member must not be null"))
    parsed: dict[str, Any] = {}
    for name, item in value.items():
        if name not in shape.members:
            names = ", ".join(shape.members)
            errors.append(f"Unknown member '{name}' in '{path or 'the request'}'; known here: {names}")
        elif item is not None:
            parsed[name] = _parse(shape.members[name], item, _member(path, name), errors)
    return parsed


def _member(path: str, name: str) -> str:
    # AWS writes the path of a member in lower camel case: trainingJobName, outputDataConfig.s3OutputPath.
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _typed(value: Any, kind: type | tuple[type, ...], path: str) -> Any:
    if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
        return value
    wanted = kind if isinstance(kind, type) else kind[-1]
    where, found = path or "the request", type(value).__name__
    raise AwsError(
        "SerializationException", f"Value of type {found} at '{where}' cannot be read as {wanted.__name__}"
    )


def _timestamp(shape: Shape, value: Any, path: str, errors: list[str]) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return datetime.fromtimestamp(_typed(value, (int, float), path), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise AwsError("SerializationException", f"'{path}' is not a timestamp: {value!r}") from error


_SCALARS = {
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _constraint(value: str, path: str, rule: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {rule}"


def _check_bounds(shape: Shape, value: Any, measured: float, what: str, path: str, errors: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and measured < low:
        rule = f"Member must have {what} greater than or equal to {low}"
        errors.append(_constraint(f"'{value}'", path, rule))
    if high is not None and measured > high:
        errors.append(
            _constraint(f"'{value}'", path, f"Member must have {what} less than or equal to {high}")
        )


def _check_string(shape: Shape, value: str, path: str, errors: list[str]) -> None:
    _check_bounds(shape, value, len(value), "length", path, errors)
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        rule = f"Member must satisfy enum value set: [{', '.join(enum)}]"
        errors.append(_constraint(f"'{value}'", path, rule))
    pattern = shape.metadata.get("pattern")
    if pattern and _breaks(pattern, value):
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        errors.append(_constraint(f"'{value}'", path, rule))


def _breaks(pattern: str, value: str) -> bool:
    try:
        return compiled(pattern).fullmatch(value) is None
    except re.error:  # Java's alone: three of some five hundred
        return False


# The surrogate pairs Java needs for everything beyond the first plane; Python has one code point for each.
_JAVA_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
_ASTRAL = r"\U00010000-\U0010FFFF"
_JAVA_CLASSES = {"Alnum": "a-zA-Z0-9", "Print": r"\x20-\x7e"}
_TOKEN = re.compile(r"\\p\{(\w+)\}|\\.|\[|\]", re.DOTALL)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of an AWS service model (Java's dialect, matched against the whole value) for Python."""
    pattern = pattern.replace(_JAVA_ASTRAL, _ASTRAL)
    # A few models say `(...)${1,256}`: a bound that Java ignores after the end of input.
    pattern = re.sub(r"\$\{\d+,\d+\}$", "", pattern)
    inside_class = False

    def translate(token: re.Match[str]) -> str:
        nonlocal inside_class
        if token[1] is not None:
            return _character_class(token[1]) if inside_class else f"[{_character_class(token[1])}]"
        if token[0] == "[" and inside_class:
            return r"\["
        inside_class = {"[": True, "]": False}.get(token[0], inside_class)
        return token[0]

    return re.compile(_TOKEN.sub(translate, pattern))


@cache
def _character_class(name: str) -> str:
    """The inside of a character class for Java's `\\p{name}`: a name of its own or a Unicode category.

    Characters beyond the first plane count as members of every category: nothing here tells them apart.
    """
    if name in _JAVA_CLASSES:
        return _JAVA_CLASSES[name]
    inside = [code for code in range(0x10000) if unicodedata.category(chr(code)).startswith(name)]
    # Neighbours are as far from each other as their places in the list.
    runs = itertools.groupby(enumerate(inside), lambda placed: placed[1] - placed[0])
    spans = [[code for _, code in run] for _, run in runs]
    return "".join([*(f"\\u{span[0]:04x}-\\u{span[-1]:04x}" for span in spans), _ASTRAL])
