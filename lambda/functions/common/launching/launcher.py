"""The one walk both launchers take: find the job, check everything, bound its cost, write the run's record,
start.

What differs is said by a `Kind` (which AWS operations) and by what a launcher makes of a checked request (a
`Plan`). A job's name is made of the request's id, so the same request asked again finds its job and answers
the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore import xform_name

from contract.aws_errors import code_of, message_of
from contract.datasets.manifest import Version
from contract.environment import LaunchEnvironment
from contract.names import TRAINING_JOB_LENGTH, TUNING_JOB_LENGTH
from functions.common import logs, storage
from functions.common.clients import client, describe
from functions.common.errors import ClassifierError, JobExists, QuotaExceeded, RefusedByAws, RunRecordMissing
from functions.common.launching import (
    answers,
    costs,
    datasets,
    estimate,
    fit,
    jobs,
    names,
    requests,
    runs,
    weights,
)
from functions.common.recipes.recipe import Recipe

Metrics = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of job: its words here and its operations there."""

    key: str
    """`tuning_job` or `training_job`: its key in answers."""
    member: str
    """How AWS names it in requests and answers, `<member>Name` and `<member>Arn`, and in its operations."""
    name_length: int
    several_types: bool
    """Whether AWS takes several instance types in one request, and itself the first that it has left."""

    @property
    def words(self) -> str:
        return self.key.replace("_", " ")

    def operation(self, verb: str) -> Callable[..., Any]:
        """boto3's method for `Create<member>` and the like."""
        operation: Callable[..., Any] = getattr(client("sagemaker"), xform_name(f"{verb}{self.member}"))
        return operation


