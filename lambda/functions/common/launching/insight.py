"""Debugging and profiling of a run's last training: from [debug] and [profile] to what its job is told.

Both are on unless the recipe says otherwise; trials of a search have neither. `managed_rules` also adds AWS's
own rule configurations to the request, for accounts that still have SageMaker Debugger.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from contract import prices, storage
from contract.jobs import DEBUG, TENSORS
from functions.common.errors import InvalidRecipe, listed
from functions.common.launching.costs import Machine
from functions.common.recipes.recipe import Recipe

MANAGED_RULES: tuple[str, ...] = (
    "VanishingGradient",
    "ExplodingTensor",
    "Overfit",
    "Overtraining",
    "PoorWeightInitialization",
    "LossNotDecreasing",
    "DeadRelu",
    "UnchangedTensor",
    "WeightUpdateRatio",
    "ClassImbalance",
    "Confusion",
)
"""AWS's own, of the images below. Only accounts that used SageMaker Debugger before 2026-07-30 have them."""

MANAGED_ACCOUNTS: Mapping[str, str] = {
    "af-south-1": "314341159256",
    "ap-east-1": "199566480951",
    "ap-northeast-1": "430734990657",
    "ap-northeast-2": "578805364391",
    "ap-northeast-3": "479947661362",
    "ap-south-1": "904829902805",
    "ap-southeast-1": "972752614525",
    "ap-southeast-2": "184798709955",
    "ca-central-1": "519511493484",
    "eu-central-1": "482524230118",
    "eu-north-1": "314864569078",
    "eu-south-1": "563282790590",
    "eu-west-1": "929884845733",
    "eu-west-2": "250201462417",
    "eu-west-3": "447278800020",
    "me-south-1": "986000313247",
    "sa-east-1": "818342061345",
    "us-east-1": "503895931360",
    "us-east-2": "915447279597",
    "us-west-1": "685455198987",
    "us-west-2": "895741380848",
}
"""Whose registry has the image sagemaker-debugger-rules, by region. Source: sagemaker-core 2.27.0,
image_uri_config/debugger.json.
"""


def hyperparameters(recipe: Recipe, machine: Machine) -> dict[str, Any]:
    """What the training code is told; its own names."""
    debug, profile = recipe.table("debug"), recipe.table("profile")
    values: dict[str, Any] = {
        "debug_rules": ",".join(debug.get("rules", ["all"])) or "none",
        "on_trigger": debug.get("on_trigger", "report"),
        "profile": "on" if profile.get("enabled", True) else "off",
    }
    if debug.get("parameters"):
        values["debug_parameters"] = json.dumps(debug["parameters"])
    if "every" in debug:
        values["debug_every"] = debug["every"]
    if "save" in debug or debug.get("managed_rules"):  # AWS's rules look at whole tensors
        values["debug_save"] = debug.get("save", "tensors")
    if "traced_steps" in profile:
        values["profile_steps"] = profile["traced_steps"]
    with contextlib.suppress(prices.UnknownPrice):  # then the report says nothing of the cost
        each = machine.usd_per_hour or prices.hourly_usd(machine.instance_type, prices.TRAINING)
        values["hourly_usd"] = round(each * machine.instance_count, 6)
    return values


def managed(recipe: Recipe, name: str, artifacts_bucket: str) -> dict[str, Any]:
    """The members of CreateTrainingJob that ask for AWS's own rules; none unless [debug] managed_rules.

    Raises:
        InvalidRecipe: there is no rules image in this region.
    """
    if not recipe.table("debug").get("managed_rules", False):
        return {}
    region = os.environ.get("AWS_REGION", "us-east-1")
    if region not in MANAGED_ACCOUNTS:
        raise InvalidRecipe(
            f"[debug] managed_rules = true: AWS has no rules for {region}; there are some in "
            f"{listed(MANAGED_ACCOUNTS)}. Leave it out: the job's own rules need none"
        )
    image = f"{MANAGED_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-debugger-rules:latest"
    return {
        "DebugHookConfig": {
            "S3OutputPath": f"s3://{artifacts_bucket}/{storage.JOBS}/{name}/tensors",
            # SageMaker uploads it while the job runs, for its own rules.
            "LocalPath": f"/opt/ml/output/data/{DEBUG}/{TENSORS}",
        },
        "DebugRuleConfigurations": [
            {
                "RuleConfigurationName": rule,
                "RuleEvaluatorImage": image,
                "RuleParameters": {"rule_to_invoke": rule},
            }
            for rule in MANAGED_RULES
        ],
    }
