"""launch-tuning: everything is checked before anything starts, and a repeated request starts one job."""

from __future__ import annotations

from typing import Any

import pytest

from functions.common.recipes.recipe import parse
from functions.launch_tuning.handler import handler
from tests.unit.lambda_functions.conftest import RECIPE
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World
from tests.unit.lambda_functions.weight_files import weights_of

PAYLOAD = {"recipe": "digits", "dataset": "digits"}


def launch(payload: object, request_id: str = "request-1") -> dict[str, Any]:
    return handler(payload, Context(request_id))


def the_job(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateHyperParameterTuningJob")
    return request


def nothing_started(world: World) -> bool:
    names = {name for name, _ in world.sagemaker.calls}
    return names <= {"DescribeHyperParameterTuningJob", "DescribeTrainingJob"} and not world.s3.called(
        "PutObject"
    )


def test_a_good_request_starts_one_tuning_job_and_says_how_to_watch_it(world: World) -> None:
    answer = launch(PAYLOAD)
    name = answer["tuning_job"]
    cost = answer.pop("cost")
    assert answer == {
        "statusCode": 202,
        "tuning_job": name,
        "arn": f"arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/{name}",
        "run": name,
        "dataset": "digits@1",
        "notes": [],
        "started": "a Bayesian search of 4 trials, 2 at a time, each on 1 × ml.c7i.2xlarge: recipe digits on "
        "digits@1, over learning_rate, batch_size; the last training with the best follows by itself",
        "watch": {
            "command": f"classifier status {name} --watch",
            "console": "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1"
            f"#/hyper-tuning-jobs/{name}",
            "log_group": "/aws/sagemaker/TrainingJobs",
            "log": f"aws logs tail /aws/sagemaker/TrainingJobs --follow --log-stream-name-prefix {name}",
        },
    }
    # 5 jobs of 60 minutes and 5 to end, at 0.4284 USD an hour and 30 GB of disk
    assert cost["most_usd"] == pytest.approx(5 * 65 / 60 * (0.4284 + 30 * 0.14 / 730), abs=0.011)
    assert "4 trials and the last training" in cost["explained"]
    assert name.startswith("demo-digits-")
    assert len(name) <= 32
    assert list(world.sagemaker.tuning_jobs) == [name]


def test_the_job_searches_the_ranges_and_fixes_the_rest(world: World) -> None:
    launch(PAYLOAD)
    config = the_job(world)["HyperParameterTuningJobConfig"]
    assert config["ParameterRanges"]["ContinuousParameterRanges"] == [
        {"Name": "learning_rate", "MinValue": "0.0001", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
    ]
    assert config["ParameterRanges"]["CategoricalParameterRanges"] == [
        {"Name": "batch_size", "Values": ["16", "32"]}
    ]
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2}
    fixed = the_job(world)["TrainingJobDefinition"]["StaticHyperParameters"]
    assert fixed["epochs"] == "3"  # [final] is for the last training only
    assert fixed["run"] == the_job(world)["HyperParameterTuningJobName"]
    assert "learning_rate" not in fixed
    assert "batch_size" not in fixed


def test_trials_leave_their_output_where_it_may_expire(world: World) -> None:
    launch(PAYLOAD)
    definition = the_job(world)["TrainingJobDefinition"]
    assert definition["OutputDataConfig"]["S3OutputPath"] == "s3://artifacts/trials"
    assert "CheckpointConfig" not in definition  # trials would share, and resume, one folder


def test_every_job_carries_the_run_the_recipe_and_the_dataset_as_tags(world: World) -> None:
    name = launch(PAYLOAD)["run"]
    assert the_job(world)["Tags"] == [
        {"Key": "project", "Value": "demo"},
        {"Key": "run", "Value": name},
        {"Key": "recipe", "Value": "digits"},
        {"Key": "dataset", "Value": "digits"},
        {"Key": "dataset-version", "Value": "1"},
    ]


def test_only_imagenet_weights_let_a_job_reach_the_network(world: World) -> None:
    launch(PAYLOAD)
    launch({**PAYLOAD, "model": {"weights": "none"}}, "request-2")
    first, second = world.sagemaker.called("CreateHyperParameterTuningJob")
    assert first["TrainingJobDefinition"]["EnableNetworkIsolation"] is False
    assert second["TrainingJobDefinition"]["EnableNetworkIsolation"] is True


def test_own_weights_come_in_a_channel_of_their_own(world: World) -> None:
    world.s3.put("artifacts", "weights/mine.pth", b"x" * 200_000)
    launch({**PAYLOAD, "model": {"weights": "s3://artifacts/weights/mine.pth"}})
    definition = the_job(world)["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["weights"] == "pretrained"
    channel = definition["InputDataConfig"][-1]
    assert channel["ChannelName"] == "pretrained"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == "s3://artifacts/weights/mine.pth"


def test_the_run_is_recorded_before_its_job_starts(world: World) -> None:
    record_at_start: list[Any] = []
    create = world.sagemaker.on["CreateHyperParameterTuningJob"]

    def create_and_look(params: dict[str, Any]) -> dict[str, Any]:
        name = params["HyperParameterTuningJobName"]
        record_at_start.append(world.s3.json("artifacts", f"runs/{name}/run.json"))
        return create(params)

    world.sagemaker.on["CreateHyperParameterTuningJob"] = create_and_look
    launch({**PAYLOAD, "training": {"epochs": 2}})
    (record,) = record_at_start
    assert record["dataset"] == "digits"
    assert record["code_prefix"] == "code/abc/"
    assert record["recipe"]["tables"]["training"]["epochs"] == 2
    assert record["recipe"]["tables"]["final"] == {"epochs": 8}


def test_the_same_request_again_starts_nothing_and_answers_the_same(world: World) -> None:
    first = launch(PAYLOAD)
    again = launch(PAYLOAD)
    assert again == first
    assert len(world.sagemaker.called("CreateHyperParameterTuningJob")) == 1


def test_the_same_request_arriving_twice_at_once_starts_one_job_and_answers_both(world: World) -> None:
    first = launch(PAYLOAD)
    describe = world.sagemaker.on["DescribeHyperParameterTuningJob"]
    answers = iter([AwsFailure("ValidationException", "Could not find it.")])

    def not_yet(params: dict[str, Any]) -> dict[str, Any]:
        failure = next(answers, None)
        if failure:
            raise failure
        return describe(params)

    world.sagemaker.on["DescribeHyperParameterTuningJob"] = not_yet
    assert launch(PAYLOAD) == first
    assert len(world.sagemaker.tuning_jobs) == 1


def test_another_request_for_a_name_that_exists_is_a_409_and_leaves_the_record_alone(world: World) -> None:
    launch({**PAYLOAD, "name": "demo-mine"}, "request-1")
    before = dict(world.s3.objects)
    answer = launch({**PAYLOAD, "name": "demo-mine", "training": {"epochs": 1}}, "request-2")
    assert answer["statusCode"] == 409
    assert answer["error"]["code"] == "JobExists"
    assert "demo-mine" in answer["error"]["message"]
    assert world.s3.objects == before


def test_a_chosen_name_may_be_asked_for_again_by_the_same_request(world: World) -> None:
    payload = {**PAYLOAD, "name": "demo-mine"}
    assert launch(payload) == launch(payload)


@pytest.mark.parametrize(
    ("payload", "status", "code", "says"),
    [
        ("digits", 400, "InvalidPayload", ["JSON object", '{"recipe": "digits"']),
        (["digits"], 400, "InvalidPayload", ["JSON object"]),
        (None, 400, "InvalidPayload", ["JSON object"]),
        ({}, 400, "InvalidPayload", ['lacks "recipe"']),
        ({"recipe": "digits"}, 400, "InvalidPayload", ['lacks "dataset"']),
        ({**PAYLOAD, "recipe": 3}, 400, "InvalidPayload", ["recipe = 3"]),
        ({**PAYLOAD, "dataset": "../x"}, 400, "InvalidPayload", ["dataset"]),
        ({**PAYLOAD, "datset": "x"}, 400, "InvalidPayload", ['did you mean "dataset"?']),
        ({**PAYLOAD, "hyperparameters": {}}, 400, "InvalidPayload", ["hyperparameters"]),
        (
            {**PAYLOAD, "recipe": "digit"},
            404,
            "UnknownRecipe",
            ['did you mean "digits"?', "there are: digits"],
        ),
        ({**PAYLOAD, "dataset": "digit"}, 404, "UnknownDataset", ['did you mean "digits"?', "upload"]),
        ({**PAYLOAD, "training": {"epoch": 2}}, 400, "InvalidRecipe", ['"epoch"', 'did you mean "epochs"?']),
        ({**PAYLOAD, "training": {"epochs": 0}}, 400, "InvalidRecipe", ["epochs = 0", "from 1"]),
        ({**PAYLOAD, "training": 3}, 400, "InvalidRecipe", ["[training]", "table"]),
        (
            {**PAYLOAD, "tuning": {"ranges": {"learning_rate": {"min": 0.5}}}},
            400,
            "InvalidRecipe",
            ["learning_rate", "min = 0.5", "max = 0.1", "upside down"],
        ),
        ({**PAYLOAD, "dry_run": "yes"}, 400, "InvalidPayload", ["dry_run", "true or false"]),
        ({**PAYLOAD, "max_cost_usd": -1}, 400, "InvalidRecipe", ["[resources] max_cost_usd = -1"]),
        ({**PAYLOAD, "resources": 1, "max_cost_usd": 1}, 400, "InvalidPayload", ["resources = 1"]),
        ({**PAYLOAD, "resources": {"spot": 1}}, 400, "InvalidRecipe", ["spot = 1", "true or false"]),
        ({**PAYLOAD, "resources": {"max_wait_minutes": 9}}, 400, "InvalidRecipe", ["for spot = true only"]),
        (
            {**PAYLOAD, "resources": {"spot": True, "max_wait_minutes": 9, "max_runtime_minutes": 10}},
            400,
            "InvalidRecipe",
            ["at least max_runtime_minutes = 10"],
        ),
        ({**PAYLOAD, "resources": {"instance_type": "ml.c7gn.xlarge"}}, 400, "InvalidRecipe", ["ARM", "c7i"]),
        (
            # With a price of its own nothing but the type itself can stop it.
            {
                **PAYLOAD,
                "dry_run": True,
                "resources": {"instance_type": "ml.g9.huge", "usd_per_hour": 0.01},
            },
            400,
            "InvalidRecipe",
            ["[resources] instance_type: ml.g9.huge", "ml.g6.xlarge"],
        ),
        (
            {**PAYLOAD, "resources": {"instance_type": "ml.p3.2xlarge", "usd_per_hour": 0.01}},
            400,
            "InvalidRecipe",
            ["ml.p3.2xlarge", "older than Turing"],
        ),
        ({**PAYLOAD, "tuning": {"warm_start": ["a b"]}}, 400, "InvalidRecipe", ["names of tuning jobs"]),
        ({**PAYLOAD, "name": "mine"}, 400, "InvalidName", ['has to start with "demo-"']),
        ({**PAYLOAD, "name": "demo-" + "x" * 40}, 400, "InvalidName", ["at most 32"]),
        ({**PAYLOAD, "name": "demo-a_b"}, 400, "InvalidName", ["letters, digits and hyphens"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy_and_starts_nothing(
    world: World, payload: object, status: int, code: str, says: list[str]
) -> None:
    answer = launch(payload)
    assert (answer["statusCode"], answer["error"]["code"]) == (status, code)
    for text in says:
        assert text in answer["error"]["message"]
    assert nothing_started(world)


def test_a_dataset_without_a_split_is_refused(world: World) -> None:
    world.s3.objects = {key: body for key, body in world.s3.objects.items() if "/valid/" not in key[1]}
    answer = launch(PAYLOAD)
    assert answer["error"]["code"] == "InvalidDataset"
    assert "digits@1 has no picture in valid; it needs train, valid, test" in answer["error"]["message"]
    assert nothing_started(world)


def test_a_dataset_of_one_class_is_refused(world: World) -> None:
    world.s3.objects = {key: body for key, body in world.s3.objects.items() if "/1/" not in key[1]}
    answer = launch(PAYLOAD)
    assert answer["error"]["code"] == "InvalidDataset"
    assert "has one class only (0)" in answer["error"]["message"]
    assert nothing_started(world)


def test_a_class_that_only_the_test_split_has_is_refused(world: World) -> None:
    world.s3.put("data", "digits/test/9/a.png")
    answer = launch(PAYLOAD)
    assert answer["error"]["code"] == "InvalidDataset"
    assert "has no picture of 9 in train" in answer["error"]["message"]


def test_a_recipe_that_searches_nothing_is_sent_to_launch_training(world: World) -> None:
    payload = {**PAYLOAD, "training": {"learning_rate": 0.01, "batch_size": 16}}
    answer = launch(payload)
    assert answer["error"]["code"] == "InvalidRecipe"
    assert "launch-training" in answer["error"]["message"]
    assert nothing_started(world)


@pytest.mark.parametrize(
    ("failure", "code", "says"),
    [
        (
            AwsFailure("ResourceLimitExceeded", "The account-level service limit is 0 Instances."),
            "QuotaExceeded",
            ["limit is 0 Instances", "Service Quotas"],
        ),
        (
            AwsFailure("ValidationException", "instance type ml.x is not supported"),
            "RefusedByAws",
            ["not supported"],
        ),
    ],
)
def test_what_aws_refuses_is_answered_in_words(
    world: World, failure: AwsFailure, code: str, says: list[str]
) -> None:
    world.sagemaker.refuse_with = failure
    answer = launch(PAYLOAD)
    assert (answer["statusCode"], answer["error"]["code"]) == (400, code)
    for text in says:
        assert text in answer["error"]["message"]


def test_a_fault_of_ours_is_raised_and_not_answered_as_the_callers(world: World) -> None:
    world.sagemaker.refuse_with = AwsFailure("AccessDeniedException", "not authorized", 403)
    with pytest.raises(world.sagemaker.client.exceptions.ClientError, match="not authorized"):
        launch(PAYLOAD)


def test_a_grid_leaves_the_number_of_trials_to_sagemaker(world: World) -> None:
    grid = RECIPE.replace('"Bayesian"', '"Grid"').replace("max_jobs = 4", "max_jobs = 2")
    start, end = grid.index("[tuning.ranges.learning_rate]"), grid.index("[tuning.ranges.batch_size]")
    world.s3.put("artifacts", "recipes/grid.toml", grid[:start] + grid[end:])
    assert launch({**PAYLOAD, "recipe": "grid"})["statusCode"] == 202
    limits = the_job(world)["HyperParameterTuningJobConfig"]["ResourceLimits"]
    assert limits == {"MaxParallelTrainingJobs": 2}


def test_hyperband_is_told_how_many_epochs_a_trial_may_have(world: World) -> None:
    recipe = RECIPE.replace('"Bayesian"', '"Hyperband"').replace('"Auto"', '"Off"')
    world.s3.put("artifacts", "recipes/bands.toml", recipe)
    launch({**PAYLOAD, "recipe": "bands"})
    config = the_job(world)["HyperParameterTuningJobConfig"]
    assert config["StrategyConfig"]["HyperbandStrategyConfig"] == {"MinResource": 1, "MaxResource": 3}


def test_a_run_that_could_cost_more_than_it_may_is_refused_before_anything_starts(world: World) -> None:
    answer = launch({**PAYLOAD, "max_cost_usd": 1})
    assert (answer["statusCode"], answer["error"]["code"]) == (400, "CostTooHigh")
    assert "up to 2.36 USD" in answer["error"]["message"]
    assert nothing_started(world)
    assert launch({**PAYLOAD, "max_cost_usd": 2.36})["statusCode"] == 202


def test_the_recipes_own_limit_holds_too_and_the_request_may_raise_it(world: World) -> None:
    world.s3.put("artifacts", "recipes/cheap.toml", RECIPE + "\n[resources]\nmax_cost_usd = 0.5\n")
    assert launch({**PAYLOAD, "recipe": "cheap"})["error"]["code"] == "CostTooHigh"
    assert launch({**PAYLOAD, "recipe": "cheap", "resources": {"max_cost_usd": 5}})["statusCode"] == 202


def test_a_limit_on_an_instance_without_a_known_price_is_refused_until_the_price_is_given(
    world: World,
) -> None:
    unknown = {**PAYLOAD, "max_cost_usd": 50, "resources": {"instance_type": "ml.g7.2xlarge"}}
    assert launch(unknown)["error"]["code"] == "UnknownPrice"
    assert nothing_started(world)
    resources = {"instance_type": "ml.g7.2xlarge", "usd_per_hour": 2}
    assert launch({**unknown, "resources": resources})["cost"]["most_usd"] == pytest.approx(10.87, abs=0.01)


def test_a_data_bucket_that_somebody_deleted_is_said_and_nothing_is_started(world: World) -> None:
    def gone(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("NoSuchBucket", "The specified bucket does not exist", 404)

    def gone_of_data(params: dict[str, Any]) -> dict[str, Any]:
        return gone(params) if params["Bucket"] == "data" else get(params)

    get = world.s3.on["GetObject"]
    world.s3.on |= {"GetObject": gone_of_data, "ListObjectsV2": gone}
    answer = launch(PAYLOAD)
    assert (answer["statusCode"], answer["error"]["code"]) == (404, "UnknownDataset")
    assert "the data bucket data does not exist any more" in answer["error"]["message"]
    assert not world.sagemaker.tuning_jobs


def test_a_dry_run_checks_everything_and_tells_the_cost_but_starts_nothing(world: World) -> None:
    answer = launch({**PAYLOAD, "dry_run": True})
    assert answer["statusCode"] == 200
    assert answer["cost"]["most_usd"] == 2.36
    assert "search of 4 trials" in answer["would_start"]
    asked = {"instance_type", "instance_types", "instance_count", "spot", "parallel_jobs"}
    assert answer["machines"].keys() == asked
    assert answer["machines"]["parallel_jobs"] == 2
    assert nothing_started(world)
    assert launch({**PAYLOAD, "dry_run": True, "dataset": "x"})["error"]["code"] == "UnknownDataset"


def test_a_spot_search_asks_for_spot_with_time_to_wait_and_checkpoints_to_go_on_from(world: World) -> None:
    answer = launch({**PAYLOAD, "resources": {"spot": True, "max_runtime_minutes": 30}})
    definition = the_job(world)["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"] is True
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800, "MaxWaitTimeInSeconds": 3600}
    run = answer["run"]
    assert definition["CheckpointConfig"] == {"S3Uri": f"s3://artifacts/checkpoints/{run}/"}
    assert "managed spot" in answer["started"]


def test_a_search_that_is_not_spot_says_so_and_neither_waits_nor_keeps_checkpoints(world: World) -> None:
    launch(PAYLOAD)
    definition = the_job(world)["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"] is False
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert "CheckpointConfig" not in definition


def test_the_wait_for_spot_is_as_the_recipe_says(world: World) -> None:
    launch({**PAYLOAD, "resources": {"spot": True, "max_runtime_minutes": 30, "max_wait_minutes": 31}})
    assert the_job(world)["TrainingJobDefinition"]["StoppingCondition"]["MaxWaitTimeInSeconds"] == 31 * 60


def test_several_instances_and_a_larger_disk_are_asked_for(world: World) -> None:
    launch({**PAYLOAD, "resources": {"instance_count": 2, "volume_gb": 100, "instance_type": "ml.g5.xlarge"}})
    assert the_job(world)["TrainingJobDefinition"]["ResourceConfig"] == {
        "InstanceType": "ml.g5.xlarge",
        "InstanceCount": 2,
        "VolumeSizeInGB": 100,
    }


def test_pictures_are_streamed_when_asked_for_and_code_is_downloaded_anyway(world: World) -> None:
    launch({**PAYLOAD, "resources": {"input_mode": "FastFile"}})
    channels = the_job(world)["TrainingJobDefinition"]["InputDataConfig"]
    assert {channel["ChannelName"]: channel["InputMode"] for channel in channels} == {
        "train": "FastFile",
        "valid": "FastFile",
        "test": "FastFile",
        "dataset": "File",
        "code": "File",
    }


def test_completion_criteria_and_the_searchs_own_time_limit_are_passed_on(world: World) -> None:
    criteria = {"target": 0.9, "stop_after_not_improving": 5, "stop_on_convergence": True}
    launch({**PAYLOAD, "tuning": {**criteria, "max_runtime_minutes": 90}})
    config = the_job(world)["HyperParameterTuningJobConfig"]
    assert config["TuningJobCompletionCriteria"] == {
        "TargetObjectiveMetricValue": 0.9,
        "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5},
        "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
    }
    assert config["ResourceLimits"]["MaxRuntimeInSeconds"] == 5400


def a_parent(world: World, name: str = "demo-before", **more: Any) -> str:
    world.sagemaker.tuning_jobs[name] = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobStatus": "Completed",
        "HyperParameterTuningJobConfig": {
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "valid_accuracy"}
        },
        **more,
    }
    return name


@pytest.mark.parametrize(
    ("word", "theirs"), [("identical", "IdenticalDataAndAlgorithm"), ("transfer", "TransferLearning")]
)
def test_a_search_starts_warm_from_one_that_has_ended(world: World, word: str, theirs: str) -> None:
    parent = a_parent(world)
    launch({**PAYLOAD, "tuning": {"warm_start": [parent], "warm_start_type": word}})
    assert the_job(world)["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
        "WarmStartType": theirs,
    }


@pytest.mark.parametrize(
    ("parent", "tuning", "says"),
    [
        ({}, {"warm_start": ["demo-none"]}, '"demo-none" does not exist'),
        (
            {"HyperParameterTuningJobStatus": "InProgress"},
            {"warm_start": ["demo-before"]},
            "is InProgress; one that has ended is needed",
        ),
        (
            {},
            {"warm_start": ["demo-before"], "objective": "valid_loss", "direction": "minimize"},
            "was to maximize valid_accuracy, this one is to minimize valid_loss",
        ),
        ({}, {"warm_start": ["demo-before"] * 2}, "different ones"),
        (
            {},
            {"warm_start": ["demo-before"], "strategy": "Hyperband", "early_stopping": "Off"},
            "Hyperband does not learn from earlier trials",
        ),
    ],
)
def test_a_warm_start_that_cannot_be_is_named_and_starts_nothing(
    world: World, parent: dict[str, Any], tuning: dict[str, Any], says: str
) -> None:
    a_parent(world, **parent)
    answer = launch({**PAYLOAD, "tuning": tuning})
    assert answer["error"]["code"] == "InvalidRecipe"
    assert says in answer["error"]["message"]
    assert nothing_started(world)


@pytest.mark.parametrize("scale", ["linear", "logarithmic", "reverse-logarithmic", "auto"])
def test_every_scale_is_passed_on_in_sagemakers_words(world: World, scale: str) -> None:
    launch(
        {
            **PAYLOAD,
            "tuning": {
                "ranges": {"momentum": {"type": "continuous", "min": 0.1, "max": 0.99, "scale": scale}}
            },
        }
    )
    ranges = the_job(world)["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    word = {"reverse-logarithmic": "ReverseLogarithmic"}.get(scale, scale.capitalize())
    assert {"Name": "momentum", "MinValue": "0.1", "MaxValue": "0.99", "ScalingType": word} in ranges


def test_the_fixture_is_a_recipe() -> None:
    assert parse("digits", RECIPE, "here").tuning is not None


STAGED = "s3://artifacts/weights/imagenet/resnet18.safetensors"


def channel(world: World, name: str) -> str | None:
    definition = the_job(world)["TrainingJobDefinition"]
    uris = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in definition["InputDataConfig"]
    }
    return uris.get(name)


def test_staged_imagenet_weights_are_used_and_the_jobs_stay_cut_off_from_the_network(world: World) -> None:
    world.s3.put("artifacts", "weights/imagenet/resnet18.safetensors", weights_of("resnet18"))
    launch(PAYLOAD)
    definition = the_job(world)["TrainingJobDefinition"]
    assert channel(world, "pretrained") == STAGED
    assert definition["EnableNetworkIsolation"] is True
    assert definition["StaticHyperParameters"]["weights"] == "pretrained"


def test_imagenet_weights_that_nobody_staged_are_downloaded_by_the_jobs(world: World) -> None:
    world.s3.put("artifacts", "weights/imagenet/resnet50.safetensors", weights_of("resnet50"))
    launch(PAYLOAD)
    definition = the_job(world)["TrainingJobDefinition"]
    assert channel(world, "pretrained") is None
    assert definition["EnableNetworkIsolation"] is False


@pytest.mark.parametrize(
    ("key", "size", "says"),
    [
        ("weights/other.pth", 200_000, "no .safetensors or .pth or .pt file lies there"),
        ("weights/mine.pth", 133, "has 133 bytes"),
        ("jobs/mine.pth", 200_000, "below weights/ only"),
    ],
)
def test_an_address_without_weights_is_refused_before_anything_starts(
    world: World, key: str, size: int, says: str
) -> None:
    world.s3.put("artifacts", key, b"x" * size)
    asked = key if key.startswith("jobs") else "weights/mine.pth"
    answer = launch({**PAYLOAD, "model": {"weights": f"s3://artifacts/{asked}"}})
    assert answer["error"]["code"] == "InvalidRecipe"
    assert says in answer["error"]["message"]
    assert "classifier weights" in answer["error"]["message"]
    assert nothing_started(world)


def test_an_address_in_another_bucket_is_left_to_aws_to_judge(world: World) -> None:
    assert launch({**PAYLOAD, "model": {"weights": "s3://theirs/w.safetensors"}})["statusCode"] == 202
    assert channel(world, "pretrained") == "s3://theirs/w.safetensors"


def test_trials_with_frozen_stages_share_what_those_compute_if_they_may_reach_s3(world: World) -> None:
    launch(PAYLOAD)  # weights from the internet, so the network is open
    fixed = the_job(world)["TrainingJobDefinition"]["StaticHyperParameters"]
    assert fixed["feature_cache"] == "s3://artifacts/features/digits/"


@pytest.mark.parametrize(
    ("overrides", "isolated", "cached"),
    [
        ({"model": {"weights": "none"}}, True, False),
        ({"model": {"weights": "none"}, "resources": {"network": True}}, False, True),
        (
            {"model": {"weights": "none", "trainable_from": "stem"}, "resources": {"network": True}},
            False,
            False,
        ),
    ],
)
def test_jobs_are_cut_off_from_the_network_unless_the_recipe_asks_for_it(
    world: World, overrides: dict[str, Any], isolated: bool, cached: bool
) -> None:
    launch({**PAYLOAD, **overrides})
    definition = the_job(world)["TrainingJobDefinition"]
    assert definition["EnableNetworkIsolation"] is isolated
    assert ("feature_cache" in definition["StaticHyperParameters"]) is cached


@pytest.mark.parametrize(
    ("resources", "image"),
    [
        ({}, "training:1"),
        ({"instance_type": "ml.m5.xlarge", "spot": True}, "training:1"),
        ({"instance_type": "ml.g5.xlarge"}, "training-gpu:1"),
        ({"instance_type": "ml.p4d.24xlarge", "spot": True}, "training-gpu:1"),
    ],
)
def test_trials_run_in_the_image_for_their_instances(
    world: World, resources: dict[str, Any], image: str
) -> None:
    launch({**PAYLOAD, "resources": resources})
    algorithm = the_job(world)["TrainingJobDefinition"]["AlgorithmSpecification"]
    assert algorithm["TrainingImage"].rpartition("/")[2] == image


def test_a_job_is_told_that_it_may_use_the_processor_of_a_gpu_instance_only_if_the_recipe_says_so(
    world: World,
) -> None:
    launch(PAYLOAD)
    launch({**PAYLOAD, "resources": {"allow_cpu": True}}, "request-2")
    first, second = (
        each["TrainingJobDefinition"]["StaticHyperParameters"]
        for each in world.sagemaker.called("CreateHyperParameterTuningJob")
    )
    assert "allow_cpu" not in first
    assert second["allow_cpu"] == "yes"


def types_of(job: dict[str, Any]) -> list[str]:
    """What a search's trials may be on, the first choice first."""
    definition = job["TrainingJobDefinition"]
    several = definition.get("HyperParameterTuningResourceConfig", {}).get("InstanceConfigs")
    return [each["InstanceType"] for each in several or [definition["ResourceConfig"]]]


@pytest.fixture
def several(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Settings with a list of types, of the first of which the account has none."""
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", "ml.c7i.2xlarge,ml.c5.2xlarge,ml.m5.xlarge")
    create = world.sagemaker.on["CreateHyperParameterTuningJob"]

    def only_some(params: dict[str, Any]) -> dict[str, Any]:
        if types_of(params)[0] == "ml.c7i.2xlarge":
            raise AwsFailure("ResourceLimitExceeded", "The account-level service limit is 0 Instances.")
        return create(params)

    world.sagemaker.on["CreateHyperParameterTuningJob"] = only_some
    return world


def test_the_first_type_with_a_quota_is_taken_and_record_and_cost_follow_it(several: World) -> None:
    answer = launch(PAYLOAD)
    assert answer["statusCode"] == 202
    (job,) = several.sagemaker.tuning_jobs.values()
    assert types_of(job) == ["ml.c5.2xlarge", "ml.m5.xlarge"]
    record = several.s3.json("artifacts", f"runs/{answer['run']}/run.json")
    assert record["recipe"]["tables"]["resources"]["instance_type"] == "ml.c5.2xlarge"
    assert launch(PAYLOAD)["cost"] == answer["cost"]
    priced = launch({**PAYLOAD, "dry_run": True, "resources": {"instance_type": "ml.c5.2xlarge"}})
    assert answer["cost"]["most_usd"] == priced["cost"]["most_usd"]


def test_a_type_that_the_recipe_names_is_the_only_one(several: World) -> None:
    answer = launch({**PAYLOAD, "resources": {"instance_type": "ml.c7i.2xlarge"}})
    assert answer["error"]["code"] == "QuotaExceeded"
    assert not several.sagemaker.tuning_jobs


def test_a_dry_run_names_the_first_choice_and_the_others(several: World) -> None:
    machines = launch({**PAYLOAD, "dry_run": True})["machines"]
    assert machines["instance_type"] == machines["instance_types"][0] == "ml.c7i.2xlarge"
    assert machines["instance_types"][1:] == ["ml.c5.2xlarge", "ml.m5.xlarge"]


LIST = "ml.c7i.2xlarge,ml.c5.2xlarge,ml.g5.xlarge,ml.m5.xlarge"


def test_a_search_takes_the_whole_list_for_what_aws_has_none_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", LIST)
    launch({**PAYLOAD, "resources": {"volume_gb": 40}})
    definition = the_job(world)["TrainingJobDefinition"]
    assert "ResourceConfig" not in definition
    resources = definition["HyperParameterTuningResourceConfig"]
    assert resources["AllocationStrategy"] == "Prioritized"
    # One search has one image, which is without CUDA here.
    assert resources["InstanceConfigs"] == [
        {"InstanceType": each, "InstanceCount": 1, "VolumeSizeInGB": 40}
        for each in ("ml.c7i.2xlarge", "ml.c5.2xlarge", "ml.m5.xlarge")
    ]


def test_where_aws_wants_a_quota_for_each_of_the_list_the_first_with_one_is_asked_for_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", "ml.c7i.2xlarge,ml.c5.2xlarge,ml.m5.xlarge")
    create = world.sagemaker.on["CreateHyperParameterTuningJob"]

    def only_one(params: dict[str, Any]) -> dict[str, Any]:
        if types_of(params) != ["ml.c5.2xlarge"]:
            raise AwsFailure("ResourceLimitExceeded", "The account-level service limit is 0 Instances.")
        return create(params)

    world.sagemaker.on["CreateHyperParameterTuningJob"] = only_one
    answer = launch(PAYLOAD)
    (job,) = world.sagemaker.tuning_jobs.values()
    assert types_of(job) == ["ml.c5.2xlarge"]
    # Its last training, which is asked for by itself, still has the others to go on with.
    record = world.s3.json("artifacts", f"runs/{answer['run']}/run.json")
    assert record["instance_types"] == ["ml.c5.2xlarge", "ml.m5.xlarge"]


def test_the_most_a_run_can_cost_is_that_of_the_dearest_type_and_a_type_beyond_the_limit_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def most(types: str, **more: Any) -> float:
        monkeypatch.setenv("TRAINING_INSTANCE_TYPE", types)
        answer = launch({**PAYLOAD, "dry_run": True, "resources": more})
        return float(answer["cost"]["most_usd"])

    cheap, dear = most("ml.m5.xlarge"), most("ml.g5.xlarge")
    assert most("ml.m5.xlarge,ml.g5.xlarge") == dear > cheap
    assert most("ml.m5.xlarge,ml.g5.xlarge", max_cost_usd=cheap) == cheap


def test_a_search_of_one_trial_is_told_as_one(world: World) -> None:
    answer = launch({**PAYLOAD, "tuning": {"max_jobs": 1, "parallel_jobs": 1}})
    assert " search of 1 trial, 1 at a time" in answer["started"]
