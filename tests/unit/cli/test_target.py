"""Nothing reaches AWS by accident, and nothing local leaks into AWS or back."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import server_lock
from cli.errors import BadTarget, CliError, LocalAwsFailed, NotUp
from cli.outputs import exports
from cli.target import resolve


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("CLASSIFIER_PORT", "CLASSIFIER_HOME", "CLASSIFIER_CONFIG")
    for name in (*ours, "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


KEY = {"AccessKeyId": "LOCALAWSABC", "SecretAccessKey": "o'clock & more"}


def started(root: Path) -> None:
    """What the local AWS leaves at its first start."""
    (root / ".local" / "aws").mkdir(parents=True)
    (root / ".local" / "aws" / "root-credentials.json").write_text(json.dumps(KEY))


def test_local_children_get_the_local_aws_whatever_the_user_s_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("CLASSIFIER_PORT", "4741")
    started(tmp_path)
    env = resolve("local", tmp_path).environment()
    assert env["AWS_ENDPOINT_URL"] == env["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:4741"
    assert (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]) == tuple(KEY.values())
    assert env["CDK_DEFAULT_ACCOUNT"] == "000000000000"
    assert "AWS_PROFILE" not in env
    assert "AWS_SESSION_TOKEN" not in env


def test_aws_children_keep_the_user_s_credentials_and_no_local_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[profile production]\n")
    env = resolve("aws", tmp_path).environment()
    assert env["AWS_PROFILE"] == "production"
    assert "AWS_ENDPOINT_URL" not in env


def test_the_cdk_s_account_cache_is_one_per_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started(tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    homes = {resolve(kind, tmp_path).environment()["CDK_HOME"] for kind in ("local", "aws")}
    assert len(homes) == 2


def test_a_local_aws_that_was_never_started_is_said_to_be_down(tmp_path: Path) -> None:
    for ask in (lambda: resolve("local", tmp_path).client("s3"), resolve("local", tmp_path).environment):
        with pytest.raises(NotUp, match="make up"):
            ask()


def test_a_key_that_was_made_anew_is_the_one_that_is_used(tmp_path: Path) -> None:
    started(tmp_path)
    target = resolve("local", tmp_path)

    def used() -> str:
        return str(target.any_client("s3")._request_signer._credentials.access_key)

    assert used() == "LOCALAWSABC"
    path = target.state_dir / "root-credentials.json"
    path.write_text(json.dumps({**KEY, "AccessKeyId": "LOCALAWSNEW"}))
    assert used() == "LOCALAWSNEW"


def test_a_shell_gets_the_local_aws_by_what_outputs_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "production")
    lines = "\n".join(exports(resolve("local", tmp_path)))
    script = f"{lines}\necho ${{AWS_PROFILE-none}} $AWS_ENDPOINT_URL $AWS_REGION $AWS_SECRET_ACCESS_KEY"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"none http://127.0.0.1:4566 us-east-1 {KEY['SecretAccessKey']}\n"
    with pytest.raises(CliError, match="local AWS"):
        exports(resolve("aws", tmp_path))


@pytest.mark.parametrize("port", ["", "x", "0", "65536", "-1", "4566.0"])
def test_a_port_that_is_none_is_named(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSIFIER_PORT", port)
    with pytest.raises(BadTarget, match="CLASSIFIER_PORT"):
        resolve("local", tmp_path)


@contextmanager
def server_on(home: Path, port: int) -> Iterator[None]:
    """A local AWS of `home` runs on that port, as its lock tells it."""
    server_lock.path(home).parent.mkdir(parents=True)
    with server_lock.path(home).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        json.dump({"pid": os.getpid(), "port": port, "label": ""}, lock)
        lock.flush()
        yield


def test_the_port_is_that_of_the_server_that_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_on(tmp_path / ".local", 4577):
        assert resolve("local", tmp_path).port == 4577
        monkeypatch.setenv("CLASSIFIER_PORT", "4577")
        assert resolve("local", tmp_path).port == 4577
        monkeypatch.setenv("CLASSIFIER_PORT", "4566")
        with pytest.raises(BadTarget, match=r"runs on port 4577 .* CLASSIFIER_PORT says 4566"):
            resolve("local", tmp_path)
        assert resolve("aws", tmp_path).port == 4566
    assert resolve("local", tmp_path).port == 4566


def test_nobody_is_asked_in_place_of_a_server_that_does_not_run(tmp_path: Path) -> None:
    target = resolve("local", tmp_path)
    with pytest.raises(NotUp, match="make up"):
        target.client("s3")
    with server_on(tmp_path / ".local", 4566):
        assert target.client("s3").meta.endpoint_url == "http://127.0.0.1:4566"


def test_a_server_that_does_not_say_who_it_is_is_named_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "_PATIENCE_SECONDS", 0)
    lock = server_lock.path(tmp_path / ".local")
    lock.parent.mkdir(parents=True)
    lock.write_text("4711\n")  # as an earlier version wrote it
    assert resolve("local", tmp_path).port == 4566
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LocalAwsFailed, match="process 4711"):
            resolve("local", tmp_path)


def test_the_project_is_the_setting_of_cdk_json(tmp_path: Path) -> None:
    assert resolve("local", tmp_path).project == "classifier"
    (tmp_path / "cdk.json").write_text('{"context": {"classifier": {"project": "birds"}}}')
    target = resolve("local", tmp_path)
    assert target.stack_names[0] == "birds-storage"


def test_the_project_is_that_of_the_settings_which_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cdk.json").write_text('{"context": {"classifier": {"project": "birds"}}}')
    (tmp_path / "mine.json").write_text('{"project": "cats"}')
    samples = tmp_path / "stacks" / "samples"
    samples.mkdir(parents=True)
    (samples / "small.json").write_text("{}")
    for config, project in {
        "mine.json": "cats",
        str(tmp_path / "mine.json"): "cats",
        "small": "classifier",
    }.items():
        monkeypatch.setenv("CLASSIFIER_CONFIG", config)
        assert resolve("aws", tmp_path).project == project
    for config in ("none.json", "none"):
        monkeypatch.setenv("CLASSIFIER_CONFIG", config)
        with pytest.raises(BadTarget, match=r"CLASSIFIER_CONFIG names .*none\.json"):
            resolve("aws", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"context": {"classifier": {"project": "Birds"}}}',
        '{"context": {"classifier": {"project": 3}}}',
        "[]",
    ],
)
def test_a_cdk_json_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "cdk.json").write_text(text)
    with pytest.raises(BadTarget, match=r"cdk\.json"):
        resolve("local", tmp_path)


def test_a_home_of_its_own_keeps_everything_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLASSIFIER_HOME", str(tmp_path / "other"))
    assert resolve("local", tmp_path).outputs_path == tmp_path / "other" / "outputs.json"


@pytest.mark.parametrize(
    ("told", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
    ],
)
def test_whichever_variable_names_the_region_is_where_is_looked_and_deployed(
    told: dict[str, str], region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    target = resolve("aws", tmp_path)
    assert (target.region, target.client("sts").meta.region_name) == (region, region)
    assert {target.environment()[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION")} == {region}


def test_without_a_region_it_is_said_which_variable_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(BadTarget, match="AWS_REGION"):
        resolve("aws", tmp_path).client("sts")
