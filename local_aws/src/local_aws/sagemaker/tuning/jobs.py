"""Tuning jobs: the API, and the documents behind it.

CreateHyperParameterTuningJob checks the request, stores it and starts a `TuningRun` (`run`), which
launches training jobs like any client would. Counters and the best training job are computed from the
children's own documents when somebody asks, so they cannot disagree with them.
"""

from __future__ import annotations

from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceInUse, ResourceNotFound, ValidationException
from local_aws.sagemaker import events
from local_aws.sagemaker.resources import Listing, Resources
from local_aws.sagemaker.training import instances, job_state
from local_aws.sagemaker.training.jobs import TrainingJobs
from local_aws.sagemaker.tuning import checks, summaries
from local_aws.sagemaker.tuning.early_stopping import completion_details
from local_aws.sagemaker.tuning.run import KIND, TuningRun
from local_aws.sagemaker.tuning.search import make_search

Document = dict[str, Any]

_JOBS = Resources(
    kind=KIND,
    prefix="HyperParameterTuningJob",
    listing=Listing.of(
        "HyperParameterTuningJob", "HyperParameterTuningJobSummaries", status=True, descending=False
    ),
    missing=lambda name, _arn: ResourceNotFound(
        f"Amazon SageMaker can't find a tuning job called {name}. Type another name."
    ),
    taken=lambda name, _arn: ResourceInUse(
        f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name."
    ),
)
_CHILDREN = Listing.of(
    "TrainingJob",
    "TrainingJobSummaries",
    status=True,
    descending=False,
    FinalObjectiveMetricValue="_objective",
)


class TuningJobs:
    """The tuning jobs of this server."""

    def __init__(self, aws: LocalAws, training: TrainingJobs) -> None:
        self.aws = aws
        self._training = training
        self._runs: dict[str, TuningRun] = {}

    def create(self, request: Request) -> str:
        """Check, store and start a tuning job; its ARN."""
        name = request["HyperParameterTuningJobName"]
        checks.check(request)
        self._training.check(request["TrainingJobDefinition"])
        parents = self._parents(request)
        checks.check_parents(request, parents)
        parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
        checks.check_trials(self.aws, parallel)
        instances.check_quotas(self.aws, request["TrainingJobDefinition"], parallel)
        arn, now = self.aws.arn(f"hyper-parameter-tuning-job/{name.lower()}"), self.aws.now()
        tuning: Document = {
            **{member: value for member, value in request.items() if member != "Tags"},
            "HyperParameterTuningJobArn": arn,
            "HyperParameterTuningJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "_children": [],
        }
        _JOBS.create(self.aws, tuning, request)
        self.tell(name)
        search = make_search(tuning)
        for parent in filter(None, parents.values()):
            for child in self.children(parent):
                summary = summaries.of(child, parent)
                if "_objective" in summary:
                    search.learn(child["HyperParameters"], summary["_objective"])
        run = self._runs[name] = TuningRun(self.aws, self._training, tuning, search, self.end)
        self.aws.spawn(run.run, f"tuning {name}")
        return arn

    def get(self, name: str) -> Document:
        """The stored document. Raises ResourceNotFound in AWS's words."""
        return _JOBS.find(self.aws, name)

    def describe(self, tuning: Document) -> Document:
        """The answer of DescribeHyperParameterTuningJob, with what its children say by now."""
        children = self.children(tuning)
        answer = {
            **tuning,
            **summaries.counters(children, tuning),
            "ConsumedResources": self._consumed(tuning),
        }
        answer["TuningJobCompletionDetails"] = self._completion(children, tuning)
        best = summaries.best((child, tuning) for child in children)
        if best:
            answer["BestTrainingJob"] = best
        warm = tuning.get("WarmStartConfig", {})
        if warm.get("WarmStartType") == "IdenticalDataAndAlgorithm":
            family = [tuning, *(parent for parent in self._parents(tuning).values() if parent)]
            overall = summaries.best((child, member) for member in family for child in self.children(member))
            if overall:
                answer["OverallBestTrainingJob"] = overall
        return answer

    def stop(self, name: str) -> None:
        """Stop a running tuning job and its training jobs."""
        tuning = self.get(name)
        status = tuning["HyperParameterTuningJobStatus"]
        if status in job_state.TERMINAL:
            raise ValidationException(
                f"The request was rejected because the hyperparameter tuning job is in status {status}"
            )
        if status == "InProgress":
            self._set(name, {"HyperParameterTuningJobStatus": "Stopping"}, only_from="InProgress")
        run = self._runs.get(name)
        if run is not None:
            run.stop()

    def delete(self, name: str) -> None:
        """Forget a tuning job that has ended; its training jobs stay."""
        tuning = self.get(name)
        if tuning["HyperParameterTuningJobStatus"] not in job_state.TERMINAL:
            raise ResourceInUse(
                f"The tuning job {name} is in status {tuning['HyperParameterTuningJobStatus']}; stop it and "
                "wait for its end before deleting it."
            )
        _JOBS.delete(self.aws, tuning)

    def recover(self) -> None:
        """Report the tuning jobs a former server left running as failed."""
        for tuning in _JOBS.all(self.aws):
            if tuning["HyperParameterTuningJobStatus"] not in job_state.TERMINAL:
                reason = job_state.STOPPED_WITH_SERVER
                self.end(tuning["HyperParameterTuningJobName"], "Failed", reason)

    def end(self, name: str, status: str, reason: str = "") -> None:
        """A tuning job is over."""
        members: Document = {
            "HyperParameterTuningJobStatus": status,
            "HyperParameterTuningEndTime": self.aws.now(),
        }
        if reason:
            members["FailureReason"] = reason[: job_state.MAX_REASON]
        self._set(name, members)
        self._runs.pop(name, None)

    def children(self, tuning: Document) -> list[Document]:
        """The training jobs of a tuning job, in the order they were launched."""
        jobs = (self.aws.store.get(job_state.KIND, name) for name in tuning.get("_children", []))
        return [job for job in jobs if job is not None]

    def tell(self, name: str) -> None:
        """Send the state-change event."""
        tuning = self.describe(self.get(name))
        arn = tuning["HyperParameterTuningJobArn"]
        events.state_change(
            self.aws, "HyperParameter Tuning Job", "DescribeHyperParameterTuningJob", tuning, arn
        )

    def _set(self, name: str, members: Document, only_from: str = "") -> None:
        changed: list[bool] = []

        def change(tuning: Document) -> Document:
            if only_from and tuning["HyperParameterTuningJobStatus"] != only_from:
                return tuning
            changed.append(True)
            return {**tuning, **members, "LastModifiedTime": self.aws.now()}

        def change_and_tell() -> None:
            changed.clear()
            self.aws.store.update(KIND, name, change)
            if changed:
                self.tell(name)

        self.aws.atomically(change_and_tell)

    def _parents(self, request: Document) -> dict[str, Document | None]:
        entries = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        names = [entry["HyperParameterTuningJobName"] for entry in entries]
        return {name: self.aws.store.get(KIND, name) for name in names}

    def _completion(self, children: list[Document], tuning: Document) -> Document:
        scored = [
            each for each in (summaries.of(child, tuning) for child in children) if "_objective" in each
        ]
        ended = [(each["TrainingEndTime"], each["_objective"]) for each in scored]
        objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        return completion_details(sorted(ended), objective["Type"] == "Maximize")

    def _consumed(self, tuning: Document) -> Document:
        end = tuning.get("HyperParameterTuningEndTime") or self.aws.now()
        return {"RuntimeInSeconds": round((end - tuning["CreationTime"]).total_seconds())}


