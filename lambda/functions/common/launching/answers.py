"""What a directly invoked launcher answers: `statusCode` and either what was started, where to watch it and
the most it can cost, or what is wrong.
"""

from __future__ import annotations

from typing import Any

from functions.common.launching.costs import CostBound

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
"""Where SageMaker writes the log of every training job and trial, its stream named after the job."""

_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
_PAGES = {"hyper-parameter-tuning-job": "hyper-tuning-jobs", "training-job": "jobs"}


def started(
    kind: str,
    name: str,
    arn: str,
    run: str,
    dataset: str,
    what: str,
    cost: CostBound,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """202: `kind` is `tuning_job` or `training_job`. The same request asked again answers the same.

    Args:
        dataset: with its version, as requests have it, or where the pictures lie.
        what: what was started, in words.
        notes: what is worth knowing of it, a sentence each.
    """
    return {
        "statusCode": 202,
        kind: name,
        "arn": arn,
        "run": run,
        "dataset": dataset,
        "notes": list(notes),
        "started": what,
        "watch": watch(name, arn, run),
        "cost": cost.answer,
    }


def planned(
    kind: str,
    name: str,
    what: str,
    cost: CostBound,
    machines: dict[str, Any],
    dataset: str,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """200: everything was checked, and nothing was started. `dataset` and `notes` are as in `started`."""
    return {
        "statusCode": 200,
        "dry_run": True,
        kind: name,
        "run": name,
        "dataset": dataset,
        "notes": list(notes),
        "would_start": what,
        "machines": machines,
        "cost": cost.answer,
    }


def watch(name: str, arn: str, run: str) -> dict[str, str]:
    """Where a job can be watched: this project's command, AWS's console, the log."""
    _, partition, _, region, _, resource = arn.split(":", 5)
    console = _CONSOLES.get(partition, "console.aws.amazon.com")
    page = _PAGES[resource.partition("/")[0]]
    return {
        "command": f"classifier status {run} --watch",
        "console": f"https://{region}.{console}/sagemaker/home?region={region}#/{page}/{name}",
        "log_group": LOG_GROUP,
        "log": f"aws logs tail {LOG_GROUP} --follow --log-stream-name-prefix {name}",
    }
