"""The CDK CLI is run to its end, and while it says nothing it is looked what is left to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.deploy import cdk
from cli.deploy.cdk_output import Deployment
from cli.target import Target

SLOW = """#!/bin/sh
echo "classifier-storage: destroying... [1/1]"
sleep 1
echo " ✅  classifier-storage: destroyed"
"""


@pytest.fixture
def there(target: Callable[..., Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    node = tmp_path / "node"
    node.write_text(SLOW)
    node.chmod(0o755)
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(cdk, "node_bin", lambda: tmp_path)
    monkeypatch.setattr(cdk, "install_cli", lambda _: tmp_path / "cdk")
    monkeypatch.setattr(cdk, "mend", lambda *_: None)
    monkeypatch.setattr(cdk, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(Target, "environment", lambda _: {"PATH": "/usr/bin:/bin"})
    return target()


@pytest.mark.parametrize("works", [True, False])
def test_what_is_left_is_looked_at_while_a_stack_is_deleted(there: Target, works: bool) -> None:
    shown: list[str] = []

    def beside(deployment: Deployment) -> str:
        if not works:
            raise OSError("no answer")
        return f"{deployment.stacks['classifier-storage'].state}, 7 left"

    with (there.home / "turn").open("w") as turn:
        done = cdk.destroy(there, lambda each: shown.append(each.beside), turn.fileno(), beside)
    assert done.stacks["classifier-storage"].state == "deleted"
    assert ("working, 7 left" in shown) == works


def test_bootstrapping_synthesises_nothing_and_keeps_the_settings(
    there: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = there.home / "asked"
    (there.home.parent / "node").write_text(f"#!/bin/sh\nprintf '<%s>' \"$@\" >> {asked}\necho >> {asked}\n")
    monkeypatch.setattr(cdk, "status_of", lambda *_: None)
    with (there.home / "turn").open("w") as turn:
        cdk.deploy(there, lambda _: None, turn.fileno())
    bootstrap, deploy = asked.read_text().splitlines()
    assert f"<bootstrap><aws://{there.account()}/{there.region}><--app><>" in bootstrap
    assert "<--context>" in bootstrap
    assert "<deploy><--all>" in deploy
    assert "<--app>" not in deploy


def test_a_reader_that_went_away_is_noticed_at_the_next_line_of_the_cdk_cli(
    there: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    unexpected: list[object] = []
    monkeypatch.setattr(threading, "excepthook", unexpected.append)

    def nobody_reads(deployment: Deployment) -> None:
        if deployment.beside or any(stack.state == "deleted" for stack in deployment.stacks.values()):
            raise BrokenPipeError

    with (there.home / "turn").open("w") as turn, pytest.raises(BrokenPipeError):
        cdk.destroy(there, nobody_reads, turn.fileno(), lambda _: "7 left")
    assert unexpected == []
