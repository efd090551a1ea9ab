"""What every stack is given: the settings, the names made from them, and the folders to package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.folders import Folders
from stacks.names import Names
from stacks.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    folders: Folders

    @property
    def names(self) -> Names:
        return Names(self.settings.project)

    def log_group(self, scope: Construct, construct_id: str, name: str | None = None) -> logs.LogGroup:
        """A log that is kept as long as the settings say, and goes with its stack."""
        group = logs.LogGroup(scope, construct_id, log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
        # CDK's class takes an enum; the settings speak in days, as CloudWatch does.
        cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = self.settings.log_retention_days
        return group
