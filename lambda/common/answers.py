"""What a directly invoked launcher answers: `statusCode` and either what was started or what is wrong."""

from __future__ import annotations

from typing import Any

from common.errors import UserError

WATCH = "classifier status --watch"


def started(kind: str, name: str, arn: str, run: str) -> dict[str, Any]:
    """202: `kind` is `tuning_job` or `training_job`. The same request asked again answers the same."""
    return {"statusCode": 202, kind: name, "arn": arn, "run": run, "watch": WATCH}


def refused(error: UserError) -> dict[str, Any]:
    """The caller's mistake, named; nothing was started."""
    return {"statusCode": error.status, "error": {"code": error.code, "message": str(error)}}
