"""Debugging and profiling of a run's last training: from [debug] and [profile] to what its job is told.

Both are on unless the recipe says otherwise; trials of a search have neither. `managed_rules` also adds AWS's
own rule configurations to the request, for accounts that still have SageMaker Debugger.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from contract import prices, storage
from contract.jobs import DEBUG, TENSORS
from functions.common.costs import Machine
from functions.common.errors import InvalidRecipe, listed
from functions.common.managed_rules import MANAGED_ACCOUNTS, MANAGED_RULES
from functions.common.recipe import Recipe


def hyperparameters(recipe: Recipe, machine: Machine) -> dict[str, Any]:
    """What the training code is told; its own names."""
    debug, profile = recipe.table("debug"), recipe.table("profile")
    told: dict[str, Any] = {
        "debug_rules": ",".join(debug.get("rules", ["all"])) or "none",
        "on_trigger": debug.get("on_trigger", "report"),
        "profile": "on" if profile.get("enabled", True) else "off",
    }
    if debug.get("parameters"):
        told["debug_parameters"] = json.dumps(debug["parameters"])
    if "every" in debug:
        told["debug_every"] = debug["every"]
    if "save" in debug or debug.get("managed_rules"):  # AWS's rules look at whole tensors
        told["debug_save"] = debug.get("save", "tensors")
    if "traced_steps" in profile:
        told["profile_steps"] = profile["traced_steps"]
    with contextlib.suppress(prices.UnknownPrice):  # then the report says nothing of the cost
        each = machine.usd_per_hour or prices.hourly_usd(machine.instance_type, prices.TRAINING)
        told["hourly_usd"] = round(each * machine.instance_count, 6)
    return told


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
