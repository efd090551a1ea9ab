"""What commands answer: one form of JSON for programs, and listings that no width cuts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import answers
from cli.__main__ import COMMANDS, cli
from cli.commands import status
from cli.commands.options import json_option, quiet_option
from cli.console import console, counting, say
from cli.errors import CliError, ExitCode
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Mark
from cli.target import ROOT, Target
from contract.decisions import Outcome, Reason
from tests.unit.cli.runs.pipeline_runs import PACKAGE, TRAINING, pipeline_run

PAGE = ROOT / "docs" / "command.md"


@click.command()
@json_option
@quiet_option
def speaking() -> None:
    say("for people")
    console().print("for people too")
    if not answers.wrote(answers.Kind.RECIPES, [{"name": "digits"}]):
        say("the answer")


def test_json_has_standard_output_alone() -> None:
    done = CliRunner().invoke(speaking, ["--json"])
    assert json.loads(done.stdout) == {"kind": "recipes", "version": 1, "data": [{"name": "digits"}]}
    assert done.stderr == "for people\nfor people too\n"


def test_quiet_prints_nothing_but_json_that_was_asked_for() -> None:
    assert CliRunner().invoke(speaking, ["--quiet"]).output == ""
    both = CliRunner().invoke(speaking, ["--quiet", "--json"])
    assert json.loads(both.stdout)["kind"] == "recipes"
    assert both.stderr == ""
    assert "the answer" in CliRunner().invoke(speaking).stdout


SHOWING = {
    *("check", "classify", "compare", "cost", "dataset", "datasets", "outputs", "report", "status"),
    *("doctor", "logs", "models", "recipes", "runs", "train", "tune", "tuning-report", "up"),
}


@pytest.mark.parametrize("name", sorted(SHOWING))
def test_every_command_that_shows_something_answers_in_json_too(name: str) -> None:
    assert "--json" in CliRunner().invoke(cli, [name, "--help"]).output


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_quiet(name: str) -> None:
    assert "--quiet" in CliRunner().invoke(cli, [name, "--help"]).output


WIDE = ("classifier-dogs-resnet50-20261130-0a1b2c3d", "serving", "0.9871", "stanford-dogs-cropped@12")
COLUMNS = ("name", "outcome", "accuracy", "data")


@pytest.mark.parametrize("width", [40, 60, 200])
def test_no_width_cuts_a_name(width: int) -> None:
    drawn = Console(width=width, file=io.StringIO())
    drawn.print(answers.Listing(COLUMNS, [WIDE, WIDE], ("accuracy",)))
    text = drawn.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert all(cell in re.sub(r"\n *", "", text) for cell in WIDE)
    assert ("outcome serving" in text) == (width < 200)


def test_a_listing_in_a_pipe_is_a_line_a_row() -> None:
    @click.command()
    def show() -> None:
        console().print(answers.Listing(COLUMNS, [WIDE]))

    head, row = CliRunner().invoke(show).stdout.splitlines()
    assert row.split() == list(WIDE)
    assert head.split() == list(COLUMNS)


def test_the_newest_the_largest_and_names_from_a_come_first_and_the_unknown_last() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "b", "usd": None, "created": "2026-01-02"},
        {"name": "c", "usd": 1.0, "created": "2026-01-03"},
        {"name": "a", "usd": 2.0, "created": "2026-01-01"},
    ]
    for by, names in (("name", "abc"), ("usd", "acb"), ("created", "cba")):
        assert "".join(row["name"] for row in answers.ordered(rows, by, None)) == names
    assert len(answers.ordered(rows, "name", 2)) == 2


GATE = Reason(Outcome.GATE, "0.90 is below 0.97")
REFUSED = pipeline_run(package=replace(PACKAGE, approval="Rejected", reason=GATE))
STOPPED = pipeline_run(package=None, mark=Mark("too dear"))
FAILED = pipeline_run(training=replace(TRAINING, status="Failed"), package=None)


@pytest.mark.parametrize(
    ("run", "code", "watched"),
    [
        (pipeline_run(), ExitCode.OK, ExitCode.OK),
        (REFUSED, ExitCode.OK, ExitCode.REFUSED),
        (STOPPED, ExitCode.OK, ExitCode.STOPPED),
        (FAILED, ExitCode.ERROR, ExitCode.ERROR),
    ],
)
def test_how_a_run_ended_is_the_exit_code_of_whoever_watched_it(
    monkeypatch: pytest.MonkeyPatch,
    target: Callable[..., Target],
    run: PipelineRun,
    code: ExitCode,
    watched: ExitCode,
) -> None:
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: target())
    reader = type("Reader", (), {"__init__": lambda *_: None, "read": lambda _: run})
    monkeypatch.setattr(status, "RunReader", reader)
    monkeypatch.setattr(status, "half_there", lambda _: "The deployment is not whole.")
    monkeypatch.setattr("cli.runs.watch.RunReader", reader)
    monkeypatch.setattr("cli.runs.find.run", lambda _, name: name)
    plain = CliRunner().invoke(cli, ["status", "a-run", "--json"])
    assert plain.exit_code == code
    followed = CliRunner().invoke(cli, ["status", "a-run", "--watch", "--json"])
    assert followed.exit_code == watched
    for each in (plain, followed):
        assert "The deployment is not whole." in each.stderr
        answer = json.loads(each.stdout)
        assert (answer["kind"], answer["data"]["outcome"]) == ("run", run.outcome)
        assert answer["data"]["reason"] == run.reason


def test_the_page_of_the_command_has_every_kind_and_every_exit_code() -> None:
    text = Path(PAGE).read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \| .*`data`", text, flags=re.M)) == set(answers.Kind)
    said = re.findall(r"^\| (\d+) \| (.*) \|$", text, flags=re.M)
    assert said == [(str(int(code)), code.means) for code in ExitCode]


def test_no_bar_is_drawn_in_a_pipe() -> None:
    @click.command()
    def work() -> None:
        with counting("Working", 3) as count:
            count.add(3)

    assert CliRunner().invoke(work).output == ""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_an_error_has_colour_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    @click.command()
    def fail() -> None:
        raise CliError("no")

    monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[" in CliRunner().invoke(fail, color=True).stderr) == coloured
