"""Quotas as AWS names them. A quota is looked up by its name: nobody can guess its code."""

from __future__ import annotations

SAGEMAKER, CODEBUILD = "sagemaker", "codebuild"

ALL_TRAINING = "Number of instances across all training jobs"
ALL_SPOT_TRAINING = "Number of instances across all spot training jobs"
ALL_ENDPOINTS = "Number of instances across active endpoints"
ONE_TRAINING = "Maximum number of instances per training job"
ONE_SPOT_TRAINING = "Maximum number of instances per spot training job"
ONE_ENDPOINT = "Maximum number of instances per endpoint"
PARALLEL_TRIALS = "Maximum number of parallel training jobs per hyperparameter tuning job"
SERVERLESS_ENDPOINTS = "Maximum number of serverless endpoints"
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
SERVERLESS_MEMORY = "Memory size in MB per serverless endpoint"


def training(instance_type: str, spot: bool) -> str:
    """Instances of a type that training jobs have at a time; managed spot has a quota of its own."""
    return f"{instance_type} for {'spot ' if spot else ''}training job usage"


def endpoint(instance_type: str) -> str:
    """Instances of a type that endpoints have at a time."""
    return f"{instance_type} for endpoint usage"


def builds(environment: str) -> str:
    """CodeBuild's builds at a time in an environment such as `Linux/Small`."""
    return f"Concurrently running builds for {environment} environment"
