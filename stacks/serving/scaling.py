"""How the endpoint grows and shrinks with its traffic; docs/serving.md says why with these numbers.

Both kinds follow the requests in hand, which CloudWatch has every ten seconds: copies of an inference
component down to none, instances down to the fewest that the settings allow. Target tracking cannot leave
zero (nothing divided by no copy), so a sleeping component has a second policy, which an alarm on refused
requests triggers.
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

from aws_cdk import CfnResource
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.context import Context
from stacks.names import VARIANT
from stacks.serving.hosting import OnlyWithChampion, metric_dimensions

# A scale-out that is under way counts for a minute before the next one. Giving instances up at most every
# half hour costs no more than every five minutes, and fewer are given up only to be asked for again
# (benchmarks/autoscaling.py). A component that nobody asks shall go to zero sooner.
OUT_COOLDOWN_SECONDS = 60
IN_COOLDOWN_SECONDS = 1800
COPY_IN_COOLDOWN_SECONDS = 300
WAKE_COOLDOWN_SECONDS = 60


def scale_instances(
    stack: Construct, context: Context, endpoint: CfnResource, keep: OnlyWithChampion
) -> None:
    """Between min_instances and max_instances, so that each has requests_per_instance in hand."""
    serving = context.settings.serving
    target = keep(
        scaling.CfnScalableTarget(
            stack,
            "ScalableTarget",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{context.names.endpoint}/variant/{VARIANT}",
            min_capacity=serving.min_instances,
            max_capacity=serving.max_instances,
        )
    )
    target.add_resource_dependency(endpoint)
    _track(
        stack,
        context,
        target,
        "SageMakerVariantConcurrentRequestsPerModelHighResolution",
        IN_COOLDOWN_SECONDS,
        keep,
    )


def scale_copies(stack: Construct, context: Context, component: CfnResource, keep: OnlyWithChampion) -> None:
    """Between no copy and max_instances of them; one is brought back when a request finds none."""
    names = context.names
    target = keep(
        scaling.CfnScalableTarget(
            stack,
            "ScalableTarget",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:inference-component:DesiredCopyCount",
            resource_id=f"inference-component/{names.inference_component}",
            min_capacity=0,
            max_capacity=context.settings.serving.max_instances,
        )
    )
    target.add_resource_dependency(component)
    metric = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
    _track(stack, context, target, metric, COPY_IN_COOLDOWN_SECONDS, keep)
    policy = scaling.CfnScalingPolicy
    wake = keep(
        policy(
            stack,
            "WakePolicy",
            policy_name=f"{names.project}-wake",
            policy_type="StepScaling",
            scaling_target_id=target.ref,
            step_scaling_policy_configuration=policy.StepScalingPolicyConfigurationProperty(
                adjustment_type="ChangeInCapacity",
                metric_aggregation_type="Maximum",
                cooldown=WAKE_COOLDOWN_SECONDS,
                step_adjustments=[
                    policy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1)
                ],
            ),
        )
    )
    keep(
        cloudwatch.CfnAlarm(
            stack,
            "Asleep",
            alarm_name=f"{names.project}-endpoint-asleep",
            alarm_description="A request found the model asleep; this wakes it, and tells nobody.",
            namespace="AWS/SageMaker",
            metric_name="NoCapacityInvocationFailures",
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
                for name, value in metric_dimensions(context).items()
            ],
            statistic="Sum",
            period=60,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[wake.ref],
        )
    )


def _track(
    stack: Construct,
    context: Context,
    target: scaling.CfnScalableTarget,
    metric: str,
    in_cooldown: int,
    keep: OnlyWithChampion,
) -> None:
    policy = scaling.CfnScalingPolicy
    keep(
        policy(
            stack,
            "ScalingPolicy",
            policy_name=f"{context.names.project}-requests-in-hand",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=context.settings.serving.requests_per_instance,
                predefined_metric_specification=policy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type=metric
                ),
                scale_out_cooldown=OUT_COOLDOWN_SECONDS,
                scale_in_cooldown=in_cooldown,
            ),
        )
    )
