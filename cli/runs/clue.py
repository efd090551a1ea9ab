"""The last error of the Lambda that a run waits for: why it hangs, where AWS itself says nothing."""

from __future__ import annotations

import json
from datetime import timedelta

from cli.runs.jobs import logged
from cli.runs.pipeline_run import PipelineRun
from cli.target import Target
from contract import names


def of(target: Target, run: PipelineRun) -> str:
    """What that Lambda said last, since the step before it ended; empty where it said nothing."""
    from botocore.exceptions import ClientError

    if run.package:
        function, since = "promote-model", run.package.created
    elif run.training and not run.training.goes_on:
        function, since = "register-model", run.training.created
    elif run.race and run.tuning is None:
        function, since = "launch-tuning", run.race.created
    else:
        function, since = "launch-training", run.read_at - timedelta(hours=1)
    try:
        events = logged(
            target.client("logs"),
            names.log_of(names.function(target.project, function)),
            startTime=int(since.timestamp() * 1000),
            filterPattern='"errorMessage"',
        )
        complaints = [complaint(event["message"]) for event in events]
    except ClientError:
        return ""
    return next((each for each in reversed(complaints) if each), "")


def complaint(line: str) -> str:
    """The errorMessage of a Lambda's JSON log line, or nothing."""
    try:
        return str(json.loads(line).get("errorMessage", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""
