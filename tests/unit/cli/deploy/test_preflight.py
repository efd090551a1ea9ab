"""What can be checked is checked before anything is started, and costs no deployment."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.__main__ import main
from cli.commands.up import agree
from cli.deploy import bring_up, cdk, live
from cli.deploy.live.plan import Deploy, Remove
from cli.deploy.live.state import Hosting
from cli.deploy.preflight import check_room
from cli.errors import ExitCode, NotConfirmed, WouldFail
from cli.interrupt import Interrupted
from cli.local import server as local_server
from cli.target import resolve

ROOT = Path(__file__).resolve().parents[4]


class StartedError(AssertionError):
    """Something was started or asked before all was checked."""


@pytest.fixture(autouse=True)
def nothing_may_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def started(*_: Any, **__: Any) -> None:
        raise StartedError

    monkeypatch.setattr(local_server, "start", started)
    monkeypatch.setattr(cdk, "deploy", started)
    monkeypatch.setenv("CLASSIFIER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLASSIFIER_PORT", raising=False)
    monkeypatch.delenv("CLASSIFIER_TARGET", raising=False)
    monkeypatch.delenv("CLASSIFIER_CONFIG", raising=False)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = ExitCode.ERROR) -> str:
    """What a command says on stderr when it is refused."""
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    assert done.value.code == code
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return told


def test_a_demo_of_a_folder_that_is_not_there_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no folder /nosuch" in refused(capsys, "demo", "--data", "/nosuch", code=ExitCode.USAGE)


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ({"ant": 1, "bee": 1}, "has no picture of ant, bee in valid"),
        ({"ant": 9}, "one class only"),
        ({}, "no folder"),
    ],
)
def test_a_demo_of_a_folder_that_is_no_dataset_starts_nothing(
    counts: dict[str, int],
    why: str,
    folder: Callable[[dict[str, int]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = ExitCode.ERROR if counts else ExitCode.USAGE  # a folder that is not there was typed
    assert why in refused(capsys, "demo", "--data", str(folder(counts)), code=code)


def test_a_demo_with_a_recipe_nobody_knows_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "demo", "--recipe", "digitz", code=ExitCode.USAGE)
    assert "Did you mean digits?" in told


def test_a_demo_with_a_recipe_out_of_its_ranges_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = (ROOT / "recipes" / "digits.toml").read_text().replace("epochs = ", "epochs = -")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "odd.toml").write_text(recipe)
    for name in ("stacks", "lambda", "contract", "cdk.json"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: resolve(kind, tmp_path))
    told = refused(capsys, "demo", "--recipe", "odd")
    assert "recipes/odd.toml" in told
    assert "epochs" in told


@pytest.mark.parametrize("command", ["up", "demo"])
def test_settings_that_cannot_be_used_start_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text('{"serving": {"min_instances": 0}}')
    monkeypatch.setenv("CLASSIFIER_CONFIG", str(settings))
    assert "min_instances" in refused(capsys, command)
    monkeypatch.setenv("CLASSIFIER_CONFIG", str(tmp_path / "none.json"))
    assert "none.json" in refused(capsys, command, code=ExitCode.USAGE)


@pytest.mark.parametrize("text", ["{", "[]", '{"context": 3}'])
def test_a_broken_cdk_json_starts_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdk.json").write_text(text)
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: resolve(kind, tmp_path))
    assert "cdk.json" in refused(capsys, "up", code=ExitCode.USAGE)


def test_pictures_that_the_disk_cannot_hold_are_refused(
    folder: Callable[[dict[str, int]], Path], target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.data.folder import examine

    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    examined = examine(folder({"ant": 9, "bee": 9}))
    check_room(target(), examined)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100, 0, 100))
    with pytest.raises(WouldFail, match="CLASSIFIER_HOME"):
        check_room(target(), examined)
    check_room(target("aws"), examined)


def test_a_recipe_only_the_bucket_could_have_is_asked_for_before_anything_is_deployed(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []
    monkeypatch.setattr(local_server, "start", lambda *_: True)
    monkeypatch.setattr(local_server, "stop", lambda *_: stopped.append(True))

    def check() -> None:
        raise WouldFail("no such recipe")

    with pytest.raises(WouldFail):
        bring_up.bring_up(target(), check)
    assert stopped == [True]


def test_ctrl_c_while_deploying_stops_the_server_that_was_started_for_it(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []
    monkeypatch.setattr(local_server, "start", lambda *_: True)
    monkeypatch.setattr(local_server, "stop", lambda *_: stopped.append(True))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cdk, "deploy", interrupted)
    monkeypatch.setattr(live, "look", lambda target: live.Change())
    with pytest.raises(Interrupted, match="nothing is running"):
        bring_up.bring_up(target())
    assert stopped == [True]


def test_a_pause_is_said_and_agreed_to_before_anything_is_deployed(
    target: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who says no has everything as before, the server that was started for it included."""
    done: list[str] = []
    change = live.Change((Remove(Hosting.INSTANCES, Hosting.SERVERLESS), Deploy()))
    monkeypatch.setattr(local_server, "start", lambda *_: True)
    monkeypatch.setattr(local_server, "stop", lambda *_: done.append("stopped"))
    monkeypatch.setattr(live, "look", lambda target: change)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr(live, "carry_out", lambda *_: done.append("changed"))
    with pytest.raises(NotConfirmed):
        bring_up.bring_up(target(), agree=lambda change: agree(change, yes=False))
    assert done == ["stopped"]
    assert "503" in capsys.readouterr().out
    agree(change, yes=True)
    agree(live.Change(), yes=False)


def test_a_missing_picture_is_named_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, "classify", str(tmp_path / "b.png"), code=ExitCode.USAGE)
    assert f"{tmp_path / 'b.png'}: there is no such file" in told


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "--arch"),
        (["--file", "/nosuch.pth"], "There is no file /nosuch.pth"),
        (["--file", "s3://b/weights.zip"], "does not end in"),
    ],
)
def test_weights_that_cannot_be_are_refused_before_anybody_is_asked(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in refused(capsys, "weights", *arguments, code=ExitCode.USAGE)
