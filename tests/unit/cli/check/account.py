"""An account in memory: as much of AWS's clients as the checks ask, with the answers a test gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from cli.check.identity import Identity
from cli.check.line import Line, Status
from cli.check.look import Look
from cli.check.templates import Templates
from cli.check.wanted import Launch, Wanted
from cli.target import Target
from tests.unit.cli.conftest import Paginated, client_error

WHO = Identity("111122223333", "arn:aws:iam::111122223333:user/ann", "us-east-1", "aws")
BUILD, PROJECT = "Custom::CDKContainerImageBuild", "AWS::CodeBuild::Project"
TRAINING_TYPE, ENDPOINT_TYPE = "ml.c7i.2xlarge", "ml.c7i.large"
ENOUGH = {
    f"{TRAINING_TYPE} for training job usage": 4,
    f"{ENDPOINT_TYPE} for endpoint usage": 4,
    "Number of instances across active endpoints": 4,
    "Maximum number of instances per endpoint": 4,
    "Number of instances across all training jobs": 4,
    "Number of instances across all spot training jobs": 4,
    "Maximum number of serverless endpoints": 5,
    "Maximum total concurrency that can be allocated across all serverless endpoints": 10,
}


def project(compute: str = "BUILD_GENERAL1_SMALL") -> dict[str, Any]:
    return {"Type": PROJECT, "Properties": {"Environment": {"ComputeType": compute}}}


def templates(**stacks: dict[str, Any]) -> Templates:
    """Stacks by the part of their name behind the project's."""
    made = {f"classifier-{room}": resources for room, resources in stacks.items()}
    return Templates(made, 6, "/cdk-bootstrap/hnb659fds/version")


def wanted(**changes: Any) -> Wanted:
    fixed: dict[str, Any] = {
        "project": "classifier",
        "training_types": (TRAINING_TYPE,),
        "endpoint_types": (ENDPOINT_TYPE,),
        "fixed_types": (),
        "min_instances": 1,
        "max_instances": 2,
        "shadow_instances": 0,
        "serverless_concurrency": 0,
        "serverless_memory_mb": 0,
        "account_log_role": "create",
        "retrain_usd_month": 0,
        "launches": (),
        "lacks": (),
        "templates": templates(),
    }
    return Wanted(**{**fixed, **changes})


def launch(name: str = "digits", **changes: Any) -> Launch:
    fixed: dict[str, Any] = {
        "instance_type": TRAINING_TYPE,
        "instance_count": 1,
        "parallel_jobs": 2,
        "spot": False,
        "most_usd": 4.5,
        "asked_for": True,
    }
    return Launch(name=name, **{**fixed, **changes})


def quotas(defaults: dict[str, float], applied: dict[str, float] | None = None) -> Any:
    """Service Quotas with these defaults, and these values applied to the account."""

    def pages(values: dict[str, float]) -> Callable[..., list[dict[str, Any]]]:
        listed = [
            {"QuotaName": name, "Value": value, "QuotaCode": f"L-{number:08X}"}
            for number, (name, value) in enumerate(values.items())
        ]
        # Two to a page: what stands on a later page counts too.
        return lambda ServiceCode: [{"Quotas": listed[at : at + 2]} for at in range(0, len(listed), 2)]

    return Paginated(
        list_aws_default_service_quotas_pages=pages(defaults), list_service_quotas_pages=pages(applied or {})
    )


def cloudformation(
    stacks: dict[str, str],
    resources: dict[str, list[tuple[str, str, str]]] | None = None,
    of_resources: str = "CREATE_COMPLETE",
) -> Any:
    """Stacks by name with their status; of each, (logical id, type, physical id) of its resources."""

    def describe(StackName: str) -> dict[str, Any]:
        if StackName not in stacks:
            raise client_error("ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": [{"StackName": StackName, "StackStatus": stacks[StackName]}]}

    def pages(StackName: str) -> list[dict[str, Any]]:
        found = [
            {
                "LogicalResourceId": logical_id,
                "ResourceType": type_,
                "PhysicalResourceId": physical_id,
                "ResourceStatus": of_resources,
            }
            for logical_id, type_, physical_id in (resources or {}).get(StackName, [])
        ]
        return [{"StackResourceSummaries": found}]

    return Paginated(describe_stacks=describe, list_stack_resources_pages=pages)


def raising(code: str, message: str = "no") -> Callable[..., Any]:
    def call(**request: Any) -> Any:
        raise client_error(code, message)

    return call


def saying(**answers: Any) -> Any:
    """A client whose operations answer the same to whatever they are asked, or raise."""

    def operation(answer: Any) -> Callable[..., Any]:
        return answer if callable(answer) else lambda **request: answer

    return SimpleNamespace(**{name: operation(answer) for name, answer in answers.items()})


def look(target: Target, wants: Wanted | None = None, who: Identity = WHO) -> Look:
    return Look(target, who, wants or wanted())


def by_status(lines: Iterable[Line]) -> dict[Status, list[Line]]:
    found: dict[Status, list[Line]] = {}
    for line in lines:
        found.setdefault(line.status, []).append(line)
    return found


def only(lines: Iterable[Line]) -> Line:
    (line,) = lines
    return line
