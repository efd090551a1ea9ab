"""launch-training: starts the final training when a tuning job has ended, or with given hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from stacks.names import arn, model_packages_arn
from stacks.training import launching
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    function = pipeline.function(
        "launch-training",
        "Starts the final training with the best hyperparameters of a tuning job, or with given ones.",
        launching.environment(pipeline),
        _permissions(pipeline),
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
    return function


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names = pipeline.context.names
    return (
        iam.PolicyStatement(
            actions=["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"],
            resources=[arn(pipeline, "sagemaker", "training-job", f"{names.project}-*")],
        ),
        iam.PolicyStatement(
            actions=[
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
            ],
            resources=[arn(pipeline, "sagemaker", "hyper-parameter-tuning-job", f"{names.project}-*")],
        ),
        iam.PolicyStatement(
            actions=["sagemaker:DescribeModelPackage"], resources=[model_packages_arn(pipeline, names)]
        ),
        pipeline.may_read_champion(),
        *launching.permissions(pipeline),
    )
