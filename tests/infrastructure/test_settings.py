"""Settings: what cdk.json may say, and that everything else is refused with one message that helps."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.deploy.cdk import context_arguments
from cli.target import Target
from stacks.settings.choice import chosen
from stacks.settings.load import SettingsError, load
from stacks.settings.schema import Settings
from stacks.settings.serving import DEFAULT_SERVING_INSTANCES
from tests.infrastructure.conftest import ROOMS, ROOT, Synthesised, context, node_environment


def test_an_empty_object_gives_the_defaults() -> None:
    assert load({}, "cdk.json") == Settings()


def test_the_settings_in_cdk_json_are_allowed() -> None:
    assert load(context()["classifier"], "cdk.json").project == "classifier"


def test_cdk_json_says_that_pictures_and_models_are_kept_and_so_does_leaving_it_out() -> None:
    assert context()["classifier"]["on_destroy"] == Settings().on_destroy == "keep"


def test_the_local_aws_deletes_whatever_the_settings_say() -> None:
    given = dict(
        each.split("=", 1)
        for each in context_arguments(Target("local", "classifier", ROOT, ROOT, 4611))[1::2]
    )
    for user in ({}, {"on_destroy": "keep"}):
        assert chosen({**given, "classifier": user}.get).on_destroy == "delete"
    assert chosen({**given, "config": "minimal"}.get).on_destroy == "delete"
    assert chosen({"config": "minimal"}.get).on_destroy == "keep"


# Other flavours of the endpoint, which exclude the one of the comprehensive sample.
_TURNED_ELSEWHERE = {
    "serving.scale_to_zero": "scale_to_zero",
    "serving.serverless_memory_mb": "serverless",
    "serving.serverless_concurrency": "serverless",
    "serving.shadow": "shadow",
}


def _sample(name: str) -> Settings:
    values = json.loads((ROOT / f"stacks/samples/{name}.json").read_text())
    return load(values, f"{name}.json")


def test_every_setting_is_turned_by_the_comprehensive_sample_or_that_of_its_flavour() -> None:
    default = Settings()
    for field in dataclasses.fields(Settings):
        ours, theirs = getattr(_sample("comprehensive"), field.name), getattr(default, field.name)
        assert ours != theirs, field.name
        if dataclasses.is_dataclass(ours):
            for inner in dataclasses.fields(ours):
                key = f"{field.name}.{inner.name}"
                turned = getattr(_sample(_TURNED_ELSEWHERE.get(key, "comprehensive")), field.name)
                assert getattr(turned, inner.name) != getattr(theirs, inner.name), key


def test_every_setting_of_a_comparison_is_turned_by_its_sample() -> None:
    ours, theirs = _sample("shadow").serving.shadow, Settings().serving.shadow
    for field in dataclasses.fields(ours):
        assert getattr(ours, field.name) != getattr(theirs, field.name), field.name


def test_tags_are_on_something_of_every_stack_and_on_all_that_has_the_project_s(
    comprehensive: Synthesised,
) -> None:
    """`verify-aws` tells its own stacks by them."""
    owner, project = {"Key": "owner", "Value": "vision"}, {"Key": "project", "Value": "pets"}
    for room in ROOMS:
        tags = [
            resource["Properties"]["Tags"]
            for resource in comprehensive.templates[room]["Resources"].values()
            if isinstance(resource.get("Properties", {}).get("Tags"), list)
        ]
        assert tags, room
        for some in tags:
            assert (owner in some) == (project in some), room
        assert any(owner in some for some in tags), room


def test_a_serverless_endpoint_is_sent_no_more_than_it_takes() -> None:
    assert load({}, "cdk.json").max_image_bytes == 4_500_000
    assert load({"serving": {"flavour": "serverless"}}, "cdk.json").max_image_bytes == 4_000_000
    both = {"serving": {"flavour": "serverless"}, "api": {"max_image_bytes": 2000}}
    assert load(both, "cdk.json").max_image_bytes == 2000


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"projct": "x"}, ["cdk.json", "classifier.projct", 'Did you mean "project"?']),
        ({"serving": {"flavor": "gpu"}}, ["classifier.serving.flavor", 'Did you mean "flavour"?']),
        ({"zzz": 1}, ["classifier.zzz is not a setting", "Known here: project, on_destroy"]),
        ({"project": "Has Capitals"}, ["classifier.project", '"Has Capitals"', "lower-case letters"]),
        ({"project": "with-hyphen"}, ["classifier.project", "lower-case letters and digits"]),
        ({"project": "waytoolongname"}, ["classifier.project", "2 to 12"]),
        ({"on_destroy": "maybe"}, ["classifier.on_destroy", "one of keep, delete", "default: keep"]),
        ({"approval": None}, ["classifier.approval is null", "one of auto, manual"]),
        ({"alert_email": "nobody"}, ["classifier.alert_email", "an e-mail address"]),
        ({"log_retention_days": 31}, ["classifier.log_retention_days is 31", "1, 3, 5, 7, 14, 30"]),
        ({"log_retention_days": True}, ["classifier.log_retention_days is true"]),
        ({"tags": {"owner": 7}}, ["classifier.tags", '{"owner": "ann"}']),
        ({"tags": {"aws:owner": "ann"}}, ["classifier.tags", "letters, digits"]),
        ({"tags": {"project": "mine"}}, ["classifier.tags", 'none of them "project"']),
        ({"tags": {str(number): "" for number in range(41)}}, ["classifier.tags", "at most 40"]),
        ({"tags": ["owner"]}, ["classifier.tags"]),
        ({"serving": []}, ["classifier.serving must be a JSON object", "[]"]),
        ({"serving": {"min_instances": "2"}}, ["min_instances", '"2"', "a whole number of instances"]),
        ({"serving": {"min_instances": 3, "max_instances": 2}}, ["min_instances is 3", "max_instances 2"]),
        ({"serving": {"instance_type": "c7i.large"}}, ["instance_type", '"ml.c7i.large"']),
        ({"serving": {"instance_type": "ml.c7g.large"}}, ["ml.c7g.large", "built for x86-64"]),
        (
            {"serving": {"flavour": "gpu", "instance_type": "ml.p3.2xlarge"}},
            ["serving.instance_type ml.p3.2xlarge", "older than Turing", "ml.g6.xlarge"],
        ),
        (
            {"serving": {"instance_type": "ml.c9z.huge"}},
            ["serving.instance_type ml.c9z", "hosting; take"],
        ),
        (
            {"training": {"instance_type": "ml.c9z.huge"}},
            ["training.instance_type ml.c9z", "training; take"],
        ),
        ({"training": {"instance_type": "ml.p2.xlarge"}}, ["training.instance_type", "older than Turing"]),
        ({"serving": {"instance_type": "ml.g6.xlarge"}}, ["does not go with flavour", '"cpu"']),
        ({"serving": {"flavour": "gpu", "instance_type": "ml.m7i.large"}}, ["flavour", "ml.g6.xlarge"]),
        ({"retrain": {"on_drift": True}}, ["retrain.on_drift is true", "drift.capture_percent above 0"]),
        ({"retrain": {"corrections": 9}}, ["retrain.corrections is 9", "corrections.days above 0"]),
        ({"retrain": {"max_cost_usd_month": 0}}, ["max_cost_usd_month is 0", "a whole number of USD from 1"]),
        ({"retrain": {"recipe": "a b"}}, ["retrain.recipe", "the name of a recipe"]),
        ({"drift": {"retrain": "yes"}}, ["drift.retrain is not a setting", "retrain.on_drift now"]),
        ({"batch": {"read_buckets": "theirs"}}, ["batch.read_buckets", 'such as ["partner-pictures"].']),
        ({"batch": {"read_buckets": ["Theirs"]}}, ["batch.read_buckets", "names of S3 buckets"]),
        ({"batch": {"read_buckets": ["a-b", "a-b"]}}, ["batch.read_buckets", "different"]),
        ({"batch": {"read_buckets": [["a-b"]]}}, ["batch.read_buckets"]),
        ({"serving": {"scale_to_zero": 1}}, ["scale_to_zero is 1", "true or false"]),
        ({"serving": {"scale_to_zero": True, "min_instances": 2}}, ["scale_to_zero", "min_instances 2"]),
        ({"serving": {"flavour": "serverless", "scale_to_zero": True}}, ["scale_to_zero", "has none of"]),
        ({"serving": {"flavour": "serverless", "max_instances": 4}}, ["max_instances", "has none of"]),
        (
            {"serving": {"flavour": "serverless", "shadow": {"hours": 1}}},
            ["serving.shadow.hours is 1", "instances of their own"],
        ),
        (
            {"serving": {"scale_to_zero": True, "shadow": {"hours": 1}}},
            ["serving.shadow.hours is 1", "leave out scale_to_zero"],
        ),
        ({"serving": {"shadow": {"hour": 1}}}, ["serving.shadow.hour is not a setting", '"hours"']),
        ({"serving": {"serverless_memory_mb": 1500}}, ["serverless_memory_mb is 1500", "1024, 2048"]),
        ({"serving": {"instance_type": ["ml.c7i.large", "ml.c7g.large"]}}, ["ml.c7g.large", "x86-64"]),
        ({"serving": {"instance_type": []}}, ["instance_type", "a list of up to 5"]),
        ({"serving": {"instance_type": ["ml.c7i.large"] * 2}}, ["instance_type", "different ones"]),
        ({"serving": {"instance_type": ["ml.c7i.large", 3]}}, ["instance_type", "a list of up to 5"]),
        ({"training": {"instance_type": ["ml.m5.large", "ml.m8g.large"]}}, ["ml.m8g.large", "x86-64"]),
        ({"training": {"instance_type": "ml.m8g.large"}}, ["training.instance_type", "built for x86-64"]),
        ({"training": {"image_uri": "python:3.12"}}, ["training.image_uri", "an ECR image"]),
        ({"training": {"max_runtime_minutes": 1}}, ["max_runtime_minutes is 1", "from 2 to 40320"]),
        ({"api": {"max_image_bytes": 6_000_000}}, ["max_image_bytes", "4500000"]),
        ({"api": {"cors_origin": "example.org"}}, ["cors_origin", "https://example.org"]),
        ("delete", ["cdk.json: classifier must be a JSON object"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_and_what_is_allowed(values: Any, parts: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        load(values, "cdk.json")
    assert "\n" not in str(error.value)
    for part in ["cdk.json", *parts]:
        assert part in str(error.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_names = st.sampled_from([field.name for field in dataclasses.fields(Settings)])
_inner = st.sampled_from(["flavour", "instance_type", "min_instances", "image_uri", "burst", "volume_gb"])


@given(_json | st.dictionaries(_names, _json | st.dictionaries(_inner, _json)))
def test_no_json_value_gets_anything_but_settings_or_a_settings_error(values: Any) -> None:
    try:
        load(values, "cdk.json")
    except SettingsError as error:
        message = str(error)
    else:
        return
    assert message.startswith("cdk.json: ")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"classifier": {"serving": {"flavor": "gpu"}}},
            "error: cdk.json: classifier.serving.flavor is not a setting.",
        ),
        ({"config": "minimum"}, "error: config=minimum: there is no file"),
    ],
)
def test_a_bad_setting_ends_the_synth_with_one_message(override: dict[str, Any], message: str) -> None:
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=node_environment() | {"CDK_CONTEXT_JSON": json.dumps(context() | override)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(message)


@pytest.mark.parametrize(
    ("chosen", "types"),
    [
        ("ml.c7i.xlarge", ("ml.c7i.xlarge",)),
        (["ml.c7i.xlarge", "ml.m5.large"], ("ml.c7i.xlarge", "ml.m5.large")),
        ("", DEFAULT_SERVING_INSTANCES["cpu"]),
    ],
)
def test_an_instance_type_is_one_or_a_list_in_the_order_of_choice(
    chosen: object, types: tuple[str, ...]
) -> None:
    serving = load({"serving": {"instance_type": chosen}}, "cdk.json").serving
    assert (serving.instances, serving.instance) == (types, types[0])


def test_the_defaults_end_with_what_a_new_account_has() -> None:
    found = load({}, "cdk.json")
    assert found.serving.instances[-1] == "ml.t2.medium"
    # Copies of a component come and go, which AWS does not do on burstable instances.
    assert "ml.t2.medium" not in load({"serving": {"scale_to_zero": True}}, "cdk.json").serving.instances
    assert found.training.instances[-1] == "ml.m5.2xlarge"
