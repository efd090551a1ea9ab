"""GET /openapi.json: the API as OpenAPI 3.1 describes it, for generators and testers of clients.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import json
from typing import Any, Final

from contract.api import MOST_TOP_K, RAW_BYTES, SWITCH
from contract.environment import ClassifyEnvironment
from contract.given import GIVE, SENDER
from functions.common import rest
from functions.common.rest import Event

Schema = dict[str, Any]

VERSION: Final = "1.0.0"
"""Of the API: the first number changes when a client of before could break."""
_KEY: Final = "key"
_REFUSALS: Final = {
    "400": "The request is at fault: code EmptyBody, InvalidBody, UnsupportedImage, TruncatedImage, "
    "TooManyPixels, InvalidTopK, InvalidExplain and others.",
    "403": "The key is missing or not valid.",
    "408": "The body did not come in time.",
    "413": "The picture has too many bytes.",
    "415": "The body is called something that is no picture.",
    "429": "Too many requests at once, or for today.",
    "500": "A fault of the deployment, never of what was sent.",
    "502": "The service failed.",
    "503": "No model serves yet, it sleeps and is woken, or it is busy; Retry-After says when to ask again.",
    "504": "The model took too long.",
}


def text(event: Event, env: ClassifyEnvironment) -> str:
    """The document, its server being the one that was asked."""
    return json.dumps(document(_server(event), env), ensure_ascii=False)


def document(server: str, env: ClassifyEnvironment) -> Schema:
    """The document for a deployment with these settings."""
    gives = env.given_days > 0
    paths: Schema = {
        "/classify": {"post": _classify(env, gives=gives)},
        "/model": {"get": _model()},
        "/classes": {"get": _classes()},
        "/openapi.json": {"get": _itself()},
    }
    if gives:
        paths["/feedback"] = {"post": _feedback()}
    schemes: Schema = {_KEY: {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Image classifier {env.project}",
            "version": VERSION,
            "description": "POST a picture, get its classes.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "securitySchemes": schemes,
            "schemas": {
                "Answer": _answer(gives=gives),
                "Error": _error(),
                "Model": _model_schema(),
                "Classes": _classes_schema(),
                **({"Agreed": _agreed()} if gives else {}),
            },
        },
    }


def _server(event: Event) -> str:
    context = rest.member(event, "requestContext")
    host, stage = context.get("domainName"), context.get("stage")
    return f"https://{host}/{stage}" if host and stage else "."


def _classify(env: ClassifyEnvironment, *, gives: bool) -> Schema:
    parameters = [
        _parameter("query", "top_k", "How many classes to name; 5 if left out.", _whole(1, MOST_TOP_K)),
        _parameter("query", "explain", "Whether to tell where the class was seen.", _switch()),
    ]
    if gives:
        word = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}
        parameters += [
            _parameter("header", GIVE, "Whether its sender agrees that the picture is kept.", _switch()),
            _parameter("header", SENDER, "A random word for whoever sends.", word),
        ]
    picture = {"type": "string", "format": "binary", "maxLength": env.max_image_bytes}
    return {
        "operationId": "classify",
        "summary": "The classes of one picture",
        "security": [{_KEY: []}],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "description": f"The picture's bytes, at most {env.max_image_bytes}.",
            "content": {kind: {"schema": picture} for kind in ("image/jpeg", "image/png", RAW_BYTES[-1])},
        },
        "responses": {"200": _json("The classes, the likeliest first.", "Answer"), **_refusals()},
    }


def _model() -> Schema:
    return {
        "operationId": "model",
        "summary": "Which model serves",
        "responses": {
            "200": _json("The model, and what it was measured at.", "Model"),
            **_refusals("403", "429", "500", "502", "503", "504"),
        },
    }


def _classes() -> Schema:
    return {
        "operationId": "classes",
        "summary": "What it can answer",
        "security": [{_KEY: []}],
        "responses": {
            "200": _json("All classes, in the order of class_index.", "Classes"),
            **_refusals("403", "429", "500", "502", "503", "504"),
            "404": _json("They are no longer known.", "Error"),
        },
    }


def _itself() -> Schema:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "responses": {
            "200": {
                "description": "OpenAPI 3.1.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **_refusals("403", "429", "500", "502", "504"),
        },
    }


def _feedback() -> Schema:
    body = _object(
        {"request_id": {"type": "string"}, "class": {"type": ["string", "null"]}}, "request_id", "class"
    )
    return {
        "operationId": "feedback",
        "summary": "What a picture that was given really shows",
        "security": [{_KEY: []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {**body, "additionalProperties": False}}},
        },
        "responses": {
            "200": _json("It was kept.", "Agreed"),
            **_refusals("400", "403", "429", "500", "502", "504"),
            "404": _json("No picture of that request is kept.", "Error"),
        },
    }


def _answer(*, gives: bool) -> Schema:
    confidence = {"type": "number", "minimum": 0, "maximum": 1}
    maybe = {"type": ["boolean", "null"]}
    one = _object(
        {"class": _string(), "class_index": _whole(0), "confidence": confidence},
        *("class", "class_index", "confidence"),
    )
    explanation = _object(
        {
            "class": _string(),
            "class_index": _whole(0),
            "box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
            "map": {"type": "array", "items": {"type": "array", "items": confidence}},
        },
        *("class", "box", "map"),
    )
    given: Schema = {
        "request_id": _string(),
        "kept": {"oneOf": [{"type": "null"}, _object({"days": _whole(0)}, "days")]},
    }
    return _object(
        {
            "predicted_class": _string(),
            "class_index": _whole(0),
            "confidence": confidence,
            "certain": maybe,
            "unlike_training": maybe,
            "predictions": {"type": "array", "items": one, "minItems": 1},
            "model": _object({"name": _string(), "version": _string()}),
            "explanation": {"oneOf": [{"type": "null"}, explanation]},
            "explanation_missing": _string(),
            **(given if gives else {}),
        },
        *("predicted_class", "class_index", "confidence", "predictions"),
    )


def _model_schema() -> Schema:
    return _object(
        {
            "model": _object({"name": _string(), "version": _string()}, "name", "version"),
            "endpoint": _object({"name": _string(), "status": _string()}, "name", "status"),
            "limits": _object({"max_image_bytes": _whole(1)}, "max_image_bytes"),
            "test_accuracy": {"type": "number", "minimum": 0, "maximum": 1},
        },
        *("model", "endpoint", "limits"),
    )


def _classes_schema() -> Schema:
    return _object(
        {
            "model": _object({"name": _string(), "version": _string()}, "name", "version"),
            "classes": {"type": "array", "items": _string(), "minItems": 2},
        },
        *("model", "classes"),
    )


def _agreed() -> Schema:
    return _object(
        {"request_id": _string(), "class": {"type": ["string", "null"]}, "agrees": {"type": "boolean"}},
        *("request_id", "class", "agrees"),
    )


def _error() -> Schema:
    inner = _object({"code": _string(), "message": _string()}, "code", "message")
    return _object({"error": inner, "request_id": _string()}, "error")


def _refusals(*statuses: str) -> Schema:
    return {status: _json(_REFUSALS[status], "Error") for status in statuses or _REFUSALS}


def _json(description: str, schema: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _parameter(place: str, name: str, description: str, schema: Schema) -> Schema:
    return {"in": place, "name": name, "required": False, "description": description, "schema": schema}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _string() -> Schema:
    return {"type": "string"}


def _switch() -> Schema:
    return {"type": "string", "enum": list(SWITCH)}


def _whole(least: int, most: int | None = None) -> Schema:
    return {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})
