"""The main job, whole: deploy, upload, tune, train, register, promote, classify, remove.

The tests of this file tell one story in order on one deployment, as a user lives it.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import numpy as np
import openvino
import pytest
import schemathesis
import schemathesis.specs.openapi.checks as openapi_checks
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from PIL import Image
from schemathesis import checks

from cli import node
from cli.check import identity, permissions
from cli.check.line import Code, Status
from cli.check.look import Look
from cli.target import Target, resolve
from contract.storage import pictures_of
from tests.system.conftest import DATASET, LOCAL_SETTINGS, PROJECT, Deployment
from tests.system.eavesdropper import heard, listen
from tests.system.inventory import inventory
from tests.system.releases import Load, Registry, build_faulty_image, until
from tests.unit.cli.check.account import wanted

ROOT = Path(__file__).parents[2]
API_PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PROMISED = (
    *(checks.not_a_server_error, openapi_checks.status_code_conformance),
    *(openapi_checks.content_type_conformance, openapi_checks.response_schema_conformance),
)

pytestmark = [pytest.mark.aws, pytest.mark.timeout(3600)]

TUNING_JOB = f"{PROJECT}-system-test"
FINAL_JOB = f"{TUNING_JOB}-final"
RACE_RUN = f"{PROJECT}-raced"


@pytest.fixture(scope="module")
def pictures(deployment: Deployment) -> Path:
    folder = deployment.home / "digits"
    deployment.cli("demo-data", str(folder))
    return folder


@pytest.fixture(scope="module")
def api(deployment: Deployment) -> httpx.Client:
    outputs = deployment.refresh_outputs()
    return httpx.Client(base_url=outputs["api_url"], headers={"x-api-key": outputs["api_key"]}, timeout=150)


def a_test_picture(pictures: Path, digit: int, number: int = 0) -> Path:
    return sorted((pictures / "test" / str(digit)).iterdir())[number]


def champion(deployment: Deployment) -> str:
    name = f"/{PROJECT}/champion"
    return str(deployment.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def uploaded(deployment: Deployment) -> dict[str, Any]:
    """Every picture of the data bucket with the time it was written."""
    lister = deployment.client("s3").get_paginator("list_objects_v2")
    pages = lister.paginate(Bucket=deployment.outputs["data_bucket"], Prefix=pictures_of(DATASET))
    return {item["Key"]: item["LastModified"] for page in pages for item in page["Contents"]}


def test_a_fresh_deployment_has_no_endpoint_and_says_what_to_do(
    deployment: Deployment, api: httpx.Client
) -> None:
    assert champion(deployment) == "none"
    assert deployment.client("sagemaker").list_endpoints(NameContains=PROJECT)["Endpoints"] == []
    answer = api.post("classify", content=b"\xff\xd8\xff", headers={"content-type": "image/jpeg"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "NoModelYet"
    assert "tun" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("payload", "status", "named"),
    [
        ([1, 2], 400, "object"),
        ({"recipe": "digitz", "dataset": DATASET}, 404, "digits"),
        ({"recipe": "digits", "dataset": "nowhere"}, 404, "nowhere"),
        ({"recipe": "digits", "dataset": DATASET, "training": {"epoch": 2}}, 400, "epochs"),
        (
            {
                "recipe": "digits",
                "dataset": DATASET,
                "tuning": {"ranges": {"learning_rate": {"min": 1, "max": 0.1}}},
            },
            400,
            "learning_rate",
        ),
    ],
    ids=["not an object", "unknown recipe", "no dataset", "misspelt key", "range upside down"],
)
def test_a_wrong_request_is_refused_by_name_and_starts_nothing(
    deployment: Deployment, payload: Any, status: int, named: str
) -> None:
    answer = deployment.invoke("launch-tuning", payload)
    assert answer["statusCode"] == status, answer
    assert named in answer["error"]["message"]
    jobs = deployment.client("sagemaker").list_hyper_parameter_tuning_jobs(NameContains=PROJECT)
    assert jobs["HyperParameterTuningJobSummaries"] == []


def test_an_upload_is_complete_and_a_second_one_sends_nothing(deployment: Deployment, pictures: Path) -> None:
    deployment.cli("upload", str(pictures), "--dataset", DATASET, "--yes")
    before = uploaded(deployment)
    assert len(before) == 1797
    deployment.cli("upload", str(pictures), "--dataset", DATASET, "--yes")
    assert uploaded(deployment) == before


def test_a_dry_run_tells_the_most_it_can_cost_and_a_limit_below_it_is_kept(deployment: Deployment) -> None:
    request = {"recipe": "digits", "dataset": DATASET}
    planned = deployment.invoke("launch-tuning", {**request, "dry_run": True})
    assert planned["statusCode"] == 200, planned
    assert planned["cost"]["most_usd"] > 0
    refused = deployment.invoke("launch-tuning", {**request, "max_cost_usd": 0.01})
    assert (refused["statusCode"], refused["error"]["code"]) == (400, "CostTooHigh")
    jobs = deployment.client("sagemaker").list_hyper_parameter_tuning_jobs(NameContains=PROJECT)
    assert jobs["HyperParameterTuningJobSummaries"] == []


# Finds something in any training, for it waits for no epoch to bring nothing.
FINDS = {
    "on_trigger": "notify",
    "parameters": {"overtraining": {"patience_train": 0, "patience_validation": 0}},
}


def test_one_invocation_ends_in_a_served_model(deployment: Deployment) -> None:
    listen(deployment, PROJECT)
    request = {
        "recipe": "digits",
        "dataset": DATASET,
        "name": TUNING_JOB,
        "debug": FINDS,
        "resources": {"input_mode": "FastFile"},
    }
    started = deployment.invoke("launch-tuning", request)
    assert started["statusCode"] == 202, started
    assert started["tuning_job"] == TUNING_JOB
    deployment.cli("status", TUNING_JOB, "--watch", timeout=3000)
    sagemaker = deployment.client("sagemaker")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=PROJECT)
    assert champion(deployment).startswith("arn:aws")


def test_its_jobs_streamed_their_pictures_as_was_asked_for_and_downloaded_their_code(
    deployment: Deployment,
) -> None:
    sagemaker = deployment.client("sagemaker")
    search = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=TUNING_JOB)
    for name in (search["BestTrainingJob"]["TrainingJobName"], FINAL_JOB):
        channels = sagemaker.describe_training_job(TrainingJobName=name)["InputDataConfig"]
        modes = {channel["ChannelName"]: channel["InputMode"] for channel in channels}
        assert {modes.pop(split) for split in ("train", "valid", "test")} == {"FastFile"}
        assert set(modes.values()) == {"File"}


def test_another_search_may_start_warm_from_it(deployment: Deployment) -> None:
    request = {"recipe": "digits", "dataset": DATASET, "dry_run": True}
    answer = deployment.invoke("launch-tuning", {**request, "tuning": {"warm_start": [TUNING_JOB]}})
    assert answer["statusCode"] == 200, answer


def test_the_search_has_a_page_of_its_own(deployment: Deployment) -> None:
    page = deployment.home / "search.html"
    deployment.cli("tuning-report", TUNING_JOB, "--output", str(page))
    assert f"{TUNING_JOB}-001-" in page.read_text(encoding="utf-8")


def test_a_race_ends_in_the_search_with_its_winner(deployment: Deployment, pictures: Path) -> None:
    """Stopped there: what follows a search is told above."""
    request = {
        "recipe": "auto",
        "dataset": DATASET,
        "name": RACE_RUN,
        "data": {"image_size": 32},
        "race": {"networks": [], "fresh": ["resnet18", "mobilenetv4_conv_small"]},
        "resources": {"network": False},
    }
    started = deployment.invoke("launch-tuning", request)
    assert started["statusCode"] == 202, started
    assert started["training_job"] == f"{RACE_RUN}-race"
    sagemaker = deployment.client("sagemaker")
    statuses = {"StatusEquals": "InProgress", "NameContains": RACE_RUN}

    def searched() -> bool:
        return bool(
            sagemaker.list_hyper_parameter_tuning_jobs(**statuses)["HyperParameterTuningJobSummaries"]
        )

    until(searched, 600, lambda: deployment.cli("status", RACE_RUN, check=False).stdout)
    deployment.cli("stop", RACE_RUN)
    page = deployment.home / "race.html"
    said = deployment.cli("race-report", RACE_RUN, "--output", str(page)).stdout
    search = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=RACE_RUN)
    winner = search["TrainingJobDefinition"]["StaticHyperParameters"]["arch"]
    assert f"{winner} won of 2" in said
    assert winner in page.read_text(encoding="utf-8")


def test_a_name_that_exists_is_refused(deployment: Deployment) -> None:
    answer = deployment.invoke("launch-tuning", {"recipe": "digits", "dataset": DATASET, "name": TUNING_JOB})
    assert answer["statusCode"] == 409
    assert TUNING_JOB in answer["error"]["message"]


def test_the_model_is_accurate_and_the_registry_says_how(deployment: Deployment) -> None:
    sagemaker = deployment.client("sagemaker")
    metrics = {
        metric["MetricName"]: metric["Value"]
        for metric in sagemaker.describe_training_job(TrainingJobName=FINAL_JOB)["FinalMetricDataList"]
    }
    # 0.94 to 0.99 where measured: four trials find now this, now that, and threads round differently.
    assert metrics["test_accuracy"] >= 0.85
    package = sagemaker.describe_model_package(ModelPackageName=champion(deployment))
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"]["training_job"] == FINAL_JOB
    assert float(package["CustomerMetadataProperties"]["test_accuracy"]) == pytest.approx(
        metrics["test_accuracy"], abs=1e-4
    )


def test_ecr_keeps_the_image_that_the_model_runs_in(deployment: Deployment) -> None:
    arn = champion(deployment)
    package = deployment.client("sagemaker").describe_model_package(ModelPackageName=arn)
    image = package["InferenceSpecification"]["Containers"][0]["Image"]
    repository, _, tag = image.partition("/")[2].partition(":")
    (found,) = deployment.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageTag": tag}]
    )["imageDetails"]
    assert f"model-{arn.rpartition('/')[2]}" in found["imageTags"]


def test_the_final_training_used_the_best_hyperparameters(deployment: Deployment) -> None:
    sagemaker = deployment.client("sagemaker")
    tuning = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=TUNING_JOB)
    best = tuning["BestTrainingJob"]["TunedHyperParameters"]
    used = sagemaker.describe_training_job(TrainingJobName=FINAL_JOB)["HyperParameters"]
    overridden = {"epochs"}
    assert {name: used[name] for name in best if name not in overridden} == {
        name: value.strip('"') for name, value in best.items() if name not in overridden
    }


def test_pictures_are_classified_by_the_model_that_was_trained(
    deployment: Deployment, api: httpx.Client, pictures: Path
) -> None:
    right = 0
    for digit, number in itertools.product(range(10), range(3)):
        answer = api.post(
            "classify",
            content=a_test_picture(pictures, digit, number).read_bytes(),
            # The bytes decide: without a type a picture arrives as whole as with one.
            headers={"content-type": "image/png"} if number else {},
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["predictions"]) == 5
        assert body["predictions"][0]["class"] == body["predicted_class"]
        assert body["model"]["version"] == champion(deployment).rsplit("/", 1)[-1]
        right += body["predicted_class"] == str(digit)
    # A model that knows nine in ten is below this once in many thousand times.
    assert right >= 20


def test_an_answer_says_whether_it_is_certain_whether_it_knows_such_pictures_and_why(
    deployment: Deployment, api: httpx.Client, pictures: Path
) -> None:
    headers, explained = {"content-type": "image/png"}, {"explain": "true"}
    certain, unlike = 0, 0
    for digit, number in itertools.product(range(10), range(2)):
        content = a_test_picture(pictures, digit, number).read_bytes()
        body = api.post("classify", content=content, headers=headers).json()
        assert "explanation" not in body
        certain, unlike = certain + (body["certain"] is True), unlike + (body["unlike_training"] is True)
    # Of digits, 97 in 100 are right: nearly all can be promised, and hardly one is strange.
    assert certain >= 10
    assert unlike <= 3
    # Nothing looks like these among digits, white on black.
    strange = 0
    for colour in ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255)):
        plain = io.BytesIO()
        Image.new("RGB", (64, 64), colour).save(plain, "PNG")
        body = api.post("classify", content=plain.getvalue(), headers=headers, params=explained).json()
        strange += body["unlike_training"]
        assert not (body["unlike_training"] and body["certain"])
        # Digits of 32 pixels are one place to a ResNet: there is no map, and the answer says why.
        assert (body["explanation"], body["explanation_missing"]) == (None, "one_place")
    assert strange == 5


def test_a_model_that_leaves_as_onnx_answers_as_the_endpoint_does(
    deployment: Deployment, api: httpx.Client, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "left"
    deployment.cli("export", "--output", str(out))
    names = {"model.onnx", "classes.json", "transform.json", "classify.py"}
    assert {each.name for each in out.iterdir()} == names
    classes, how = (json.loads((out / f"{name}.json").read_text()) for name in ("classes", "transform"))
    left = openvino.Core().compile_model(out / "model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    same, apart = 0, []
    for digit, number in itertools.product(range(10), range(2)):
        content = a_test_picture(pictures, digit, number).read_bytes()
        side = (how["crop"], how["crop"])
        picture = Image.open(io.BytesIO(content)).convert("RGB").resize(side, Image.Resampling.BILINEAR)
        shares = left([np.asarray(picture)[None]])[0][0]
        answer = api.post("classify", content=content, headers={"content-type": "image/png"}).json()
        same += classes[shares.argmax()] == answer["predicted_class"]
        apart.append(abs(float(shares.max()) - answer["confidence"]))
    # 8 bits there, floats here.
    assert same >= 19
    assert np.mean(apart) < 0.05


def ask(deployment: Deployment, asked: list[Path]) -> None:
    """Past the API, which would take longer."""
    runtime = deployment.client("sagemaker-runtime")
    with ThreadPoolExecutor(4) as pool:
        for each in [
            pool.submit(
                runtime.invoke_endpoint,
                EndpointName=PROJECT,
                Body=path.read_bytes(),
                ContentType="image/png",
            )
            for path in asked
        ]:
            each.result()


def captured(deployment: Deployment) -> int:
    """How many answers were captured so far."""
    s3, bucket = deployment.client("s3"), deployment.outputs["artifacts_bucket"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"captured/{PROJECT}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return sum(len(s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()) for key in keys)


def mails(deployment: Deployment) -> Callable[[], list[dict[str, Any]]]:
    """Listen to the project's messages from now on."""
    sqs, sns = deployment.client("sqs"), deployment.client("sns")
    queue = sqs.create_queue(QueueName=f"{PROJECT}-listening")["QueueUrl"]
    (arn,) = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"].values()
    topics = sns.get_paginator("list_topics").paginate()
    (topic,) = (t["TopicArn"] for p in topics for t in p["Topics"] if t["TopicArn"].endswith("-alerts"))
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)

    def hear() -> list[dict[str, Any]]:
        told = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=queue)
        return [json.loads(each["Body"]) for each in told.get("Messages", [])]

    return hear


