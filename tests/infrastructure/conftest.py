"""The two sample configurations, synthesised once for all tests and worker processes of a run."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.node import node_bin

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("storage", "training", "serving", "api", "monitoring")
SAMPLES = ("minimal", "comprehensive")
FLAVOURS = ("serverless", "scale_to_zero", "shadow")
"""Samples that differ from `minimal` in what stands behind the endpoint's name."""


@dataclass(frozen=True)
class Synthesised:
    """What `cdk synth` writes for one sample, and what cdk-nag found in it."""

    folder: Path
    project: str
    templates: dict[str, dict[str, Any]]
    """By room: storage, training, ..."""
    findings: list[dict[str, str]]
    """cdk-nag findings without a reason: rule and construct path."""
    others: list[dict[str, str]]
    """What its packs NIST 800-53 R5 and Serverless find, with or without a reason."""

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """All resources of these types in all stacks, by `room/logical id`."""
        return {
            f"{room}/{logical_id}": resource
            for room, template in self.templates.items()
            for logical_id, resource in template["Resources"].items()
            if not types or resource["Type"] in types
        }

    def manifest(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        return read


def node_environment() -> dict[str, str]:
    """The environment with the venv's own Node first, so that no test depends on the machine's."""
    node = node_bin()
    return os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(node), os.environ["PATH"]])
    }


def context() -> dict[str, Any]:
    """cdk.json's context, as the CDK tool hands it to the app."""
    read: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return read


@pytest.fixture(scope="session", params=SAMPLES)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise("minimal", tmp_path_factory)


@pytest.fixture(scope="session")
def comprehensive(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise("comprehensive", tmp_path_factory)


@pytest.fixture(scope="session", params=FLAVOURS)
def flavour(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def serverless(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise("serverless", tmp_path_factory)


@pytest.fixture(scope="session")
def sleeper(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The sample scale_to_zero."""
    return synthesise("scale_to_zero", tmp_path_factory)


@pytest.fixture(scope="session")
def shadow(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The sample in which a model is compared before it serves."""
    return synthesise("shadow", tmp_path_factory)


def synthesise(name: str, tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """Synthesise a sample, or take what this run has synthesised already."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / f"synth-{name}"
    with (shared / f"synth-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "findings.json").exists():
            _synthesise(name, folder)
    values = json.loads((ROOT / "stacks" / "samples" / f"{name}.json").read_text())
    project = values.get("project", "classifier")
    return Synthesised(
        folder=folder,
        project=project,
        templates={
            room: json.loads((folder / f"{project}-{room}.template.json").read_text()) for room in ROOMS
        },
        findings=json.loads((folder / "findings.json").read_text()),
        others=json.loads((folder / "others.json").read_text()),
    )


def _synthesise(name: str, folder: Path) -> None:
    os.environ.update(node_environment())
    from aws_cdk import App
    from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

    from stacks.application import add_stacks
    from stacks.settings.load import load

    source = f"stacks/samples/{name}.json"
    app = App(context=context(), outdir=str(folder))
    add_stacks(app, load(json.loads((ROOT / source).read_text()), source), ROOT)
    app.synth()
    report = AwsSolutionsChecks().validate_scope(app)
    findings = [
        {"rule": violation.rule_name, "path": resource.construct_path}
        for violation in report.violations
        for resource in violation.violating_resources
        if not _explained(app, violation.rule_name, resource.construct_path)
    ]
    others = [
        {"rule": violation.rule_name, "path": resource.construct_path}
        for pack in (NIST80053R5Checks(), ServerlessChecks())
        for violation in pack.validate_scope(app).violations
        for resource in violation.violating_resources
    ]
    (folder / "others.json").write_text(json.dumps(others))
    (folder / "findings.json").write_text(json.dumps(findings))


def _explained(app: Any, rule: str, path: str) -> bool:
    """Whether a construct above has a reason for the rule.

    cdk-nag itself compares granular findings (`IAM5[Resource::...]`) one by one; a reason here is given for a
    role, and what wildcards there may be is claimed by tests of our own (test_permissions.py).
    """
    from aws_cdk import Validations

    rule = re.sub(r"\[.*\]$", "", rule)
    construct = app
    for part in ["", *path.split("/")]:
        construct = construct.node.find_child(part) if part else construct
        for entry in construct.node.metadata:
            reasons = entry.data if entry.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY else {}
            if any(key.split("::")[-1] == rule and len(reason) > 20 for key, reason in reasons.items()):
                return True
    return False
