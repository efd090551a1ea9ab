"""What would be deployed, read out of the templates: names, image builds, and the bootstrap they need.

What the templates say is what CloudFormation will try, so no second list of names can differ from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMAGE_BUILD = "Custom::CDKContainerImageBuild"
_PROJECT = "AWS::CodeBuild::Project"
_STACK = "aws:cloudformation:stack"


@dataclass(frozen=True)
class Templates:
    """The templates of all stacks, by stack name."""

    stacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bootstrap_version: int = 0
    """The least version of the bootstrap stack, which aws-cdk-lib wrote into them."""
    bootstrap_parameter: str = ""
    """The SSM parameter that has the version."""

    @classmethod
    def read(cls, folder: Path) -> Templates:
        """The templates of a synthesised app's folder."""
        artifacts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
        stacks = {name: each["properties"] for name, each in artifacts.items() if each["type"] == _STACK}
        parameters = {each["bootstrapStackVersionSsmParameter"] for each in stacks.values()}
        return cls(
            stacks={
                each.get("stackName", name): json.loads(
                    (folder / each["templateFile"]).read_text(encoding="utf-8")
                )["Resources"]
                for name, each in stacks.items()
            },
            bootstrap_version=max(each["requiresBootstrapStackVersion"] for each in stacks.values()),
            bootstrap_parameter=min(parameters),
        )

    def resources(self, *types: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """(stack, logical id, resource) of all resources of these types."""
        for stack, resources in self.stacks.items():
            for logical_id, resource in resources.items():
                if resource["Type"] in types:
                    yield stack, logical_id, resource

    @property
    def builds_together(self) -> int:
        """How many images are built at a time: those that wait for another are not counted."""
        builds = {logical_id: each for _, logical_id, each in self.resources(IMAGE_BUILD)}
        return sum(not builds.keys() & set(_list(each.get("DependsOn", []))) for each in builds.values())

    @property
    def compute_types(self) -> set[str]:
        """What the builds run on, as CodeBuild's API names it."""
        return {each["Properties"]["Environment"]["ComputeType"] for _, _, each in self.resources(_PROJECT)}


def text(value: Any, parameters: Mapping[str, str]) -> str | None:
    """A property's value as it will be deployed; None where that is known only then.

    Args:
        parameters: what is known now, such as the pseudo parameters of a place.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return parameters.get(value["Ref"])
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        values = [text(part, parameters) for part in parts]
        return None if None in values else separator.join(str(part) for part in values)
    if isinstance(value.get("Fn::Sub"), str):
        out = value["Fn::Sub"]
        for name, meaning in parameters.items():
            out = out.replace(f"${{{name}}}", meaning)
        return None if "${" in out else out
    return None


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
