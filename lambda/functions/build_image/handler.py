"""build-image: a custom resource that has CodeBuild build a container image.

The build itself answers CloudFormation when it ends, which may be after this function's fifteen minutes; this
one answers only when no build could be started.
"""

from __future__ import annotations

from typing import Any

from functions.build_image import start
from functions.common import custom_resource, logs
from functions.common.clients import client


def handler(event: dict[str, Any], context: Any) -> None:
    """Act on CloudFormation's Create or Update (a build) or Delete (nothing: the repository takes all).

    The physical id is the image's tag.
    """
    logs.start("build-image", context)
    custom_resource.property_of(event, "codeBuildProjectName")
    if event["RequestType"] == "Delete":
        custom_resource.answer(event, event["PhysicalResourceId"], lambda: None)
        return
    codebuild = client("codebuild")
    waiting = start.Waiting(lambda: context.get_remaining_time_in_millis() / 1000)
    custom_resource.hand_over(event, start.tag_of(event), lambda: start.start(event, codebuild, waiting))
