"""The pipeline that docs/ci.md offers: its files are sound, and its role may do what deploying takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml
from cfnlint import decode
from cfnlint.api import lint_all

from cli.check import permissions
from cli.check.identity import Identity
from cli.check.look import Look
from cli.target import resolve
from tests.unit.cli.check.account import wanted
from tests.unit.docs.test_examples import cli, command_lines, understood
from tools.pins import ROOT

EXAMPLES = ROOT / "docs" / "examples"
WORKFLOW = (EXAMPLES / "github-actions.yml").read_text(encoding="utf-8")
ROLE = EXAMPLES / "github-oidc-role.yaml"
WHO = Identity("111122223333", "arn:aws:iam::111122223333:user/ann", "eu-west-1", "aws")


def steps() -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(WORKFLOW)["jobs"].values():
        yield from job["steps"]


def test_the_workflows_commands_exist() -> None:
    commands = [words for step in steps() for words in command_lines(step.get("run", ""))]
    assert [words[2] for words in commands] == ["check", "up", "tune"]
    for words in commands:
        understood(cli, words)


def test_what_people_type_reaches_no_shell_unquoted() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_no_job_may_do_more_than_read_and_ask_for_credentials() -> None:
    workflow = yaml.safe_load(WORKFLOW)
    assert workflow["permissions"] == {}
    allowed = {"contents": "read", "id-token": "write"}
    for name, job in workflow["jobs"].items():
        assert job["permissions"].items() <= allowed.items(), name
        assert job.get("environment") == ("production" if "id-token" in job["permissions"] else None), name


def statements() -> list[dict[str, Any]]:
    """The role's, with everything filled in."""
    template, _ = decode.decode(str(ROLE))
    policy = template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    return list(policy["Statement"])


def listed(value: Any) -> list[str]:
    """One or several values as text, of this account."""
    known = {"AWS::Partition": "aws", "AWS::Region": WHO.region, "AWS::AccountId": WHO.account}
    values = value if isinstance(value, list) else [value]
    texts = [each["Fn::Sub"] if isinstance(each, dict) else each for each in values]
    return [re.sub(r"\$\{([\w:]+)\}", lambda name: known.get(name[1], "classifier"), each) for each in texts]


def allows(action: str, resource: str) -> bool:
    return any(
        any(fnmatchcase(action, each) for each in listed(statement["Action"]))
        and any(fnmatchcase(resource, each) for each in listed(statement["Resource"]))
        for statement in statements()
    )


def test_the_roles_template_is_sound() -> None:
    found = lint_all(ROLE.read_text(encoding="utf-8"))
    assert [str(each) for each in found if not each.rule.id.startswith("I")] == []


def test_the_role_may_do_what_classifier_check_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "status_of", lambda target, stack: "CREATE_COMPLETE")
    needs = permissions.needs(Look(resolve("aws"), WHO, wanted()))
    missing = [(each.resource, action) for each in needs for action in each.actions]
    assert len(missing) > 20
    assert [each for each in missing if not allows(each[1], each[0])] == []
    assert not allows("iam:CreateRole", "arn:aws:iam::111122223333:role/x")
    assert not allows("s3:GetObject", "arn:aws:s3:::somebody-else/picture.png")


def test_only_the_repositorys_environment_may_take_the_role() -> None:
    template, _ = decode.decode(str(ROLE))
    (trust,) = template["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${Environment}"
            },
        }
    }
