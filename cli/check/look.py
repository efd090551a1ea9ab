"""What every check is given: where to look, as whom, for what; and what several of them read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cli.check.identity import Identity
from cli.check.quotas import Quotas
from cli.check.wanted import Wanted
from cli.stacks import resources
from cli.target import Target


@dataclass(frozen=True)
class Deployed:
    """A stack that exists under one of the project's names."""

    ours: bool
    names: Mapping[str, frozenset[str]]
    """The physical ids of its resources, by type."""

    def has(self, type_: str, name: str) -> bool:
        """Whether it made the thing of this name; AWS's ids are names, ARNs and addresses that end so, or (of
        a web ACL) the name with what else tells it.
        """
        ends = (f":{name}", f"/{name}")
        return any(
            each.partition("|")[0] == name or each.endswith(ends) for each in self.names.get(type_, ())
        )


@dataclass(frozen=True)
class Look:
    """One look at an account."""

    target: Target
    who: Identity
    wanted: Wanted

    @cached_property
    def sagemaker_quotas(self) -> Quotas:
        return Quotas.read(self.target, self.who, "sagemaker")

    @cached_property
    def deployed(self) -> Mapping[str, Deployed]:
        """The stacks that exist under the project's names.

        They carry no tag; one that has nothing in common with the template of its name is not the project's.
        """
        found: dict[str, Deployed] = {}
        for stack, template in self.wanted.templates.stacks.items():
            if (made := resources(self.target, stack)) is None:
                continue
            names: dict[str, set[str]] = {}
            for each in made:
                if each.get("PhysicalResourceId"):
                    names.setdefault(each["ResourceType"], set()).add(each["PhysicalResourceId"])
            ours = not made or any(each["LogicalResourceId"] in template for each in made)
            found[stack] = Deployed(ours, {type_: frozenset(some) for type_, some in names.items()})
        return found

    def made(self, type_: str, name: str) -> bool:
        """Whether the thing of this name is the project's own."""
        return any(each.ours and each.has(type_, name) for each in self.deployed.values())
