"""build-image: a build that CodeBuild has no place for waits, and who waits in vain is told what to do."""

from __future__ import annotations

from typing import Any

import pytest

from functions.build_image.handler import handler
from functions.build_image.start import NO_PLACE, NoBuildStarted, Waiting, start, tag_of
from tests.unit.lambda_functions.fakes import AwsFailure, Context, Fake, World
from tests.unit.lambda_functions.test_custom_resources import Answered, answered

__all__ = ["answered"]  # a fixture

REFUSED = "Cannot have more than 1 builds in queue for the account"


class FakeCodeBuild(Fake):
    service = "codebuild"

    def __init__(self, *failures: AwsFailure) -> None:
        super().__init__()
        self.failures = list(failures)
        self.on = {"StartBuild": self._start}

    def _start(self, _: dict[str, Any]) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        return {"build": {"id": "images:1"}}


class Ticking:
    """Time that passes in pauses only."""

    def __init__(self, seconds: float = 900) -> None:
        self.left, self.pauses = seconds, 0

    @property
    def waiting(self) -> Waiting:
        return Waiting(left=lambda: self.left, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.left -= seconds
        self.pauses += 1


def event(kind: str = "Create") -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Image",
        "ResourceProperties": {
            "codeBuildProjectName": "images",
            "repositoryUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/images",
            "buildCommand": "docker buildx build .",
            "sourceS3Url": "s3://assets/source.zip",
        },
        **({"PhysicalResourceId": "tag"} if kind != "Create" else {}),
    }


class Timed(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 20_000


@pytest.mark.parametrize("code", [NO_PLACE, "ThrottlingException", "AccessDeniedException"])
def test_a_refused_build_is_asked_for_again(code: str) -> None:
    codebuild, ticking = FakeCodeBuild(*[AwsFailure(code, REFUSED)] * 3), Ticking()
    start(event(), codebuild.client, ticking.waiting)
    assert len(codebuild.called("StartBuild")) == 4
    assert ticking.pauses == 3


def test_all_of_the_time_there_is_is_waited_and_then_it_says_what_to_do() -> None:
    codebuild, ticking = FakeCodeBuild(*[AwsFailure(NO_PLACE, REFUSED)] * 99), Ticking()
    with pytest.raises(NoBuildStarted) as raised:
        start(event(), codebuild.client, ticking.waiting)
    assert 30 <= ticking.left <= 90
    assert REFUSED in str(raised.value)
    assert "Concurrently running builds for Linux/Small environment" in str(raised.value)


@pytest.mark.parametrize("code", ["InvalidInputException", "ResourceNotFoundException"])
def test_what_waiting_does_not_mend_is_told_at_once(code: str) -> None:
    codebuild, ticking = FakeCodeBuild(AwsFailure(code, "no")), Ticking()
    with pytest.raises(codebuild.client.exceptions.ClientError):
        start(event(), codebuild.client, ticking.waiting)
    assert ticking.pauses == 0


def test_a_denied_build_is_not_waited_for_longer_than_iam_takes() -> None:
    denied = AwsFailure("AccessDeniedException", "not authorized")
    codebuild, ticking = FakeCodeBuild(*[denied] * 99), Ticking()
    with pytest.raises(codebuild.client.exceptions.ClientError):
        start(event(), codebuild.client, ticking.waiting)
    assert ticking.left > 700


def test_the_build_answers_cloudformation_and_the_starter_only_when_there_is_none(
    world: World, answered: Answered
) -> None:
    world.others["codebuild"] = codebuild = FakeCodeBuild()
    handler(event(), Timed())
    assert answered.requests == []
    (request,) = codebuild.called("StartBuild")
    told = {each["name"]: each["value"] for each in request["environmentVariablesOverride"]}
    assert told["responseURL"] == "https://cloudformation.example/answer"
    assert (told["repositoryRegion"], told["imageTag"]) == ("us-east-1", tag_of(event()))
    codebuild.failures = [AwsFailure(NO_PLACE, REFUSED)]
    handler(event(), Timed())
    assert answered.body()["Status"] == "FAILED"


def test_a_request_that_comes_twice_is_one_build(world: World) -> None:
    world.others["codebuild"] = codebuild = FakeCodeBuild()
    handler(event(), Timed())
    handler(event(), Timed())
    first, second = codebuild.called("StartBuild")
    assert first == second
    assert first["idempotencyToken"]


def test_a_removed_image_starts_nothing_and_is_answered(world: World, answered: Answered) -> None:
    world.others["codebuild"] = codebuild = FakeCodeBuild()
    handler(event("Delete"), Timed())
    assert answered.body()["Status"] == "SUCCESS"
    assert not codebuild.calls
