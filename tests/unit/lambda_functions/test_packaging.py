"""What all functions have in common: they start light, and say which setting is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.environment import ClassifyEnvironment, LaunchEnvironment, UnreadableVariable
from functions.common import logs
from tests.unit.lambda_functions.conftest import ENVIRONMENT

ROOT = Path(__file__).parents[3]
FUNCTIONS = ROOT / "lambda" / "functions"
HANDLERS = sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


def test_there_is_a_handler_for_every_function() -> None:
    assert HANDLERS == [
        "api_log_role",
        "build_image",
        "champion_parameter",
        "check_drift",
        "classify",
        "compare_shadow",
        "empty_registry",
        "feedback",
        "idle_guard",
        "launch_batch",
        "launch_doctor",
        "launch_retraining",
        "launch_training",
        "launch_tuning",
        "promote_model",
        "register_model",
    ]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_imports_nothing_but_boto3_and_the_standard_library(name: str) -> None:
    """In a fresh interpreter, as in a new container: whatever else is installed must not be loaded."""
    code = (
        "import sys, boto3; before = set(sys.modules); "
        f"import functions.{name}.handler; "
        "print(' '.join({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lambda")])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert loaded <= {"boto3", "botocore", "contract", "functions"}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_only_parses_calls_and_answers(name: str) -> None:
    assert len((FUNCTIONS / name / "handler.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_every_setting_is_read_in_its_type() -> None:
    found = LaunchEnvironment.read(ENVIRONMENT)
    assert found.training_volume_gb == 30
    assert found.data_bucket == "data"


@pytest.mark.parametrize(
    ("value", "says"), [("", "MAX_IMAGE_BYTES is not set"), ("4 MB", "MAX_IMAGE_BYTES='4 MB'")]
)
def test_a_setting_that_is_missing_or_no_number_is_named(value: str, says: str) -> None:
    with pytest.raises(UnreadableVariable, match=says):
        ClassifyEnvironment.read({**ENVIRONMENT, "MAX_IMAGE_BYTES": value})


def test_without_a_topic_the_functions_still_work() -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "NOTIFICATION_TOPIC_ARN"}
    assert LaunchEnvironment.read(environment).notification_topic_arn == ""


def test_one_requests_keys_are_not_in_the_next_requests_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("f", None)
    logs.bind(run="run-1")
    logs.start("f", None)
    logs.info("second")
    assert "run-1" not in capsys.readouterr().out