def test_pictures_like_those_of_the_test_split_are_no_drift_and_others_are_told_of_once(
    deployment: Deployment, pictures: Path
) -> None:
    if deployment.target != "local":
        pytest.skip("answers are captured by setting")
    every = sorted((pictures / "test").rglob("*.png"))
    before = captured(deployment)
    ask(deployment, every)
    until(
        lambda: captured(deployment) >= before + len(every), 300, lambda: f"{captured(deployment)} captured"
    )
    alike = deployment.invoke("check-drift", {})
    assert alike.get("predictions", 0) >= len(every), alike
    assert max(alike["psi_classes"], alike["psi_confidence"]) < 0.25
    assert "told" not in alike
    hear = mails(deployment)
    ask(deployment, [a_test_picture(pictures, 3)] * 400)
    until(
        lambda: captured(deployment) >= before + len(every) + 400,
        300,
        lambda: f"{captured(deployment)} captured",
    )
    shifted, again = deployment.invoke("check-drift", {}), deployment.invoke("check-drift", {})
    assert shifted["psi_classes"] > 0.25
    assert (shifted["told"], again["told"]) == (True, False)
    (mail,) = hear()
    assert "drifted" in mail["Subject"]
    assert f"psi_classes {shifted['psi_classes']:.3f}" in mail["Message"]


