"""The command line, what is written down, the page, and a process that is interrupted."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.system import recorded
from tests.system.verify_aws import __main__ as command
from tests.system.verify_aws import calls, report
from tests.system.verify_aws.account import MARK, Account, Identity, MarkedAlready
from tests.system.verify_aws.account import Mark as AMark
from tests.system.verify_aws.journal import Run
from tests.system.verify_aws.plan import CHAIN, Commands, Step, dry_run
from tests.system.verify_aws.verification import Record
from tests.unit.cli.conftest import client_error

JUNIT = """<testsuites><testsuite><testcase name="test_a_picture_is_classified" time="3.2"/>
<testcase name="test_it_breaks" time="1"><failure message="boom">in account 111122223333</failure></testcase>
</testsuite></testsuites>"""


def test_a_dry_run_prints_each_step_with_commands_and_calls_and_makes_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("AWS was called")

    monkeypatch.setattr(BaseClient, "_make_api_call", never)
    monkeypatch.setattr(subprocess, "Popen", never)
    assert command.main(["--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "US dollars" in printed
    for step in Step:
        assert f"{step}: " in printed
    for wanted in ("--target aws destroy --yes", "pytest", "PutParameter", "CreateChangeSet", "ListRoles"):
        assert wanted in printed


def test_the_dry_run_names_every_test_also_one_whose_calls_it_does_not_know() -> None:
    printed = "\n".join(dry_run(Commands()))
    names = re.findall(r"^def (test_\w+)", CHAIN.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > 20
    assert [name for name in names if name not in printed] == []


def test_the_dry_run_knows_the_calls_of_every_step_and_test() -> None:
    unknown = [line for line in dry_run(Commands()) if "not written down yet" in line]
    assert unknown == [], "record them: tests/system/verify_aws/calls.py"


def test_without_a_yes_on_a_terminal_nothing_is_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    for typed, agreed in (("yes\n", True), ("y\n", False), ("\n", False), ("", False)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert command._agreed("Go on?") is agreed


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run("20261128-120000-abc", tmp_path)
    made.begin({"s3 list_buckets: theirs"})
    return made


def test_the_page_says_what_was_proven_with_request_ids_and_not_whose_account(run: Run) -> None:
    (run.folder / "tests.xml").write_text(JUNIT)
    line = {"time": "t", "by": "python", "service": "sagemaker", "operation": "CreateEndpoint", "status": 200}
    lines = [
        {**line, "error": "", "request_id": "req-1"},
        {**line, "status": 400, "error": "ResourceLimitExceeded", "request_id": "req-2"},
    ]
    file = run.calls / "tests--test_a_picture_is_classified.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in lines) + '{"time": "cut sh')
    record = Record(run, Identity("111122223333", "arn", "eu-west-1"), "classifier", "12:00", "13:00")
    record.problems.append((Step.TESTS, "it ended with 1"))
    page = report.write(record).read_text()
    assert "| a picture is classified | proven | 3 | 2 | " in page
    assert "sagemaker:CreateEndpoint `req-1`" in page
    assert "400 ResourceLimitExceeded req-2" in page
    assert "## it breaks" in page
    assert "111122223333" not in page


def test_a_run_that_died_before_its_tests_has_a_page_too(run: Run) -> None:
    record = Record(run, Identity("1", "arn", "r"), "classifier", "12:00", interrupted=True)
    assert "stopped by its user" in report.write(record).read_text()


def test_calls_are_written_down_with_their_request_ids_and_without_their_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(recorded.FILE, str(tmp_path / "look.jsonl"))
    told = {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "req-1"}, "value": "a key"}
    recorded.note("ssm", "PutParameter", told)
    recorded.note("ssm", "GetParameter", {"Error": {"Code": "ParameterNotFound"}})
    ((part, seen),) = calls.read(tmp_path).items()
    assert (part, [(each.operation, each.error, each.request_id) for each in seen]) == (
        "look",
        [("PutParameter", "", "req-1"), ("GetParameter", "ParameterNotFound", "")],
    )
    assert "a key" not in (tmp_path / "look.jsonl").read_text()
    assert calls.by_service(seen) == {"ssm": ["GetParameter", "PutParameter"]}


SLOW = """
import pathlib, signal, sys, time
def stop(number, frame):
    pathlib.Path(sys.argv[2]).write_text(str(number))
    sys.exit(3)
signal.signal(signal.SIGINT, stop)
pathlib.Path(sys.argv[1]).touch()
time.sleep(30)
"""


RUN = """
import sys
from pathlib import Path
from tests.system.verify_aws.processes import Processes
try:
    Processes(Path(sys.argv[1])).run([sys.executable, "-c", sys.argv[2], *sys.argv[3:]], {})
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_ctrl_c_reaches_the_command_which_ends_before_anything_else_is_done(tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    # A process of its own: pytest's workers take a signal for their end.
    command = [sys.executable, "-c", RUN, str(tmp_path), SLOW, str(began), str(ended)]
    running = subprocess.Popen(command, start_new_session=True)
    try:
        while not began.exists():
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 7
    finally:
        running.kill()
    assert ended.read_text() == str(int(signal.SIGINT))


class Ssm:
    """One parameter."""

    def __init__(self) -> None:
        self.value: str | None = None

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if self.value is None or Name != MARK:
            raise client_error("ParameterNotFound")
        return {"Parameter": {"Value": self.value}}

    def put_parameter(self, Name: str, Type: str, Value: str) -> None:
        if self.value is not None:
            raise client_error("ParameterAlreadyExists")
        self.value = Value

    def delete_parameter(self, Name: str) -> None:
        self.value = None


def an_account(**clients: Any) -> Account:
    account = Account.__new__(Account)
    account.project, account._clients = "classifier", clients
    return account


def test_a_mark_is_put_once_and_removed_by_its_own_run_only() -> None:
    account, mark = an_account(ssm=Ssm()), AMark("run-1", "classifier", "arn", "host", "now")
    assert account.mark() is None
    account.put_mark(mark)
    assert account.mark() == mark
    with pytest.raises(MarkedAlready):
        account.put_mark(mark)
    account.remove_mark("run-2")
    assert account.mark() == mark
    account.remove_mark("run-1")
    assert account.mark() is None


class Formation:
    """Two stacks, and one that is still a change set."""

    def __init__(self) -> None:
        self.status = {"classifier-storage": "CREATE_COMPLETE", "classifier-api": "REVIEW_IN_PROGRESS"}
        self.tags = {"classifier-storage": "run-1", "classifier-api": "run-2"}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName not in self.status:
            raise client_error("ValidationError", "does not exist")
        return {"Stacks": [{"StackStatus": self.status[StackName]}]}

    def get_template(self, StackName: str, ChangeSetName: str = "") -> dict[str, Any]:
        assert bool(ChangeSetName) == (self.status[StackName] == "REVIEW_IN_PROGRESS")
        tag = {"Key": "verify-run", "Value": self.tags[StackName]}
        return {"TemplateBody": {"Resources": {"Data": {"Properties": {"Tags": [tag]}}}}}


@pytest.mark.parametrize(
    ("run", "ours"), [("run-1", [True, False]), ("run-2", [False, True]), ("", [False, False])]
)
def test_a_stack_is_the_runs_whose_name_is_in_its_template(run: str, ours: list[bool]) -> None:
    found = an_account(cloudformation=Formation()).stacks(run)
    assert found == dict(zip(("classifier-storage", "classifier-api"), ours, strict=True))
