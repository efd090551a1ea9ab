"""Training, registration and promotion: who is called by what, with what, and where failures end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract import environment
from functions.promote_model import actions
from tests.infrastructure.conftest import ROOT, Synthesised

FUNCTIONS = {
    "idle-guard",
    "launch-tuning",
    "launch-training",
    "launch-doctor",
    "launch-batch",
    "register-model",
    "promote-model",
    "classify",
    "champion-parameter",
    "empty-registry",
}
# Where answers are captured, images built, API Gateway's role for logs is asked for, pictures are kept, and
# searches start by themselves.
AS_ASKED = {"check-drift", "build-image", "api-log-role", "feedback", "launch-retraining"}


def _functions(sample: Synthesised) -> dict[str, dict[str, Any]]:
    """Our functions by name without the project."""
    return {
        resource["Properties"]["FunctionName"].removeprefix(f"{sample.project}-"): resource["Properties"]
        for resource in sample.resources("AWS::Lambda::Function").values()
        if "FunctionName" in resource["Properties"]
    }


TRAINING = "SageMaker Training Job State Change"


def _rules(sample: Synthesised) -> dict[str, dict[str, Any]]:
    """The rules by the detail type they listen to; of a training's end, that which looks at every end."""
    return {
        rule["Properties"]["EventPattern"]["detail-type"][0]: rule["Properties"]
        for rule in sample.resources("AWS::Events::Rule").values()
        if rule["Properties"].get("EventPattern", {}).get("detail", {}).get("TrainingJobStatus") != ["Failed"]
        and "EventPattern" in rule["Properties"]
    }


def _schedules(sample: Synthesised) -> dict[str, dict[str, Any]]:
    """The first target of each rule that follows a clock, by its schedule."""
    return {
        rule["Properties"]["ScheduleExpression"]: rule["Properties"]["Targets"][0]
        for rule in sample.resources("AWS::Events::Rule").values()
        if "ScheduleExpression" in rule["Properties"]
    }


def test_there_are_these_functions_and_their_handlers_exist(sample: Synthesised) -> None:
    functions = _functions(sample)
    assert set(functions) - AS_ASKED == FUNCTIONS
    for name, function in functions.items():
        module = name.replace("-", "_")
        assert function["Handler"] == f"functions.{module}.handler.handler"
        assert (ROOT / "lambda" / "functions" / module / "handler.py").is_file(), module
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])


def test_each_function_is_given_what_its_handler_reads_and_no_more(sample: Synthesised) -> None:
    for name, function in _functions(sample).items():
        variables = function.get("Environment", {}).get("Variables", {})
        handler = ROOT / "lambda" / "functions" / name.replace("-", "_") / "handler.py"
        text = handler.read_text(encoding="utf-8")
        kind = re.search(r"(\w+Environment)\.read\(", text) or re.search(r"served\(.*?(\w+Environment)", text)
        if kind is None:
            assert not variables, name
            continue
        values = {key: value if isinstance(value, str) else "later" for key, value in variables.items()}
        read: environment.Environment = getattr(environment, kind[1]).read(values)
        assert read.variables() == values, name


def test_what_fails_after_all_retries_waits_in_the_dead_letter_queue(sample: Synthesised) -> None:
    (queue,) = sample.resources("AWS::SQS::Queue")
    arn = {"Fn::GetAtt": [queue.split("/")[1], "Arn"]}
    for name in (
        *("launch-tuning", "launch-training", "launch-doctor", "launch-batch"),
        *("register-model", "promote-model"),
    ):
        assert _functions(sample)[name]["DeadLetterConfig"] == {"TargetArn": arn}
    targets = [target for rule in _rules(sample).values() for target in rule["Targets"]]
    for target in (*targets, *_schedules(sample).values()):
        assert target["DeadLetterConfig"] == {"Arn": arn}


