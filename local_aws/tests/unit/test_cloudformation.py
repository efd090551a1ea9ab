"""What the CloudFormation handlers make of properties, names and commands, without a server."""

from __future__ import annotations

import json
import sys
import types
from importlib.metadata import EntryPoint
from typing import Any

import botocore.session
import pytest

from local_aws import cloudformation
from local_aws.cloudformation.buckets import _included, _is, _place
from local_aws.cloudformation.stack import InvalidPropertyError, generated_name, request_of
from local_aws.images.image_build import (
    OCI_INDEX,
    OCI_MANIFEST,
    BuildCommand,
    BuildCommandError,
    parse_build_command,
)
from local_aws.images.store import DOCKER_MANIFEST


def test_types_come_from_other_distributions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the entry-point group that the package's docstring names."""
    module = types.ModuleType("their_types")
    module.install = lambda stack, register: register("Their::Type", {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_types", module)
    theirs = EntryPoint("theirs", "their_types:install", "local_aws.cloudformation")
    monkeypatch.setattr(cloudformation, "entry_points", lambda group: {theirs.group: [theirs]}[group])
    registered: list[str] = []
    cloudformation.install(None, lambda name, *_, **__: registered.append(name))  # type: ignore[arg-type]
    assert registered[-1] == "Their::Type"
    assert "AWS::SageMaker::Endpoint" in registered


def shape(operation: str) -> Any:
    return (
        botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    )


def test_numbers_and_booleans_may_be_strings_as_templates_have_them() -> None:
    variant = {"VariantName": "v", "InitialInstanceCount": "2", "InitialVariantWeight": "0.5"}
    made = request_of(
        shape("CreateEndpointConfig"), {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    )
    assert made["ProductionVariants"] == [
        {"VariantName": "v", "InitialInstanceCount": 2, "InitialVariantWeight": 0.5}
    ]
    environment = {"PrimaryContainer": {"Environment": {"WORKERS": 4, "DEBUG": True}}}
    made = request_of(shape("CreateModel"), {**environment, "EnableNetworkIsolation": "true"})
    assert made["PrimaryContainer"]["Environment"] == {"WORKERS": "4", "DEBUG": "true"}
    assert made["EnableNetworkIsolation"] is True


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ModelNaem": "x"}, "the resource: extraneous key [ModelNaem] is not permitted"),
        (
            {"PrimaryContainer": {"Imagee": "x"}},
            "/PrimaryContainer: extraneous key [Imagee] is not permitted",
        ),
        ({"EnableNetworkIsolation": "maybe"}, "/EnableNetworkIsolation must be a boolean, not 'maybe'"),
        ({"Containers": "one"}, "/Containers must be a list"),
        ({"VpcConfig": "none"}, "/VpcConfig must be an object"),
    ],
)
def test_a_wrong_property_is_named_with_its_path(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPropertyError) as refusal:
        request_of(shape("CreateModel"), properties)
    assert message in str(refusal.value)


def test_generated_names_are_new_each_time_and_always_names() -> None:
    names = {generated_name("stack", "Model") for _ in range(50)}
    assert len(names) == 50
    for name in (*names, generated_name("s" * 128, "LogicalId"), generated_name("a" * 49 + "-", "X")):
        assert len(name) <= 63
        assert "--" not in name
        assert name.startswith(("stack-Model-", "s" * 50, "a" * 49 + "-"))


def test_a_docker_command_is_read_as_the_construct_writes_it() -> None:
    command = (
        "docker buildx build --build-arg BASE_IMAGE=public.ecr.aws/x/python:3.12-slim --build-arg A=b=c "
        "--target cpu --file docker/Serve.Dockerfile --platform linux/amd64 "
        "--output type=docker,name=artifact:$imageTag --provenance=false ."
    )
    assert parse_build_command(command) == BuildCommand(
        dockerfile="docker/Serve.Dockerfile",
        target="cpu",
        build_args={"BASE_IMAGE": "public.ecr.aws/x/python:3.12-slim", "A": "b=c"},
        folder=".",
        output="type=docker,name=artifact:$imageTag",
        provenance=False,
    )


@pytest.mark.parametrize(
    ("flags", "media_type"),
    [
        ("--output type=docker --provenance=false", DOCKER_MANIFEST),
        ("--provenance=false --output type=registry", OCI_MANIFEST),
        ("--output type=registry", OCI_INDEX),
        ("", OCI_INDEX),
    ],
)
def test_a_docker_command_says_what_manifest_is_pushed(flags: str, media_type: str) -> None:
    assert parse_build_command(f"docker buildx build {flags} .").media_type == media_type


@pytest.mark.parametrize("command", ["podman build .", "docker buildx build --add-host a:1 ."])
def test_a_docker_command_with_something_unknown_is_refused(command: str) -> None:
    with pytest.raises(BuildCommandError):
        parse_build_command(command)


def test_a_deployments_place_is_a_folder_whatever_its_slashes() -> None:
    for prefix, folder in {"": "", "/": "", "site": "site/", "/site/": "site/", None: ""}.items():
        properties = {"DestinationBucketName": "b", "DestinationBucketKeyPrefix": prefix}
        assert _place(properties) == ("b", folder)


def test_filters_of_a_deployment_exclude_first_and_include_then() -> None:
    assert _included("a/b.txt", [], [])
    assert not _included("a/b.txt", ["*"], [])
    assert _included("a/b.txt", ["*"], ["*.txt"])
    assert not _included("a/b.md", ["*"], ["*.txt"])


def test_flags_of_custom_resources_are_booleans_or_words() -> None:
    for text in (True, "true", "True"):
        assert _is({"Prune": text}, "Prune", False)
    for text in (False, "false"):
        assert not _is({"Prune": text}, "Prune", True)
    assert _is(json.loads("{}"), "Prune", True)
