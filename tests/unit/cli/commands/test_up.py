"""`classifier down` says what it breaks off, and stops what cannot be asked all the same."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner

from cli.__main__ import cli
from cli.commands import up
from cli.errors import ExitCode
from cli.target import Target


@pytest.fixture
def down(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], str]:
    """Runs it on a local AWS that answers this way when it is asked what it does."""
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: target())
    monkeypatch.setattr(up.server, "stop", lambda _: True)

    def run(work: Callable[[Target], list[str]]) -> str:
        monkeypatch.setattr(up, "work", work)
        done = CliRunner().invoke(cli, ["down"])
        assert done.exit_code == ExitCode.OK
        return done.output

    return run


def test_what_runs_is_said_to_end(down: Callable[[Any], str]) -> None:
    assert "What ran ended with it: classifier-d-1-final, classifier-api." in down(
        lambda _: ["classifier-d-1-final", "classifier-api"]
    )


def test_nothing_is_said_where_nothing_ran_or_nobody_answers(
    down: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: Target) -> list[str]:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")

    hangs = Event()
    monkeypatch.setattr(up, "_PATIENCE_SECONDS", 0.1)
    for work in (silent, lambda _: [], lambda _: [str(hangs.wait(60))]):
        assert down(work).splitlines() == ["The local AWS is down."]
    hangs.set()
