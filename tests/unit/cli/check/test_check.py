"""The whole check: what it asks, what it refuses, and what it costs the local AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import check
from cli.__main__ import cli
from cli.check import OF_DEPLOYMENT, NotReady
from cli.check.identity import Identity
from cli.check.line import Code, Line, Status
from cli.check.templates import Templates, text
from cli.check.wanted import read, read_launch
from cli.commands import check as command
from cli.errors import WouldFail
from cli.runs.launch import Launched
from cli.target import ROOT, Target
from tests.unit.cli.check.account import WHO, cloudformation, only, quotas, raising, saying, wanted

Make = Callable[..., Target]
OK = Line(Code.BUILDS, Status.OK, "builds")
WRONG = Line(Code.ENDPOINT_QUOTA, Status.WRONG, "quota is 0", "2 are needed", "aws service-quotas ...")
UNKNOWN = Line(Code.PERMISSIONS, Status.UNKNOWN, "could not be looked at", "denied")
LATER = Line(Code.TRAINING_QUOTA, Status.LATER, "quota is 1", "4 are needed", "aws service-quotas ...")


def test_what_the_caller_may_not_look_at_is_unknown_and_the_other_checks_go_on(
    target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = {"Account": WHO.account, "Arn": "arn:aws:iam::111122223333:root"}
    here = target(
        "local",
        sts=saying(get_caller_identity=identity),
        cloudformation=cloudformation({}),
        s3=saying(head_bucket=raising("404")),
        apigateway=saying(get_account=raising("AccessDeniedException", "not authorized")),
        service_quotas=quotas({}),
    )
    monkeypatch.setattr(check, "read", lambda target, recipes: wanted())
    told: list[Code] = []
    lines = check.deployment(here, (), told.append)
    assert told == [Code.CREDENTIALS, *OF_DEPLOYMENT]
    denied = only(line for line in lines if line.code is Code.LOG_ROLE)
    assert (denied.status, "not authorized" in denied.wrong) == (Status.UNKNOWN, True)
    assert {line.code for line in lines} == {Code.CREDENTIALS, *OF_DEPLOYMENT}


def test_without_credentials_there_is_one_line_and_the_settings_are_not_read(target: Make) -> None:
    here = target("local", sts=saying(get_caller_identity=raising("ExpiredToken")))
    assert only(check.deployment(here)).code is Code.CREDENTIALS


def test_an_error_nobody_foresaw_is_not_taken_for_an_answer(
    target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(look: Any) -> list[Line]:
        raise ZeroDivisionError

    here = target("local", sts=saying(get_caller_identity={"Account": WHO.account, "Arn": WHO.arn}))
    monkeypatch.setattr(check, "read", lambda target, recipes: wanted())
    monkeypatch.setattr(check, "OF_DEPLOYMENT", {Code.BUILDS: broken})
    with pytest.raises(ZeroDivisionError):
        check.deployment(here)


def test_only_what_is_wrong_refuses() -> None:
    assert check.refusal([OK, UNKNOWN, LATER]) is None
    assert "--anyway" in str(check.refusal([OK, WRONG]))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """What the check finds, for a test to fill in."""
    lines: list[Line] = [OK]
    monkeypatch.setattr(check, "deployment", lambda target, recipes=(), tell=None: lines)
    monkeypatch.setattr(check, "launch", lambda target, planned: lines)
    return lines


def test_up_on_aws_starts_nothing_when_something_is_wrong(
    found: list[Line], target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr("cli.commands.up.bring_up", lambda target, **_: started.append("up") or {})
    monkeypatch.setattr("cli.commands.up.address_lines", lambda outputs: [])
    monkeypatch.setattr("cli.commands.up.confirm_cost", lambda target, what, yes: started.append("asked"))
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: target(kind))
    found.append(WRONG)
    result = CliRunner().invoke(cli, ["up", "--target", "aws"], standalone_mode=False)
    assert (type(result.exception), started) == (NotReady, [])
    assert CliRunner().invoke(cli, ["up", "--target", "aws", "--anyway"]).exit_code == 0
    assert started == ["asked", "up"]
    found.remove(WRONG)
    assert CliRunner().invoke(cli, ["up", "--target", "aws"]).exit_code == 0


def test_up_on_a_local_aws_that_plays_a_new_account_starts_nothing_when_something_is_wrong(
    found: list[Line], target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed: list[str] = []

    def bring_up(target: Target, check: Callable[[], None], **_: Any) -> dict[str, Any]:
        check()
        deployed.append("up")
        return {}

    monkeypatch.setenv("LOCAL_AWS_QUOTAS", "new-account")
    monkeypatch.setattr("cli.commands.up.bring_up", bring_up)
    monkeypatch.setattr("cli.commands.up.check_settings", lambda target: None)
    monkeypatch.setattr("cli.commands.up.address_lines", lambda outputs: [])
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: target(kind))
    found.append(WRONG)
    result = CliRunner().invoke(cli, ["up"], standalone_mode=False)
    assert (type(result.exception), deployed) == (NotReady, [])
    assert "aws service-quotas" in result.stdout
    assert "1 more is ok" in result.stdout, "one screen: what is fine is counted"
    assert OK.looked_at not in result.stdout
    assert CliRunner().invoke(cli, ["up", "--anyway"]).exit_code == 0
    assert deployed == ["up"]


def test_the_local_aws_is_not_checked_before_up_and_tune(
    target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any) -> Any:
        raise AssertionError("asked")

    monkeypatch.setattr(check, "deployment", never)
    monkeypatch.setattr(check, "launch", never)
    command.before_deploying(target("local"), None, anyway=False)
    command.before_launching(target("local"), Launched("r", "j"), anyway=False)


def test_tune_on_aws_shows_what_is_not_ok_and_starts_nothing(
    found: list[Line], target: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here, planned = target("aws"), Launched("r", "j")
    command.before_launching(here, planned, anyway=False)
    assert capsys.readouterr().out == ""
    found.append(WRONG)
    with pytest.raises(NotReady):
        command.before_launching(here, planned, anyway=False)
    assert "2 are needed" in capsys.readouterr().out
    command.before_launching(here, planned, anyway=True)


@pytest.mark.parametrize(("line", "code"), [(OK, 0), (LATER, 0), (UNKNOWN, 0), (WRONG, 1)])
def test_the_command_ends_with_1_only_when_something_is_wrong(
    found: list[Line], line: Line, code: int
) -> None:
    found.append(line)
    assert CliRunner().invoke(cli, ["check"]).exit_code == code
    result = CliRunner().invoke(cli, ["check", "--json"])
    assert result.exit_code == code
    answer = json.loads(result.stdout)
    assert (answer["kind"], answer["version"], answer["data"][-1]) == ("check", 1, asdict(line))
    assert {"code", "status", "looked_at", "wrong", "mend"} == asdict(line).keys()


def test_the_screen_says_why_and_what_to_do(found: list[Line]) -> None:
    found.append(WRONG)
    shown = CliRunner().invoke(cli, ["check"]).stdout
    assert all(word in shown for word in ("wrong", "endpoint-quota", "2 are needed", "→ aws service-quotas"))


@pytest.fixture
def checkout(target: Make) -> Target:
    """A target whose checkout is this one."""
    here = target("aws")
    return Target(kind="local", project="classifier", root=ROOT, home=here.home, port=1)


def test_the_settings_are_asked_with_their_defaults(
    checkout: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLASSIFIER_CONFIG", "comprehensive")
    planned = Launched(
        "pets-1",
        "j",
        most_usd=3.0,
        machines={
            "instance_type": "ml.g6.xlarge",
            "instance_count": 2,
            "spot": True,
            "parallel_jobs": 3,
        },
    )
    wants = read_launch(checkout, planned)
    assert (wants.project, wants.endpoint_types) == ("pets", ("ml.g6.2xlarge",))
    assert (wants.min_instances, wants.max_instances) == (2, 6)
    assert (only(wants.launches).instances, only(wants.launches).spot) == (6, True)


def test_settings_that_cannot_be_used_are_said_and_no_check_runs(
    checkout: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.json").write_text('{"projct": "x"}')
    monkeypatch.setenv("CLASSIFIER_CONFIG", str(tmp_path / "mine.json"))
    with pytest.raises(WouldFail, match="projct"):
        read_launch(checkout, Launched("r", "j"))


def test_a_recipe_that_there_is_not_is_said(checkout: Target) -> None:
    with pytest.raises(WouldFail, match=r"no recipe 'nonsense'.*digits"):
        read(checkout, ("nonsense",))


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("name", "name"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "Bucket"}, None),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::AccountId"}]]}, "a-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Bucket"}]]}, None),
        ({"Fn::Sub": "a-${AWS::Partition}"}, "a-aws"),
        ({"Fn::Sub": "a-${Bucket}"}, None),
        (7, None),
    ],
)
def test_a_name_is_known_unless_it_hangs_on_something_not_made_yet(value: Any, known: str | None) -> None:
    assert text(value, Identity("1", "", "eu-west-1", "aws").pseudo_parameters) == known


def test_an_empty_assembly_has_nothing() -> None:
    assert (Templates().builds_together, Templates().compute_types) == (0, set())
