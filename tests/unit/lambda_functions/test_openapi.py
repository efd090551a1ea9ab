"""GET /openapi.json: a document that says what the API's own table says, and no more than is deployed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions.classify.handler import handler
from tests.unit.lambda_functions.fakes import Context, World

API = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def document(world: World, monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    for name, value in {"ENDPOINT_NAME": "demo", **variables}.items():
        monkeypatch.setenv(name, value)
    event = {
        "httpMethod": "GET",
        "resource": "/openapi.json",
        "requestContext": {"domainName": "abc.example", "stage": "live"},
    }
    answer = handler(event, Context())
    assert answer["statusCode"] == 200, answer["body"]
    said: dict[str, Any] = json.loads(answer["body"])
    return said


def test_it_names_the_server_that_was_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = document(world, monkeypatch)
    assert said["openapi"] == "3.1.0"
    assert said["servers"] == [{"url": "https://abc.example/live"}]
    assert set(said["paths"]) == {"/classify", "/model", "/classes", "/openapi.json"}


def test_feedback_is_described_where_there_is_feedback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = document(world, monkeypatch, GIVEN_BUCKET="given", GIVEN_DAYS="30")
    assert "/feedback" in said["paths"]
    names = {each["name"] for each in said["paths"]["/classify"]["post"]["parameters"]}
    assert names == {"top_k", "explain", "x-give-picture", "x-sender"}


def test_every_status_of_the_apis_table_is_described(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = API.partition("### Errors")[2].partition("### The page")[0]
    told = set(re.findall(r"^\| (\d{3}) \|", table, re.MULTILINE)) - {"404"}
    described = set(document(world, monkeypatch)["paths"]["/classify"]["post"]["responses"])
    assert told <= described


def test_every_reference_leads_somewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(document(world, monkeypatch, GIVEN_BUCKET="given", GIVEN_DAYS="30"))
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_the_answers_of_the_apis_page_fit_their_schema(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = re.search(r'```json\n(\{"predicted_class".*?)\n```', API, re.DOTALL)
    assert answer is not None
    schemas = document(world, monkeypatch)["components"]["schemas"]
    said = json.loads(answer[1].replace(", …]", "]"))
    Draft202012Validator(schemas["Answer"]).validate(said)
    with pytest.raises(Exception, match="confidence"):
        Draft202012Validator(schemas["Answer"]).validate({**said, "confidence": 93})
