"""Taking single rights from a role, to see that each is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.conftest import PROJECT, Deployment


def role_of(deployment: Deployment, function: str) -> str:
    """The name of a function's role."""
    found = deployment.client("lambda").get_function_configuration(FunctionName=f"{PROJECT}-{function}")
    return str(found["Role"].rpartition("/")[2])


@contextmanager
def without(deployment: Deployment, role: str, action: str, resource: str = "") -> Iterator[None]:
    """Take one right from a role while the block lasts: an action on the resource whose ARN ends so, or on
    all that it is allowed on.
    """
    iam = deployment.client("iam")
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    left, taken = [], 0
    for statement in document["Statement"]:
        for each in _listed(statement["Action"]):
            resources = _listed(statement["Resource"])
            kept = [arn for arn in resources if each != action or not arn.endswith(resource)]
            taken += len(resources) - len(kept)
            if kept:
                left.append({**statement, "Action": each, "Resource": kept})
    assert taken == 1 or (taken and not resource), (action, resource, document)
    put = {"RoleName": role, "PolicyName": policy}
    iam.put_role_policy(**put, PolicyDocument=json.dumps({**document, "Statement": left}))
    try:
        yield
    finally:
        iam.put_role_policy(**put, PolicyDocument=json.dumps(document))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
