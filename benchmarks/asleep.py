"""What the deployed resources cost an hour while no model serves, counted from the synthesised templates.

Every resource of every stack is looked up; one whose type nobody has said to be free while idle is an error,
not a zero.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks import harness
from contract import prices
from tests.infrastructure.conftest import node_environment
from tests.infrastructure.test_costs import FREE_WHEN_IDLE


def hourly(config: str = "minimal") -> list[dict[str, Any]]:
    """One row per resource type that is there while the champion is `none`: how many, and USD per hour."""
    counted: Counter[str] = Counter()
    usd: dict[str, float] = defaultdict(float)
    for template in _templates(config):
        for resource in template["Resources"].values():
            if resource.get("Condition") in ("ChampionExists", "Scales"):  # which has the first in it
                continue
            counted[resource["Type"]] += 1
            usd[resource["Type"]] += _instances(resource)
    for kind, free, month in (
        ("AWS::CloudWatch::Alarm", prices.FREE_ALARMS, prices.ALARM_USD_PER_MONTH),
        ("AWS::CloudWatch::Dashboard", prices.FREE_DASHBOARDS, prices.DASHBOARD_USD_PER_MONTH),
    ):
        usd[kind] += max(0, counted[kind] - free) * month / prices.HOURS_PER_MONTH
    return [
        {"system": kind, "resources": counted[kind], "usd_per_hour": usd[kind]} for kind in sorted(counted)
    ]


def _instances(resource: dict[str, Any]) -> float:
    """USD per hour of the instances a resource names."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::SageMaker::EndpointConfig":
        return sum(
            prices.hourly_usd(variant["InstanceType"], prices.HOSTING) * int(variant["InitialInstanceCount"])
            for variant in properties["ProductionVariants"]
        )
    if kind not in FREE_WHEN_IDLE and not kind.startswith("Custom::"):
        raise ValueError(f"nobody has said what {kind} costs while idle")
    return 0.0


def _templates(config: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **node_environment(), "CDK_OUTDIR": folder}
        environment["CDK_CONTEXT_JSON"] = json.dumps(
            {**json.loads((harness.ROOT / "cdk.json").read_text())["context"], "config": config}
        )
        subprocess.run(
            [sys.executable, "app.py"], cwd=harness.ROOT, env=environment, check=True, capture_output=True
        )
        return [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.template.json"))]
