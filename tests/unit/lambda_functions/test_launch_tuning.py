"""launch-tuning: everything is checked before anything starts, and a repeated request starts one job."""

from __future__ import annotations

from typing import Any

import pytest
from launch_tuning.handler import handler

from common.recipe import parse
from tests.unit.lambda_functions.conftest import RECIPE
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World

PAYLOAD = {"recipe": "digits", "dataset": "digits"}


def launch(payload: object, request_id: str = "request-1") -> dict[str, Any]:
    return handler(payload, Context(request_id))


def the_job(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateHyperParameterTuningJob")
    return request


def nothing_started(world: World) -> bool:
    names = {name for name, _ in world.sagemaker.calls}
    return names <= {"DescribeHyperParameterTuningJob"} and not world.s3.called("PutObject")


def test_a_good_request_starts_one_tuning_job_and_says_how_to_watch_it(world: World) -> None:
    answer = launch(PAYLOAD)
    name = answer["tuning_job"]
    assert answer == {
        "statusCode": 202,
        "tuning_job": name,
        "arn": f"arn:aws:sagemaker:us-east-1:000000000000:hyper-parameter-tuning-job/{name}",
        "run": name,
        "watch": "classifier status --watch",
    }
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


def test_a_channel_ends_in_a_slash_so_that_digits_does_not_match_digits2(world: World) -> None:
    launch(PAYLOAD)
    uris = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in the_job(world)["TrainingJobDefinition"]["InputDataConfig"]
    }
    assert uris == {
        "train": "s3://data/digits/train/",
        "valid": "s3://data/digits/valid/",
        "test": "s3://data/digits/test/",
        "code": "s3://artifacts/code/abc/",
    }


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
    ]


def test_only_imagenet_weights_let_a_job_reach_the_network(world: World) -> None:
    launch(PAYLOAD)
    launch({**PAYLOAD, "model": {"weights": "none"}}, "request-2")
    first, second = world.sagemaker.called("CreateHyperParameterTuningJob")
    assert first["TrainingJobDefinition"]["EnableNetworkIsolation"] is False
    assert second["TrainingJobDefinition"]["EnableNetworkIsolation"] is True


def test_own_weights_come_in_a_channel_of_their_own(world: World) -> None:
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
    assert "lacks valid" in answer["error"]["message"]
    assert nothing_started(world)


def test_a_dataset_of_one_class_is_refused(world: World) -> None:
    world.s3.objects = {key: body for key, body in world.s3.objects.items() if "/1/" not in key[1]}
    answer = launch(PAYLOAD)
    assert answer["error"]["code"] == "InvalidDataset"
    assert "1 class folder(s) (0)" in answer["error"]["message"]
    assert nothing_started(world)


def test_a_class_that_only_the_test_split_has_is_refused(world: World) -> None:
    world.s3.put("data", "digits/test/9/a.png")
    answer = launch(PAYLOAD)
    assert answer["error"]["code"] == "InvalidDataset"
    assert "classes that train lacks: 9" in answer["error"]["message"]


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


def test_the_fixture_is_a_recipe() -> None:
    assert parse("digits", RECIPE, "here").tuning is not None
