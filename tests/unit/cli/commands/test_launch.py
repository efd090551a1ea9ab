"""`tune` and `train`: what is said before a run starts, and what the launcher is asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.commands import launch as command
from cli.target import Target
from tests.unit.cli.runs.test_launch import Function


@pytest.fixture
def function(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Function:
    made = Function({"statusCode": 202, "tuning_job": "j", "training_job": "j", "run": "j"})
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: target(**{"lambda": made}))
    monkeypatch.setattr(command.sets, "meant", lambda target, name: name)
    monkeypatch.setattr(command.expected, "before", lambda *_: None)
    monkeypatch.setattr(command, "before_launching", lambda *_: None)
    return made


@pytest.mark.parametrize("launcher", ["tune", "train"])
@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("first", "classifier-first"),
        ("classifier-first", "classifier-first"),
        ("classifierfirst", "classifier-classifierfirst"),
        ("", None),
    ],
)
def test_the_project_s_name_is_put_before_a_run_s_and_that_is_said(
    function: Function, launcher: str, typed: str, asked: str | None
) -> None:
    line = [launcher, "--recipe", "digits", "--dataset", "digits", "--name", typed]
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == 0, done.output
    assert [request.get("name") for _, request in function.requests] == [asked, asked]
    assert (f"Its name is {asked}:" in done.stdout) == (asked not in (None, typed))