def test_each_event_calls_the_next_step(sample: Synthesised) -> None:
    targets = {
        kind: re.sub(r"^Pipeline|Function\w+$", "", rule["Targets"][0]["Arn"]["Fn::GetAtt"][0])
        for kind, rule in _rules(sample).items()
    }
    assert targets == {
        "SageMaker HyperParameter Tuning Job State Change": "LaunchTraining",
        "SageMaker Training Job State Change": "RegisterModel",
        "SageMaker Model Package State Change": "PromoteModel",
        "CloudFormation Stack Status Change": "PromoteModel",
        "SageMaker Endpoint State Change": "PromoteModel",
    }


def test_a_training_that_failed_is_told_to_who_may_go_on_with_it(sample: Synthesised) -> None:
    patterns = {
        re.sub(r"^Pipeline|Function\w+$", "", rule["Properties"]["Targets"][0]["Arn"]["Fn::GetAtt"][0]): rule[
            "Properties"
        ]["EventPattern"]["detail"]
        for rule in sample.resources("AWS::Events::Rule").values()
        if rule["Properties"].get("EventPattern", {}).get("detail-type") == [TRAINING]
    }
    mine = [{"prefix": f"{sample.project}-"}]
    ended = ["Completed", "Failed", "Stopped"]
    assert patterns == {
        "RegisterModel": {"TrainingJobName": mine, "TrainingJobStatus": ended},
        "LaunchTraining": {"TrainingJobName": mine, "TrainingJobStatus": ["Failed"]},
        "LaunchTuning": {
            "TrainingJobName": [{"wildcard": f"{sample.project}-*-race*"}],
            "TrainingJobStatus": ended,
        },
    }


def test_events_of_other_projects_call_nothing(sample: Synthesised) -> None:
    rules, project = _rules(sample), sample.project
    tuning = rules["SageMaker HyperParameter Tuning Job State Change"]["EventPattern"]["detail"]
    assert tuning["HyperParameterTuningJobName"] == [{"prefix": f"{project}-"}]
    training = rules["SageMaker Training Job State Change"]["EventPattern"]["detail"]
    assert training["TrainingJobName"] == [{"prefix": f"{project}-"}]
    package = rules["SageMaker Model Package State Change"]["EventPattern"]["detail"]
    assert package == {"ModelPackageGroupName": [project], "ModelApprovalStatus": ["Approved", "Rejected"]}
    ((stack,),) = (rules["CloudFormation Stack Status Change"]["EventPattern"]["detail"]["stack-id"],)
    assert stack["prefix"]["Fn::Join"][1][-1].endswith(f":stack/{project}-serving/")


