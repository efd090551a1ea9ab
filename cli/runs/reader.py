"""Reading a run from AWS: SageMaker's jobs and registry, CloudWatch's logs, Serving stack and endpoint.

`RunReader.read()` is one look at everything, in the order things happen. What cannot change any more (a
finished tuning job, a finished training) is asked for once only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cli import aws
from cli.errors import BadArgument
from cli.release import candidate, champion
from cli.runs import clue, record
from cli.runs.jobs import LOG_GROUP, log_of, logged, newest_attempt, number, search_of
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Mark, Package, Race, Serving, Training, Trial, Tuning, data_of
from cli.stacks import describe, outputs
from cli.target import Target
from contract import capacity, epoch_line, names, objects, storage
from contract.decisions import Outcome, Reason
from contract.hyperparameters import unquoted
from contract.jobs import is_batch, trains

_FINISHED = {"Completed", "Failed", "Stopped"}
_MARK_BYTES = 64 * 1024


class NoSuchRun(BadArgument):
    """No run of that name."""


class RunReader:
    """Reads one run again and again.

    Args:
        answering: asks the API which version answers a picture.
        listed: where many runs are read, what is the same for all: what serves, and the package of each
            training job. The epochs are left out then.
    """

    def __init__(
        self,
        target: Target,
        name: str,
        answering: Callable[[], str] | None = None,
        listed: tuple[Serving, Mapping[str, str]] | None = None,
    ) -> None:
        self._listed = listed
        self._target = target
        self._answering = answering
        self._sagemaker = target.client("sagemaker")
        self._logs = target.client("logs")
        self._name = name
        self._by_hand = False
        self._tuning: Tuning | None = None
        self._training: Training | None = None
        self._race: Race | None = None
        self._races = True
        """Whether the run began with a race; looked for once."""
        self._package_arn: str | None = None
        self._find_run()
        self._scheduled = record.scheduled_of(record.of(target, self._name)) if listed is None else {}

    def read(self) -> PipelineRun:
        """Everything about the run, now."""
        race = None if self._by_hand else self._read_race()
        tuning = None if self._by_hand else self._read_tuning(race)
        training = self._read_training(self._name if self._by_hand else names.final_of(self._name))
        package = self._read_package(training) if training and training.status == "Completed" else None
        serving = read_serving(self._target) if self._listed is None else self._listed[0]
        run = PipelineRun(
            self._target.project,
            self._name,
            tuning,
            training,
            package,
            serving,
            datetime.now(UTC),
            race=race,
            option=self._target.option,
        )
        run = replace(run, scheduled=self._scheduled)
        if run.may_be_marked:
            run = replace(run, mark=self._read_mark())
        if self._answering and serving.endpoint_status == "Updating" and package and not run.ended:
            return replace(run, answering=self._answering())
        wants_clue = run.outcome == "failed" and self._listed is None
        return replace(run, clue=clue.of(self._target, run)) if wants_clue else run

    def _find_run(self) -> None:
        """Settles whether the run is a tuning job (whose final training also names it) or by hand."""
        self._name = names.first_of(self._name)
        for name in (names.run_of(self._name), self._name):
            describe_search = self._sagemaker.describe_hyper_parameter_tuning_job
            if aws.found(describe_search, HyperParameterTuningJobName=name):
                self._name = name
                return
            if aws.found(self._sagemaker.describe_training_job, TrainingJobName=names.race_of(name)):
                self._name = name
                return
        job = aws.found(self._sagemaker.describe_training_job, TrainingJobName=self._name)
        if job is None:
            raise self._no_run()
        if not trains(job):
            kind = "batch" if is_batch(job) else "doctor"
            show = self._target.command(f"{kind} --job {self._name}")
            raise NoSuchRun(
                f"{self._name} is no run: it trains nothing. `{show}` shows what came of it; with --out it "
                "fetches that."
            )
        self._by_hand = True

    def _no_run(self) -> NoSuchRun:
        return NoSuchRun(
            f"There is no run {self._name}. `{self._target.command('status')}` without a name "
            "shows the newest one."
        )

    def _read_race(self) -> Race | None:
        before = self._race
        if not self._races or (before is not None and before.status in _FINISHED and not before.goes_on):
            return before
        job = newest_attempt(self._sagemaker, names.race_of(self._name))
        if job is None:
            self._races = False
            return None
        judged = self._read_lines(job["TrainingJobName"], "race_")
        self._race = Race(**_of_job(job), judged=tuple(judged))
        return self._race

    def _read_tuning(self, race: Race | None) -> Tuning | None:
        if self._tuning is not None and self._tuning.status in _FINISHED:
            return self._tuning
        if (search := search_of(self._sagemaker, self._name)) is None:
            if race is not None:
                return None
            raise self._no_run()  # deleted meanwhile
        job, items = search
        config = job["HyperParameterTuningJobConfig"]
        limits = config.get("ResourceLimits", {})
        objective = config.get("HyperParameterTuningJobObjective", {})
        # AWS's own reason only says that none succeeded; what the first one said is why.
        failed = next((trial for trial in map(_trial, items) if trial.failed and trial.reason), None)
        first = f"{failed.name} said: {failed.reason} ({log_of(failed.name)})" if failed else ""
        own = job.get("FailureReason", "")
        stop = "." if own and first and not own.endswith(".") else ""
        self._tuning = Tuning(
            name=self._name,
            status=job["HyperParameterTuningJobStatus"],
            reason=f"{own}{stop} {first}".strip(),
            objective=objective.get("MetricName", ""),
            direction=objective.get("Type", "Maximize"),
            max_jobs=limits.get("MaxNumberOfTrainingJobs", 0),
            parallel=limits.get("MaxParallelTrainingJobs", 1),
            created=job["CreationTime"],
            ended=job.get("HyperParameterTuningEndTime"),
            trials=tuple(_trial(item) for item in items),
            data=data_of(job.get("TrainingJobDefinition", {}).get("StaticHyperParameters", {})),
        )
        return self._tuning

    def _read_training(self, name: str) -> Training | None:
        if self._training is not None and self._training.status in _FINISHED:
            if not self._training.goes_on:
                return self._training
            name = self._training.name
        job = newest_attempt(self._sagemaker, name)
        if job is None:
            return None
        self._training = Training(
            **_of_job(job),
            epochs=self._read_epochs(job["TrainingJobName"]),
            metrics={m["MetricName"]: m["Value"] for m in job.get("FinalMetricDataList", [])},
        )
        return self._training

    def _read_lines(self, job: str, word: str) -> list[str]:
        """The lines of a job's log that have a word."""
        if self._listed is not None:
            return []
        chosen = {"logStreamNamePrefix": f"{job}/", "filterPattern": f'"{word}"'}
        try:
            events = list(logged(self._logs, LOG_GROUP, **chosen))
        except self._logs.exceptions.ResourceNotFoundException:
            return []
        # Checked again: not every server honours the prefix, and trials print the same lines.
        return [e["message"].strip() for e in events if e["logStreamName"].startswith(f"{job}/")]

    def _read_epochs(self, job: str) -> tuple[dict[str, float], ...]:
        parsed = [epoch_line.read(line) for line in self._read_lines(job, "epoch=")]
        by_epoch = {
            numbers["epoch"]: numbers for numbers in parsed if numbers
        }  # a resumed job repeats epochs
        return tuple(by_epoch[epoch] for epoch in sorted(by_epoch))

    def _read_package(self, training: Training) -> Package | None:
        if self._package_arn is None:
            self._package_arn = self._find_package(training)
        if self._package_arn is None:
            return None
        package = self._package(self._package_arn)
        if not package:
            return None
        metadata = package.get("CustomerMetadataProperties", {})
        return Package(
            arn=self._package_arn,
            approval=package.get("ModelApprovalStatus", ""),
            reason=Reason.of_package(package.get("ApprovalDescription", "")),
            verdict=metadata.get("verdict", ""),
            created=package["CreationTime"],
            test_accuracy=number(metadata.get("test_accuracy", "")),
            gate=_outcome(metadata.get(names.GATE_OUTCOME, "")),
        )

    def _find_package(self, training: Training) -> str | None:
        if self._listed is not None:
            return self._listed[1].get(training.name)
        listed = aws.found(
            self._sagemaker.list_model_packages,
            ModelPackageGroupName=self._target.project,
            CreationTimeAfter=training.created,
            SortBy="CreationTime",
            SortOrder="Ascending",
            MaxResults=100,
        )
        for summary in (listed or {}).get("ModelPackageSummaryList", []):
            arn = str(summary["ModelPackageArn"])
            metadata = self._package(arn).get("CustomerMetadataProperties", {})
            if metadata.get("training_job") == training.name:
                return arn
        return None

    def _package(self, arn: str) -> dict[str, Any]:
        """The description of a model package; empty when there is none."""
        return aws.found(self._sagemaker.describe_model_package, ModelPackageName=arn) or {}

    def _read_mark(self) -> Mark | None:
        bucket = outputs(self._target, "storage")["ArtifactsBucket"]
        key = storage.of_run(self._name, storage.STOPPED)
        found = objects.read(self._target.client("s3"), bucket, key, _MARK_BYTES)
        if found is None:
            return None
        try:
            return Mark(str(json.loads(found)["why"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return Mark("nobody said why")


def read_serving(target: Target) -> Serving:
    """What should serve, what does, and how the stack and the endpoint are."""
    stack = describe(target, target.stack("serving")) or {}
    resolved = {each["ParameterKey"]: each.get("ResolvedValue", "") for each in stack.get("Parameters", [])}
    endpoint = aws.endpoint(target) or {}
    return Serving(
        stack_status=stack.get("StackStatus", ""),
        champion=champion.read(target),
        actual=resolved.get("ChampionParameter", ""),
        endpoint_status=endpoint.get("EndpointStatus", ""),
        candidate=candidate.read(target, stack),
        deployed=stack.get("CreationTime"),
    )


def _of_job(job: dict[str, Any]) -> dict[str, Any]:
    """What a `Race` and a `Training` tell of their job alike, from its description."""
    return {
        "name": job["TrainingJobName"],
        "status": job["TrainingJobStatus"],
        "stage": job.get("SecondaryStatus", ""),
        "reason": job.get("FailureReason", ""),
        "created": job["CreationTime"],
        "ended": job.get("TrainingEndTime"),
        "goes_on": bool(capacity.left(job)),
        "data": data_of(job.get("HyperParameters", {})),
    }


def _outcome(code: str) -> Outcome | None:
    return Outcome(code) if code in set(Outcome) else None


def _trial(item: dict[str, Any]) -> Trial:
    metric = item.get("FinalHyperParameterTuningJobObjectiveMetric", {})
    tuned = {key: unquoted(value) for key, value in item.get("TunedHyperParameters", {}).items()}
    return Trial(
        item["TrainingJobName"],
        item["TrainingJobStatus"],
        tuned,
        metric.get("Value"),
        item.get("FailureReason", ""),
        item.get("CreationTime"),
        item.get("TrainingEndTime"),
    )
