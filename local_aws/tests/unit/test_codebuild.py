"""CodeBuild: as many builds at a time as the account may run, and a build says how it ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import codebuild as ministack_codebuild

from local_aws.ministack_adapter import builds as codebuild
from local_aws.quotas.profiles import VARIABLE, Profile
from unit.jobs_side import JobsSide, make_jobs_side

PROJECT = {"name": "images", "serviceRole": "role", "environment": {"computeType": "BUILD_GENERAL1_SMALL"}}


class Builds:
    """CodeBuild with one project, whose builds end when they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.answers: list[tuple[str, str]] = []
        self.fail = ""
        self.answered = threading.Semaphore(0)
        monkeypatch.setattr(codebuild.ImageBuild, "run", lambda build, aws: self._build())
        monkeypatch.setattr(codebuild, "_answer", self._answer)

    def _build(self) -> None:
        assert self.go_on.wait(60)
        if self.fail:
            raise ValueError(self.fail)

    def _answer(self, variables: dict[str, str], status: str, reason: str) -> None:
        self.answers.append((status, reason))
        self.answered.release()

    def start(self, token: str = "") -> dict[str, Any]:
        variables = dict.fromkeys((*codebuild._VARIABLES, "repositoryUri", "imageTag"), "x")
        asked = {
            "projectName": "images",
            "idempotencyToken": token,
            "environmentVariablesOverride": [
                {"name": name, "value": value} for name, value in variables.items()
            ],
        }
        answer: dict[str, Any] = json.loads(ministack_codebuild._start_build(asked)[2])
        return answer


@pytest.fixture
def builds(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Builds]:
    monkeypatch.setenv(VARIABLE, Profile.NEW_ACCOUNT)
    monkeypatch.setattr(ministack_codebuild, "_projects", {"images": PROJECT})
    monkeypatch.setattr(ministack_codebuild, "_builds", {})
    monkeypatch.setattr(ministack_codebuild, "_start_build", ministack_codebuild._start_build)
    side: JobsSide = make_jobs_side(tmp_path)
    codebuild.install(side.aws)
    found = Builds(monkeypatch)
    yield found
    found.go_on.set()
    for thread in threading.enumerate():
        if thread.name == "codebuild":
            thread.join(60)


def test_a_new_account_has_one_build_at_a_time(builds: Builds) -> None:
    first = builds.start()
    assert first["build"]["buildStatus"] == "IN_PROGRESS"
    refused = builds.start()
    assert refused["__type"] == "AccountLimitExceededException"
    assert refused["message"] == "Cannot have more than 1 builds in queue for the account"


def test_a_build_that_has_ended_leaves_its_place_to_the_next(builds: Builds) -> None:
    builds.start()
    builds.go_on.set()
    for thread in threading.enumerate():
        if thread.name == "codebuild":
            thread.join(60)
    assert "build" in builds.start()


def test_a_request_that_comes_twice_is_one_build(builds: Builds) -> None:
    assert builds.start("token")["build"]["id"] == builds.start("token")["build"]["id"]


@pytest.mark.parametrize(("fail", "status"), [("", "SUCCESS"), ("no such file", "FAILED")])
def test_a_build_tells_cloudformation_how_it_ended(builds: Builds, fail: str, status: str) -> None:
    builds.fail = fail
    builds.start()
    builds.go_on.set()
    assert builds.answered.acquire(timeout=60)
    ((said, reason),) = builds.answers
    assert said == status
    assert fail in reason
