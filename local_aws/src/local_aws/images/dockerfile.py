"""Reads a Dockerfile into instructions: comments, continuations, here-documents, variables, exec and shell
forms.

Only the language is known here; what the instructions do to an image is `builder.py`'s business.
https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

_HEREDOC = re.compile(r"<<-?\s*[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?")
_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)(?::?([-+])((?:[^{}]|\{[^{}]*\})*))?\}|(\w+))")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?\s+")


class DockerfileError(ValueError):
    """A Dockerfile that cannot be built here; the message names the line and what to change."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword in capitals, its ``--flags``, and the rest of the line as written."""

    keyword: str
    flags: Mapping[str, str]
    rest: str
    line: int


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile in order. Raises DockerfileError for a line that is none."""
    instructions: list[Instruction] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first = number + 1
        statement = ""
        while number < len(lines):
            line = lines[number].strip()
            number += 1
            if line.startswith("#") or (statement and not line):
                continue  # comments and empty lines inside a continued instruction belong to nobody
            if not line.endswith("\\"):
                statement += line
                break
            statement += line[:-1]
        statement = statement.strip()
        if not statement:
            continue
        for marker in _HEREDOC.findall(statement):
            while number < len(lines) and lines[number].strip() != marker:
                number += 1
            number += 1
        instructions.append(_instruction(statement, first))
    return instructions


def _instruction(statement: str, line: int) -> Instruction:
    keyword, _, rest = statement.partition(" ")
    if not keyword.isalpha():
        raise DockerfileError(f"line {line}: {statement!r} is no Dockerfile instruction")
    rest = rest.strip()
    flags: dict[str, str] = {}
    while found := _FLAG.match(rest):
        flags[found[1]] = found[2] or ""
        rest = rest[found.end() :]
    return Instruction(keyword.upper(), flags, rest, line)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with ``$name``, ``${name}``, ``${name:-default}`` and ``${name:+alternative}`` put in."""

    def value(found: re.Match[str]) -> str:
        if found[0] == r"\$":
            return "$"
        name = found[1] or found[4]
        current = variables.get(name, "")
        if found[2] == "-":
            return current or expand(found[3], variables)
        if found[2] == "+":
            return expand(found[3], variables) if current else ""
        return current

    return _VARIABLE.sub(value, text)


def words(rest: str) -> list[str]:
    """The words of an instruction, in its JSON form or in its plain one."""
    listed = _json_form(rest)
    return _split(rest) if listed is None else listed


def command(rest: str) -> tuple[str, ...]:
    """ENTRYPOINT or CMD as an argument vector; the shell form runs under ``/bin/sh -c``."""
    listed = _json_form(rest)
    return ("/bin/sh", "-c", rest) if listed is None else tuple(listed)


def assignments(rest: str) -> dict[str, str]:
    """The pairs of ENV, LABEL or ARG: ``a=1 b="x y"``, or the old ``a some words``.

    A bare ARG name has no pair.
    """
    name, separator, value = rest.partition(" ")
    if separator and "=" not in name:
        return {name: value.strip()}
    pairs = (word.partition("=") for word in _split(rest))
    return {key: text for key, equals, text in pairs if equals}


def _json_form(rest: str) -> list[str] | None:
    """The words of an instruction's JSON form; None where it has another."""
    if not rest.startswith("["):
        return None
    try:
        parsed = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) and all(isinstance(item, str) for item in parsed) else None


def _split(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise DockerfileError(f"{rest}: {error}") from error