TUNING = Kind(
    key="tuning_job",
    member="HyperParameterTuningJob",
    name_length=TUNING_JOB_LENGTH,
    several_types=True,
)
TRAINING = Kind(
    key="training_job",
    member="TrainingJob",
    name_length=TRAINING_JOB_LENGTH,
    several_types=False,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a launcher would start: the run's record and the job's request to AWS."""

    record: runs.RunRecord
    job: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to ask AWS for a job: on the first of these types, and what may come after it."""

    types: tuple[str, ...]
    alone: bool = False
    """AWS is asked for the first type only."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A request whose names stand for something, and whose values suit it."""

    name: str
    """The job's."""
    recipe: Recipe
    """With the request's own values."""
    version: Version
    """Of the data set."""
    metrics: Metrics


Planner = Callable[[Checked, Choice], Plan]


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """One walk's surroundings."""

    kind: Kind
    env: LaunchEnvironment
    smaller: str = "choose another [resources] instance_type or fewer parallel_jobs"
    """What there is to do about a quota, beside asking for more."""

    def launch(
        self,
        request: requests.LaunchRequest,
        request_id: str,
        plan: Planner,
        alone: fit.Alone | None = None,
    ) -> dict[str, Any]:
        """Start the job a request asks for, or find it started.

        Args:
            alone: the hyperparameters of the one training that is asked for; None for a search.

        Raises:
            UserError: something about the request is wrong; nothing was started.
        """
        before = self.started_before(request, request_id)
        return before or self.start(request, request_id, self.recipe_of(request), plan, alone)

    def started_before(self, request: requests.LaunchRequest, request_id: str) -> dict[str, Any] | None:
        """The answer of the first time, if this very request started its job before.

        Raises:
            JobExists: another request started a job of its name.
        """
        name = self.name_of(request, request_id)
        logs.bind(run=name)
        found = self.describe(name)
        return None if found is None else self._existing(name, found, request_id)

    def recipe_of(self, request: requests.LaunchRequest) -> Recipe:
        """The recipe that a request names, with the request's own values."""
        recipe = storage.read_recipe(client("s3"), self.env.artifacts_bucket, request.recipe)
        return recipe.with_overrides(request.overrides)

    def start(
        self,
        request: requests.LaunchRequest,
        request_id: str,
        recipe: Recipe,
        plan: Planner,
        alone: fit.Alone | None = None,
    ) -> dict[str, Any]:
        """`launch` of a request that is a new one."""
        name, env, s3 = self.name_of(request, request_id), self.env, client("s3")
        data = datasets.find(s3, env.data_bucket, request.dataset, request.dataset_version)
        recipe = weights.settled(recipe, alone, env.artifacts_bucket)
        values = fit.possible(recipe, alone)
        weights.check(values, env.artifacts_bucket, env.data_bucket)
        types = estimate.instance_types(recipe, env)
        fit.check(values, data.version, jobs.machine(recipe, env).instance_count, types)
        metrics = storage.read_metric_definitions(s3, env.artifacts_bucket, env.code_prefix)
        checked = Checked(name=name, recipe=recipe, version=data.version, metrics=metrics)
        types = self._affordable(checked, plan)
        planned = self._planned(checked, Choice(types=types), plan)
        if request.dry_run:
            machines = estimate.machines_of(planned.record, env) | {"instance_types": list(types)}
            what, cost = estimate.in_words(planned.record, env), estimate.cost_of(planned.record, env)
            notes = self.notes(planned.record)
            return answers.planned(
                self.kind.key, name, what, cost, machines, data.version.name, (*data.notes, *notes)
            )
        checked = replace(checked, version=datasets.settled(s3, env.data_bucket, data))
        try:
            for choice in (choices := self.choices(types)):
                planned = self._planned(checked, choice, plan)
                runs.write(env.artifacts_bucket, planned.record)
                try:
                    arn = self.create(name, planned.job)
                    break
                except QuotaExceeded:
                    if choice is choices[-1]:
                        raise
                    logs.info("no quota", instance_types=choice.types, alone=choice.alone)
        except AlreadyStarted:
            # A name made of the request's id can only be this request's twin. A name that callers chose can
            # be anyone's, and the run's record no longer tells whose.
            if request.name is not None:
                raise JobExists(f'a job named "{name}" was started a moment ago by another request') from None
            return self._existing(name, self.describe(name) or {}, request_id)
        return self.answer(name, arn, planned.record)

    def _affordable(self, checked: Checked, plan: Planner) -> tuple[str, ...]:
        """The first choice, and of the other types those on which it could not cost more than it may."""
        types = estimate.instance_types(checked.recipe, self.env)
        return costs.affordable(
            types, lambda each: self._planned(checked, Choice(types=(each,)), plan), costs.logged
        )

    def choices(self, types: tuple[str, ...]) -> list[Choice]:
        """What AWS is asked for in turn, while it says no for a quota.

        It may refuse a list for the quota of any type in it, so the first is asked for alone then.
        """
        choices = []
        for position in range(len(types)):
            here = types[position:]
            choices.append(Choice(types=here))
            if self.kind.several_types and len(here) > 1:
                choices.append(Choice(types=here, alone=True))
        return choices

    def _planned(self, checked: Checked, choice: Choice, plan: Planner) -> Plan:
        """What would be started on a choice of types; the recipe of the run's record names the first then.

        Raises:
            CostTooHigh: it could cost more there than it may.
        """
        recipe = checked.recipe.with_overrides({"resources": {"instance_type": choice.types[0]}})
        planned = plan(replace(checked, recipe=recipe), choice)
        cost = estimate.cost_of(planned.record, self.env)
        costs.guard(cost, recipe.table("resources").get("max_cost_usd"))
        return planned

    def describe(self, name: str) -> dict[str, Any] | None:
        """The job's description, or None when there is none of that name."""
        return describe(self.kind.operation("Describe"), **{f"{self.kind.member}Name": name})

    def create(self, name: str, job: dict[str, Any]) -> str:
        """Start a job; its ARN.

        Raises:
            AlreadyStarted: a job of that name came into being since it was looked for.
            QuotaExceeded, RefusedByAws: AWS will not have it; the message is AWS's, with what to do.
        """
        what = f"{self.kind.words} {name}"
        try:
            answer = self.kind.operation("Create")(**job)
        except Exception as error:
            code, message = code_of(error), message_of(error)
            if code == "ResourceInUse":
                raise AlreadyStarted(message) from error
            if code == "ResourceLimitExceeded":
                raise QuotaExceeded(
                    f"AWS would not start {what}: {message} Ask for more under Service Quotas (SageMaker), "
                    f"or {self.smaller}"
                ) from error
            if code == "ValidationException":
                raise RefusedByAws(f"AWS would not start {what}: {message}") from error
            raise
        logs.info(f"{self.kind.words} started", job=name)
        return str(answer[f"{self.kind.member}Arn"])

    def answer(self, name: str, arn: str, record: runs.RunRecord) -> dict[str, Any]:
        """What was started, where to watch it, and the most it can cost."""
        what, cost = estimate.in_words(record, self.env), estimate.cost_of(record, self.env)
        notes = self.notes(record)
        return answers.started(self.kind.key, name, arn, record.run, record.data, what, cost, notes)

    def notes(self, record: runs.RunRecord) -> tuple[str, ...]:
        """What the weights' licences keep from who uses the model."""
        explicit = {key: (value,) for key, value in record.hyperparameters.items()}
        values = tuple({**each, **explicit} for each in fit.possible(record.recipe, None))
        return weights.restrictions(values, self.env.artifacts_bucket)

    def name_of(self, request: requests.LaunchRequest, request_id: str) -> str:
        """The caller's name for the job, or the one that belongs to the request."""
        project = self.env.project
        if request.name is not None:
            return names.checked(request.name, project, self.kind.name_length)
        return names.from_request(project, request.recipe, request_id)

    def _existing(self, name: str, found: dict[str, Any], request_id: str) -> dict[str, Any]:
        """The answer for a job that exists: the same as at first, if this very request started it.

        Raises:
            JobExists: another request started it.
        """
        try:
            record = runs.read(self.env.artifacts_bucket, name)
        except RunRecordMissing:
            record = None
        if record is None or record.request_id != request_id:
            raise JobExists(
                f'a job named "{name}" exists; choose another "name", or leave it out to get a new one'
            )
        logs.info(f"{self.kind.words} was started by this request before")
        return self.answer(name, found[f"{self.kind.member}Arn"], record)


class AlreadyStarted(ClassifierError):
    """Two requests of one name met; the caller decides whether they are the same."""
