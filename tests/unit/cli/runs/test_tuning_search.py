"""A search's record is read from SageMaker's answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cli.runs.reader import NoSuchRun
from cli.runs.tuning_search import read
from tests.unit.cli.conftest import client_error

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def test_a_tuning_job_is_read_with_its_values_in_their_types(target: Any) -> None:
    ranges = {
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "epochs", "MinValue": "2", "MaxValue": "4"}],
        "CategoricalParameterRanges": [{"Name": "batch_size", "Values": ["16", "32"]}],
    }
    job = {
        "HyperParameterTuningJobName": "c-1",
        "HyperParameterTuningJobStatus": "Completed",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "valid_loss"},
            "ParameterRanges": ranges,
        },
        "CreationTime": NOW,
        "WarmStartConfig": {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "c-0"}]},
    }
    trial = {
        "TrainingJobName": "c-1-001-x",
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {"learning_rate": "0.01", "epochs": "3", "batch_size": '"16"', "other": "1"},
        "FinalHyperParameterTuningJobObjectiveMetric": {"Value": 1.5},
        "TrainingStartTime": NOW,
        "TrainingEndTime": NOW + timedelta(seconds=90),
    }
    pages = SimpleNamespace(paginate=lambda **_: [{"TrainingJobSummaries": [trial]}])
    sagemaker = SimpleNamespace(
        describe_hyper_parameter_tuning_job=lambda HyperParameterTuningJobName: job,
        get_paginator=lambda _: pages,
    )
    found = read(target(sagemaker=sagemaker), "c-1-final")
    assert [axis.name for axis in found.axes] == ["learning_rate", "epochs", "batch_size"]
    assert found.axes[2].choices == ("16", "32")
    assert found.trials[0].values == {"learning_rate": 0.01, "epochs": 3.0, "batch_size": "16"}
    assert (found.trials[0].objective, found.trials[0].seconds) == (1.5, 90)
    assert (found.counted, found.seconds) == ("1 of 1 trials completed", None)
    assert found.trials[0].log == "log group /aws/sagemaker/TrainingJobs, streams c-1-001-x/"
    assert (found.maximize, found.parents) == (False, ("c-0",))


def test_a_run_without_a_search_is_named(target: Any) -> None:
    def missing(HyperParameterTuningJobName: str) -> None:
        raise client_error("ResourceNotFound")

    sagemaker = SimpleNamespace(describe_hyper_parameter_tuning_job=missing)
    with pytest.raises(NoSuchRun, match="There is no tuning job c-2"):
        read(target(sagemaker=sagemaker), "c-2")