def register(svc: JsonService, jobs: TuningJobs) -> None:
    """Answer the operations of tuning jobs."""

    @svc.operation("CreateHyperParameterTuningJob")
    def create_hyper_parameter_tuning_job(request: Request) -> Response:
        return {"HyperParameterTuningJobArn": jobs.create(request)}

    @svc.operation("DescribeHyperParameterTuningJob")
    def describe_hyper_parameter_tuning_job(request: Request) -> Response:
        return jobs.describe(jobs.get(request["HyperParameterTuningJobName"]))

    @svc.operation("StopHyperParameterTuningJob")
    def stop_hyper_parameter_tuning_job(request: Request) -> Response:
        jobs.stop(request["HyperParameterTuningJobName"])
        return {}

    @svc.operation("DeleteHyperParameterTuningJob")
    def delete_hyper_parameter_tuning_job(request: Request) -> Response:
        jobs.delete(request["HyperParameterTuningJobName"])
        return {}

    @svc.operation("ListHyperParameterTuningJobs")
    def list_hyper_parameter_tuning_jobs(request: Request) -> Response:
        records = [
            {
                **jobs.describe(tuning),
                "Strategy": tuning["HyperParameterTuningJobConfig"]["Strategy"],
                "ResourceLimits": tuning["HyperParameterTuningJobConfig"]["ResourceLimits"],
            }
            for tuning in _JOBS.all(jobs.aws)
        ]
        return _JOBS.listing.answer(records, {"SortBy": "Name", **request})

    @svc.operation("ListTrainingJobsForHyperParameterTuningJob")
    def list_training_jobs_for_hyper_parameter_tuning_job(request: Request) -> Response:
        tuning = jobs.get(request["HyperParameterTuningJobName"])
        records = [summaries.of(child, tuning) for child in jobs.children(tuning)]
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            # "any training jobs that did not return an objective metric are not listed"
            records = [record for record in records if "_objective" in record]
        return _CHILDREN.answer(records, {"SortBy": "Name", **request})
