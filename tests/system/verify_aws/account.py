"""All that the script itself asks of the account and does in it: the mark, whose stacks, what there is.

The mark is an SSM parameter that is made before anything else and removed after everything else. Making it
fails when it is there, so that two runs never meet, and a run that died is found by the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.target import STACKS, Target
from tests.system.inventory import inventory

MARK = "/verify-aws/run"  # without the project's name: one run at a time in an account and region
_CHANGE_SET = "cdk-deploy-change-set"  # what the CDK CLI calls the one of a stack that is not there yet


@dataclass(frozen=True)
class Identity:
    """Whose credentials these are."""

    account: str
    arn: str
    region: str


@dataclass(frozen=True)
class Mark:
    """Which run is under way, and who can be asked about it."""

    run: str
    project: str
    who: str
    host: str
    began: str


class MarkedAlready(Exception):
    """Another run has begun since the account was looked at."""


class Account:
    """The account of the present credentials."""

    def __init__(self, target: Target) -> None:
        self.project = target.project
        self._target = target
        self._clients: dict[str, Any] = {}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._target.client(service)
        return self._clients[service]

    def identity(self) -> Identity:
        """Who asks, and where.

        Raises:
            BadTarget: no region is set.
        """
        answer = self._client("sts").get_caller_identity()
        return Identity(answer["Account"], answer["Arn"], self._target.region)

    def mark(self) -> Mark | None:
        """The run under way, if there is one."""
        try:
            value = self._client("ssm").get_parameter(Name=MARK)["Parameter"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise
        return Mark(**json.loads(value))

    def put_mark(self, mark: Mark) -> None:
        """Say that a run is under way.

        Raises:
            MarkedAlready: one is.
        """
        try:
            self._client("ssm").put_parameter(Name=MARK, Type="String", Value=json.dumps(asdict(mark)))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterAlreadyExists":
                raise MarkedAlready from None
            raise

    def remove_mark(self, run: str) -> None:
        """Forget that run; another's mark stays."""
        mark = self.mark()
        if mark is not None and mark.run == run:
            self._client("ssm").delete_parameter(Name=MARK)

    def stacks(self, run: str) -> Mapping[str, bool]:
        """The stacks under the project's names, each with whether that run made it: its template says so."""
        found: dict[str, bool] = {}
        for name in (f"{self.project}-{room}" for room in STACKS):
            try:
                stack = self._client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
            except ClientError as error:
                if error.response["Error"]["Code"] != "ValidationError":
                    raise
                continue
            planned = {"ChangeSetName": _CHANGE_SET} if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else {}
            answer = self._client("cloudformation").get_template(StackName=name, **planned)
            found[name] = bool(run) and run in json.dumps(answer["TemplateBody"], default=str)
        return found

    def inventory(self) -> set[str]:
        """Everything there is that could be billed or be in the way, of the project or not."""
        return inventory(self._client, self.identity().account)

    def remove_helpers(self, new: set[str]) -> None:
        """Take away what only these tests make, where it was not there before they began."""
        name = f"{self.project}-system-test-heard"
        events, sqs = self._client("events"), self._client("sqs")
        if f"events list_rules: {name}" in new:
            targets = events.list_targets_by_rule(Rule=name)["Targets"]
            if targets:
                events.remove_targets(Rule=name, Ids=[each["Id"] for each in targets])
            events.delete_rule(Name=name)
        if any(each.startswith("sqs ") and each.endswith(f"/{name}") for each in new):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
