"""What each step of the pipeline may do, as IAM statements: one function of this file per Lambda.

Written against what the handlers call. A permission too few shows at the first run, for the local AWS
enforces these policies too; one too many would show nowhere, so every action has its reason in the handler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import CAPTURED, CODE_ROOT, JOBS, RECIPES, RUNS
from stacks.context import Context
from stacks.names import DRIFT_NAMESPACE, arn, role_arn

if TYPE_CHECKING:
    from stacks.pipeline import PipelineResources

Statements = Sequence[iam.PolicyStatement]


def launch_tuning(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    jobs = arn(scope, "sagemaker", "hyper-parameter-tuning-job", f"{context.names.project}-*")
    return (
        iam.PolicyStatement(
            actions=[
                "sagemaker:CreateHyperParameterTuningJob",
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:AddTags",
            ],
            resources=[jobs],
        ),
        *_launch(scope, context, resources),
    )


def launch_training(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    training = arn(scope, "sagemaker", "training-job", f"{context.names.project}-*")
    tuning = arn(scope, "sagemaker", "hyper-parameter-tuning-job", f"{context.names.project}-*")
    return (
        iam.PolicyStatement(
            actions=["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"],
            resources=[training],
        ),
        iam.PolicyStatement(
            actions=[
                "sagemaker:DescribeHyperParameterTuningJob",
                "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
            ],
            resources=[tuning],
        ),
        iam.PolicyStatement(
            actions=["sagemaker:DescribeModelPackage"],
            resources=[arn(scope, "sagemaker", "model-package", f"{context.names.model_package_group}/*")],
        ),
        iam.PolicyStatement(actions=["ssm:GetParameterHistory"], resources=[_champion(scope, context)]),
        *_launch(scope, context, resources),
    )


def register_model(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    names, artifacts = context.names, resources.artifacts
    group = arn(scope, "sagemaker", "model-package-group", names.model_package_group)
    packages = arn(scope, "sagemaker", "model-package", f"{names.model_package_group}/*")
    return (
        iam.PolicyStatement(
            actions=["sagemaker:DescribeTrainingJob"],
            resources=[arn(scope, "sagemaker", "training-job", f"{names.project}-*")],
        ),
        iam.PolicyStatement(
            actions=[
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:UpdateModelPackage",
            ],
            resources=[group, packages],
        ),
        iam.PolicyStatement(actions=["sagemaker:ListModelPackages"], resources=["*"]),  # knows no resource
        # The registry looks the image up in the caller's name.
        iam.PolicyStatement(
            actions=["ecr:BatchGetImage", "ecr:DescribeImages", *_tag_images(resources)],
            resources=[resources.serving_image.repository_arn],
        ),
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[artifacts.arn_for_objects(f"{JOBS}/*")]),
        iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject"], resources=[artifacts.arn_for_objects(f"{RUNS}/*")]
        ),
        _list(artifacts),
        iam.PolicyStatement(actions=["ssm:GetParameterHistory"], resources=[_champion(scope, context)]),
        # What the rules found in a training, under this project's name only.
        iam.PolicyStatement(
            actions=["events:PutEvents"],
            resources=[arn(scope, "events", "event-bus", "default")],
            conditions={"ForAllValues:StringEquals": {"events:source": names.project}},
        ),
        _publish(resources),
    )


def promote_model(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    names = context.names
    return (
        iam.PolicyStatement(
            actions=["sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"],
            resources=[arn(scope, "sagemaker", "model-package", f"{names.model_package_group}/*")],
        ),
        iam.PolicyStatement(
            # ssm:GetParameters: UpdateStack resolves the stack's parameter in the caller's name.
            actions=[
                "ssm:GetParameter",
                "ssm:GetParameterHistory",
                "ssm:GetParameters",
                "ssm:PutParameter",
            ],
            resources=[
                _champion(scope, context),
                arn(scope, "ssm", "parameter", names.instance_type_parameter.removeprefix("/")),
            ],
        ),
        iam.PolicyStatement(
            actions=["sagemaker:DescribeEndpoint"],
            resources=[arn(scope, "sagemaker", "endpoint", names.endpoint)],
        ),
        # A quota is known by its name only, which GetServiceQuota does not take. Lists know no resource.
        iam.PolicyStatement(
            actions=["servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"],
            resources=["*"],
        ),
        iam.PolicyStatement(
            # No iam:PassRole: a stack keeps the role it was made with.
            actions=[
                "cloudformation:DescribeStacks",
                "cloudformation:DescribeStackEvents",
                "cloudformation:UpdateStack",
            ],
            resources=[arn(scope, "cloudformation", "stack", f"{names.stack('serving')}/*")],
        ),
        _publish(resources),
    )


def idle_guard(scope: Construct, context: Context) -> Statements:
    names = context.names
    return (
        iam.PolicyStatement(
            actions=["sagemaker:DescribeEndpoint"],
            resources=[arn(scope, "sagemaker", "endpoint", names.endpoint)],
        ),
        iam.PolicyStatement(actions=["cloudwatch:GetMetricStatistics"], resources=["*"]),  # knows no resource
        iam.PolicyStatement(actions=["ssm:GetParameterHistory"], resources=[_champion(scope, context)]),
        call_promote_model(scope, context),
    )


def check_drift(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    names, artifacts = context.names, resources.artifacts
    read = [artifacts.arn_for_objects(f"{prefix}/*") for prefix in (CAPTURED, RUNS)]
    launch = arn(scope, "lambda", "function", names.function("launch-tuning"), separator=":")
    return (
        iam.PolicyStatement(
            actions=["sagemaker:DescribeModelPackage"],
            resources=[arn(scope, "sagemaker", "model-package", f"{names.model_package_group}/*")],
        ),
        iam.PolicyStatement(actions=["s3:GetObject"], resources=read),
        iam.PolicyStatement(actions=["s3:PutObject"], resources=[artifacts.arn_for_objects(f"{RUNS}/*")]),
        _list(artifacts),
        iam.PolicyStatement(actions=["ssm:GetParameterHistory"], resources=[_champion(scope, context)]),
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": DRIFT_NAMESPACE}},
        ),
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[launch]),
        _publish(resources),
    )


def call_promote_model(scope: Construct, context: Context) -> iam.PolicyStatement:
    """The right to ask for sleep and for waking; what may be asked for is the function's to decide."""
    function = arn(scope, "lambda", "function", context.names.function("promote-model"), separator=":")
    return iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function])


