"""check-drift: compares the last day's predictions with those on the test split.

It runs once a day, where answers are captured.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from contract.environment import DriftEnvironment
from contract.storage import CAPTURED, RUNS
from stacks.names import DRIFT_NAMESPACE, model_packages_arn
from stacks.roles import allow, below, may_invoke, may_list
from stacks.training import launch_retraining
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> None:
    if not pipeline.context.settings.drift.capture_percent:
        return
    function = pipeline.function(
        "check-drift",
        "Compares the last day's predictions with those on the test split.",
        _environment(pipeline),
        _permissions(pipeline),
        memory_mb=512,
        timeout_seconds=300,
    )
    pipeline.on_schedule("LookForDrift", "Has what is asked of the model changed?", function, "rate(1 day)")


def _environment(pipeline: Pipeline) -> DriftEnvironment:
    names, drift = pipeline.context.names, pipeline.context.settings.drift
    retrains = pipeline.context.settings.retrain.on_drift
    return DriftEnvironment(
        project=names.project,
        artifacts_bucket=pipeline.resources.artifacts.bucket_name,
        champion_parameter=names.champion_parameter,
        capture_folder=names.capture_folder,
        threshold=drift.threshold,
        min_predictions=drift.min_predictions,
        retrain_function=names.function(launch_retraining.NAME) if retrains else "",
        metric_namespace=DRIFT_NAMESPACE,
        notification_topic_arn=pipeline.resources.topic.topic_arn,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names, artifacts = pipeline.context.names, pipeline.resources.artifacts
    retrains = pipeline.context.settings.retrain.on_drift
    return (
        allow("sagemaker:DescribeModelPackage", model_packages_arn(pipeline, names)),
        allow("s3:GetObject", below(artifacts, CAPTURED, RUNS)),
        allow("s3:PutObject", below(artifacts, RUNS)),
        may_list(artifacts),
        pipeline.may_read_champion(),
        allow(
            "cloudwatch:PutMetricData", "*", when={"StringEquals": {"cloudwatch:namespace": DRIFT_NAMESPACE}}
        ),
        *((may_invoke(pipeline, names.function(launch_retraining.NAME)),) if retrains else ()),
        pipeline.may_publish(),
    )
