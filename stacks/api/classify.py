"""The classify function: what it is given, and what it may do. API Gateway calls it for every request."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.environment import ClassifyEnvironment
from contract.evaluation import FILE as EVALUATION
from contract.storage import of_run
from stacks.api.corrections import keep_what_is_given
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import arn, generated_arns, model_packages_arn, parameter_arn
from stacks.roles import allow, may_invoke

# API Gateway gives up on an integration after 29 seconds.
TIMEOUT_SECONDS = 29


def classify_function(
    scope: Construct, context: Context, artifacts: s3.IBucket, given: s3.IBucket | None
) -> PythonFunction:
    """The function; `given` is where it may put pictures that their senders give."""
    return PythonFunction(
        scope,
        "Classify",
        context,
        "classify",
        "Takes a picture to the endpoint and its answer, or a clear error, back.",
        environment=_environment(context, artifacts, given),
        statements=[*_permissions(scope, context, artifacts), *(keep_what_is_given(given) if given else ())],
        timeout_seconds=TIMEOUT_SECONDS,
        # A share of processor comes with the memory: half a gigabyte halves the time base64 takes.
        memory_mb=512,
    )


def _environment(context: Context, artifacts: s3.IBucket, given: s3.IBucket | None) -> ClassifyEnvironment:
    names, settings = context.names, context.settings
    return ClassifyEnvironment(
        project=settings.project,
        endpoint_name=names.endpoint,
        champion_parameter=names.champion_parameter,
        promote_function=names.function("promote-model"),
        max_image_bytes=settings.max_image_bytes,
        artifacts_bucket=artifacts.bucket_name,
        inference_component=names.inference_component if settings.serving.scale_to_zero else "",
        allowed_origin=settings.api.cors_origin,
        given_bucket=given.bucket_name if given else "",
        given_days=settings.corrections.days,
    )


def _permissions(scope: Construct, context: Context, artifacts: s3.IBucket) -> Sequence[iam.PolicyStatement]:
    names = context.names
    endpoint = arn(scope, "sagemaker", "endpoint", names.endpoint)
    component = arn(scope, "sagemaker", "inference-component", names.inference_component)
    components = [component] if context.settings.serving.scale_to_zero else []
    return (
        allow("sagemaker:InvokeEndpoint", [endpoint, *components]),
        allow("sagemaker:DescribeEndpoint", endpoint),
        *(allow("sagemaker:DescribeInferenceComponent", each) for each in components),
        # GET /model tells what the endpoint has loaded, which may lag behind the champion.
        allow("sagemaker:DescribeEndpointConfig", generated_arns(scope, names, "endpoint-config")),
        allow("sagemaker:DescribeModel", generated_arns(scope, names, "model")),
        allow("sagemaker:DescribeModelPackage", model_packages_arn(scope, names)),
        # GET /classes names what that model was tested on.
        allow("s3:GetObject", artifacts.arn_for_objects(of_run("*", EVALUATION))),
        allow("ssm:GetParameterHistory", parameter_arn(scope, names.champion_parameter)),
        # A picture wakes a model that sleeps.
        may_invoke(scope, names.function("promote-model")),
    )