def test_a_client_s_mistake_is_a_4xx_that_says_what_to_do(api: httpx.Client) -> None:
    png = io.BytesIO()
    Image.new("RGB", (32, 32)).save(png, "PNG")
    headers = {"content-type": "image/png"}
    assert (
        api.post("classify", content=png.getvalue(), headers={**headers, "x-api-key": "wrong"}).status_code
        == 403
    )
    for content, status, code in [
        (b"", 400, "EmptyBody"),
        (b"these are no pictures", 400, "UnsupportedImage"),
        (png.getvalue()[:60], 400, "TruncatedImage"),
    ]:
        answer = api.post("classify", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        assert answer.json()["request_id"]


@pytest.mark.parametrize(
    ("language", "program"), [("python", [sys.executable]), ("javascript", ["node"]), ("", ["bash", "-e"])]
)
def test_each_snippet_of_the_apis_page_classifies(
    language: str, program: list[str], deployment: Deployment, pictures: Path, tmp_path: Path
) -> None:
    outputs = deployment.refresh_outputs()
    (tmp_path / "dog.jpg").write_bytes(a_test_picture(pictures, 3).read_bytes())
    blocks = re.findall(rf"^```{language}\n(.*?)^```", API_PAGE, re.DOTALL | re.MULTILINE)
    snippet = next(each for each in blocks if "dog.jpg" in each)
    file = tmp_path / f"snippet{'.mjs' if language == 'javascript' else ''}"
    file.write_text(snippet)
    known = {"URL": outputs["api_url"], "KEY": outputs["api_key"], "PYTHONPATH": str(ROOT)}
    environment = node.environment() | known
    done = subprocess.run(
        [*program, str(file)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    predicted = json.loads(said)["predicted_class"] if not language else said.split()[0]
    assert predicted in {str(digit) for digit in range(10)}


@pytest.fixture(scope="module")
def described(deployment: Deployment, api: httpx.Client) -> Any:
    """The API as its own document describes it."""
    schema = schemathesis.openapi.from_dict(api.get("openapi.json").json())
    schema.config.update(base_url=deployment.outputs["api_url"].rstrip("/"))
    return schema


@pytest.mark.parametrize("operation", ["POST /classify", "GET /model", "GET /classes", "GET /openapi.json"])
def test_the_running_api_keeps_to_its_description(
    operation: str, described: Any, deployment: Deployment
) -> None:
    method, path = operation.split()
    key = {"x-api-key": deployment.outputs["api_key"]}

    @hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(described[path][method].as_strategy())
    def keeps(case: Any) -> None:
        case.call_and_validate(headers=key, checks=PROMISED)

    keeps()


def test_the_page_and_the_model_card_answer_without_a_key(deployment: Deployment, api: httpx.Client) -> None:
    page = httpx.get(deployment.outputs["page_url"], timeout=150)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    card = httpx.get(str(api.base_url) + "model", timeout=150).json()
    assert card["model"]["version"] == champion(deployment).rsplit("/", 1)[-1]


def test_with_the_key_the_classes_are_told(deployment: Deployment, api: httpx.Client) -> None:
    known = api.get("classes").json()
    assert known["model"]["version"] == champion(deployment).rsplit("/", 1)[-1]
    assert known["classes"] == [str(digit) for digit in range(10)]
    assert httpx.get(str(api.base_url) + "classes", timeout=150).status_code == 403


def test_a_repeated_completion_event_starts_no_second_job_and_registers_no_second_package(
    deployment: Deployment,
) -> None:
    sagemaker = deployment.client("sagemaker")
    before = (
        sagemaker.list_training_jobs(NameContains=PROJECT, MaxResults=100)["TrainingJobSummaries"],
        sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"],
        champion(deployment),
    )
    tuning = {"HyperParameterTuningJobName": TUNING_JOB, "HyperParameterTuningJobStatus": "Completed"}
    training = {"TrainingJobName": FINAL_JOB, "TrainingJobStatus": "Completed"}
    for function, kind, detail in [
        ("launch-training", "SageMaker HyperParameter Tuning Job State Change", tuning),
        ("register-model", "SageMaker Training Job State Change", training),
    ]:
        event = {
            "version": "0",
            "id": "7bf73129-1428-4cd3-a780-95db273d1602",
            "source": "aws.sagemaker",
            "detail-type": kind,
            "time": "2026-11-20T12:00:00Z",
            "resources": [],
            "detail": detail,
        }
        for _ in range(2):
            deployment.invoke(function, event)
    after = (
        sagemaker.list_training_jobs(NameContains=PROJECT, MaxResults=100)["TrainingJobSummaries"],
        sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"],
        champion(deployment),
    )
    assert after == before


def test_what_a_rule_found_in_the_last_training_was_told_on_the_accounts_bus_once(
    deployment: Deployment,
) -> None:
    (event,) = heard(deployment)
    assert (event["source"], event["detail-type"]) == (PROJECT, "Training Rule Triggered")
    told = event["detail"]
    assert told["training_job"] == FINAL_JOB
    # A busy machine may have made a step slow as well, and a profiler rule say so.
    (change,) = [each["change"] for each in told["findings"] if each["rule"] == "overtraining"]
    assert change.startswith("train for about")
    assert told["rules"] == [each["rule"] for each in told["findings"]]


@contextmanager
def a_user(deployment: Deployment) -> Iterator[tuple[Credentials, Callable[..., object]]]:
    """Credentials of somebody who may do nothing, and a function that allows some actions instead."""
    iam, user = deployment.client("iam"), {"UserName": f"{PROJECT}-caller"}
    iam.create_user(**user)
    key = iam.create_access_key(**user)["AccessKey"]
    policy = {**user, "PolicyName": "call"}

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(**policy, PolicyDocument=document)

    allow("sts:GetCallerIdentity")
    try:
        yield Credentials(key["AccessKeyId"], key["SecretAccessKey"]), allow
    finally:
        iam.delete_user_policy(**policy)
        iam.delete_access_key(**user, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(**user)


def test_an_api_with_iam_auth_answers_who_signs_and_may_and_nobody_else(
    deployment: Deployment, api: httpx.Client, pictures: Path
) -> None:
    if deployment.target != "local":
        pytest.skip("signatures are asked for by setting")
    picture = a_test_picture(pictures, 3)
    body, url = picture.read_bytes(), f"{api.base_url}classify"
    deployment.configure({**LOCAL_SETTINGS, "api": {"iam_auth": True}})
    try:
        deployment.cli("up", "--yes")
    finally:  # the next deployment opens it again
        deployment.configure(LOCAL_SETTINGS)

    def signed(credentials: Credentials) -> httpx.Response:
        request = AWSRequest("POST", url, data=body, headers={"content-type": "image/png"})
        SigV4Auth(credentials, "execute-api", deployment.client("sts").meta.region_name).add_auth(request)
        return api.post("classify", content=body, headers=dict(request.headers.items()))

    unsigned = api.post("classify", content=body, headers={"content-type": "image/png"})
    unknown = signed(Credentials("AKIAIOSFODNN7EXAMPLE", "nobody's"))
    for refused in (unsigned, unknown):
        assert refused.status_code == 403, refused.text
        assert refused.json()["error"]["code"] == "Forbidden"
        assert "Sign the request" in refused.json()["error"]["message"]
    assert api.get("model").status_code == 200, "only pictures need a signature"
    assert "%" in deployment.cli("classify", str(picture)).stdout
    with a_user(deployment) as (credentials, allow):
        stranger = signed(credentials)
        assert stranger.status_code == 403, stranger.text
        assert "execute-api:Invoke" in stranger.text
        allow("execute-api:Invoke")
        answer = signed(credentials)
        assert answer.status_code == 200, answer.text
        forged = signed(Credentials(credentials.access_key, "another"))
        assert (forged.status_code, forged.json()["error"]["code"]) == (403, "Forbidden"), forged.text


def test_the_check_finds_an_answer_to_everything_it_asks_and_nothing_in_the_way(
    deployment: Deployment,
) -> None:
    lines = json.loads(deployment.cli("check", "--recipe", "digits", "--json").stdout)["data"]
    assert {line["code"] for line in lines} == set(Code)
    assert [line for line in lines if line["status"] == Status.WRONG] == []
    if deployment.target == "local":  # an account's owner need not let everything be looked at
        assert [line for line in lines if line["status"] != Status.OK] == []


@pytest.fixture
def as_on_aws(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[Credentials], Target]:
    """A way to look at the local AWS as at an account, with somebody's credentials."""
    if deployment.target != "local":
        pytest.skip("makes a user who may look at his own permissions")

    def target(credentials: Credentials) -> Target:
        told = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{deployment.environment['CLASSIFIER_PORT']}",
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_REGION": "us-east-1",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        return resolve("aws")

    return target


def test_the_check_tells_whoever_asks_what_he_may_not_do_and_a_wrong_key_by_its_line(
    deployment: Deployment, as_on_aws: Callable[[Credentials], Target]
) -> None:
    with a_user(deployment) as (credentials, allow):
        target = as_on_aws(credentials)
        who, line = identity.whose(target)
        assert who is not None, line
        look = Look(target, who, wanted(project=PROJECT))
        with pytest.raises(ClientError, match="AccessDenied"):
            list(permissions.check(look))
        allow("iam:SimulatePrincipalPolicy", "cloudformation:DescribeStacks")
        lines = list(permissions.check(look))
        wrong = [line.looked_at for line in lines if line.status is Status.WRONG]
        assert any("sts:AssumeRole" in each for each in wrong), lines
        allow("*")
        assert [line.status for line in permissions.check(look)] == [Status.OK]
        who, line = identity.whose(as_on_aws(Credentials(credentials.access_key, "another")))
        assert (who, line.status) == (None, Status.WRONG)


def test_a_second_deployment_keeps_the_champion_and_its_endpoint(deployment: Deployment) -> None:
    sagemaker = deployment.client("sagemaker")
    before = champion(deployment), sagemaker.describe_endpoint(EndpointName=PROJECT)["EndpointConfigName"]
    deployment.cli("up", "--yes")
    after = champion(deployment), sagemaker.describe_endpoint(EndpointName=PROJECT)["EndpointConfigName"]
    assert after == before


def test_one_permission_taken_away_is_an_access_denied(deployment: Deployment) -> None:
    """Launching passes the training role; without iam:PassRole nothing may start."""
    iam = deployment.client("iam")
    function = deployment.client("lambda").get_function_configuration(FunctionName=f"{PROJECT}-launch-tuning")
    role = function["Role"].rsplit("/", 1)[-1]
    taken: dict[str, Any] = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        if "iam:PassRole" in json.dumps(document):
            taken[name] = document
    assert taken, "the launcher's role passes no role: this test would prove nothing"
    try:
        for name, document in taken.items():
            kept = [
                statement
                for statement in document["Statement"]
                if "iam:PassRole" not in json.dumps(statement)
            ]
            iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**document, "Statement": kept})
            )
        if deployment.target == "aws":
            time.sleep(30)  # IAM is eventually consistent
        answer = deployment.invoke("launch-tuning", {"recipe": "digits", "dataset": DATASET})
        assert "AccessDenied" in json.dumps(answer)
        assert "iam:PassRole" in json.dumps(answer)
    finally:
        for name, document in taken.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


@pytest.fixture(scope="module")
def registry(deployment: Deployment) -> Registry:
    """The registry, with models that fail in a chosen way at hand: only the local AWS can run those."""
    if deployment.target != "local":
        pytest.skip("the faulty models run in an image of the local AWS")
    build_faulty_image(deployment.home / "aws")
    return Registry(deployment.client, PROJECT, deployment.outputs["artifacts_bucket"])


@pytest.fixture
def load(deployment: Deployment, pictures: Path) -> Load:
    """Callers who ask for a picture's class as long as the block lasts."""
    outputs = deployment.outputs
    return Load(outputs["api_url"], outputs["api_key"], a_test_picture(pictures, 3).read_bytes())


def test_a_promotion_and_a_rollback_by_hand_lose_no_request(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    first = champion(deployment)
    with load:
        second = registry.again(first)
        registry.promote(second)
        # What a rollback is for: the alarm that rings is the old model's, and must not take it back.
        deployment.client("cloudwatch").set_alarm_state(
            AlarmName=f"{PROJECT}-endpoint-latency", StateValue="ALARM", StateReason="the test"
        )
        deployment.cli("rollback", "--reason", "the test")
        until(registry.agreed, 600, lambda: registry.told(second))
    assert load.failures == []
    assert champion(deployment) == first
    assert registry.status(second)[0] == "Rejected"
    assert set(load.versions) == {first.rsplit("/", 1)[-1], second.rsplit("/", 1)[-1]}


def test_a_release_that_does_not_start_takes_itself_back_and_no_caller_notices(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    before = champion(deployment)
    broken = registry.faulty("broken")
    with load:
        registry.refused(broken, 600)
    assert load.failures == []
    assert (champion(deployment), registry.stack()[1]) == (before, before)
    assert "health check" in registry.status(broken)[1]


def test_a_release_that_answers_500_is_taken_back_by_its_alarm(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    before = champion(deployment)
    failing = registry.faulty("failing")
    with load:
        registry.refused(failing, 600)
    assert champion(deployment) == before
    assert "alarm" in registry.status(failing)[1].lower()
    # What failed are the answers of that model, which the alarm has to see; nothing else did.
    assert all("ModelFailed" in failure for failure in load.failures)


def test_asleep_there_is_no_endpoint_and_a_picture_wakes_it(
    deployment: Deployment, api: httpx.Client, pictures: Path
) -> None:
    before = champion(deployment)
    assert "nothing is billed per hour" in deployment.cli("sleep").stdout
    assert deployment.client("sagemaker").list_endpoints(NameContains=PROJECT)["Endpoints"] == []
    picture, headers = a_test_picture(pictures, 3).read_bytes(), {"content-type": "image/png"}
    answer = api.post("classify", content=picture, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "Asleep")
    assert answer.headers["retry-after"]

    def answers() -> bool:
        return api.post("classify", content=picture, headers=headers).status_code == 200

    until(answers, 600, lambda: "the endpoint did not wake up")
    assert champion(deployment) == before


def test_the_bill_is_explained(deployment: Deployment) -> None:
    said = deployment.cli("cost").stdout
    assert "spent" in said
    assert "running" in said
    assert "hours of ml.c7i.large for the endpoint in 2 periods" in said, (
        "also of the one that was put to sleep"
    )


def test_destroying_leaves_nothing(deployment: Deployment) -> None:
    account = deployment.client("sts").get_caller_identity()["Account"]
    before = {each for each in inventory(deployment.client, account) if PROJECT in each.lower()}
    assert len({each.split(":")[0] for each in before}) > 15, "the list sees too little to prove anything"
    deployment.cli("destroy", "--yes")
    after = inventory(deployment.client, account)
    assert {each for each in after if PROJECT in each.lower()} == set()
    # The account's own: the CDK's bootstrap, and the role with which API Gateway logs.
    theirs = ("cdk-hnb659fds", "cdk-bootstrap", "iam list_roles: api-gateway-logs-us-east-1")
    if deployment.target == "local":  # a fresh account: whatever else is left is ours
        assert [each for each in sorted(after) if not any(word in each for word in theirs)] == []
        role = deployment.client("apigateway").get_account()["cloudwatchRoleArn"]
        assert role.endswith(":role/api-gateway-logs-us-east-1"), "other APIs log with it by now"
    formation = deployment.client("cloudformation")
    stacks = [
        summary["StackName"]
        for page in formation.get_paginator("list_stacks").paginate()
        for summary in page["StackSummaries"]
        if summary["StackStatus"] != "DELETE_COMPLETE"
    ]
    assert [name for name in stacks if name.startswith(PROJECT)] == []
    sagemaker = deployment.client("sagemaker")
    assert sagemaker.list_endpoints(NameContains=PROJECT)["Endpoints"] == []
    assert sagemaker.list_models(NameContains=PROJECT)["Models"] == []
    assert sagemaker.list_endpoint_configs(NameContains=PROJECT)["EndpointConfigs"] == []
    buckets = [bucket["Name"] for bucket in deployment.client("s3").list_buckets()["Buckets"]]
    assert [name for name in buckets if name.startswith(PROJECT)] == []
    with pytest.raises(ClientError, match="ParameterNotFound"):
        champion(deployment)
    functions = deployment.client("lambda").list_functions()["Functions"]
    assert [one["FunctionName"] for one in functions if one["FunctionName"].startswith(PROJECT)] == []
