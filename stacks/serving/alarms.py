"""The alarms that roll a new model back: on errors, on requests without a good answer, on latency."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.context import Context
from stacks.names import topic_arn
from stacks.serving.hosting import OnlyWithChampion, metric_dimensions


def rollback_alarms(
    stack: Construct, context: Context, config: sagemaker.CfnEndpointConfig, keep: OnlyWithChampion
) -> list[cloudwatch.CfnAlarm]:
    """The three alarms on the newest fleet; they tell the project's owner too."""
    names, serving = context.names, context.settings.serving
    topic, limit = topic_arn(stack, names.alerts_topic), serving.alarm_latency_ms
    dimensions = [
        cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
        for name, value in _watched(context, config).items()
    ]
    return [
        keep(
            cloudwatch.CfnAlarm(
                stack,
                construct_id,
                alarm_name=f"{names.project}-{name}",
                alarm_description=description,
                namespace="AWS/SageMaker",
                metric_name=metric,
                dimensions=dimensions,
                statistic=None if statistic == "p99" else statistic,
                extended_statistic="p99" if statistic == "p99" else None,
                period=60,
                evaluation_periods=serving.alarm_minutes,
                datapoints_to_alarm=serving.alarm_minutes,
                threshold=threshold,
                comparison_operator="GreaterThanThreshold",
                treat_missing_data="notBreaching",
                alarm_actions=[topic],
                ok_actions=[topic],
            )
        )
        for construct_id, name, metric, statistic, threshold, description in (
            (
                "Errors",
                "endpoint-errors",
                "Invocation5XXErrors",
                "Sum",
                5,
                "The model's container answers requests with errors of its own.",
            ),
            # Containers that die or give no answer in time count here, and not as a 5xx of theirs.
            (
                "ModelErrors",
                "endpoint-model-errors",
                "InvocationModelErrors",
                "Average",
                0.5,
                "A good part of all requests gets no answer, or none but errors, from the model's container.",
            ),
            (
                "Latency",
                "endpoint-latency",
                "ModelLatency",
                "p99",
                limit * 1000,  # the metric is in microseconds
                f"One picture in a hundred takes longer than {limit} ms in the model's container.",
            ),
        )
    ]


def _watched(context: Context, config: sagemaker.CfnEndpointConfig) -> Mapping[str, str]:
    """What the alarms look at: the newest fleet alone.

    An alarm on the whole variant would see the old fleet's answers in a release, and so take back the
    very release that replaces a bad model. AWS documents this dimension for fleets of instances.
    """
    dimensions = metric_dimensions(context)
    if context.settings.serving.has_own_instances:
        dimensions["EndpointConfigName"] = config.attr_endpoint_config_name
    return dimensions
