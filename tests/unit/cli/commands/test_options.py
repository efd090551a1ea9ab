"""Whoever cannot be asked is told what to type, and whoever says no or leaves has changed nothing."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import Commands
from cli.commands.options import confirm
from cli.errors import ExitCode
from tests.unit.cli.conftest import Terminal


@click.group(cls=Commands)
def group() -> None:
    """A group of one command, which asks."""


@pytest.fixture(autouse=True)
def asking(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @click.option("--yes", is_flag=True)
    def ask(yes: bool) -> None:
        click.echo("To be removed: all.")
        confirm("Remove all of it?", yes)
        click.echo("all is gone")

    monkeypatch.setattr(Commands, "get_command", lambda *_: ask)


@pytest.mark.parametrize("text", ["", "y\n"])
def test_off_a_terminal_nobody_is_asked_and_the_option_is_named(text: str) -> None:
    done = CliRunner().invoke(group, ["ask"], input=text)
    assert done.exit_code == ExitCode.ERROR
    assert done.stdout == "To be removed: all.\n"
    first, second = done.stderr.splitlines()
    assert first == "Error: There is no terminal to ask on, so nothing was done: add --yes to agree."
    assert second == "The question was: Remove all of it?"
    assert "all is gone" in CliRunner().invoke(group, ["ask", "--yes"]).stdout


def test_at_a_terminal_the_question_leaves_standard_output_alone() -> None:
    agreed = Terminal().invoke(group, ["ask"], input="y\n")
    assert (agreed.exit_code, "all is gone" in agreed.stdout) == (ExitCode.OK, True)
    assert "Remove all of it?" in agreed.stderr
    assert "Remove all of it?" not in agreed.stdout
    refused = Terminal().invoke(group, ["ask"], input="n\n")
    assert (refused.exit_code, "all is gone" in refused.stdout) == (ExitCode.ERROR, False)
    assert "Error: Nothing was done." in refused.stderr.splitlines()


def test_who_leaves_at_the_question_has_stopped_the_command() -> None:
    left = Terminal().invoke(group, ["ask"])
    assert left.exit_code == ExitCode.INTERRUPTED
    assert left.stderr.endswith("\nStopped.\n")
    assert "all is gone" not in left.stdout
