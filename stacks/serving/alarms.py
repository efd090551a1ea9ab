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
    limit = context.settings.serving.alarm_latency_ms
    watched = _watched_dimensions(context, config)
    alarms = (
        _alarm(
            stack,
            context,
            watched,
            "Errors",
            "endpoint-errors",
            "The model's container answers requests with errors of its own.",
            metric_name="Invocation5XXErrors",
            statistic="Sum",
            threshold=5,
        ),
        # Containers that die or give no answer in time count here, and not as a 5xx of theirs.
        _alarm(
            stack,
            context,
            watched,
            "ModelErrors",
            "endpoint-model-errors",
            "A good part of all requests gets no answer, or none but errors, from the model's container.",
            metric_name="InvocationModelErrors",
            statistic="Average",
            threshold=0.5,
        ),
        _alarm(
            stack,
            context,
            watched,
            "Latency",
            "endpoint-latency",
            f"One picture in a hundred takes longer than {limit} ms in the model's container.",
            metric_name="ModelLatency",
            extended_statistic="p99",
            threshold=limit * 1000,  # the metric is in microseconds
        ),
    )
    return [keep(alarm) for alarm in alarms]


def _watched_dimensions(context: Context, config: sagemaker.CfnEndpointConfig) -> Mapping[str, str]:
    """What the alarms look at: the newest fleet alone.

    An alarm on the whole variant would see the old fleet's answers in a release, and so take back the
    very release that replaces a bad model. AWS documents this dimension for fleets of instances.
    """
    dimensions = metric_dimensions(context)
    if context.settings.serving.has_own_instances:
        dimensions["EndpointConfigName"] = config.attr_endpoint_config_name
    return dimensions


def _alarm(
    stack: Construct,
    context: Context,
    watched: Mapping[str, str],
    construct_id: str,
    name: str,
    description: str,
    *,
    metric_name: str,
    threshold: float,
    statistic: str | None = None,
    extended_statistic: str | None = None,
) -> cloudwatch.CfnAlarm:
    names, minutes = context.names, context.settings.serving.alarm_minutes
    topic = topic_arn(stack, names.alerts_topic)
    return cloudwatch.CfnAlarm(
        stack,
        construct_id,
        alarm_name=f"{names.project}-{name}",
        alarm_description=description,
        namespace="AWS/SageMaker",
        metric_name=metric_name,
        dimensions=[
            cloudwatch.CfnAlarm.DimensionProperty(name=dimension, value=value)
            for dimension, value in watched.items()
        ],
        statistic=statistic,
        extended_statistic=extended_statistic,
        period=60,
        evaluation_periods=minutes,
        datapoints_to_alarm=minutes,
        threshold=threshold,
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
    )
