"""`make verify-aws` with the local AWS as if that were the account: deployed, tested, cleaned up, reported.

One of the chain's tests stands for all of them; they are the same tests that run here otherwise.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.testing.local_server import LocalServer
from tests.system.conftest import REPOSITORY
from tests.system.verify_aws import calls, report
from tests.system.verify_aws.account import MARK
from tests.system.verify_aws.plan import Step
from tests.system.verify_aws.verification import Outcome

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

PROVEN = "test_an_upload_is_complete_and_a_second_one_sends_nothing"
THEIRS = "classifier-of-somebody-else"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """An account in which somebody has things of the project's name."""
    server = LocalServer(tmp_path_factory.mktemp("account") / "state").start()
    try:
        server.client("s3").create_bucket(Bucket=THEIRS)
        server.client("sqs").create_queue(QueueName=THEIRS)
        yield server
    finally:
        server.end()


class Verifying:
    """The script as a process, with that account's credentials."""

    def __init__(self, account: LocalServer, home: Path) -> None:
        self.home = home
        environment = {
            name: value for name, value in account.environment.items() if "proxy" not in name.lower()
        }
        self._environment = {
            **environment,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CLASSIFIER_HOME": str(home),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.system.verify_aws", *arguments],
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate()
        return process.returncode, said

    def folders(self) -> list[Path]:
        return sorted((self.home / "verify-aws").iterdir())


def of_the_project(account: LocalServer) -> set[str]:
    """The stacks, buckets and queues that are there, and the mark."""
    stacks = account.client("cloudformation").get_paginator("list_stacks").paginate()
    listed = [each for page in stacks for each in page["StackSummaries"]]
    names = {each["StackName"] for each in listed if each["StackStatus"] != "DELETE_COMPLETE"}
    names |= {each["Name"] for each in account.client("s3").list_buckets()["Buckets"]}
    names |= {url.rsplit("/", 1)[-1] for url in account.client("sqs").list_queues().get("QueueUrls", [])}
    parameters = account.client("ssm").describe_parameters()["Parameters"]
    names |= {each["Name"] for each in parameters if each["Name"] == MARK}
    return {name for name in names if not name.startswith(("cdk-", "CDKToolkit"))}


def test_it_deploys_proves_reports_and_leaves_what_others_made(account: LocalServer, tmp_path: Path) -> None:
    verifying = Verifying(account, tmp_path)
    code, said = verifying.run("--yes", "--only", PROVEN)
    assert code == Outcome.PROVEN, said
    assert of_the_project(account) == {THEIRS}
    (folder,) = verifying.folders()
    page = (folder / report.NAME).read_text()
    assert f"| {PROVEN.removeprefix('test_').replace('_', ' ')} | proven |" in page
    assert "000000000000" not in page
    seen = calls.read(folder / "calls")
    assert all(call.request_id for made in seen.values() for call in made)
    assert {call.by for call in seen[Step.TESTS]} == {"python", "cdk"}


def test_stopped_while_it_deploys_it_removes_what_it_made_and_the_next_finds_nothing(
    account: LocalServer, tmp_path: Path
) -> None:
    verifying = Verifying(account, tmp_path)
    process = verifying.start("--yes", "--only", PROVEN)
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline and process.poll() is None:
        if any(name.startswith("classifier-") and name != THEIRS for name in of_the_project(account)):
            break
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == Outcome.NOT_PROVEN, said
    assert of_the_project(account) == {THEIRS}
    assert "stopped by its user" in (verifying.folders()[0] / report.NAME).read_text()
    assert verifying.run("--clean")[0] == Outcome.PROVEN


def test_a_dry_run_asks_for_nothing_and_needs_no_credentials(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.verify_aws", "--dry-run"],
        cwd=REPOSITORY,
        env={**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{step}: " in done.stdout for step in Step)
