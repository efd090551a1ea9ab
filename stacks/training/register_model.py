"""register-model: measures a trained model against the champion and puts it into the registry.

It runs when a training job of this project has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from contract.environment import RegisterEnvironment
from contract.storage import JOBS, RUNS
from stacks.names import MODEL_TAG, arn, model_packages_arn
from stacks.roles import allow, below, may_list
from stacks.training.pipeline import Pipeline


def add(pipeline: Pipeline) -> lambda_.Function:
    function = pipeline.function(
        "register-model",
        "Measures a trained model against the champion and puts it into the registry.",
        _environment(pipeline),
        _permissions(pipeline),
        # It reads output.tar.gz of a training job, which a user's own code may fill.
        memory_mb=512,
        timeout_seconds=300,
    )
    pipeline.on_event(
        "TrainingEnded",
        "A training job of this project ended: register its model, or tell that it failed.",
        function,
        "SageMaker Training Job State Change",
        {
            "TrainingJobName": [{"prefix": f"{pipeline.context.names.project}-"}],
            "TrainingJobStatus": ["Completed", "Failed", "Stopped"],
        },
    )
    return function


def _environment(pipeline: Pipeline) -> RegisterEnvironment:
    settings, resources, names = pipeline.context.settings, pipeline.resources, pipeline.context.names
    gate, repository = settings.gate, resources.serving_image.repository_name
    return RegisterEnvironment(
        project=settings.project,
        artifacts_bucket=resources.artifacts.bucket_name,
        serving_image=resources.serving_image.uri,
        serving_image_target=settings.serving.image_target,
        serving_repository=repository,
        image_tag_prefix=MODEL_TAG if repository else "",
        model_package_group=names.model_package_group,
        approval=settings.approval,
        must_be=gate.must_be,
        significance=gate.significance,
        min_accuracy=gate.min_accuracy,
        min_class_recall=gate.min_class_recall,
        max_latency_ms=gate.max_latency_ms,
        max_size_mb=gate.max_size_mb,
        champion_parameter=names.champion_parameter,
        notification_topic_arn=resources.topic.topic_arn,
    )


def _permissions(pipeline: Pipeline) -> Sequence[iam.PolicyStatement]:
    names, resources, artifacts = pipeline.context.names, pipeline.resources, pipeline.resources.artifacts
    # A tag is put on an image by putting the image, and taken away by deleting what only the tag names.
    tag = ["ecr:PutImage", "ecr:BatchDeleteImage"] if resources.serving_image.repository_name else []
    return (
        allow(
            "sagemaker:DescribeTrainingJob", arn(pipeline, "sagemaker", "training-job", f"{names.project}-*")
        ),
        allow(
            [
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:UpdateModelPackage",
            ],
            [
                arn(pipeline, "sagemaker", "model-package-group", names.model_package_group),
                model_packages_arn(pipeline, names),
            ],
        ),
        allow("sagemaker:ListModelPackages", "*"),  # knows no resource
        # The registry looks the image up in the caller's name.
        allow(["ecr:BatchGetImage", "ecr:DescribeImages", *tag], resources.serving_image.repository_arn),
        allow("s3:GetObject", below(artifacts, JOBS)),
        allow(["s3:GetObject", "s3:PutObject"], below(artifacts, RUNS)),
        may_list(artifacts),
        pipeline.may_read_champion(),
        # What the rules found in a training, under this project's name only.
        allow(
            "events:PutEvents",
            arn(pipeline, "events", "event-bus", "default"),
            when={"ForAllValues:StringEquals": {"events:source": names.project}},
        ),
        pipeline.may_publish(),
    )
