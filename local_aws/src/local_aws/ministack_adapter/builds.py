"""CodeBuild: builds of images that really take place, as many at a time as the account may run.

ministack keeps the projects and the list of builds, and calls every build done at once. Here StartBuild
refuses what is beyond the quota, in AWS's words, and a build by deploy-time-build's specification makes its
image and answers CloudFormation, as its commands do. Every other project's build is done at once, as there.
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import codebuild as ministack_codebuild

from local_aws.core.context import LocalAws
from local_aws.core.proxies import DIRECT
from local_aws.images.image_build import ImageBuild
from local_aws.quotas import book, names

log = logging.getLogger(__name__)

_TOKEN_SECONDS = 300
_ENVIRONMENTS = {
    "BUILD_GENERAL1_SMALL": "Linux/Small",
    "BUILD_GENERAL1_MEDIUM": "Linux/Medium",
    "BUILD_GENERAL1_LARGE": "Linux/Large",
    "BUILD_GENERAL1_XLARGE": "Linux/XLarge",
    "BUILD_GENERAL1_2XLARGE": "Linux/2XLarge",
}
_RUNNING, _SUCCEEDED, _FAILED = "IN_PROGRESS", "SUCCEEDED", "FAILED"
_VARIABLES = ("responseURL", "stackId", "requestId", "logicalResourceId", "buildCommand", "sourceS3Url")


def install(aws: LocalAws) -> None:
    """Put our StartBuild in the place of ministack's."""
    original = ministack_codebuild._start_build
    starting = threading.Lock()
    tokens: dict[str, tuple[float, str]] = {}
    running: dict[str, str] = {}

    def start_build(data: dict[str, Any]) -> Any:
        project = ministack_codebuild._projects.get(data.get("projectName", ""))
        if project is None:
            return original(data)
        token = str(data.get("idempotencyToken", ""))
        with starting:
            since, build_id = tokens.get(token, (0.0, ""))
            if token and time.monotonic() - since < _TOKEN_SECONDS and since:
                return json_response({"build": dict(ministack_codebuild._builds[build_id])})
            compute = project["environment"].get("computeType", "")
            most = _most(aws, compute)
            if most is not None and list(running.values()).count(compute) >= most:
                message = f"Cannot have more than {most} builds in queue for the account"
                return error_response_json("AccountLimitExceededException", message, 400)
            answer = original(data)
            build = json.loads(answer[2])["build"]
            record = ministack_codebuild._builds[build["id"]]
            if token:
                tokens[token] = time.monotonic(), build["id"]
            variables = {each["name"]: each["value"] for each in data.get("environmentVariablesOverride", [])}
            if not all(name in variables for name in _VARIABLES):
                return answer
            record.update(buildStatus=_RUNNING, currentPhase="BUILD", phases=[])
            record.pop("endTime", None)
            running[build["id"]] = compute
            context = contextvars.copy_context()

            def run() -> None:
                try:
                    context.run(_run, aws, project["serviceRole"], variables, record)
                finally:
                    del running[build["id"]]

            threading.Thread(target=run, name="codebuild", daemon=True).start()
            return json_response({"build": dict(record)})

    ministack_codebuild._start_build = start_build


def _most(aws: LocalAws, compute: str) -> int | None:
    """How many builds of a size the account may run at a time; None for a size without a quota here."""
    environment = _ENVIRONMENTS.get(compute)
    if environment is None:
        return None
    return int(book.value(aws.store, names.CODEBUILD, names.builds(environment)))


def _run(aws: LocalAws, role: str, variables: Mapping[str, str], record: dict[str, Any]) -> None:
    """The build, then what the specification's last command says to CloudFormation."""
    status, reason = _SUCCEEDED, ""
    try:
        ImageBuild(
            role=role,
            command=variables["buildCommand"],
            source=variables["sourceS3Url"],
            repository=variables["repositoryUri"],
            tag=variables["imageTag"],
        ).run(aws)
    except Exception as error:
        log.exception("the build %s failed", record["id"])
        status, reason = _FAILED, f"ContainerImageBuild failed: {type(error).__name__}: {error}"
    # As there, the build counts until its last command is through.
    try:
        _answer(variables, "SUCCESS" if status == _SUCCEEDED else "FAILED", reason)
    except (OSError, ValueError):
        log.exception("CloudFormation did not take the answer of %s", record["id"])
    finally:
        ministack_codebuild._finish_build(record, status)


def _answer(variables: Mapping[str, str], status: str, reason: str) -> None:
    body = {
        "StackId": variables["stackId"],
        "RequestId": variables["requestId"],
        "LogicalResourceId": variables["logicalResourceId"],
        "PhysicalResourceId": variables["imageTag"],
        "Status": status,
        "Reason": reason,
        "Data": {"ImageTag": variables["imageTag"]},
    }
    request = urllib.request.Request(  # noqa: S310  # the local CloudFormation's own address
        variables["responseURL"],
        data=json.dumps(body).encode(),
        method="PUT",
        headers={"Content-Type": ""},
    )
    DIRECT.open(request, timeout=30).close()
