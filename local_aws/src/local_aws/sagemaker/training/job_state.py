"""The status of a training job: how it may change, how it is written down, and who is told.

Every change goes through here: it closes the last entry of SecondaryStatusTransitions, opens the next, and
sends the state-change event. A job that was told to stop stays Stopping whatever its run still reports.
"""

from __future__ import annotations

from typing import Any

from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceInUse, ValidationException
from local_aws.sagemaker import events
from local_aws.sagemaker.resources import Listing, Resources

Document = dict[str, Any]
JOBS = Resources(
    kind="training-job",
    prefix="TrainingJob",
    listing=Listing.of("TrainingJob", "TrainingJobSummaries", status=True),
    missing=lambda _name, _arn: ValidationException("Requested resource not found."),
    taken=lambda _name, arn: ResourceInUse(
        "Training job names must be unique within an AWS account and region, and a training job with this "
        f"name already exists ({arn})"
    ),
)
KIND = JOBS.kind
TERMINAL = ("Completed", "Failed", "Stopped")
STOPPED_WITH_SERVER = "InternalServerError: the local AWS was stopped while this job ran"
# The member's maximum length (API_DescribeTrainingJob).
MAX_REASON = 1024

_LAST_WORDS = {
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class JobState:
    """The status of the training job of one name, in the store."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self._aws = aws
        self.name = name

    def progress(self, secondary: str, message: str, **members: Any) -> None:
        """The run has come to ``secondary`` (e.g. ``Downloading``); ``members`` are set with it."""
        self._change(None, secondary, message, members)

    def stopping(self, message: str) -> None:
        """Somebody wants the job to stop."""
        self._change("Stopping", "Stopping", message, {})

    def end(self, status: str, secondary: str, reason: str = "", **members: Any) -> None:
        """The job is over."""
        if reason:
            members["FailureReason"] = reason[:MAX_REASON]
        members["TrainingEndTime"] = self._aws.now()
        self._change(status, secondary, _LAST_WORDS[secondary], members)

    def _change(self, status: str | None, secondary: str, message: str, members: Document) -> None:
        now = self._aws.now()
        applied: list[bool] = []

        def change(job: Document) -> Document:
            if status in (None, "Stopping") and job["TrainingJobStatus"] != "InProgress":
                return {**job, **members}
            applied.append(True)
            transitions = job.get("SecondaryStatusTransitions", [])
            if transitions and transitions[-1]["Status"] == secondary:
                transitions[-1]["StatusMessage"] = message
            else:
                if transitions:
                    transitions[-1]["EndTime"] = now
                transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
            job.update(members)
            job["TrainingJobStatus"] = status or job["TrainingJobStatus"]
            job["SecondaryStatus"] = secondary
            job["SecondaryStatusTransitions"] = transitions
            job["LastModifiedTime"] = now
            if status and status != "Stopping":
                transitions[-1]["EndTime"] = now
                _bill(job)
            return job

        def change_and_tell() -> None:
            applied.clear()
            job = self._aws.store.update(KIND, self.name, change)
            if applied:
                events.state_change(
                    self._aws, "Training Job", "DescribeTrainingJob", job, job["TrainingJobArn"]
                )

        self._aws.atomically(change_and_tell)


def _bill(job: Document) -> None:
    """Seconds from the start of the download to the end, which is what AWS bills."""
    if "TrainingStartTime" in job:
        seconds = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
        job["TrainingTimeInSeconds"] = job["BillableTimeInSeconds"] = max(1, round(seconds))
