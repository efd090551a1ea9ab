"""What answers behind the endpoint: instances, serverless, or model copies that scale to zero.

With instances or serverless the model belongs to the endpoint's configuration. With scale_to_zero the
configuration only says which instances there may be, and an inference component brings the model onto them:
AWS lets nothing else give up the last instance.
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from aws_cdk import CfnResource
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contract.storage import CAPTURED
from stacks.context import Context
from stacks.names import VARIANT, role_arn
from stacks.settings.serving import GPU, SERVERLESS

ResourceT = TypeVar("ResourceT", bound=CfnResource)

# The first GPU image of SageMaker whose driver knows CUDA 13, which this project's PyTorch is built with.
GPU_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
ROUTING = "LEAST_OUTSTANDING_REQUESTS"
"""To the instance with the least in hand, not to one at random."""
# What a copy reserves of an instance; it may use more. The part of an instance that can be reserved is far
# smaller than its memory, and one that asks for too much is refused as if there were no instance at all.
COPY_MEMORY_MB = 1024
COPY_CPU_CORES = 1


class OnlyWithChampion(Protocol):
    """Keeps a resource out of the stack until there is a champion."""

    def __call__(self, resource: ResourceT) -> ResourceT: ...


def endpoint_config(
    stack: Construct,
    context: Context,
    model: sagemaker.CfnModel,
    artifacts: s3.IBucket,
    instance_type: str,
) -> sagemaker.CfnEndpointConfig:
    """The configuration of the endpoint in the flavour of the settings.

    Answers are captured by setting, the pictures never: whoever sends one has not agreed to its being kept.
    """
    components = context.settings.serving.scale_to_zero
    return sagemaker.CfnEndpointConfig(
        stack,
        "EndpointConfig",
        # Inference components take role and isolation from here, other endpoints from their models.
        execution_role_arn=role_arn(stack, context.names.endpoint_role) if components else None,
        enable_network_isolation=True if components else None,
        production_variants=[_variant(context, model, instance_type)],
        data_capture_config=_capture(context, artifacts),
    )


def _capture(
    context: Context, artifacts: s3.IBucket
) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
    percent, kind = context.settings.drift.capture_percent, sagemaker.CfnEndpointConfig
    if not percent:
        return None
    return kind.DataCaptureConfigProperty(
        enable_capture=True,
        initial_sampling_percentage=percent,
        destination_s3_uri=f"s3://{artifacts.bucket_name}/{CAPTURED}",
        capture_options=[kind.CaptureOptionProperty(capture_mode="Output")],
        capture_content_type_header=kind.CaptureContentTypeHeaderProperty(
            json_content_types=["application/json"]
        ),
    )


def isolates_its_model(context: Context) -> bool:
    """Whether the model itself is cut off from the network: serverless endpoints refuse a model that is, and
    components are isolated by the configuration.
    """
    return context.settings.serving.has_own_instances


def component(
    stack: Construct,
    context: Context,
    endpoint: sagemaker.CfnEndpoint,
    model: sagemaker.CfnModel,
    alarms: Sequence[cloudwatch.CfnAlarm],
) -> sagemaker.CfnInferenceComponent:
    """The model on the endpoint's instances, one copy to begin with; a promotion replaces it copy by copy."""
    serving = context.settings.serving
    kind = sagemaker.CfnInferenceComponent
    resource = kind(
        stack,
        "Component",
        inference_component_name=context.names.inference_component,
        endpoint_name=endpoint.attr_endpoint_name,
        variant_name=VARIANT,
        specification=kind.InferenceComponentSpecificationProperty(
            model_name=model.attr_model_name,
            compute_resource_requirements=kind.InferenceComponentComputeResourceRequirementsProperty(
                min_memory_required_in_mb=COPY_MEMORY_MB,
                number_of_cpu_cores_required=COPY_CPU_CORES,
                number_of_accelerator_devices_required=1 if serving.flavour == GPU else None,
            ),
        ),
        runtime_config=kind.InferenceComponentRuntimeConfigProperty(copy_count=1),
        deployment_config=kind.InferenceComponentDeploymentConfigProperty(
            rolling_update_policy=kind.InferenceComponentRollingUpdatePolicyProperty(
                # Half of the copies at a time is the most that AWS allows.
                maximum_batch_size=kind.InferenceComponentCapacitySizeProperty(
                    type="CAPACITY_PERCENT", value=50
                ),
                wait_interval_in_seconds=serving.bake_seconds,
                maximum_execution_timeout_in_seconds=3600 + 2 * serving.bake_seconds,
            ),
            auto_rollback_configuration=kind.AutoRollbackConfigurationProperty(
                alarms=[kind.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
            ),
        ),
    )
    resource.add_resource_dependency(endpoint)
    return resource


def metric_dimensions(context: Context) -> dict[str, str]:
    """How CloudWatch names what answers: by variant, or by component where there is one."""
    if context.settings.serving.scale_to_zero:
        return {"InferenceComponentName": context.names.inference_component}
    return {"EndpointName": context.names.endpoint, "VariantName": VARIANT}


def _variant(
    context: Context, model: sagemaker.CfnModel, instance_type: str
) -> sagemaker.CfnEndpointConfig.ProductionVariantProperty:
    serving = context.settings.serving
    config = sagemaker.CfnEndpointConfig
    if serving.flavour == SERVERLESS:
        return config.ProductionVariantProperty(
            variant_name=VARIANT,
            model_name=model.attr_model_name,
            initial_variant_weight=1,
            serverless_config=config.ServerlessConfigProperty(
                max_concurrency=serving.serverless_concurrency,
                memory_size_in_mb=serving.serverless_memory_mb,
            ),
        )
    instances = config.ManagedInstanceScalingProperty(
        status="ENABLED", min_instance_count=0, max_instance_count=serving.max_instances
    )
    return config.ProductionVariantProperty(
        variant_name=VARIANT,
        model_name=None if serving.scale_to_zero else model.attr_model_name,
        instance_type=instance_type,
        initial_instance_count=serving.min_instances,
        initial_variant_weight=None if serving.scale_to_zero else 1,
        managed_instance_scaling=instances if serving.scale_to_zero else None,
        inference_ami_version=GPU_AMI if serving.flavour == GPU else None,
        routing_config=config.RoutingConfigProperty(routing_strategy=ROUTING),
    )
