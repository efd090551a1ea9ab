"""The instance types a training job goes on with when AWS has none of its own left.

A job has the types that come after its own in an environment variable. So whoever sees it fail
(launch-training, register-model, the command line) knows whether another job follows. The list gets shorter
by one each time, so every type is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OTHERS = "OTHER_INSTANCE_TYPES"
_CODE = "CapacityError"
"""AWS has no field for it. A failed job's FailureReason begins with a code: "CapacityError: Unable
to provision requested ML compute capacity. Please retry using a different ML instance type."
Sources: https://github.com/aws/sagemaker-python-sdk/blob/v2.232.0/src/sagemaker/session.py
(`_check_job_status`), https://github.com/DIAGNijmegen/rse-grand-challenge/issues/2631
"""


def environment(others: Sequence[str]) -> dict[str, Any]:
    """The member of a job's request that carries the types left after its own."""
    return {"Environment": {OTHERS: ",".join(others)}} if others else {}


def left(job: Mapping[str, Any]) -> tuple[str, ...]:
    """The types to go on with, the next one first; none unless the job failed for want of an instance.

    Args:
        job: DescribeTrainingJob's answer. A trial's successor is SageMaker's to start.
    """
    code, colon, _ = str(job.get("FailureReason", "")).partition(":")
    if job.get("TrainingJobStatus") != "Failed" or (code, colon) != (_CODE, ":") or "TuningJobArn" in job:
        return ()
    return tuple(each for each in job.get("Environment", {}).get(OTHERS, "").split(",") if each)
