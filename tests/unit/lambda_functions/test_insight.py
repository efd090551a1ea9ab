"""The last training is watched unless its recipe says otherwise; what may be said is checked by name."""

from __future__ import annotations

import json

import pytest

from contract.debug_rules import RULES
from contract.jobs import DEBUG, TENSORS
from functions.common.errors import InvalidRecipe
from functions.common.launching import insight
from functions.common.launching.costs import Machine
from functions.common.launching.insight import MANAGED_RULES
from functions.common.recipes import recipe
from training_code import config
from training_code.debugging.settings import DebugSettings

RECIPE = '[model]\narch = "resnet18"\nweights = "none"\n[training]\nepochs = 2\n'
MACHINE = Machine(
    instance_type="ml.m5.large",
    instance_count=2,
    volume_gb=30,
    max_runtime_minutes=60,
    usd_per_hour=None,
)


def told(text: str) -> dict[str, str]:
    values = insight.hyperparameters(recipe.parse("r", RECIPE + text, "r.toml"), MACHINE)
    return {key: recipe.as_text(value) for key, value in values.items()}


def test_debugging_and_profiling_are_on_by_default() -> None:
    settings = DebugSettings.of(config.parse(told("")))
    assert set(settings.rules) == set(RULES)
    assert settings.profile
    assert settings.on_trigger == "report"
    assert told("")["hourly_usd"] == "0.2304"


def test_a_recipe_turns_them_off_or_says_how() -> None:
    off = DebugSettings.of(config.parse(told("[debug]\nrules = []\n[profile]\nenabled = false\n")))
    assert not off.rules
    assert not off.profile
    said = told(
        '[debug]\nrules = ["overfit"]\non_trigger = "stop"\nevery = 5\n'
        "[debug.parameters.overfit]\npatience = 3\n"
    )
    settings = DebugSettings.of(config.parse(said))
    assert dict(settings.rules)["overfit"]["patience"] == 3
    assert (settings.on_trigger, settings.every) == ("stop", 5)
    assert json.loads(said["debug_parameters"]) == {"overfit": {"patience": 3}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[debug]\nrules = ["overfitt"]\n', '"overfitt"; did you mean "overfit"?'),
        ("[debug.parameters.overfitt]\npatience = 3\n", '"overfitt"; did you mean "overfit"?'),
        ("[debug.parameters.overfit]\npatienc = 3\n", 'overfit has no "patienc"; did you mean "patience"?'),
        ('[debug.parameters.overfit]\npatience = "3"\n', "overfit.patience"),
        ('[debug]\non_trigger = "stopp"\n', 'did you mean "stop"?'),
    ],
)
def test_an_unknown_rule_or_parameter_is_named_with_the_nearest(text: str, says: str) -> None:
    with pytest.raises(InvalidRecipe) as error:
        recipe.parse("r", RECIPE + text, "r.toml")
    assert says in str(error.value)


def test_managed_rules_add_awss_own_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = recipe.parse("r", RECIPE + "[debug]\nmanaged_rules = true\n", "r.toml")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    request = insight.managed(wanted, "job", "bucket")
    rules = request["DebugRuleConfigurations"]
    assert [each["RuleParameters"]["rule_to_invoke"] for each in rules] == list(MANAGED_RULES)
    assert rules[0]["RuleEvaluatorImage"].startswith("929884845733.dkr.ecr.eu-west-1.amazonaws.com/")
    assert request["DebugHookConfig"] == {
        "S3OutputPath": "s3://bucket/jobs/job/tensors",
        "LocalPath": f"/opt/ml/output/data/{DEBUG}/{TENSORS}",
    }
    assert told("[debug]\nmanaged_rules = true\n")["debug_save"] == "tensors"
    assert told('[debug]\nmanaged_rules = true\nsave = "reductions"\n')["debug_save"] == "reductions"
    monkeypatch.setenv("AWS_REGION", "eu-nowhere-1")
    with pytest.raises(InvalidRecipe, match="AWS has no rules for eu-nowhere-1"):
        insight.managed(wanted, "job", "bucket")
    assert insight.managed(recipe.parse("r", RECIPE, "r.toml"), "job", "bucket") == {}
