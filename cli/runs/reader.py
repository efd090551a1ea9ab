"""Reading a run from AWS: SageMaker's jobs and registry, CloudWatch's logs, Serving stack and endpoint.

`RunReader.read()` is one look at everything, in the order things happen. What cannot change any more (a
finished tuning job, a finished training) is asked for once only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.errors import CliError
from cli.release import champion
from cli.runs.pipeline_run import Package, PipelineRun, Serving, Training, Trial, Tuning, data_of
from cli.runs.trials import LOG_GROUP, log_of
from cli.stacks import describe
from cli.target import Target
from contract import capacity, names
from contract.decisions import Reason
from contract.hyperparameters import unquoted

_FINISHED = {"Completed", "Failed", "Stopped"}
_TRIAL_NAME = re.compile(r"-\d{3}-[0-9a-f]{8}\Z")
_NUMBER = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|-?inf)"
_PAIR = re.compile(rf"(\w+)=({_NUMBER})")
_EPOCH_LINE = re.compile(rf"epoch=\d+(?: \w+={_NUMBER})+(?: \([^()]*\))?\s*")
"""The whole of the line that a training prints for an epoch (training_code/training/loop.py)."""


class NoSuchRun(CliError):
    """No run of that name, or none at all yet."""


def parse_epoch(line: str) -> dict[str, float] | None:
    """The numbers of one `epoch=3 train_loss=... valid_accuracy=...` line, or None for any other line."""
    if not _EPOCH_LINE.fullmatch(line):
        return None
    return {name: float(value) for name, value in _PAIR.findall(line)}


def latest_run(target: Target) -> str:
    """The newest run's id: a tuning job, or a training started by hand.

    Raises:
        NoSuchRun: nothing has been run yet.
    """
    sagemaker = target.client("sagemaker")
    newest = {"NameContains": f"{target.project}-", "SortBy": "CreationTime", "SortOrder": "Descending"}
    tunings = sagemaker.list_hyper_parameter_tuning_jobs(**newest, MaxResults=10)
    trainings = sagemaker.list_training_jobs(**newest, MaxResults=100)
    runs = [
        (job["CreationTime"], job["HyperParameterTuningJobName"])
        for job in tunings["HyperParameterTuningJobSummaries"]
        if job["HyperParameterTuningJobName"].startswith(f"{target.project}-")
    ]
    runs += [
        (job["CreationTime"], job["TrainingJobName"])
        for job in trainings["TrainingJobSummaries"]
        if job["TrainingJobName"].startswith(f"{target.project}-")
        and not _TRIAL_NAME.search(job["TrainingJobName"])
        and names.run_of(job["TrainingJobName"]) == job["TrainingJobName"]
    ]
    if not runs:
        raise NoSuchRun(f"Nothing has been run yet. Start with `classifier tune{target.option}`.")
    return str(max(runs)[1])


class RunReader:
    """Reads one run again and again; `answering`, if given, asks the API which version answers a picture."""

    def __init__(self, target: Target, name: str, answering: Callable[[], str] | None = None) -> None:
        self._target = target
        self._answering = answering
        self._sagemaker = target.client("sagemaker")
        self._logs = target.client("logs")
        self._name = name
        self._by_hand = False
        self._tuning: Tuning | None = None
        self._training: Training | None = None
        self._package_arn: str | None = None
        self._find_run()

    def read(self) -> PipelineRun:
        """Everything about the run, now."""
        tuning = None if self._by_hand else self._read_tuning()
        training = self._read_training(self._name if self._by_hand else names.final_of(self._name))
        package = self._read_package(training) if training and training.status == "Completed" else None
        serving = self._read_serving()
        run = PipelineRun(
            self._target.project, self._name, tuning, training, package, serving, datetime.now(UTC)
        )
        if self._answering and serving.endpoint_status == "Updating" and package and not run.ended:
            return replace(run, answering=self._answering())
        return replace(run, clue=self._clue(run)) if run.outcome == "failed" else run

    def _find_run(self) -> None:
        """Settles whether the run is a tuning job (whose final training also names it) or by hand."""
        self._name = names.first_of(self._name)
        for name in (names.run_of(self._name), self._name):
            if self._ask("describe_hyper_parameter_tuning_job", HyperParameterTuningJobName=name):
                self._name = name
                return
        if not self._ask("describe_training_job", TrainingJobName=self._name):
            raise NoSuchRun(
                f"There is no run {self._name}. `classifier status{self._target.option}` without a name "
                "shows the newest one."
            )
        self._by_hand = True

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """A Describe call's answer, or None when there is no such thing."""
        from botocore.exceptions import ClientError

        try:
            return dict(getattr(self._sagemaker, operation)(**arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None
            raise

    def _read_tuning(self) -> Tuning:
        if self._tuning is not None and self._tuning.status in _FINISHED:
            return self._tuning
        name = {"HyperParameterTuningJobName": self._name}
        job = self._sagemaker.describe_hyper_parameter_tuning_job(**name)
        pages = self._sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            **name, SortBy="CreationTime", SortOrder="Ascending"
        )
        config = job["HyperParameterTuningJobConfig"]
        objective = config.get("HyperParameterTuningJobObjective", {})
        items = [item for page in pages for item in page["TrainingJobSummaries"]]
        # AWS's own reason only says that none succeeded; what the first one said is why.
        failed = next((trial for trial in map(_trial, items) if trial.failed and trial.reason), None)
        first = f" {failed.name} said: {failed.reason} ({log_of(failed.name)})" if failed else ""
        self._tuning = Tuning(
            name=self._name,
            status=job["HyperParameterTuningJobStatus"],
            reason=f"{job.get('FailureReason', '')}{first}".strip(),
            objective=objective.get("MetricName", ""),
            direction=objective.get("Type", "Maximize"),
            max_jobs=config.get("ResourceLimits", {}).get("MaxNumberOfTrainingJobs", 0),
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
        job = self._ask("describe_training_job", TrainingJobName=name)
        if job is None:
            return None
        while capacity.left(job):
            following = self._ask("describe_training_job", TrainingJobName=names.following(name))
            if following is None:
                break
            name, job = names.following(name), following
        self._training = Training(
            name=name,
            status=job["TrainingJobStatus"],
            stage=job.get("SecondaryStatus", ""),
            reason=job.get("FailureReason", ""),
            created=job["CreationTime"],
            ended=job.get("TrainingEndTime"),
            epochs=self._read_epochs(name),
            metrics={m["MetricName"]: m["Value"] for m in job.get("FinalMetricDataList", [])},
            goes_on=bool(capacity.left(job)),
            data=data_of(job.get("HyperParameters", {})),
        )
        return self._training

    def _read_epochs(self, job: str) -> tuple[dict[str, float], ...]:
        from botocore.exceptions import ClientError

        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job}/", filterPattern='"epoch="'
            )
            # Checked again: not every server honours the prefix, and trials print the same lines.
            events = [event for page in pages for event in page["events"]]
            parsed = [parse_epoch(e["message"]) for e in events if e["logStreamName"].startswith(f"{job}/")]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return ()
            raise
        by_epoch = {
            numbers["epoch"]: numbers for numbers in parsed if numbers
        }  # a resumed job repeats epochs
        return tuple(by_epoch[epoch] for epoch in sorted(by_epoch))

    def _read_package(self, training: Training) -> Package | None:
        if self._package_arn is None:
            self._package_arn = self._find_package(training)
        if self._package_arn is None:
            return None
        package = self._ask("describe_model_package", ModelPackageName=self._package_arn)
        if package is None:
            return None
        metadata = package.get("CustomerMetadataProperties", {})
        return Package(
            arn=self._package_arn,
            approval=package.get("ModelApprovalStatus", ""),
            reason=Reason.of_package(package.get("ApprovalDescription", "")),
            verdict=metadata.get("verdict", ""),
            created=package["CreationTime"],
            test_accuracy=_number(metadata.get("test_accuracy", "")),
        )

    def _find_package(self, training: Training) -> str | None:
        listed = self._ask(
            "list_model_packages",
            ModelPackageGroupName=self._target.project,
            CreationTimeAfter=training.created,
            SortBy="CreationTime",
            SortOrder="Ascending",
            MaxResults=100,
        )
        for summary in (listed or {}).get("ModelPackageSummaryList", []):
            arn = str(summary["ModelPackageArn"])
            package = self._ask("describe_model_package", ModelPackageName=arn) or {}
            if package.get("CustomerMetadataProperties", {}).get("training_job") == training.name:
                return arn
        return None

    def _read_serving(self) -> Serving:
        stack = describe(self._target, self._target.stack("serving")) or {}
        resolved = [p["ResolvedValue"] for p in stack.get("Parameters", []) if "ResolvedValue" in p]
        endpoint = self._ask("describe_endpoint", EndpointName=self._target.project) or {}
        return Serving(
            stack_status=stack.get("StackStatus", ""),
            champion=champion.read(self._target),
            actual=next(iter(resolved), ""),
            endpoint_status=endpoint.get("EndpointStatus", ""),
        )

    def _clue(self, run: PipelineRun) -> str:
        """The last error in the log of the Lambda the run waits for, since the step before it ended."""
        from botocore.exceptions import ClientError

        if run.package:
            function, since = "promote-model", run.package.created
        elif run.training and not run.training.goes_on:
            function, since = "register-model", run.training.created
        else:
            function, since = "launch-training", run.read_at - timedelta(hours=1)
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{self._target.project}-{function}",
                startTime=int(since.timestamp() * 1000),
                filterPattern='"errorMessage"',
            )
            complaints = [_complaint(event["message"]) for page in pages for event in page["events"]]
        except ClientError:
            return ""
        return next((complaint for complaint in reversed(complaints) if complaint), "")


def _complaint(line: str) -> str:
    """The errorMessage of a Lambda's JSON log line, or nothing."""
    try:
        return str(json.loads(line).get("errorMessage", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _trial(item: dict[str, Any]) -> Trial:
    metric = item.get("FinalHyperParameterTuningJobObjectiveMetric", {})
    tuned = {key: unquoted(value) for key, value in item.get("TunedHyperParameters", {}).items()}
    return Trial(
        item["TrainingJobName"],
        item["TrainingJobStatus"],
        tuned,
        metric.get("Value"),
        item.get("FailureReason", ""),
    )
