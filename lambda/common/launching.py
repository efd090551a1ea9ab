"""What both launchers do before and while they start a job: find it, check everything, turn AWS's refusals
into words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common import names, requests, runs, storage
from common.clients import error_code, error_message
from common.environment import LaunchSettings
from common.errors import ClassifierError, JobExists, QuotaExceeded, RefusedByAws, RunRecordMissing
from common.recipe import Recipe
from common.recipe_keys import HYPERPARAMETERS, Choice


@dataclass(frozen=True)
class Checked:
    """A request whose recipe, data set and code are all there and all right."""

    recipe: Recipe
    metrics: list[dict[str, str]]


def name_of(request: requests.LaunchRequest, request_id: str, project: str, limit: int) -> str:
    """The job's name: the caller's, or the one that belongs to the request.

    Raises:
        InvalidName: the caller's is not acceptable.
    """
    if request.name is not None:
        return names.checked(request.name, project, limit)
    return names.from_request(project, request.recipe, request_id)


def check(request: requests.LaunchRequest, settings: LaunchSettings, s3: Any) -> Checked:
    """Everything that can be wrong with a request, looked at before anything is started.

    Raises:
        UserError: the first thing that is wrong.
    """
    recipe = storage.read_recipe(s3, settings.artifacts_bucket, request.recipe)
    recipe = recipe.with_overrides(request.overrides)
    storage.check_dataset(s3, settings.data_bucket, request.dataset)
    metrics = storage.read_metric_definitions(s3, settings.artifacts_bucket, settings.code_prefix)
    return Checked(recipe=recipe, metrics=metrics)


def must_be_same_request(name: str, request_id: str, settings: LaunchSettings, s3: Any) -> None:
    """Pass when the job of this name was started by this very request, a retry of which asks again.

    Raises:
        JobExists: another request started it.
    """
    try:
        same = runs.read(s3, settings.artifacts_bucket, name).request_id == request_id
    except RunRecordMissing:
        same = False
    if not same:
        raise JobExists(
            f'a job named "{name}" exists; choose another "name", or leave it out to get a new one'
        )


def only_a_repeat(request: requests.LaunchRequest) -> None:
    """Called when a job came into being between looking for its name and starting it.

    A name made of the request's id can only be this request's twin. A name that callers chose can be
    anyone's, and the run's record no longer tells whose.

    Raises:
        JobExists: the name was chosen by callers.
    """
    if request.name is not None:
        raise JobExists(f'a job named "{request.name}" was started a moment ago by another request')


def describe(operation: Callable[..., Any], **name: str) -> dict[str, Any] | None:
    """A job's description, or None when there is none of that name.

    SageMaker says so as a ValidationException ("Requested resource not found.") or a ResourceNotFound.
    """
    try:
        answer: dict[str, Any] = operation(**name)
    except Exception as error:
        missing = error_code(error) in ("ResourceNotFound", "ResourceNotFoundException")
        if missing or (error_code(error) == "ValidationException" and _says_missing(error_message(error))):
            return None
        raise
    return answer


def create(operation: Callable[..., Any], request: dict[str, Any], what: str) -> dict[str, Any]:
    """Start a job.

    Raises:
        AlreadyStarted: a job of that name came into being since it was looked for.
        QuotaExceeded, RefusedByAws: AWS will not have it; the message is AWS's, with what to do.
    """
    try:
        answer: dict[str, Any] = operation(**request)
    except Exception as error:
        code, message = error_code(error), error_message(error)
        if code == "ResourceInUse":
            raise AlreadyStarted(message) from error
        if code == "ResourceLimitExceeded":
            raise QuotaExceeded(
                f"AWS would not start {what}: {message} Ask for more under Service Quotas (SageMaker), "
                "or choose another [resources] instance_type or fewer parallel_jobs"
            ) from error
        if code == "ValidationException":
            raise RefusedByAws(f"AWS would not start {what}: {message}") from error
        raise
    return answer


def typed(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """A job's hyperparameters in the recipe's types.

    SageMaker keeps them all as text, a tuning job's categorical values sometimes JSON-quoted (`"16"` with the
    quotes). What a recipe does not know (`run`, `_tuning_objective_metric`) is left out.
    """
    values: dict[str, Any] = {}
    for key, text in hyperparameters.items():
        if key in HYPERPARAMETERS:
            plain = _unquoted(text)
            values[key] = plain if isinstance(HYPERPARAMETERS[key], Choice) else _number(plain)
    return values


class AlreadyStarted(ClassifierError):
    """Two requests of one name met; the caller decides whether they are the same."""


def _says_missing(message: str) -> bool:
    text = message.lower()
    return "not found" in text or "could not find" in text or "does not exist" in text


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
