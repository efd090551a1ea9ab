"""Starting one training job of a run on the first of its instance types that the account may have."""

from __future__ import annotations

from collections.abc import Callable

from functions.common import logs
from functions.common.errors import QuotaExceeded
from functions.common.launching import jobs, runs
from functions.common.launching.launcher import Launcher


def create(
    launcher: Launcher, name: str, record: runs.RunRecord, job_of: Callable[[runs.RunRecord], jobs.Request]
) -> str:
    """Start the job; its ARN.

    Args:
        job_of: the CreateTrainingJob request of the run with this type and those after it left.

    Raises:
        AlreadyStarted: there is a job of that name.
        QuotaExceeded, RefusedByAws: AWS will not start it.
    """
    types = record.instance_types or (jobs.machine(record.recipe, launcher.env).instance_type,)
    for position, instance_type in enumerate(types):
        try:
            return launcher.create(name, job_of(record.on(types[position:])))
        except QuotaExceeded:
            if position == len(types) - 1:
                raise
            logs.info("no quota; the next type is taken", instance_type=instance_type)
    raise AssertionError("a run has one type at least")
