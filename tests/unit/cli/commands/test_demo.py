"""The demo picks its recipe, its picture and its times from what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from classifier_client import NotAnswered
from cli.commands import demo
from cli.runs.expected import Expected
from cli.runs.launch import Launched
from cli.runs.pipeline_run import PipelineRun
from contract.decisions import Outcome
from tests.unit.cli.conftest import client_error
from tests.unit.cli.runs.pipeline_runs import PACKAGE, SERVING, pipeline_run


def s3_with(*keys: str) -> Any:
    def head_object(Bucket: str, Key: str) -> dict[str, int]:
        if Key not in keys:
            raise client_error("404", "Not Found", "HeadObject")
        return {"ContentLength": 1}

    return SimpleNamespace(head_object=head_object)


def test_a_folder_s_recipe_is_the_one_of_its_name_or_else_finetune(target: Any) -> None:
    aws = target(s3=s3_with("recipes/cifar10.toml"))
    assert demo._recipe_for(aws, {"artifacts_bucket": "a"}, "cifar10") == "cifar10"
    assert demo._recipe_for(aws, {"artifacts_bucket": "a"}, "birds") == "finetune"


def test_the_install_s_seconds_come_from_the_environment_or_the_installer_s_mark(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = target()
    monkeypatch.delenv("CLASSIFIER_INSTALL_SECONDS", raising=False)
    assert demo._install_seconds(aws) is None
    (aws.root / ".venv").mkdir()
    (aws.root / ".venv" / "ready").write_text("41\n")
    assert demo._install_seconds(aws) == 41
    monkeypatch.setenv("CLASSIFIER_INSTALL_SECONDS", "12")
    assert demo._install_seconds(aws) == 12


@pytest.mark.parametrize(
    ("run", "promote"),
    [
        (pipeline_run(), 28.0),
        (pipeline_run(serving=replace(SERVING, actual="", stack_status="UPDATE_IN_PROGRESS")), None),
    ],
)
def test_the_steps_seconds_are_those_of_their_jobs(run: PipelineRun, promote: float | None) -> None:
    assert demo._run_seconds(run) == {"tune": 30.0, "train": 29.0, "promote": promote}


def test_how_long_it_will_take_is_said_and_followed(
    target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    likely, told = Expected(64.0, None, "as its recipe was measured"), {}
    monkeypatch.setattr(demo, "bring_up", lambda *_: {"artifacts_bucket": "a"})
    monkeypatch.setattr(demo, "bring_data", lambda *_: ("digits", None))
    monkeypatch.setattr(demo, "_test_picture", lambda _: (tmp_path / "a.png", "1"))
    monkeypatch.setattr(demo, "estimate", lambda *_: Launched("r", "r"))
    monkeypatch.setattr(demo.expected, "before", lambda *_: likely)
    monkeypatch.setattr(demo, "launch", lambda *_: Launched("r", "r"))

    def follow(*_: Any, **given: Any) -> PipelineRun:
        told.update(given)
        return pipeline_run(
            package=replace(PACKAGE, gate=Outcome.OTHER_CLASSES, approval="PendingManualApproval")
        )

    monkeypatch.setattr(demo, "follow", follow)
    demo.carry_out(target(), demo.Plan(tmp_path, "digits", None, "digits"))  # type: ignore[arg-type]
    assert "Expected: about 64 s (as its recipe was measured)." in capsys.readouterr().out
    assert told == {"likely": likely}


def test_asking_an_api_without_a_model_is_no_version(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"api_url": "u", "api_key": "k"}
    probe = demo.Probe(target(), outputs, Path("a.png"), "ant")

    def refuse(*_: Any) -> None:
        raise NotAnswered(503, "NoModelYet", "no model yet")

    monkeypatch.setattr(demo.Client, "classify", refuse)
    assert probe.version() == ""
    answered = SimpleNamespace(model="3")
    monkeypatch.setattr(demo.Client, "classify", lambda *_: answered)
    assert probe.version() == "3"
    assert probe.result is answered