def test_idleness_is_looked_for_and_the_hours_of_sleep_are_kept(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert set(_schedules(minimal)) == {"rate(5 minutes)", "rate(15 minutes)"}
    assert "rate(1 day)" in _schedules(comprehensive)
    said = {
        when: json.loads(target["Input"])["action"]
        for when, target in _schedules(comprehensive).items()
        if "Input" in target
    }
    assert said == {"cron(0 19 ? * MON-FRI *)": "sleep", "cron(0 5 ? * MON-FRI *)": "wake"}
    for target in _schedules(comprehensive).values():
        if "Input" in target:
            assert actions.parse(json.loads(target["Input"])) is not None, "promote-model takes it"


def test_answers_are_captured_by_setting_and_the_pictures_never(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    (config,) = minimal.resources("AWS::SageMaker::EndpointConfig").values()
    assert "DataCaptureConfig" not in config["Properties"]
    assert "check-drift" not in _functions(minimal)
    (config,) = comprehensive.resources("AWS::SageMaker::EndpointConfig").values()
    capture = config["Properties"]["DataCaptureConfig"]
    assert capture["CaptureOptions"] == [{"CaptureMode": "Output"}]
    assert capture["InitialSamplingPercentage"] == 20
    variables = _functions(comprehensive)["check-drift"]["Environment"]["Variables"]
    values = {key: value if isinstance(value, str) else "later" for key, value in variables.items()}
    settings = environment.DriftEnvironment.read(values)
    assert (settings.threshold, settings.min_predictions) == (0.2, 500)
    assert settings.capture_folder == "captured/pets/main"
    drawn = [json.dumps(each.resources("AWS::CloudWatch::Dashboard")) for each in (minimal, comprehensive)]
    assert ["psi_confidence" in each for each in drawn] == [False, True]


def test_searches_start_by_themselves_by_setting(minimal: Synthesised, comprehensive: Synthesised) -> None:
    assert "retrain" not in json.dumps(minimal.templates["training"]).lower()
    functions = _functions(comprehensive)
    variables = functions["launch-retraining"]["Environment"]["Variables"]
    values = {key: value if isinstance(value, str) else "later" for key, value in variables.items()}
    read = environment.RetrainEnvironment.read(values)
    assert (read.corrections, read.recipe, read.max_cost_usd_month) == (200, "finetune", 40)
    asked = functions["check-drift"]["Environment"]["Variables"]["RETRAIN_FUNCTION"]
    assert asked == functions["launch-retraining"]["FunctionName"]
    called = _schedules(comprehensive)["rate(1 hour)"]["Arn"]["Fn::GetAtt"][0]
    assert called.startswith("PipelineLaunchRetraining")


def test_code_and_recipes_are_put_where_the_launchers_look(sample: Synthesised) -> None:
    prefixes = {
        deployment["Properties"]["DestinationBucketKeyPrefix"]: deployment["Properties"]
        for deployment in sample.resources("Custom::CDKBucketDeployment").values()
    }
    assert set(prefixes) == {"code", "recipes"}
    # A running job keeps the code it began with, and recipes of a user's own stay.
    assert all(properties["Prune"] is False for properties in prefixes.values())
    assert all(properties.get("RetainOnDelete", True) is True for properties in prefixes.values())
    looked = {
        name: function["Environment"]["Variables"]["CODE_PREFIX"]
        for name, function in _functions(sample).items()
        if name.startswith("launch-") and name != "launch-retraining"  # which has launch-tuning start jobs
    }
    assert set(looked) == {"launch-tuning", "launch-training", "launch-doctor", "launch-batch"}
    assert looked["launch-tuning"] == looked["launch-training"]
    assert len(set(looked.values())) == 3
    assert all(re.fullmatch(r"code/[0-9a-f]{16}/", prefix) for prefix in looked.values())


def test_the_code_of_each_kind_of_job_is_deployed_in_one_piece_under_its_own_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aws_cdk import aws_s3_deployment as deployment

    from stacks.folders import Folders, hash_of

    sources: list[str] = []
    monkeypatch.setattr(deployment.Source, "asset", sources.append)
    folders = Folders(ROOT)
    folders.code_of_jobs()
    (place,) = sources
    for code in (folders.job_code(), folders.doctor_code(), folders.batch_code()):
        there = Path(place) / hash_of(code)
        files = [path.relative_to(code) for path in code.rglob("*") if path.is_file()]
        assert all((there / each).read_bytes() == (code / each).read_bytes() for each in files)
    assert len(list(Path(place).iterdir())) == 3


def test_images_are_built_on_deployment_or_taken_from_the_settings(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    builds = minimal.resources("Custom::CDKContainerImageBuild").values()
    commands = [build["Properties"]["buildCommand"] for build in builds]
    assert all("--platform linux/amd64" in command for command in commands)
    # Training without CUDA and with it, and serving.
    assert sorted(re.findall(r"--target (\w+)", " ".join(commands))) == ["cpu", "cpu", "gpu"]
    assert not comprehensive.resources(
        "Custom::CDKContainerImageBuild", "AWS::CodeBuild::Project", "AWS::ECR::Repository"
    )
    variables = _functions(comprehensive)["launch-tuning"]["Environment"]["Variables"]
    assert variables["TRAINING_IMAGE"].endswith("/our-training:2026-11")
    assert variables["TRAINING_IMAGE_GPU"].endswith("/our-training-gpu:2026-11")


def _expired(policy: dict[str, Any], images: list[list[str]]) -> list[list[str]]:
    """Which images, the newest first and each as its tags, ECR's rules on counts expire.

    An image that a rule's tags match is not expired by the rules after it; rules count all that they match.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
    """
    gone: list[list[str]] = []
    settled: list[list[str]] = []
    for rule in sorted(policy["rules"], key=lambda rule: rule["rulePriority"]):
        chosen = rule["selection"]
        assert (chosen["countType"], rule["action"]) == ("imageCountMoreThan", {"type": "expire"})
        prefixes = chosen.get("tagPrefixList", [])
        assert (chosen["tagStatus"] == "tagged") == bool(prefixes)
        found = [
            tags for tags in images if all(any(tag.startswith(each) for tag in tags) for each in prefixes)
        ]
        gone += [tags for tags in found[chosen["countNumber"] :] if tags not in settled]
        settled += found
    return gone


def test_images_that_models_run_in_are_kept_and_of_others_the_newest_three(minimal: Synthesised) -> None:
    variables = _functions(minimal)["register-model"]["Environment"]["Variables"]
    serving = variables["SERVING_REPOSITORY"]["Ref"]
    tagged = [[f"asset-{age}"] for age in range(30)]
    tagged[4].append(f"{variables['IMAGE_TAG_PREFIX']}12")
    tagged[20] += [f"{variables['IMAGE_TAG_PREFIX']}3", f"{variables['IMAGE_TAG_PREFIX']}4"]
    repositories = minimal.resources("AWS::ECR::Repository")
    assert len(repositories) == 3
    for name, repository in repositories.items():
        policy = json.loads(repository["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"])
        kept = [tags for tags in tagged if tags not in _expired(policy, tagged)]
        of_models = [tagged[4], tagged[20]] if name.endswith(f"/{serving}") else []
        assert kept == tagged[:3] + of_models, name


def test_only_the_serving_images_of_this_project_may_be_tagged(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    serving = _functions(minimal)["register-model"]["Environment"]["Variables"]["SERVING_REPOSITORY"]["Ref"]
    writing = [
        (statement["Action"], statement["Resource"])
        for policy in minimal.resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "ecr:BatchDeleteImage" in statement["Action"]
    ]
    ((actions, resource),) = writing
    assert resource == {"Fn::GetAtt": [serving, "Arn"]}
    assert "ecr:PutImage" in actions
    assert "ecr:BatchDeleteImage" not in json.dumps(comprehensive.templates["training"])


def test_images_are_built_one_after_another_by_a_starter_that_waits(minimal: Synthesised) -> None:
    builds = minimal.resources("Custom::CDKContainerImageBuild")
    builds = {name.rpartition("/")[2]: build for name, build in builds.items()}
    waits_for = [set(build.get("DependsOn", [])) & set(builds) for build in builds.values()]
    assert sorted(map(len, waits_for)) == [0, *[1] * (len(builds) - 1)]
    starters = {build["Properties"]["ServiceToken"]["Fn::GetAtt"][0] for build in builds.values()}
    (starter,) = (minimal.templates["training"]["Resources"][each]["Properties"] for each in starters)
    assert (starter["FunctionName"], starter["Timeout"]) == ("classifier-build-image", 900)
    # The construct's own starter, which tries once, is gone.
    runtimes = {each["Properties"]["Runtime"] for each in minimal.resources("AWS::Lambda::Function").values()}
    assert runtimes == {"python3.13"}


def test_a_change_of_training_code_builds_no_image() -> None:
    from stacks.folders import Folders

    context = Path(Folders(ROOT).image_context("training_code"))
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert {path for path in files if path.endswith(".py")} == {"training_code/entrypoint.py"}
    assert "training_code/Dockerfile" in files


def test_the_doctors_job_is_sent_what_it_runs_and_no_training_is() -> None:
    from stacks.folders import Folders

    code = Folders(ROOT).doctor_code()
    assert {path.name for path in code.iterdir()} == {"contract", "judging", "reports", "doctor"}
    assert {path.name for path in (code / "reports").iterdir()} == {"__init__.py", "shared", "doctor"}
    drawing = "import doctor.__main__, doctor.examine, doctor.output, doctor.features.network; print('whole')"
    done = subprocess.run([sys.executable, "-c", drawing], cwd=code, env={}, capture_output=True, text=True)
    assert done.stdout == "whole\n", done.stderr


def test_a_batch_job_is_sent_the_code_that_serves() -> None:
    from stacks.folders import Folders

    code = Folders(ROOT).batch_code()
    assert {path.name for path in code.iterdir()} == {"contract", "reports", "inference_code", "batch"}
    assert {path.name for path in (code / "reports").iterdir()} == {"__init__.py", "shared", "batch"}
    served = code / "inference_code" / "inference.py"
    assert served.read_bytes() == (ROOT / "inference_code" / "inference.py").read_bytes()
    using = "import batch.answering, batch.output, inference_code.model.pytorch_form; print('whole')"
    done = subprocess.run([sys.executable, "-c", using], cwd=code, env={}, capture_output=True, text=True)
    assert done.stdout == "whole\n", done.stderr


def test_a_job_is_sent_the_page_it_draws_and_no_other() -> None:
    from stacks.folders import Folders

    code = Folders(ROOT).job_code()
    assert {path.name for path in code.iterdir()} == {"contract", "judging", "reports", "training_code"}
    assert {path.name for path in (code / "reports").iterdir()} == {"__init__.py", "shared", "training"}
    drawing = (
        "import training_code.output.record; from reports.training.page import render;"
        "print(render({'job': 'j', 'failure': 'It ended.'}))"
    )
    drawn = subprocess.run([sys.executable, "-c", drawing], cwd=code, env={}, capture_output=True, text=True)
    assert "It ended." in drawn.stdout, drawn.stderr


@pytest.mark.parametrize("name", ["inference_code", "training_code"])
def test_an_image_is_built_from_what_its_dockerignore_lets_through(name: str) -> None:
    lines = (ROOT / name / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    first, *allowed = [line for line in lines if not line.startswith("#")]
    assert first == "*"
    assert all(line.startswith("!") and any(ROOT.glob(line[1:])) for line in allowed)


def test_the_registry_is_emptied_before_it_is_removed(sample: Synthesised) -> None:
    (empty,) = sample.resources("Custom::EmptyRegistry").values()
    assert "Registry" in empty["DependsOn"]


def test_alarms_may_publish_and_the_owner_is_told_if_there_is_one(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    for sample in (minimal, comprehensive):
        (policy,) = sample.resources("AWS::SNS::TopicPolicy").values()
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        assert any("cloudwatch.amazonaws.com" in json.dumps(s["Principal"]) for s in statements)
    assert not minimal.resources("AWS::SNS::Subscription")
    (subscription,) = comprehensive.resources("AWS::SNS::Subscription").values()
    assert subscription["Properties"]["Endpoint"] == "owner@example.org"


def test_outputs_are_what_the_command_line_reads(sample: Synthesised) -> None:
    promised = {
        "storage": {"DataBucket", "ArtifactsBucket", "ChampionParameter"},
        "training": {
            "LaunchTuningFunction",
            "LaunchTrainingFunction",
            "LaunchDoctorFunction",
            "LaunchBatchFunction",
            "RegisterModelFunction",
            "PromoteModelFunction",
            "ModelPackageGroup",
            "TrainingImage",
            "ServingImage",
            "DeadLetterQueueUrl",
        },
        "serving": {"EndpointName", "Champion"},
        "api": {"ApiUrl", "ApiKeyId", "ClassifyFunction"},
        "monitoring": {"DashboardName"},
    }
    for room, keys in promised.items():
        assert keys <= set(sample.templates[room]["Outputs"]), room
    champion = sample.templates["serving"]["Outputs"]["Champion"]
    assert champion == {"Value": {"Ref": "ChampionParameter"}}
