"""What became of a search's trials, in words, and where a job's log is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


def counted(statuses: Iterable[str], planned: int) -> str:
    """`3 of 4 trials completed, 1 failed`; a trial that failed or was stopped is no completed one.

    Args:
        statuses: SageMaker's, one per trial that was started.
        planned: how many there are to be; 0 where the search has no such limit.
    """
    found = Counter(statuses)
    parts = [f"{found['Completed']} of {planned or found.total()} trials completed"]
    running = found["InProgress"] + found["Stopping"]
    rest = {"failed": found["Failed"], "stopped": found["Stopped"], "running": running}
    return ", ".join(parts + [f"{count} {word}" for word, count in rest.items() if count])


def log_of(job: str) -> str:
    """Where a training job's log is, on AWS and on the local AWS alike."""
    return f"log group {LOG_GROUP}, streams {job}/"
