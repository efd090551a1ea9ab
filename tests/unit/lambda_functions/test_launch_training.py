"""launch-training: a tuning job's end starts one last training or tells why not; by hand it does as asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.common.recipes.recipe import typed
from functions.launch_training.handler import handler
from functions.launch_tuning.handler import handler as launch_tuning
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, package_arn, sagemaker_event
from training_code.config import parse

KIND = "SageMaker HyperParameter Tuning Job State Change"
BEST = {
    "TrainingJobName": "demo-tune-003-aaaabbbb",
    "TunedHyperParameters": {"learning_rate": "0.05", "batch_size": '"16"', "_tuning_objective_metric": "x"},
}


@pytest.fixture
def tuning(world: World) -> str:
    """The name of a tuning job that has just completed."""
    name: str = launch_tuning({"recipe": "digits", "dataset": "digits"}, Context())["tuning_job"]
    end(world, name, "Completed", BestTrainingJob=BEST)
    world.sagemaker.calls.clear()
    return name


def end(world: World, name: str, status: str, **more: Any) -> None:
    world.sagemaker.tuning_jobs[name] |= {
        "HyperParameterTuningJobStatus": status,
        "TrainingJobStatusCounters": {"Completed": 3, "NonRetryableError": 1},
        **more,
    }


def event(name: str, id: str = "e-1", status: str = "Completed") -> dict[str, Any]:
    detail = {"HyperParameterTuningJobName": name, "HyperParameterTuningJobStatus": status}
    return sagemaker_event(KIND, detail, id=id)


def started(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateTrainingJob")
    return request


def test_a_completed_tuning_job_starts_one_training_with_the_best_hyperparameters_and_final_over_them(
    world: World, tuning: str
) -> None:
    answer = handler(event(tuning), Context())
    request = started(world)
    assert answer["training_job"] == request["TrainingJobName"] == f"{tuning}-final"
    assert answer["run"] == tuning
    hyperparameters = request["HyperParameters"]
    assert hyperparameters["learning_rate"] == "0.05"
    assert hyperparameters["batch_size"] == "16"  # without the quotes it came with
    assert hyperparameters["epochs"] == "8"  # [final]
    assert hyperparameters["seed"] == "7"  # the recipe's
    assert hyperparameters["run"] == tuning
    assert "_tuning_objective_metric" not in hyperparameters


def test_final_wins_over_what_the_search_found(world: World) -> None:
    payload = {"recipe": "digits", "dataset": "digits", "final": {"batch_size": 64}}
    name = launch_tuning(payload, Context())["tuning_job"]
    end(world, name, "Completed", BestTrainingJob=BEST)
    handler(event(name), Context())
    assert started(world)["HyperParameters"]["batch_size"] == "64"


def test_a_recipe_says_what_certain_answers_promise(world: World) -> None:
    payload = {"recipe": "digits", "dataset": "digits", "answer": {"precision": 0.99}}
    name = launch_tuning(payload, Context())["tuning_job"]
    end(world, name, "Completed", BestTrainingJob=BEST)
    handler(event(name), Context())
    given = started(world)["HyperParameters"]
    assert parse({"answer_precision": given["answer_precision"]}).answer_precision == 0.99


def test_the_last_training_keeps_checkpoints_of_its_own_and_its_output_for_good(
    world: World, tuning: str
) -> None:
    handler(event(tuning), Context())
    request = started(world)
    assert request["CheckpointConfig"] == {"S3Uri": f"s3://artifacts/checkpoints/{tuning}-final/"}
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://artifacts/jobs"}


def test_the_last_training_uses_the_code_its_trials_used_even_after_a_new_deploy(
    world: World, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE_PREFIX", "code/new/")
    handler(event(tuning), Context())
    code = next(each for each in started(world)["InputDataConfig"] if each["ChannelName"] == "code")
    assert code["DataSource"]["S3DataSource"]["S3Uri"] == "s3://artifacts/code/abc/"


def serve(world: World, model: str = "s3://artifacts/jobs/demo-old/output/model.tar.gz") -> None:
    arn = package_arn(1)
    container = {"Image": "i", "ModelDataUrl": model}
    world.sagemaker.packages[arn] = {
        "ModelPackageArn": arn,
        "InferenceSpecification": {"Containers": [container]},
    }
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})


def champion_channel(world: World) -> list[str]:
    channels = started(world)["InputDataConfig"]
    return [
        each["DataSource"]["S3DataSource"]["S3Uri"] for each in channels if each["ChannelName"] == "champion"
    ]


def test_the_last_training_is_given_the_champion_to_compare_with(world: World, tuning: str) -> None:
    serve(world)
    world.s3.put("artifacts", "jobs/demo-old/output/model.tar.gz")
    handler(event(tuning), Context())
    assert champion_channel(world) == ["s3://artifacts/jobs/demo-old/output/model.tar.gz"]


def test_a_training_by_hand_is_given_the_champion_too(world: World) -> None:
    serve(world)
    world.s3.put("artifacts", "jobs/demo-old/output/model.tar.gz")
    handler({"recipe": "digits", "dataset": "digits"}, Context())
    assert champion_channel(world) == ["s3://artifacts/jobs/demo-old/output/model.tar.gz"]


@pytest.mark.parametrize(
    "model",
    [
        "s3://artifacts/jobs/demo-gone/output/model.tar.gz",
        "s3://elsewhere/jobs/demo-old/output/model.tar.gz",
        "s3://artifacts/weights/model.tar.gz",
    ],
    ids=["deleted", "of another bucket", "where jobs may not read"],
)
def test_a_champion_whose_model_a_job_cannot_read_is_no_channel(
    world: World, tuning: str, model: str
) -> None:
    serve(world, model)
    world.s3.put("artifacts", "weights/model.tar.gz")
    world.s3.put("artifacts", "jobs/demo-gone/output/model.tar.gz.bak")
    handler(event(tuning), Context())
    assert champion_channel(world) == []


def test_a_duplicate_completion_event_starts_no_second_training_job(world: World, tuning: str) -> None:
    first = handler(event(tuning, "e-1"), Context("r-1"))
    again = handler(event(tuning, "e-2"), Context("r-2"))
    assert again == first
    assert list(world.sagemaker.training_jobs) == [f"{tuning}-final"]
    assert not world.sns.mails


def test_an_event_that_comes_before_the_job_has_ended_starts_nothing(world: World, tuning: str) -> None:
    end(world, tuning, "InProgress")
    assert "InProgress" in handler(event(tuning), Context())["ignored"]
    assert not world.sagemaker.training_jobs


def test_an_event_of_a_tuning_job_that_is_not_there_is_ignored(world: World) -> None:
    assert "no tuning job" in handler(event("demo-gone"), Context())["ignored"]


def test_a_tuning_job_that_somebody_else_started_is_left_alone(world: World) -> None:
    world.sagemaker.tuning_jobs["demo-other"] = {
        "HyperParameterTuningJobName": "demo-other",
        "HyperParameterTuningJobStatus": "Completed",
        "BestTrainingJob": BEST,
    }
    assert "run.json is missing" in handler(event("demo-other"), Context())["ignored"]
    assert not world.sagemaker.training_jobs


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_tuning_job_without_a_result_is_told_of_once_with_what_why_and_how_to_go_on(
    world: World, tuning: str, status: str
) -> None:
    end(world, tuning, status, BestTrainingJob={}, FailureReason="All trials failed.")
    handler(event(tuning, "e-1"), Context())
    handler(event(tuning, "e-2"), Context())
    (mail,) = world.sns.mails
    assert tuning in mail["Subject"]
    assert status in mail["Subject"]
    why = "All trials failed." if status == "Failed" else "somebody stopped it"
    for text in (
        why,
        "3 Completed, 1 NonRetryableError",
        "aws lambda invoke --function-name demo-launch-tuning",
    ):
        assert text in mail["Message"]
    assert not world.sagemaker.training_jobs


def test_what_the_first_failed_trial_said_is_in_the_message(world: World, tuning: str) -> None:
    end(world, tuning, "Failed", BestTrainingJob={}, FailureReason="No training job succeeded.")
    world.sagemaker.failed_trials = [
        {"TrainingJobName": "demo-x-001", "FailureReason": "AlgorithmError: no pictures in train"}
    ]
    handler(event(tuning), Context())
    assert "demo-x-001 said: AlgorithmError: no pictures in train" in world.sns.mails[0]["Message"]


@pytest.mark.parametrize("status", ["Completed", "Stopped"])
def test_a_run_that_was_stopped_goes_on_with_nothing_and_bothers_nobody(
    world: World, tuning: str, status: str
) -> None:
    end(world, tuning, status)
    world.s3.put("artifacts", f"runs/{tuning}/stopped.json", "{}")
    assert "classifier stop" in handler(event(tuning), Context())["ignored"]
    assert not world.sagemaker.training_jobs
    assert not world.sns.mails


def test_a_stopped_search_that_found_something_offers_to_train_with_it(world: World, tuning: str) -> None:
    end(world, tuning, "Stopped")
    handler(event(tuning), Context())
    (mail,) = world.sns.mails
    assert "demo-launch-training" in mail["Message"]
    assert '"learning_rate": 0.05, "batch_size": 16, "epochs": 8' in mail["Message"]


def test_a_completed_search_whose_trials_reported_nothing_is_told_of(world: World, tuning: str) -> None:
    end(world, tuning, "Completed", BestTrainingJob={})
    handler(event(tuning), Context())
    (mail,) = world.sns.mails
    assert "no trial reported the objective" in mail["Message"]


def test_a_mail_that_could_not_be_sent_is_sent_by_the_retry_of_the_same_event(
    world: World, tuning: str
) -> None:
    end(world, tuning, "Failed", BestTrainingJob={})

    def down(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("InternalError", "down", 500)

    publish, world.sns.on["Publish"] = world.sns.on["Publish"], down
    with pytest.raises(world.sns.client.exceptions.ClientError):
        handler(event(tuning), Context())
    world.sns.on["Publish"] = publish
    assert handler(event(tuning), Context())["told"] == "Failed"


def test_a_quota_in_the_way_of_the_last_training_is_raised_so_that_the_event_is_retried(
    world: World, tuning: str
) -> None:
    world.sagemaker.refuse_with = AwsFailure("ResourceLimitExceeded", "0 instances")
    with pytest.raises(Exception, match="Service Quotas"):
        handler(event(tuning), Context())


def by_hand(payload: dict[str, Any], request_id: str = "request-1") -> dict[str, Any]:
    return handler({"recipe": "digits", "dataset": "digits", **payload}, Context(request_id))


def test_by_hand_the_explicit_hyperparameters_win_over_the_request_over_final_over_the_recipe(
    world: World,
) -> None:
    answer = by_hand(
        {"training": {"momentum": 0.8, "learning_rate": 0.2}, "hyperparameters": {"learning_rate": 0.3}}
    )
    hyperparameters = started(world)["HyperParameters"]
    assert answer["statusCode"] == 202
    assert hyperparameters["learning_rate"] == "0.3"
    assert hyperparameters["momentum"] == "0.8"
    assert hyperparameters["epochs"] == "8"
    assert hyperparameters["seed"] == "7"


def test_by_hand_what_the_request_sets_is_not_undone_by_the_recipes_final(world: World) -> None:
    by_hand({"training": {"epochs": 2}})
    assert started(world)["HyperParameters"]["epochs"] == "2"


def test_by_hand_the_same_request_again_starts_nothing_and_answers_the_same(world: World) -> None:
    assert by_hand({}) == by_hand({})
    assert len(world.sagemaker.training_jobs) == 1


def test_by_hand_another_request_for_a_name_that_exists_is_a_409(world: World) -> None:
    by_hand({"name": "demo-mine"}, "request-1")
    answer = by_hand({"name": "demo-mine"}, "request-2")
    assert (answer["statusCode"], answer["error"]["code"]) == (409, "JobExists")


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"hyperparameters": {"learning_rat": 1}}, 'did you mean "learning_rate"?'),
        ({"hyperparameters": {"epochs": "many"}}, "whole number"),
        ({"hyperparameters": 3}, "an object of names and values"),
        ({"dataset": "none-such"}, "there is no data set"),
    ],
)
def test_by_hand_a_mistake_is_named_and_starts_nothing(
    world: World, payload: dict[str, Any], says: str
) -> None:
    answer = by_hand(payload)
    assert answer["statusCode"] in (400, 404)
    assert says in answer["error"]["message"]
    assert not world.sagemaker.training_jobs


def test_by_hand_the_answer_says_what_where_and_at_most_how_much(world: World) -> None:
    answer = by_hand({"max_cost_usd": 1})
    assert answer["started"] == "one training of recipe digits on digits@1, 1 × ml.c7i.2xlarge"
    assert answer["watch"]["console"].endswith(f"#/jobs/{answer['training_job']}")
    assert 0.4 < answer["cost"]["most_usd"] < 0.5


def test_by_hand_what_could_cost_too_much_is_refused_before_anything_starts(world: World) -> None:
    answer = by_hand({"max_cost_usd": 0.1})
    assert answer["error"]["code"] == "CostTooHigh"
    assert not world.sagemaker.training_jobs
    assert not world.s3.called("PutObject")


def test_the_last_training_of_a_search_on_gpus_runs_in_the_image_with_cuda(world: World) -> None:
    asked = {"recipe": "digits", "dataset": "digits", "resources": {"instance_type": "ml.g5.xlarge"}}
    name = launch_tuning(asked, Context())["tuning_job"]
    end(world, name, "Completed", BestTrainingJob=BEST)
    handler(event(name), Context())
    assert started(world)["AlgorithmSpecification"]["TrainingImage"].endswith("/training-gpu:1")


@pytest.mark.parametrize(
    ("instance_type", "image"), [("ml.c7i.xlarge", "training:1"), ("ml.g6.xlarge", "training-gpu:1")]
)
def test_by_hand_the_image_is_the_one_for_the_instance(world: World, instance_type: str, image: str) -> None:
    handler(
        {"recipe": "digits", "dataset": "digits", "resources": {"instance_type": instance_type}}, Context()
    )
    assert started(world)["AlgorithmSpecification"]["TrainingImage"].endswith(f"/{image}")


def test_by_hand_a_spot_training_waits_and_goes_on_from_its_own_checkpoints(world: World) -> None:
    answer = by_hand({"resources": {"spot": True}})
    request = started(world)
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"]["S3Uri"].endswith(f"/{answer['run']}/")


def test_the_last_training_of_a_spot_search_is_spot_as_well(world: World) -> None:
    name = launch_tuning({"recipe": "digits", "dataset": "digits", "resources": {"spot": True}}, Context())[
        "run"
    ]
    end(world, name, "Completed", BestTrainingJob=BEST)
    handler(event(name), Context())
    assert started(world)["EnableManagedSpotTraining"] is True


@given(st.integers(2, 10_000), st.floats(1e-9, 100), st.booleans())
def test_tuned_values_come_back_as_they_were_quoted_or_not(batch: int, rate: float, quoted: bool) -> None:
    text = f'"{batch}"' if quoted else str(batch)
    values = typed({"batch_size": text, "learning_rate": repr(rate), "run": "x"})
    assert values == {"batch_size": batch, "learning_rate": rate}
    assert isinstance(values["batch_size"], int)
