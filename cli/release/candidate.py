"""Which approved model is compared with the champion before it serves, where the settings ask for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.aws import listed
from cli.choice import command
from cli.stacks import describe, outputs_of
from cli.target import Target
from contract.candidates import Candidate, in_order
from contract.names import candidate_parameter, version_of

OUTPUT = "Candidate"
"""Of the Serving stack, where models are compared."""


def read(target: Target, stack: Mapping[str, Any] | None = None) -> Candidate | None:
    """The candidate now; None where nothing is compared.

    Args:
        stack: the Serving stack's description, for who has it already.
    """
    if stack is None:
        stack = describe(target, target.stack("serving")) or {}
    if OUTPUT not in outputs_of(stack):
        return None
    ssm, name = target.client("ssm"), candidate_parameter(target.project)
    try:
        versions = list(listed(ssm, "get_parameter_history", "Parameters", Name=name))
    except ssm.exceptions.ParameterNotFound:
        return None
    found = in_order(map(Candidate.of_version, versions))
    return found[-1] if found and found[-1].shadows else None


def in_words(now: Candidate, option: str) -> str:
    """That a model is compared, and how that ends before its time; `option`: the target's."""
    version = version_of(now.package)
    return (
        f"version {version} answers a copy of the requests beside the champion since {now.written}, and "
        f"nobody sees its answers (docs/shadow.md). To end it: {command(f'reject {version}', option)}"
    )
