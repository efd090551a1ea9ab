"""This project's stacks by change set, as `cdk deploy` makes them on AWS; `up` spares the local AWS that.

The real CDK CLI with its defaults: each stack is created, changed and removed by a change set that
CloudFormation has to describe first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.node import node_bin
from local_aws.testing.local_server import ACCOUNT, LocalServer
from tests.system.conftest import PROJECT, REPOSITORY
from tests.system.releases import FAULTY_IMAGE, Registry, build_faulty_image

pytestmark = pytest.mark.timeout(3600)

STACKS = ("storage", "training", "serving", "api", "monitoring")
CDK = REPOSITORY / ".local" / "cdk" / "node_modules" / "aws-cdk" / "bin" / "cdk"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    if not CDK.exists():
        pytest.skip("the CDK CLI is not installed; run `make install`")
    server = LocalServer(tmp_path_factory.mktemp("change-sets") / "aws")
    build_faulty_image(server.state)
    server.start()
    yield server
    server.end()


class Cdk:
    """The CDK CLI as a user runs it, with settings of a test."""

    def __init__(self, server: LocalServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._settings = folder / "settings.json"

    def configure(self, settings: dict[str, Any]) -> None:
        self._settings.write_text(json.dumps(settings))

    def run(self, *arguments: str) -> str:
        node = node_bin() / "node"
        command = [str(node), str(CDK), *arguments, "--context", f"config={self._settings}"]
        done = subprocess.run(
            [*command, "--output", str(self._folder / "out"), "--no-color", "--ci", "--progress", "events"],
            cwd=REPOSITORY,
            env={
                **self._server.environment,
                "PATH": f"{Path(sys.executable).parent}:{node.parent}:/usr/bin:/bin",
                "CDK_HOME": str(self._folder / "home"),
                "CDK_DISABLE_CLI_TELEMETRY": "true",
                "CDK_DEFAULT_ACCOUNT": ACCOUNT,
                "CDK_DEFAULT_REGION": "us-east-1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def cdk(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    return Cdk(server, tmp_path_factory.mktemp("cdk"))


def settings(**serving: Any) -> dict[str, Any]:
    images = {"image_uri": FAULTY_IMAGE}
    return {"on_destroy": "delete", "training": images, "serving": {**images, **serving}}


def stacks(server: LocalServer) -> dict[str, dict[str, Any]]:
    found = server.client("cloudformation").describe_stacks()["Stacks"]
    return {each["StackName"]: each for each in found if each["StackName"].startswith(PROJECT)}


def test_the_stacks_are_created_by_change_set(server: LocalServer, cdk: Cdk) -> None:
    cdk.configure(settings())
    cdk.run("bootstrap", f"aws://{ACCOUNT}/us-east-1")
    said = cdk.run("deploy", "--all", "--require-approval", "never")
    assert "changeset" in said.lower()
    found = stacks(server)
    assert {name: each["StackStatus"] for name, each in found.items()} == {
        f"{PROJECT}-{stack}": "CREATE_COMPLETE" for stack in STACKS
    }
    assert all(each["ChangeSetId"].startswith("arn:aws:cloudformation:") for each in found.values())
    assert found[f"{PROJECT}-serving"]["RoleARN"].endswith(f"role/{PROJECT}-serving-deployment-us-east-1")


def test_a_model_is_promoted_on_a_stack_that_a_change_set_made(server: LocalServer) -> None:
    outputs = stacks(server)[f"{PROJECT}-storage"]["Outputs"]
    (bucket,) = [each["OutputValue"] for each in outputs if each["OutputKey"] == "ArtifactsBucket"]
    registry = Registry(server.client, PROJECT, bucket)
    registry.promote(registry.faulty("well"), 600)


def test_a_change_set_changes_only_what_differs_and_a_second_one_nothing(
    server: LocalServer, cdk: Cdk
) -> None:
    sagemaker = server.client("sagemaker")
    before = sagemaker.describe_endpoint(EndpointName=PROJECT)
    cdk.configure(settings(alarm_latency_ms=3000))
    cdk.run("deploy", "--all", "--require-approval", "never")
    alarm = f"{PROJECT}-endpoint-latency"
    (found,) = server.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert found["Threshold"] == 3_000_000
    assert stacks(server)[f"{PROJECT}-serving"]["StackStatus"] == "UPDATE_COMPLETE"
    after = sagemaker.describe_endpoint(EndpointName=PROJECT)
    for kept in ("EndpointConfigName", "LastModifiedTime"):
        assert after[kept] == before[kept], "the endpoint was not touched"
    said = cdk.run("deploy", "--all", "--require-approval", "never")
    assert said.count("(no changes)") == len(STACKS)


def test_what_a_change_set_made_is_destroyed(server: LocalServer, cdk: Cdk) -> None:
    cdk.run("destroy", "--all", "--force")
    assert stacks(server) == {}
    assert server.client("sagemaker").list_endpoints()["Endpoints"] == []
