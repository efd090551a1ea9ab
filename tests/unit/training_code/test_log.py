"""What SageMaker reads out of a job's log: each metric in the line that tells it, and in no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from local_aws.sagemaker.training.metrics import JobMetrics
from tests.unit.training_code.samples import TINY, dataset, job_folder
from tests.unit.training_code.test_champion import artifact
from tests.unit.training_code.test_job import run
from training_code import config
from training_code.log import one_line
from training_code.network.resnet import resnet

DEFINITIONS = json.loads((Path(config.__file__).parent / "metric_definitions.json").read_text())
NAMES = {"train_loss", "valid_loss", "valid_accuracy", "test_loss", "test_accuracy"}
NUMBER = r"([0-9]+\.[0-9]{6})"
TOLD = [
    (
        ("train_loss", "valid_loss", "valid_accuracy"),
        rf"epoch=[0-9]+ train_loss={NUMBER} valid_loss={NUMBER} valid_accuracy={NUMBER} \(.* images/s\)",
    ),
    (("test_loss", "test_accuracy"), rf"test_loss={NUMBER} test_accuracy={NUMBER} \([0-9]+ test pictures\)"),
]
"""The lines that tell metrics, and which."""
FORGED = "x\ntest_loss=0.000001 test_accuracy=1.000000 (99 test pictures).png"
"""A picture's name, and what would be a line of its own."""


def read(line: str) -> dict[str, list[float]]:
    """What the local AWS finds in a line."""
    metrics = JobMetrics(DEFINITIONS)
    metrics.read(line)
    return {name: values for name in NAMES if (values := metrics.values(name))}


def searched(line: str) -> dict[str, list[float]]:
    """What SageMaker finds in it: the first group, wherever the pattern is."""
    return {
        each["Name"]: [float(value) for value in found]
        for each in DEFINITIONS
        if (found := re.findall(each["Regex"], line))
    }


def expected(line: str) -> dict[str, list[float]]:
    for names, form in TOLD:
        if found := re.fullmatch(form, line):
            return {name: [float(value)] for name, value in zip(names, found.groups(), strict=True)}
    return {}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of a job that says all it can: watched, with a picture it skips, and a champion it asks."""
    folder = tmp_path_factory.mktemp("log")
    pictures = dataset(folder / "pictures")
    (pictures / "train" / "dark" / FORGED).write_bytes(b"broken")
    asked = TINY | {"max_skipped": "0.5", "debug_rules": "all", "profile": "on", "epochs": "2"}
    base = job_folder(folder / "base", pictures, asked)
    channel = base / "input" / "data" / "champion"
    channel.mkdir()
    torch.manual_seed(3)
    artifact(channel, resnet("resnet18", 2))
    code, told = run(base)
    assert code == 0, told
    return told.splitlines()


def test_every_line_of_a_job_gives_the_metrics_it_tells_and_no_other_gives_one(log: list[str]) -> None:
    assert [line for line in log if read(line) != expected(line)] == []
    assert [line for line in log if searched(line) != expected(line)] == []
    assert sum(1 for line in log if expected(line)) == 3, "two epochs and the test"
    whole = "\n".join(log)
    assert searched(whole).keys() == NAMES
    assert len(searched(whole)["test_accuracy"]) == 1, "also to whom the log is one text"


def test_what_the_champion_reaches_is_no_metric_of_the_job(log: list[str]) -> None:
    [said] = [line for line in log if "champion" in line]
    assert re.search(r"accuracy of [01]\.[0-9]{6} and a loss of", said)
    assert read(said) == searched(said) == {}


def test_a_files_name_makes_no_line_of_its_own(log: list[str]) -> None:
    [skipped] = [line for line in log if "99 test pictures" in line]
    assert skipped.startswith("skipped train/dark/x\\ntest_loss=")


EPOCH = "epoch=3 train_loss=0.250000 valid_loss=0.000015 valid_accuracy=0.900000 (5.9 s, 219 images/s)"
TEST = "test_loss=0.500000 test_accuracy=1.000000 (18 test pictures)"


@pytest.mark.parametrize(
    "line",
    [
        "champion_test_loss=0.300000 champion_test_accuracy=0.900000",
        f"champion_{TEST}",
        f"best {EPOCH}",
        f"INFO:trainer:{TEST}",
        f"  {EPOCH}",
        "loss=0.5",
        "valid_loss=0.5",
        "valid_accuracy=0.5",
        "test_accuracy=0.5",
        "epoch=3 train_loss=0.25",
        EPOCH.replace("valid_loss", "my_valid_loss"),
        EPOCH.replace("train_loss", "train_loss_smoothed"),
        EPOCH.partition(" (")[0],
        TEST.partition(" (")[0],
        f"{TEST.partition(' (')[0]} on fold 3",
        "step 71 of 120: loss 0.8168, 223 images/s, about 7 s left",
        "debugger: rule=overfit step=9: the validation loss is 0.9, valid_accuracy=0.4; train_loss=0.1",
    ],
)
def test_a_line_that_only_looks_like_one_is_no_metric(line: str) -> None:
    assert read(line) == searched(line) == {}


def test_the_lines_themselves_are() -> None:
    assert read(EPOCH) == {"train_loss": [0.25], "valid_loss": [0.000015], "valid_accuracy": [0.9]}
    assert read(TEST) == {"test_loss": [0.5], "test_accuracy": [1.0]}


def test_sagemaker_takes_the_definitions() -> None:
    """At most 20 in a tuning job, 500 characters each, one group; nothing that RE2 or Java would lack."""
    assert {each["Name"] for each in DEFINITIONS} == NAMES
    for each in DEFINITIONS:
        assert len(each["Regex"]) <= 500
        assert re.compile(each["Regex"]).groups == 1
        assert not re.search(r"\(\?[^:]", each["Regex"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\x1b[2J", "a\\r\\x1b[2J"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("é 猫", "é 猫"),
    ],
)
def test_a_text_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
