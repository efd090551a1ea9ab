"""launch-training: starts the final training with the best hyperparameters, or with given ones.

It runs when a tuning job of this project has ended, and when a training job has failed: if AWS had no
instance for it, the next type is tried. A person may invoke it too.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from stacks.names import arn, model_packages_arn
from stacks.roles import allow
from stacks.training import launching
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    function = pipeline.function(
        "launch-training",
        "Starts the final training with the best hyperparameters of a tuning job, or with given ones.",
        launching.environment(pipeline),
        _permissions(pipeline),
        memory_mb=launching.MEMORY_MB,
    )
    pipeline.on_event(
        "TuningEnded",
        "A tuning job of this project ended: start the final training, or tell that it failed.",
        function,
        "SageMaker HyperParameter Tuning Job State Change",
        {
            "HyperParameterTuningJobName": [{"prefix": f"{pipeline.context.names.project}-"}],
            "HyperParameterTuningJobStatus": ["Completed", "Failed", "Stopped"],
        },
    )
    pipeline.on_event(
        "TrainingFailed",
        "A training job of this project failed: if AWS had no instance for it, go on with the next type.",
        function,
        "SageMaker Training Job State Change",
        {
            "TrainingJobName": [{"prefix": f"{pipeline.context.names.project}-"}],
            "TrainingJobStatus": ["Failed"],
        },
    )
    return function


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names = pipeline.context.names
    return (
        allow(
            ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"],
            arn(pipeline, "sagemaker", "training-job", f"{names.project}-*"),
        ),
        allow(
            [
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
            ],
            arn(pipeline, "sagemaker", "hyper-parameter-tuning-job", f"{names.project}-*"),
        ),
        allow("sagemaker:DescribeModelPackage", model_packages_arn(pipeline, names)),
        pipeline.may_read_champion(),
        *launching.permissions(pipeline),
    )
