"""Everything an account can be billed for or cluttered with, by service, as AWS lists it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# service, operation, key of the list, how an item is named
_LISTS: tuple[tuple[str, str, str, str], ...] = (
    ("s3", "list_buckets", "Buckets", "Name"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_layers", "Layers", "LayerName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("events", "list_rules", "Rules", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("apigateway", "get_rest_apis", "items", "name"),
    ("apigateway", "get_api_keys", "items", "name"),
    ("apigateway", "get_usage_plans", "items", "name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("codebuild", "list_projects", "projects", ""),
    ("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    ("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    ("sagemaker", "list_models", "Models", "ModelName"),
    ("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
)


def inventory(client: Callable[[str], Any], account: str) -> set[str]:
    """Names of the form `service operation: name` of everything there is."""
    found = {
        f"{service} {operation}: {item[name] if name else item}"
        for service, operation, key, name in _LISTS
        for item in _items(client(service), operation, key)
    }
    budgets = client("budgets").describe_budgets(AccountId=account).get("Budgets", [])
    found |= {f"budgets describe_budgets: {budget['BudgetName']}" for budget in budgets}
    targets = client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return found | {f"scaling: {target['ResourceId']}" for target in targets["ScalableTargets"]}


def _items(client: Any, operation: str, key: str) -> Iterator[Any]:
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate():
            yield from page.get(key, [])
    else:
        yield from getattr(client, operation)().get(key, [])
