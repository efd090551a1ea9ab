"""Claims about tuning jobs: how they search, when they stop, and what they tell."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core import process
from local_aws.core.errors import AwsError
from local_aws.sagemaker.tuning import early_stopping
from unit.jobs_side import (
    SCORE,
    JobsSide,
    make_jobs_side,
    s3_channel,
    tuning_request,
    until,
)

# The score is the tuned x, printed once per epoch.
TRAIN = """
    import json, os, pathlib
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    hyperparameters = json.loads((base / "input/config/hyperparameters.json").read_text())
    for epoch in range(int(hyperparameters["epochs"])):
        print(f"score={hyperparameters['x']}")
"""
FOREVER = TRAIN + "    import time\n    time.sleep(1000)\n"
LETTERS = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.2", "0.3", "0.4"]}]}


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsSide]:
    monkeypatch.setattr("local_aws.sagemaker.training.run.TICK_SECONDS", 0.05)
    monkeypatch.setattr("local_aws.sagemaker.tuning.run.TICK_SECONDS", 0.05)
    side = make_jobs_side(tmp_path)
    side.images.programs["program"] = TRAIN
    yield side
    process.begin(tmp_path / "state" / "processes")


def x_of(child: dict[str, Any]) -> float:
    return float(child["TunedHyperParameters"]["x"])


def test_a_tuning_job_runs_its_trials_and_tells_the_best(jobs: JobsSide) -> None:
    tuning = jobs.tuned("t", jobs=3)
    assert tuning["HyperParameterTuningJobStatus"] == "Completed"
    assert tuning["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert tuning["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    children = jobs.children("t")
    best = max(children, key=x_of)
    assert tuning["BestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]
    metric = tuning["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert metric == {"Type": "Maximize", "MetricName": "score", "Value": x_of(best)}


def test_minimizing_prefers_the_smallest_objective(jobs: JobsSide) -> None:
    objective = {"Type": "Minimize", "MetricName": "score"}
    tuning = jobs.tuned("t", jobs=3, config={"HyperParameterTuningJobObjective": objective})
    assert x_of(tuning["BestTrainingJob"]) == min(map(x_of, jobs.children("t")))


def test_children_are_named_tagged_and_parametrised_as_on_aws(jobs: JobsSide) -> None:
    tuning = jobs.tuned("t", jobs=2, Tags=[{"Key": "run", "Value": "r1"}])
    for number, summary in enumerate(jobs.children("t"), start=1):
        assert re.fullmatch(rf"t-00{number}-[0-9a-f]{{8}}", summary["TrainingJobName"])
        child = jobs.describe(summary["TrainingJobName"])
        assert child["TuningJobArn"] == tuning["HyperParameterTuningJobArn"]
        assert child["HyperParameters"] == {
            "epochs": "1",
            "x": summary["TunedHyperParameters"]["x"],
            "_tuning_objective_metric": "score",
        }
        assert jobs.call("ListTags", ResourceArn=child["TrainingJobArn"])["Tags"] == [
            {"Key": "run", "Value": "r1"}
        ]


def test_state_changes_are_events_with_the_describe_answer(jobs: JobsSide) -> None:
    tuning = jobs.tuned("t", jobs=2, Tags=[{"Key": "run", "Value": "r1"}])
    events = [
        (detail, resources)
        for kind, detail, resources in jobs.heard.events
        if kind == "SageMaker HyperParameter Tuning Job State Change"
    ]
    assert [detail["HyperParameterTuningJobStatus"] for detail, _ in events] == ["InProgress", "Completed"]
    detail, resources = events[-1]
    assert resources == [tuning["HyperParameterTuningJobArn"]]
    assert detail["Tags"] == {"run": "r1"}
    assert detail["BestTrainingJob"]["TrainingJobName"] == tuning["BestTrainingJob"]["TrainingJobName"]
    assert detail["FailureReason"] is None


def test_a_grid_runs_every_combination_once(jobs: JobsSide) -> None:
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "x", "Values": ["0.1", "0.2"]},
            {"Name": "y", "Values": ["a", "b"]},
        ]
    }
    jobs.tuned("t", ranges=ranges, jobs=None, config={"Strategy": "Grid"})
    points = sorted(tuple(child["TunedHyperParameters"].values()) for child in jobs.children("t"))
    assert points == [("0.1", "a"), ("0.1", "b"), ("0.2", "a"), ("0.2", "b")]


def test_no_more_trials_run_at_once_than_allowed(jobs: JobsSide, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.images.programs["program"] = FOREVER
    jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", jobs=4, parallel=1))
    until(lambda: len(jobs.children("t")) == 1)
    first = jobs.children("t")[0]["TrainingJobName"]
    until(lambda: jobs.describe(first)["SecondaryStatus"] == "Training")
    assert len(jobs.children("t")) == 1
    jobs.call("StopTrainingJob", TrainingJobName=first)
    until(lambda: len(jobs.children("t")) == 2)
    jobs.call("StopHyperParameterTuningJob", HyperParameterTuningJobName="t")
    until(lambda: jobs.describe_tuning("t")["HyperParameterTuningJobStatus"] == "Stopped")


def test_stopping_a_tuning_job_stops_its_training_jobs(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER
    jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", jobs=4, parallel=2))
    until(lambda: sum("score" in line for line in jobs.heard.log) >= 2)
    jobs.call("StopHyperParameterTuningJob", HyperParameterTuningJobName="t")
    until(lambda: jobs.describe_tuning("t")["HyperParameterTuningJobStatus"] == "Stopped")
    tuning = jobs.describe_tuning("t")
    assert tuning["TrainingJobStatusCounters"]["Stopped"] == 2
    assert tuning["TrainingJobStatusCounters"]["InProgress"] == 0
    with pytest.raises(AwsError, match="is in status Stopped"):
        jobs.call("StopHyperParameterTuningJob", HyperParameterTuningJobName="t")


def test_the_goal_reached_completes_the_tuning_job_early(jobs: JobsSide) -> None:
    tuning = jobs.tuned(
        "t",
        ranges=LETTERS,
        jobs=None,
        parallel=1,
        config={"Strategy": "Grid", "TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 0.2}},
    )
    assert tuning["HyperParameterTuningJobStatus"] == "Completed"
    assert [x_of(child) for child in jobs.children("t")] == [0.1, 0.2]


def test_a_best_objective_that_does_not_improve_completes_the_tuning_job(jobs: JobsSide) -> None:
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    jobs.tuned(
        "t",
        ranges={"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.9", "0.4", "0.3", "0.2", "0.1"]}]},
        jobs=None,
        parallel=1,
        config={"Strategy": "Grid", "TuningJobCompletionCriteria": criteria},
    )
    assert len(jobs.children("t")) == 4


def test_a_search_that_has_converged_completes_the_tuning_job_if_that_is_asked_for(
    jobs: JobsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_aws.sagemaker.tuning.early_stopping.MIN_CONVERGED", 2)
    values = ["0.5", "0.8", "0.805", "0.3", "0.2", "0.1"]
    for asked, trials in (("Disabled", 6), ("Enabled", 4)):
        tuning = jobs.tuned(
            asked,
            ranges={"CategoricalParameterRanges": [{"Name": "x", "Values": values}]},
            jobs=None,
            parallel=1,
            config={
                "Strategy": "Grid",
                "TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": asked}},
            },
        )
        assert tuning["HyperParameterTuningJobStatus"] == "Completed"
        children = jobs.children(asked)
        assert len(children) == trials
        details = tuning["TuningJobCompletionDetails"]
        assert details["ConvergenceDetectedTime"] == children[3]["TrainingEndTime"]
        assert details["NumberOfTrainingJobsObjectiveNotImproving"] == trials - 2


@pytest.mark.parametrize("maximize", [True, False])
def test_an_improvement_is_one_of_a_hundredth_and_half_of_the_trials_without_one_is_convergence(
    maximize: bool,
) -> None:
    sign = 1 if maximize else -1

    def since(*values: float) -> int:
        return early_stopping.not_improving([sign * value for value in values], maximize)

    assert [since(), since(0.5), since(0.5, 0.504), since(0.5, 0.506), since(0.0, 0.0)] == [0, 0, 1, 0, 1]
    flat = [sign * 0.5] * 40
    assert early_stopping.converged_after(flat[:10], maximize) is None
    assert early_stopping.converged_after(flat[:11], maximize) == 11
    late = [sign * value for value in (*[0.1] * 9, *[0.2] * 9, 0.3)] + [sign * 0.3] * 40
    assert early_stopping.converged_after(late, maximize) == 38


def test_a_trial_far_behind_the_median_is_stopped_early(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = TRAIN + (
        "    if hyperparameters['x'] == '0.1':\n        import time\n        time.sleep(1000)\n"
    )
    values = ["0.5", "0.6", "0.7", "0.1"]
    tuning = jobs.tuned(
        "t",
        ranges={"CategoricalParameterRanges": [{"Name": "x", "Values": values}]},
        jobs=None,
        parallel=1,
        config={"Strategy": "Grid", "TrainingJobEarlyStoppingType": "Auto"},
    )
    assert tuning["HyperParameterTuningJobStatus"] == "Completed"
    stopped = jobs.children("t")[-1]
    assert (stopped["TrainingJobStatus"], stopped["ObjectiveStatus"]) == ("Stopped", "Succeeded")
    assert tuning["TrainingJobStatusCounters"]["Stopped"] == 1


def test_hyperband_stops_trials_and_needs_no_early_stopping(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = TRAIN.replace(
        "print(", "__import__('time').sleep(0.1 if float(hyperparameters['x']) < 0.5 else 0); print("
    )
    tuning = jobs.tuned(
        "t",
        jobs=6,
        parallel=1,
        config={
            "Strategy": "Hyperband",
            "RandomSeed": 1,
            "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}},
        },
        definition={"StaticHyperParameters": {"epochs": "9"}},
    )
    assert tuning["HyperParameterTuningJobStatus"] == "Completed"
    assert tuning["TrainingJobStatusCounters"]["Stopped"] >= 1
    best = max(x_of(child) for child in jobs.children("t"))
    assert x_of(tuning["BestTrainingJob"]) == best


def test_five_failures_without_a_success_end_the_tuning_job_in_aws_words(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = "raise SystemExit(1)"
    tuning = jobs.tuned("t", jobs=20, parallel=1)
    assert tuning["HyperParameterTuningJobStatus"] == "Failed"
    assert tuning["FailureReason"] == (
        "No training job succeeded after 5 attempts. Please take a look at the training job failures to get "
        "more details."
    )
    assert tuning["TrainingJobStatusCounters"]["NonRetryableError"] == 5
    assert "BestTrainingJob" not in tuning


def test_jobs_that_print_no_objective_fail_the_tuning_job_and_say_so(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = "print('accuracy: high')"
    tuning = jobs.tuned("t", jobs=2)
    assert tuning["HyperParameterTuningJobStatus"] == "Failed"
    assert "No objective metrics found after running 2 training jobs" in tuning["FailureReason"]
    assert tuning["ObjectiveStatusCounters"]["Failed"] == 2


def test_one_trial_in_two_that_fails_does_not_fail_the_tuning_job(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = TRAIN + "    assert hyperparameters['x'] != '0.2'\n"
    tuning = jobs.tuned("t", ranges=LETTERS, jobs=None, config={"Strategy": "Grid"})
    assert tuning["HyperParameterTuningJobStatus"] == "Completed"
    assert tuning["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert tuning["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 1}


def test_the_same_seed_searches_the_same_points(jobs: JobsSide) -> None:
    points = []
    for name in ("a", "b"):
        jobs.tuned(name, jobs=3, config={"RandomSeed": 7})
        points.append([child["TunedHyperParameters"] for child in jobs.children(name)])
    assert points[0] == points[1]


def test_a_warm_start_knows_what_its_parent_found(jobs: JobsSide) -> None:
    jobs.tuned("parent", ranges=LETTERS, jobs=4, config={"Strategy": "Bayesian", "RandomSeed": 1})
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    worse = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.2"]}]}
    tuning = jobs.tuned("child", ranges=worse, jobs=2, WarmStartConfig=warm)
    assert x_of(tuning["OverallBestTrainingJob"]) == 0.4
    assert tuning["OverallBestTrainingJob"]["TuningJobName"] == "parent"
    assert x_of(tuning["BestTrainingJob"]) <= 0.2


def test_warm_starts_that_aws_refuses_are_refused_by_name(jobs: JobsSide) -> None:
    jobs.tuned("parent", jobs=1)

    def start(**members: Any) -> None:
        warm = {
            "ParentHyperParameterTuningJobs": [
                {"HyperParameterTuningJobName": members.pop("parent", "parent")}
            ],
            "WarmStartType": "IdenticalDataAndAlgorithm",
        }
        jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", WarmStartConfig=warm, **members))

    with pytest.raises(AwsError, match="the parent nobody does not exist"):
        start(parent="nobody")
    objective = {"Type": "Minimize", "MetricName": "score"}
    with pytest.raises(AwsError, match="they must be the same"):
        start(config={"HyperParameterTuningJobObjective": objective})
    with pytest.raises(AwsError, match="the total must be the same"):
        start(definition={"StaticHyperParameters": {"one": "1", "two": "2", "three": "3"}})
    jobs.s3.put("s3://data/x", b"")
    with pytest.raises(AwsError, match="another InputDataConfig; use WarmStartType TransferLearning"):
        start(definition={"InputDataConfig": [s3_channel("train", "s3://data/x")]})


def test_a_tuning_job_running_when_the_server_died_is_failed_with_its_children(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER
    jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", parallel=1))
    until(lambda: any("score" in line for line in jobs.heard.log))
    tuning = jobs.restarted().describe_tuning("t")
    assert tuning["HyperParameterTuningJobStatus"] == "Failed"
    assert tuning["FailureReason"].endswith("the local AWS was stopped while this job ran")
    assert tuning["TrainingJobStatusCounters"]["NonRetryableError"] == 1


def test_trials_share_one_copy_of_the_dataset(jobs: JobsSide) -> None:
    jobs.s3.put("s3://data/set/1.jpg", b"1")
    definition = {"InputDataConfig": [s3_channel("train", "s3://data/set/")]}
    jobs.tuned("t", jobs=3, parallel=1, definition=definition)
    assert jobs.s3.reads == ["set/1.jpg"]


def test_trials_do_not_go_on_from_each_others_checkpoints(jobs: JobsSide) -> None:
    jobs.tuned("t", jobs=2, definition={"CheckpointConfig": {"S3Uri": "s3://artifacts/checkpoints"}})
    for child in jobs.children("t"):
        uri = jobs.describe(child["TrainingJobName"])["CheckpointConfig"]["S3Uri"]
        assert uri == f"s3://artifacts/checkpoints/{child['TrainingJobName']}"


def test_children_are_listed_by_their_objective_without_those_that_have_none(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = TRAIN + "    assert hyperparameters['x'] != '0.2'\n"
    jobs.tuned("t", ranges=LETTERS, jobs=None, config={"Strategy": "Grid"})
    order = {"SortBy": "FinalObjectiveMetricValue", "SortOrder": "Descending"}
    assert [x_of(child) for child in jobs.children("t", **order)] == [0.4, 0.3, 0.1]


def test_tuning_jobs_are_listed_and_deleted(jobs: JobsSide) -> None:
    jobs.tuned("t", jobs=1)
    (summary,) = jobs.call("ListHyperParameterTuningJobs")["HyperParameterTuningJobSummaries"]
    assert summary["Strategy"] == "Random"
    assert summary["TrainingJobStatusCounters"]["Completed"] == 1
    jobs.call("DeleteHyperParameterTuningJob", HyperParameterTuningJobName="t")
    with pytest.raises(AwsError, match="can't find a tuning job called t") as error:
        jobs.describe_tuning("t")
    assert error.value.code == "ResourceNotFound"


def continuous(low: str, high: str, scaling: str = "Auto") -> dict[str, Any]:
    entry = {"Name": "x", "MinValue": low, "MaxValue": high, "ScalingType": scaling}
    return {"ranges": {"ContinuousParameterRanges": [entry]}}


HYPERBAND = {"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}
MANY = {f"static{number}": "1" for number in range(100)}
MANY_RANGES = {
    "IntegerParameterRanges": [{"Name": f"x{i}", "MinValue": "0", "MaxValue": "9"} for i in range(15)],
    "CategoricalParameterRanges": [{"Name": f"y{i}", "Values": ["a", "b"]} for i in range(16)],
}
MANY_METRICS = {
    "TrainingImage": "program",
    "TrainingInputMode": "File",
    "MetricDefinitions": [SCORE, *({"Name": f"m{i}", "Regex": "m=(.+)"} for i in range(20))],
}
STRICT = {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"}}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (continuous("0.9", "0.1"), "MinValue 0.9 of x is greater than its MaxValue 0.1"),
        (continuous("zero", "1"), "MinValue 'zero' of x is not a number"),
        (continuous("0", "1", "Logarithmic"), "x has ScalingType Logarithmic"),
        (continuous("0", "2", "ReverseLogarithmic"), "x has ScalingType ReverseLogarithmic"),
        ({"ranges": {}}, "0 hyperparameters are tuned"),
        ({"config": {"Strategy": "Grid"}}, "x is not categorical; the strategy Grid"),
        (
            {"ranges": LETTERS, "config": {"Strategy": "Grid"}},
            "MaxNumberOfTrainingJobs is 3, but the grid has 4",
        ),
        (
            {"config": HYPERBAND},
            "TrainingJobEarlyStoppingType Auto is not allowed with the strategy Hyperband",
        ),
        ({"config": STRICT}, "the metric accuracy has no entry in the MetricDefinitions"),
        ({"jobs": None}, "one of MaxNumberOfTrainingJobs and MaxRuntimeInSeconds is required"),
        ({"definition": {"StaticHyperParameters": {"x": "1"}}}, "x is both in StaticHyperParameters and"),
        ({"parallel": 101}, "MaxParallelTrainingJobs is 101"),
        (
            {"ranges": {"CategoricalParameterRanges": [{"Name": "x", "Values": list(map(str, range(31)))}]}},
            "length less than or equal to 30",
        ),
        ({"jobs": 751, "config": {"Strategy": "Bayesian"}}, "is 750 for the strategy Bayesian"),
        ({"jobs": 10_001, "config": {"Strategy": "Random"}}, "is 10000 for the strategy Random"),
        ({"ranges": MANY_RANGES}, "31 hyperparameters are tuned; from 1 to 30 can be"),
        (
            {"config": {"Strategy": "Hyperband"}, "definition": {"StaticHyperParameters": {}}},
            "give MaxResource, or the static hyperparameter epochs",
        ),
        ({"definition": {"StaticHyperParameters": MANY}}, "101 hyperparameters are given"),
        ({"definition": {"Environment": MANY}}, "length less than or equal to 48"),
        ({"definition": {"StaticHyperParameters": {"a": "x" * 2501}}}, "length less than or equal to 2500"),
        ({"definition": {"StaticHyperParameters": {"a" * 257: "x"}}}, "length less than or equal to 256"),
        ({"definition": {"AlgorithmSpecification": MANY_METRICS}}, "20 at most; MetricDefinitions has 21"),
        ({"Autotune": {"Mode": "Enabled"}}, "Autotune: the local AWS does not choose ranges"),
        ({"HyperParameterTuningJobName": "x" * 33}, "length less than or equal to 32"),
    ],
)
def test_a_wrong_request_is_refused_by_name_and_nothing_starts(
    jobs: JobsSide, members: dict[str, Any], message: str
) -> None:
    with pytest.raises(AwsError, match=re.escape(message)):
        jobs.call("CreateHyperParameterTuningJob", **{**tuning_request("t", **{**members})})
    assert jobs.call("ListHyperParameterTuningJobs")["HyperParameterTuningJobSummaries"] == []
    assert jobs.heard.events == []


def test_a_tuning_time_below_two_minutes_is_refused(jobs: JobsSide) -> None:
    limits = {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 1, "MaxRuntimeInSeconds": 60}
    request = tuning_request("t", config={"ResourceLimits": limits})
    with pytest.raises(AwsError, match="greater than or equal to 120"):
        jobs.call("CreateHyperParameterTuningJob", **request)


def test_a_name_can_be_used_once(jobs: JobsSide) -> None:
    jobs.tuned("t", jobs=1)
    with pytest.raises(AwsError, match="with the name, t, already exists") as error:
        jobs.call("CreateHyperParameterTuningJob", **tuning_request("t"))
    assert error.value.code == "ResourceInUse"


def several(*types: str, **more: Any) -> dict[str, Any]:
    """A definition that gives AWS a choice of instance types."""
    configs = [{"InstanceType": each, "InstanceCount": 1, "VolumeSizeInGB": 1} for each in types]
    choice = {"AllocationStrategy": "Prioritized", "InstanceConfigs": configs, **more}
    return {"HyperParameterTuningResourceConfig": choice}


def without_one(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    request = tuning_request(name, jobs=1, definition=definition)
    del request["TrainingJobDefinition"]["ResourceConfig"]
    return request


@pytest.mark.parametrize(
    ("missing", "taken", "status"),
    [
        ("", "ml.c5.xlarge", "Completed"),
        ("ml.c5.xlarge", "ml.m5.large", "Completed"),
        ("ml.c5.xlarge,ml.m5.large", "ml.c5.xlarge", "Failed"),
    ],
)
def test_a_trial_is_on_the_first_type_that_there_is_an_instance_of(
    jobs: JobsSide, monkeypatch: pytest.MonkeyPatch, missing: str, taken: str, status: str
) -> None:
    monkeypatch.setenv("LOCAL_AWS_NO_CAPACITY", missing)
    jobs.call("CreateHyperParameterTuningJob", **without_one("t", several("ml.c5.xlarge", "ml.m5.large")))
    until(lambda: len(jobs.children("t")) == 1 and jobs.children("t")[0]["TrainingJobStatus"] == status)
    (child,) = jobs.children("t")
    job = jobs.call("DescribeTrainingJob", TrainingJobName=child["TrainingJobName"])
    assert job["ResourceConfig"] == {"InstanceType": taken, "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert job.get("FailureReason", "").startswith("CapacityError: ") == (status == "Failed")


def test_one_type_and_a_list_of_types_cannot_both_be_given(jobs: JobsSide) -> None:
    both = several("ml.c5.xlarge", "ml.m5.large", InstanceType="ml.c5.xlarge")
    with pytest.raises(AwsError, match="InstanceType cannot be given with InstanceConfigs"):
        jobs.call("CreateHyperParameterTuningJob", **without_one("t", both))
