"""A picture that its sender gives and corrects on the page is learned from, and can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.runs.state import data_of
from contract import given
from contract.datasets import store
from contract.datasets.manifest import Origin, Picture, Version
from tests.page.browser import Browser, Page, executable
from tests.page.test_giving import give_when_answered
from tests.system.conftest import LOCAL_SETTINGS, PROJECT, Deployment, deploying
from tests.system.rights import role_of, without

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

NAME = "digits"
GIVE = {given.GIVE: given.GIVEN, "content-type": "image/png"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One that keeps what is given, and a model that is better than guessing."""
    # A model that learned a picture more is better beyond chance once in a while only.
    settings = LOCAL_SETTINGS | {"corrections": {"days": 7}, "gate": {"must_be": "not_worse"}}
    with deploying("local", tmp_path_factory.mktemp("corrections"), settings) as deployed:
        pictures = deployed.home / "digits"
        deployed.cli("demo-data", str(pictures))
        deployed.cli("upload", str(pictures), "--dataset", NAME, "--yes")
        train(deployed, NAME)
        yield deployed


def train(deployment: Deployment, dataset: str) -> None:
    """Trains, and waits until the model serves."""
    hyperparameters = {"learning_rate": 0.02, "epochs": 3}
    request = {"recipe": "digits", "dataset": dataset, "hyperparameters": hyperparameters}
    started = deployment.invoke("launch-training", request)
    assert started["statusCode"] == 202, started
    deployment.cli("status", started["training_job"], "--watch", timeout=900)
    sagemaker = deployment.client("sagemaker")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=PROJECT)


@pytest.fixture(scope="module")
def api(deployment: Deployment) -> httpx.Client:
    outputs = deployment.refresh_outputs()
    return httpx.Client(base_url=outputs["api_url"], headers={"x-api-key": outputs["api_key"]}, timeout=150)


@pytest.fixture(scope="module")
def bucket(deployment: Deployment) -> str:
    stack = deployment.client("cloudformation").describe_stacks(StackName=f"{PROJECT}-api")["Stacks"][0]
    told = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert told["GivenDays"] == "7"
    return str(told["GivenBucket"])


def kept(deployment: Deployment, bucket: str) -> set[str]:
    found = deployment.client("s3").list_objects_v2(Bucket=bucket)
    return {each["Key"] for each in found.get("Contents", [])}


def picture(deployment: Deployment, digit: int, number: int) -> Path:
    return sorted((deployment.home / "digits" / "test" / str(digit)).iterdir())[number]


def new_picture(deployment: Deployment, digit: int, number: int) -> bytes:
    """A picture that the data set has not."""
    return picture(deployment, digit, number).read_bytes() + bytes(number)


def newest(deployment: Deployment) -> tuple[Version, dict[str, Picture]]:
    """The newest version, and its pictures that were given, by request."""
    s3, data = deployment.client("s3"), deployment.outputs["data_bucket"]
    version = store.newest(s3, data, NAME)
    assert version is not None
    named = {given.request_in_a_dataset(each.name): each for each in store.pictures(s3, data, version)}
    return version, {request: each for request, each in named.items() if request}


