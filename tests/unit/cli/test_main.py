"""The command line's manners: help is quick, mistakes get one message and the right exit code."""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import cli as cli_package
from cli.__main__ import COMMANDS, cli, main
from cli.aws import read_answer
from cli.deploy.bring_up import check_buckets
from cli.errors import BadArgument, CliError, ExitCode, LaunchRefused
from cli.explain import explain
from cli.target import Target
from tests.unit.cli.conftest import client_error


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    return int(done.value.code or 0), capsys.readouterr().err


@pytest.fixture(autouse=True)
def nothing_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLASSIFIER_PORT", "1")
    monkeypatch.setenv("CLASSIFIER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLASSIFIER_TARGET", raising=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0


def test_help_loads_nothing_heavy() -> None:
    heavy = ["boto3", "botocore", "PIL", "rich", "sklearn", "numpy", "psutil"]
    code = (
        "import atexit, sys, cli.__main__; sys.argv[1:] = ['--help']; "
        f"atexit.register(lambda: print([name for name in {heavy} if name in sys.modules])); "
        "cli.__main__.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {command} " in done.stdout for command in COMMANDS)


def test_ctrl_c_ends_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(kind: str) -> Target:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.commands.options.resolve", interrupted)
    assert run("status", capsys=capsys) == (130, "\nStopped.\n")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["upload"], ["tune"], ["up", "--target", "mars"], ["classify"]]
)
def test_a_usage_mistake_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, error = run(*arguments, capsys=capsys)
    assert code == 2
    assert "Usage" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["outputs"],
        ["classify", __file__],
        ["destroy"],
        ["tune", "--recipe", "r", "--dataset", "d"],
    ],
)
def test_without_a_local_aws_the_remedy_is_make_up(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = run(*arguments, capsys=capsys)
    assert code == 1
    assert "make up" in error
    assert "Traceback" not in error


def test_a_missing_folder_is_named_before_aws_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = run("upload", "/nowhere/at/all", capsys=capsys)
    assert code == ExitCode.USAGE
    assert "There is no folder /nowhere/at/all" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--env", "nope"],
        ["--env", "nope", "status"],
        ["up", "--profile", "p"],
        ["outputs", "--export", "--target", "aws", "--region", "eu-west-1"],
        ["classify", "/nowhere.png"],
        ["batch", "/nowhere"],
        ["doctor", "/nowhere"],
        ["doctor", ".", "--out", "README.md"],
        ["demo", "--data", "/nowhere"],
        ["demo", "--recipe", "nope"],
        ["weights", "--file", "/nowhere.pth"],
        ["weights", "--arch", "nope"],
        ["logs", "endpoint", "--since", "nope"],
        ["tune", "--recipe", "r", "--dataset", "d", "--set", "nope"],
        ["dataset", "no/name"],
    ],
)
def test_what_was_typed_and_is_not_there_exits_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = run(*arguments, capsys=capsys)
    assert (code, "Traceback" in error) == (ExitCode.USAGE, False), error


def every_error() -> Iterator[type[CliError]]:
    """All classes of errors, in every module of the command."""
    for module in pkgutil.walk_packages(cli_package.__path__, "cli."):
        importlib.import_module(module.name)
    found = [CliError]
    for kind in found:
        found += kind.__subclasses__()
    yield from (kind for kind in found if kind.__module__.startswith("cli."))


def test_an_error_that_is_named_for_what_was_typed_is_one_of_usage() -> None:
    of_the_pictures, of_nobody = "BadDataset", "NothingRunYet"
    for kind in every_error():
        typed = kind.__name__.startswith(("NoSuch", "Bad")) and kind.__name__ != of_the_pictures
        if typed or kind.exit_code == ExitCode.USAGE:
            assert (kind.exit_code, issubclass(kind, BadArgument)) == (ExitCode.USAGE, True), kind
        elif kind.__name__ != of_nobody:
            assert (kind.exit_code, issubclass(kind, BadArgument)) == (ExitCode.ERROR, False), kind


@pytest.mark.parametrize(
    ("code", "ends_with"),
    [
        ("UnknownRecipe", ExitCode.USAGE),
        ("UnknownDataset", ExitCode.USAGE),
        ("InvalidRecipe", ExitCode.ERROR),
    ],
)
def test_what_a_launcher_does_not_know_exits_2(code: str, ends_with: ExitCode) -> None:
    answer = {"statusCode": 404, "error": {"code": code, "message": "no"}}
    with pytest.raises(LaunchRefused) as caught:
        read_answer("launch-tuning", answer, failed=False)
    assert caught.value.exit_code == ends_with


def test_down_is_not_for_aws(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--target", "aws", "down"], ["down", "--target", "aws"]):
        code, error = run(*arguments, capsys=capsys)
        assert (code, "classifier destroy --target aws" in error) == (ExitCode.USAGE, True)


def test_the_environment_names_the_target_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLASSIFIER_TARGET", "aws")
    assert "stops the local AWS" in run("down", capsys=capsys)[1]
    monkeypatch.setenv("CLASSIFIER_TARGET", "mars")
    assert "Usage" in run("down", capsys=capsys)[1]


def test_a_full_disk_is_said_and_a_foreign_error_is_not_explained_away() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert "No disk space is left (/data/x)" in str(explain(full, None))
    assert explain(ZeroDivisionError(), None) is None


def test_aws_s_own_errors_are_one_sentence() -> None:
    aws = SimpleNamespace(is_local=False)
    expired = explain(client_error("ExpiredToken", "The security token is expired"), aws)  # type: ignore[arg-type]
    assert expired is not None
    assert "aws sso login" in expired
    denied = explain(client_error("AccessDenied", "not authorized to perform iam:PassRole"), None)
    assert denied == "Do: not authorized to perform iam:PassRole (AccessDenied)"


def test_a_bucket_that_was_deleted_past_its_stack_is_said_with_what_to_do(
    target: Callable[..., Target],
) -> None:
    gone = client_error("NoSuchBucket", "The specified bucket does not exist")
    gone.response["Error"]["BucketName"] = "pictures"  # type: ignore[attr-defined]
    assert "aws s3 mb s3://pictures" in str(explain(gone, None))

    def head_bucket(Bucket: str) -> None:
        if Bucket == "pictures":
            raise client_error("404", "Not Found")

    here = target(s3=SimpleNamespace(head_bucket=head_bucket))
    check_buckets(here, {"data_bucket": "other", "artifacts_bucket": "models"})
    with pytest.raises(CliError, match="The bucket pictures does not exist any more"):
        check_buckets(here, {"data_bucket": "pictures", "artifacts_bucket": "models"})


@pytest.mark.parametrize("columns", ["60", "80"])
def test_the_list_of_commands_has_a_line_for_each_at_any_width(columns: str) -> None:
    environment = os.environ | {"COLUMNS": columns}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--help"], capture_output=True, text=True, env=environment, check=True
    )
    listed = done.stdout.partition("Commands:")[2].split("\n")[1:-1]
    assert len(listed) == len(COMMANDS)
    assert max(map(len, listed)) <= 60
    assert not any("…" in line or "..." in line for line in listed)
