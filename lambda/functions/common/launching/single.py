"""A training job that trains nothing: no run has it, so nothing follows it, and its own description is all
there is of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from contract import instances, prices
from contract.environment import LaunchEnvironment
from contract.names import TRAINING_JOB_LENGTH
from functions.common import logs
from functions.common.errors import InvalidName, InvalidPayload, InvalidRecipe, JobExists, QuotaExceeded
from functions.common.launching import costs, names
from functions.common.launching.costs import CostBound
from functions.common.launching.launcher import AlreadyStarted, Launcher
from functions.common.recipes import keys

REQUEST: Final = "request"
"""The hyperparameter with the id of the request that a job was started by."""

Job = Mapping[str, Any]
"""A request to create it, or its description: both have what an answer is made of."""


def resource(payload: Mapping[str, object], key: str, name: str) -> Any:
    """A value as recipes have it in [resources]; None without it.

    Raises:
        InvalidPayload: it is not allowed.
    """
    if payload.get(key) is None:
        return None
    try:
        return keys.check(keys.RESOURCES[name], payload[key], key)
    except InvalidRecipe as error:
        raise InvalidPayload(str(error)) from None


def instance_type(payload: Mapping[str, object]) -> str | None:
    """The type that a payload names; None without one. Raises InvalidPayload."""
    found = resource(payload, "instance_type", "instance_type")
    if found is None:
        return None
    try:
        instances.check(found, prices.TRAINING)
    except instances.UnusableInstance as error:
        raise InvalidPayload(f"instance_type: {error}") from None
    return str(found)


def name(chosen: str | None, begins: str, request_id: str, env: LaunchEnvironment) -> str:
    """The caller's name for the job, or the one that belongs to the request.

    Raises:
        InvalidName: it does not begin as those of its kind.
    """
    if chosen is None:
        return f"{begins}{sha256(request_id.encode()).hexdigest()[:8]}"
    checked = names.checked(chosen, env.project, TRAINING_JOB_LENGTH)
    if not checked.startswith(begins):
        raise InvalidName(f'job name "{checked}" has to start with "{begins}", as all of its kind do')
    return checked


def affordable(
    chosen: str | None,
    env: LaunchEnvironment,
    bound: Callable[[str], CostBound],
    max_cost_usd: float | None,
    lower: str,
) -> tuple[str, ...]:
    """The first choice, and of the other types those on which it could not cost more than it may.

    Args:
        chosen: the one type to take; None for those of the settings.
        bound: what it could cost on a type.
        lower: what its owner may lower.

    Raises:
        CostTooHigh, UnknownPrice: on the first choice.
    """
    types = (chosen,) if chosen else env.training_instance_types

    def check(instance_type: str) -> None:
        costs.guard(bound(instance_type), max_cost_usd, lower)

    check(types[0])
    return costs.affordable(types, check, costs.logged)


def start(
    launcher: Launcher, types: Sequence[str], job_on: Callable[[str], dict[str, Any]]
) -> tuple[str, Job]:
    """Start a job on the first of these types that the account has a quota for; its ARN, and what it is.

    Args:
        job_on: the CreateTrainingJob request for a type.

    Raises:
        JobExists: another request's job has the name.
        QuotaExceeded, RefusedByAws: AWS will not have it.
    """
    for each in types:
        job = job_on(each)
        try:
            return launcher.create(job["TrainingJobName"], job), job
        except AlreadyStarted:
            found = launcher.describe(job["TrainingJobName"]) or {}
            return started_before(found, job["TrainingJobName"], job["HyperParameters"][REQUEST])
        except QuotaExceeded:
            if each == types[-1]:
                raise
            logs.info("no quota; the next type is taken", instance_type=each)
    raise AssertionError("there is one type at least")


def started_before(found: Job, job: str, request_id: str) -> tuple[str, Job]:
    """A job that exists, if this very request started it: its ARN, and its description.

    Raises:
        JobExists: another request started it.
    """
    if found.get("HyperParameters", {}).get(REQUEST) != request_id:
        raise JobExists(
            f'a job named "{job}" exists; choose another "name", or leave it out to get a new one'
        )
    logs.info("the job was started by this request before")
    return str(found["TrainingJobArn"]), found