def _launch(scope: Construct, context: Context, resources: PipelineResources) -> Statements:
    """What both launchers do before they create a job: read recipe and code, see that the dataset is
    there.
    """
    data, artifacts = resources.data, resources.artifacts
    return (
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role_arn(scope, context.names.training_role)],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        iam.PolicyStatement(
            actions=["s3:GetObject"],
            resources=[artifacts.arn_for_objects(f"{prefix}/*") for prefix in (RECIPES, CODE_ROOT, RUNS)],
        ),
        iam.PolicyStatement(actions=["s3:PutObject"], resources=[artifacts.arn_for_objects(f"{RUNS}/*")]),
        _list(artifacts),
        _list(data),
        _publish(resources),
    )


def _tag_images(resources: PipelineResources) -> Sequence[str]:
    """A tag is put on an image by putting the image, and taken away by deleting what only the tag names."""
    return ["ecr:PutImage", "ecr:BatchDeleteImage"] if resources.serving_image.repository_name else []


def _list(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Without the right to list, S3 answers AccessDenied for an object that is not there, never NoSuchKey.

    A condition on the prefix would not do: reading an object carries none.
    """
    return iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn])


def _champion(scope: Construct, context: Context) -> str:
    return arn(scope, "ssm", "parameter", context.names.champion_parameter.removeprefix("/"))


def _publish(resources: PipelineResources) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["sns:Publish"], resources=[resources.topic.topic_arn])
