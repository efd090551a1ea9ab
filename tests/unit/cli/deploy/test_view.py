"""A stack that takes long is spoken of again, in a pipe too, with what is left to do."""

from __future__ import annotations

import io
import threading
import time

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from cli.commands.options import json_option, quiet_option
from cli.deploy import view
from cli.deploy.cdk_output import Deployment
from cli.deploy.regularly import regularly


@pytest.fixture
def deployment() -> Deployment:
    made = Deployment("destroy")
    made.read("classifier-storage: destroying... [5/5]")
    return made


def test_a_pipe_is_told_every_half_minute_that_a_stack_is_still_worked_on(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(view, "say", said.append)
    storage = deployment.stacks["classifier-storage"]
    with view.showing() as show:
        for seconds, beside in (
            (1, ""),
            (31, "s3://a: 7 of 9 objects left"),
            (45, "s3://a: 5"),
            (61, "s3://a: 2"),
        ):
            storage.since, deployment.beside = time.monotonic() - seconds, beside
            show(deployment)
    assert said[1:] == [
        "classifier-storage: working",
        "classifier-storage: working, 30 s so far (s3://a: 7 of 9 objects left)",
        "classifier-storage: working, 60 s so far (s3://a: 2)",
    ]


def test_a_terminal_shows_how_long_a_stack_takes_and_what_is_left(deployment: Deployment) -> None:
    deployment.stacks["classifier-storage"].since -= 200
    deployment.beside = "s3://a: 7 of 9 objects left"
    console = Console(width=120, file=io.StringIO())
    console.print(view.table(deployment))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "3 min" in text
    assert "s3://a: 7 of 9 objects left" in text


def test_regular_work_goes_on_while_the_block_does_and_no_longer() -> None:
    twice, done = threading.Event(), []

    def work() -> None:
        done.append(1)
        if len(done) == 2:
            twice.set()

    with regularly(0.01, work):
        assert twice.wait(5)
    before = len(done)
    time.sleep(0.05)
    assert len(done) == before


@pytest.mark.parametrize(("asked", "stderr"), [("--quiet", ""), ("--json", "x: working, 60 s so far\n")])
def test_what_is_said_regularly_obeys_quiet_and_json(asked: str, stderr: str) -> None:
    made = Deployment("deploy")
    made.read("x: deploying... [1/5]")
    made.phase = ""

    @click.command()
    @quiet_option
    @json_option
    def command() -> None:
        shown = threading.Event()
        with view.showing() as show:

            def work() -> None:
                show(made)
                shown.set()

            show(made)
            made.stacks["x"].since -= 61
            with regularly(0.01, work):
                assert shown.wait(5)

    done = CliRunner().invoke(command, [asked])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr.endswith(stderr)
    assert bool(done.stderr) == bool(stderr)
