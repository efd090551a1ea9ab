"""Each environment is its own project, account, region and settings, and the one meant is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.choice import Choice
from cli.commands import options
from cli.commands.options import whereabouts, with_target
from cli.deploy.cdk import context_arguments
from cli.errors import BadTarget
from cli.settings_file import settings_of
from cli.target import ROOT, Target
from tests.unit.cli.conftest import FakeTarget

TOML = """
[environments.dev]
target = "local"
project = "petsdev"

[environments.prod]
project = "petsprod"
config = "mine.json"
profile = "pets-prod"
region = "eu-west-1"
account = "111122223333"

[environments.bare]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with classifier.toml, and nothing of the user's own environment."""
    for name in ("CLASSIFIER_ENV", "CLASSIFIER_TARGET", "CLASSIFIER_CONFIG", "CLASSIFIER_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "CLASSIFIER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[profile pets-prod]\nregion = us-west-2\n[profile other]\n")
    (tmp_path / "classifier.toml").write_text(TOML)
    (tmp_path / "mine.json").write_text('{"project": "mine"}')
    from cli.target import resolve

    monkeypatch.setattr(options, "ROOT", tmp_path)
    monkeypatch.setattr(options, "resolve", lambda kind: resolve(kind, tmp_path))
    return tmp_path


def target_of(*arguments: str) -> Target:
    """The target that a command gets."""
    found: list[Target] = []

    @click.command("status")
    @with_target
    def command(target: Target) -> None:
        found.append(target)

    group = click.Group("classifier", commands=[command], params=cli.params)
    done = CliRunner().invoke(group, list(arguments), standalone_mode=False)
    if done.exception:
        raise done.exception
    return found[0]


def test_an_environment_is_a_project_in_an_account_and_a_region(root: Path) -> None:
    for arguments in (["status", "--env", "prod"], ["--env", "prod", "status"]):
        target = target_of(*arguments)
        assert (target.kind, target.project, target.region) == ("aws", "petsprod", "eu-west-1")
        assert target.option == " --env prod"
        assert target.outputs_path.name == "outputs.prod.json"
        assert target.stack_names[0] == "petsprod-storage"


def test_without_one_everything_is_as_it_was(root: Path) -> None:
    target = target_of("status")
    assert (target.kind, target.project, target.option, target.choice) == (
        "local",
        "classifier",
        "",
        Choice(),
    )


def test_the_environment_can_be_named_once_for_a_shell(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSIFIER_ENV", "dev")
    assert target_of("status").project == "petsdev"


def test_options_go_before_what_the_environment_says(root: Path) -> None:
    target = target_of("status", "--env", "prod", "--profile", "other", "--region", "us-east-2")
    assert (target.choice.profile, target.region) == ("other", "us-east-2")
    assert target.option == " --env prod --profile other --region us-east-2"


def test_profile_and_region_need_no_environment(root: Path) -> None:
    target = target_of("--target", "aws", "status", "--profile", "other", "--region", "us-east-2")
    assert (target.region, target.option) == ("us-east-2", " --target aws --profile other --region us-east-2")
    assert target_of("status", "--target", "aws", "--profile", "pets-prod").region == "us-west-2"


def test_children_get_the_profile_and_no_keys_that_would_go_before_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    environment = target_of("status", "--env", "prod").environment()
    assert environment["AWS_PROFILE"] == "pets-prod"
    assert {environment[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION")} == {"eu-west-1"}
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"} & set(environment)


def test_the_app_gets_the_environments_project_and_settings(root: Path) -> None:
    given = context_arguments(target_of("status", "--env", "prod"))
    assert given == ["--context", 'overrides={"project": "petsprod"}', "--context", "config=mine.json"]
    assert settings_of(root, "mine.json") == {"project": "mine"}
    local = context_arguments(target_of("status", "--env", "dev"))
    overrides = next(each for each in local if each.startswith("overrides="))
    assert json.loads(overrides.partition("=")[2]) == {"on_destroy": "delete", "project": "petsdev"}


def test_the_settings_file_names_the_project_where_the_environment_does_not(root: Path) -> None:
    (root / "classifier.toml").write_text('[environments.prod]\nconfig = "mine.json"\n')
    assert target_of("status", "--env", "prod").project == "mine"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (None, "no environment 'prod'"),
        ("[environments.dev]", r"no table \[environments.prod\].* There are: dev"),
        ("[environments.prd]", 'Did you mean "prd"'),
        ("environments = 3", "no table"),
        ("environments =", "not readable as TOML"),
        ('[environments.prod]\nregoin = "x"', 'Did you mean "region"'),
        ("[environments.prod]\naccount = 111122223333", "text in quotes"),
        ('[environments.prod]\naccount = "1"', "12 digits"),
        ('[environments.prod]\ntarget = "mars"', '"local" or "aws"'),
        ('[environments.prod]\ntarget = "local"\nregion = "x"', "its target is local"),
        ('[environments.prod]\nproject = "No Good"', "lower-case"),
        ('[environments.prod]\nconfig = "none.json"', r"classifier.toml names .*none.json"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(root: Path, toml: str | None, words: str) -> None:
    path = root / "classifier.toml"
    path.unlink() if toml is None else path.write_text(toml)
    with pytest.raises(BadTarget, match=words):
        target_of("status", "--env", "prod")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--env", "dev", "--target", "aws"], "is for --target local"),
        (["--region", "eu-west-1"], "are for an account"),
        (["--env", "dev", "--profile", "other"], "are for an account"),
    ],
)
def test_options_that_contradict_each_other_are_refused(root: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(BadTarget, match=words):
        target_of("status", *arguments)


def account(number: str) -> Any:
    return SimpleNamespace(get_caller_identity=lambda: {"Account": number})


def test_an_account_that_is_not_the_environments_is_not_touched(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target_of("status", "--env", "prod")
    monkeypatch.setattr(Target, "client", lambda *_: account("999999999999"))
    with pytest.raises(BadTarget, match=r"for the account 111122223333.* of 999999999999"):
        target.account()
    monkeypatch.setattr(Target, "client", lambda *_: account("111122223333"))
    assert target.account() == "111122223333"
    assert whereabouts(target) == (
        "Environment prod: account 111122223333 (profile pets-prod), region eu-west-1, project petsprod."
    )


@pytest.mark.parametrize("arguments", [["up"], ["up", "--yes"]])
def test_up_says_which_account_it_is_about_to_change(
    target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    from cli.commands import up

    made = replace(target("aws"), choice=Choice(region="eu-west-1"))
    monkeypatch.setattr(FakeTarget, "region", "eu-west-1")
    monkeypatch.setattr(options, "resolve", lambda kind: made)
    monkeypatch.setattr(up, "check_settings", lambda _: None)
    monkeypatch.setattr(up, "before_deploying", lambda *_: None)
    deployed: list[Target] = []
    monkeypatch.setattr(up, "bring_up", lambda target, **_: deployed.append(target) or {})
    monkeypatch.setattr(up, "address_lines", lambda _: [])
    done = CliRunner().invoke(cli, [*arguments, "--target", "aws"])
    assert "ccount 000000000000, region eu-west-1, project classifier." in done.output
    assert deployed == ([made] if "--yes" in arguments else [])


def test_the_example_of_the_page_can_be_used(root: Path) -> None:
    page = (ROOT / "docs" / "environments.md").read_text()
    (root / "classifier.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    (root / "stacks" / "samples").mkdir(parents=True)
    for name in ("minimal", "comprehensive"):
        sample = ROOT / "stacks" / "samples" / f"{name}.json"
        (root / "stacks" / "samples" / f"{name}.json").write_text(sample.read_text())
    assert target_of("status", "--env", "dev").project != target_of("status", "--env", "prod").project
