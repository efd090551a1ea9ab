"""One StartBuild, asked again as long as CodeBuild has no place for it.

A new account may run one build at a time, and StartBuild is refused beyond that ("Cannot have more than 1
builds in queue for the account"): other stacks and other regions' deploys use the same place. What the build
needs to know, and how it answers CloudFormation, is the contract of the package deploy-time-build 0.4.10
(lib/container-image-build.js, lambda/trigger-codebuild/index.ts), whose own starter tries once.
Source: https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from contract.aws_errors import code_of, message_of
from functions.common import logs
from functions.common.errors import ClassifierError

NO_PLACE = "AccountLimitExceededException"
THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
NOT_YET_ALLOWED = "AccessDeniedException"
"""A role that was made a moment ago: IAM tells every region of it within some seconds."""
_PATIENCE_WITH_IAM_SECONDS = 60
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 60.0
_TO_ANSWER_SECONDS = 30
"""What is kept of the function's time to say that it was in vain."""


class NoBuildStarted(ClassifierError):
    """CodeBuild refused the build until there was no time left."""


@dataclass(frozen=True)
class Waiting:
    """How long there still is, and how to let time pass; both in seconds."""

    left: Callable[[], float]
    pause: Callable[[float], None] = time.sleep


def tag_of(event: Mapping[str, Any]) -> str:
    """The image's tag: another one for every request, the same when a request comes twice."""
    return sha256(str(event["RequestId"]).encode()).hexdigest()[:32]


def start(event: Mapping[str, Any], codebuild: Any, waiting: Waiting) -> None:
    """Start the build that a request of CloudFormation's asks for.

    Raises:
        NoBuildStarted: there was no place for it in all the time; the message says what to do.
    """
    request, began, pause = _request(event), waiting.left(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            build = codebuild.start_build(**request)["build"]
        except Exception as error:
            waited = began - waiting.left()
            if not _may_be_mended(code_of(error), waited):
                raise
            if waiting.left() - pause < _TO_ANSWER_SECONDS:
                raise NoBuildStarted(_in_vain(error, waited)) from error
            logs.info("the build waits", code=code_of(error), seconds=pause)
            waiting.pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            logs.info("build started", build=build["id"])
            return


def _may_be_mended(code: str, waited: float) -> bool:
    if code == NOT_YET_ALLOWED:
        return waited < _PATIENCE_WITH_IAM_SECONDS
    return code == NO_PLACE or code in THROTTLED


def _in_vain(error: Exception, waited: float) -> str:
    return (
        f"CodeBuild refused the image's build for {waited / 60:.0f} minutes: {message_of(error)} "
        "Wait until other builds of this account and region have ended (aws codebuild list-builds), or ask "
        "for more under Service Quotas, AWS CodeBuild, 'Concurrently running builds for Linux/Small "
        "environment'; then deploy again."
    )


def _request(event: Mapping[str, Any]) -> dict[str, Any]:
    """The StartBuild request. Its token makes one build of a request that comes twice."""
    properties = event["ResourceProperties"]
    repository = str(properties["repositoryUri"])
    variables = {
        "responseURL": event["ResponseURL"],
        "stackId": event["StackId"],
        "requestId": event["RequestId"],
        "logicalResourceId": event["LogicalResourceId"],
        "repositoryUri": repository,
        "repositoryAuthUri": repository.split("/")[0],
        "repositoryRegion": repository.split(".")[3],
        "buildCommand": properties["buildCommand"],
        "imageTag": tag_of(event),
        "projectName": properties["codeBuildProjectName"],
        "sourceS3Url": properties["sourceS3Url"],
    }
    return {
        "projectName": properties["codeBuildProjectName"],
        "idempotencyToken": tag_of(event),
        "environmentVariablesOverride": [{"name": name, "value": value} for name, value in variables.items()],
    }
