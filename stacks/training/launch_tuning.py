"""launch-tuning: checks a recipe and a dataset, and starts the tuning job, or the race of networks before it.

A person invokes it. It runs again when a race has ended, and starts the search with the winner.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from contract.names import race_jobs
from contract.storage import TRIALS
from stacks.names import arn
from stacks.roles import allow, below
from stacks.training import launching
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    function = pipeline.function(
        "launch-tuning",
        "Checks a recipe and a dataset, and starts the tuning job.",
        launching.environment(pipeline),
        _permissions(pipeline),
        memory_mb=launching.MEMORY_MB,
    )
    pipeline.on_event(
        "RaceEnded",
        "A race of networks of this project ended: search with the winner, or tell that there is none.",
        function,
        "SageMaker Training Job State Change",
        {
            "TrainingJobName": [{"wildcard": race_jobs(pipeline.context.names.project)}],
            "TrainingJobStatus": ["Completed", "Failed", "Stopped"],
        },
    )
    return function


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    project = pipeline.context.names.project
    jobs = arn(pipeline, "sagemaker", "hyper-parameter-tuning-job", f"{project}-*")
    return (
        allow(
            [
                "sagemaker:CreateHyperParameterTuningJob",
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:AddTags",
            ],
            jobs,
        ),
        allow(
            ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"],
            arn(pipeline, "sagemaker", "training-job", race_jobs(project)),
        ),
        allow("s3:GetObject", below(pipeline.resources.artifacts, TRIALS)),
        *launching.permissions(pipeline),
    )