def ask(api: httpx.Client, body: bytes, **headers: str) -> dict[str, Any]:
    answer = api.post("classify", content=body, headers=GIVE | headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_picture_that_is_not_given_is_not_kept(
    deployment: Deployment, api: httpx.Client, bucket: str
) -> None:
    body = picture(deployment, 3, 0).read_bytes()
    answer = api.post("classify", content=body, headers={"content-type": "image/png"})
    assert answer.status_code == 200
    assert not {"kept", "request_id"} & set(answer.json())
    assert kept(deployment, bucket) == set()


def test_what_is_said_twice_is_kept_once_and_what_cannot_be_said_is_refused(
    deployment: Deployment, api: httpx.Client, bucket: str
) -> None:
    answer = ask(api, new_picture(deployment, 7, 1))
    request = answer["request_id"]
    assert answer["kept"] == {"days": 7, "classes": answer["kept"]["classes"]}
    assert sorted(answer["kept"]["classes"]) == [str(each) for each in range(10)]
    assert len(answer["predictions"]) == 5
    for said, status in ((UNKNOWN, 404), (request, 200), (request, 200)):
        assert api.post("feedback", json={"request_id": said, "class": "7"}).status_code == status
    wrong = api.post("feedback", json={"request_id": request, "class": "seven"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "UnknownClass")
    nobody = httpx.post(f"{api.base_url}feedback", json={"request_id": request, "class": "7"})
    assert nobody.status_code == 403
    assert kept(deployment, bucket) == {
        given.picture_of(request),
        given.answer_of(request),
        given.feedback_of(request),
    }
    deployment.cli("corrections", "--delete", request, "--yes")
    assert kept(deployment, bucket) == set()


def test_each_role_needs_each_of_its_rights(deployment: Deployment, api: httpx.Client, bucket: str) -> None:
    body = new_picture(deployment, 5, 2)
    request = ask(api, body)["request_id"]

    def said(about: str) -> int:
        return api.post("feedback", json={"request_id": about, "class": "5"}).status_code

    for part in (given.PICTURES, given.ANSWERS):
        with without(deployment, role_of(deployment, "classify"), "s3:PutObject", f"/{part}/*"):
            answer = ask(api, body)
            assert answer["kept"] is None
            assert given.picture_of(answer["request_id"]) not in kept(deployment, bucket)
    # s3:ListBucket makes AWS say of a wrong id that it is missing; the local AWS says so without it.
    for action in ("s3:GetObject", "s3:PutObject"):
        with without(deployment, role_of(deployment, "feedback"), action):
            assert said(request) == 500, action
    assert ask(api, body)["kept"]["days"] == 7
    assert (said(request), said(UNKNOWN)) == (200, 404)
    for key in kept(deployment, bucket):
        deployment.client("s3").delete_object(Bucket=bucket, Key=key)


@pytest.fixture(scope="module")
def page(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if executable() is None:
        pytest.skip("there is no Chromium here")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    opened = Page(browser)
    outputs = deployment.refresh_outputs()
    opened.open(outputs["page_url"])
    opened.js("document.getElementById('key').focus()")
    opened.type(outputs["api_key"])
    yield opened
    assert opened.complaints() == []
    browser.close()


def test_from_the_page_to_a_model_that_learned_from_it(
    deployment: Deployment, api: httpx.Client, bucket: str, page: Page, tmp_path: Path
) -> None:
    before, _ = newest(deployment)
    numbers = range(4, 7)
    for number in numbers:
        file = tmp_path / f"{number}.png"
        file.write_bytes(new_picture(deployment, 9, number))
        give_when_answered(page, file)
        correct(page, "9")
    listed = json.loads(deployment.cli("corrections", "--json").stdout)["data"]
    assert len(listed["pictures"]) == len(numbers)
    assert {each["said"]["class"] for each in listed["pictures"]} == {"9"}
    assert len({each["sender"] for each in listed["pictures"]}) == 1, "one browser"
    requests = [each["request_id"] for each in listed["pictures"]]
    accepted = [option for request in requests for option in ("--accept", request)]
    done = deployment.cli("corrections", *accepted, "--apply")
    assert f"{len(numbers)} added" in done.stdout

    version, came = newest(deployment)
    assert (version.number, version.parent) == (before.number + 1, before.number)
    assert (version.origin, version.source) == (Origin.CORRECTIONS, f"{len(numbers)} given")
    assert set(came) == set(requests)
    assert {each.label for each in came.values()} == {"9"}
    assert len({each.split for each in came.values()}) == 1, "pictures of one sender are in one split"

    champion = served(api)
    train(deployment, NAME)
    answer = api.get("model").json()
    assert int(answer["model"]["version"]) > champion
    sagemaker = deployment.client("sagemaker")
    job = sagemaker.describe_training_job(TrainingJobName=answer["training_job"])
    assert data_of(job["HyperParameters"]) == version.name

    deployment.cli("corrections", "--delete", requests[0], "--yes")
    assert not [key for key in kept(deployment, bucket) if requests[0] in key]
    without_it, left = newest(deployment)
    assert without_it.number == version.number + 1
    assert set(left) == set(requests[1:])


def correct(page: Page, digit: str) -> None:
    """Says on the page what the picture shows: that the answer is right, or what is."""
    if page.text("#answer h2") == digit:
        page.js("document.querySelectorAll('.right button')[0].click()")
    else:
        page.js("document.querySelectorAll('.right button')[1].click()")
        page.js(f"document.querySelector('.right select').value = 'class {digit}'")
        page.js("document.querySelectorAll('.right button')[2].click()")
    page.until(f"document.querySelector('.right p').innerText === 'Thank you: {digit}.'")


def served(api: httpx.Client) -> int:
    return int(api.get("model").json()["model"]["version"])


def test_the_setting_taken_away_takes_it_all_away(
    deployment: Deployment, api: httpx.Client, bucket: str
) -> None:
    body = new_picture(deployment, 1, 3)
    request = ask(api, body)["request_id"]
    deployment.configure(LOCAL_SETTINGS)
    deployment.cli("up", "--yes")
    assert not {"kept", "request_id"} & set(ask(api, body))
    assert api.post("feedback", json={"request_id": request, "class": "1"}).status_code == 404
    names = {each["Name"] for each in deployment.client("s3").list_buckets()["Buckets"]}
    assert bucket not in names
    assert {deployment.outputs["data_bucket"], deployment.outputs["artifacts_bucket"]} <= names
    refused = deployment.cli("corrections", "--list", check=False)
    assert refused.returncode == 1
    assert '"corrections"' in refused.stderr
