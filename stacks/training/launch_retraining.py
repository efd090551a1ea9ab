"""launch-retraining: starts a new search when enough corrections were accepted, or drift rang.

Where the settings `retrain` ask for it. For corrections it looks every hour; check-drift calls it for drift.
It starts nothing itself: launch-tuning does, and refuses what could cost more than is left of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from contract.environment import RetrainEnvironment
from contract.storage import RECIPES, RETRAINING, RUNS
from stacks.names import arn, model_packages_arn
from stacks.roles import allow, below, may_invoke, may_list
from stacks.training import launching
from stacks.training.pipeline import Pipeline

NAME = "launch-retraining"


def add(pipeline: Pipeline) -> None:
    retrain = pipeline.context.settings.retrain
    if not retrain.is_on:
        return
    function = pipeline.function(
        NAME,
        "Starts a new search when enough corrections were accepted, or drift rang.",
        _environment(pipeline),
        _permissions(pipeline),
        memory_mb=512,
        timeout_seconds=300,
    )
    if retrain.corrections:
        pipeline.on_schedule("LookForCorrections", "Is a new search due?", function, "rate(1 hour)")


def _environment(pipeline: Pipeline) -> RetrainEnvironment:
    names, retrain, resources = (
        pipeline.context.names,
        pipeline.context.settings.retrain,
        pipeline.resources,
    )
    return RetrainEnvironment(
        project=names.project,
        data_bucket=resources.data.bucket_name,
        artifacts_bucket=resources.artifacts.bucket_name,
        champion_parameter=names.champion_parameter,
        corrections=retrain.corrections,
        recipe=retrain.recipe,
        max_cost_usd_month=retrain.max_cost_usd_month,
        launch_function=names.function("launch-tuning"),
        notification_topic_arn=resources.topic.topic_arn,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names, resources = pipeline.context.names, pipeline.resources
    return (
        launching.may_read_versions(pipeline),
        may_list(resources.data),
        allow("s3:GetObject", below(resources.artifacts, RECIPES, RUNS, RETRAINING)),
        allow("s3:PutObject", below(resources.artifacts, RETRAINING)),
        may_list(resources.artifacts),
        pipeline.may_read_champion(),
        allow("sagemaker:DescribeModelPackage", model_packages_arn(pipeline, names)),
        allow(
            ["sagemaker:ListHyperParameterTuningJobs", "sagemaker:ListTrainingJobs"], "*"
        ),  # know no resource
        allow(
            "sagemaker:DescribeTrainingJob", arn(pipeline, "sagemaker", "training-job", f"{names.project}-*")
        ),
        may_invoke(pipeline, names.function("launch-tuning")),
        pipeline.may_publish(),
    )
