"""One dashboard that answers four questions (is it up, fast, right, and what does it cost), the alarms that
somebody has to know of, and the budget.

All metrics are found by fixed names, so this stack imports nothing and can go or come at any time.

Costs: nothing within CloudWatch's permanent free tier (three dashboards, ten alarms per account), else 0.10
USD a month for each of the four alarms here and 3 for the dashboard; the two metrics of the answers' marks
cost 0.30 each beyond the ten that are free. The Serving stack has three alarms more while there is an
endpoint, and target tracking adds its own, at high resolution, which is billed while the endpoint is.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from contract.calibration import METRICS
from stacks.context import Context
from stacks.monitoring.budget import monthly_budget
from stacks.names import API_STAGE, DRIFT_NAMESPACE, VARIANT, topic_arn

FIVE_MINUTES = Duration.minutes(5)
PIPELINE = (
    "launch-tuning",
    "launch-training",
    "register-model",
    "promote-model",
    "launch-doctor",
    "launch-batch",
)


class MonitoringStack(Stack):
    def __init__(self, scope: Construct, context: Context) -> None:
        names = context.names
        super().__init__(
            scope, names.stack("monitoring"), description="Dashboard and alarms of the image classifier."
        )
        self._names = names
        self._topic = sns.Topic.from_topic_arn(self, "Topic", topic_arn(self, names.alerts_topic))
        alarms = [
            self._alarm(
                "api-errors", self._api("5XXError", "Sum"), 5, "The API answers with errors of its own."
            ),
            self._alarm(
                "api-latency", self._api("Latency", "p99"), 5000, "One request in a hundred takes over 5 s."
            ),
            self._alarm(
                "classify-errors",
                self._function("classify", "Errors"),
                0,
                "The classify function failed; its log says why.",
            ),
            self._alarm(
                "dead-letters",
                self._dead_letters(),
                0,
                "A step of the pipeline failed after all retries; its event waits in the dead-letter queue.",
            ),
        ]
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=names.dashboard)
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24, height=3))
        for question, how, row in (
            (
                "Is it up?",
                "Requests and errors, the caller's and ours, at the API and at the model.",
                self._up_row(),
            ),
            (
                "Is it fast?",
                "At the API in milliseconds, in the model's container in microseconds.",
                self._fast_row(),
            ),
            (
                "Is it right?",
                "Steps of the pipeline that failed. What each model was measured at and why it serves: "
                "`classifier status`, or the model registry.",
                self._right_row(drift=bool(context.settings.drift.capture_percent)),
            ),
            (
                "What does it cost?",
                "Billed is the endpoint while it is there: it reports its load, and nothing while it sleeps. "
                "In money: `classifier cost`, and the budget's alerts.",
                self._cost_row(),
            ),
        ):
            text = f"## {question}\n{how}"
            dashboard.add_widgets(cloudwatch.TextWidget(markdown=text, width=24, height=2))
            dashboard.add_widgets(*row)
        budget = context.settings.cost.monthly_budget_usd
        if budget is not None:
            monthly_budget(self, context, budget)
        CfnOutput(self, "DashboardName", value=names.dashboard)

    def _up_row(self) -> list[cloudwatch.IWidget]:
        return [
            _graph("API requests", {"requests": self._api("Count", "Sum")}),
            _graph(
                "API errors",
                {"the caller's": self._api("4XXError", "Sum"), "ours": self._api("5XXError", "Sum")},
            ),
            _graph(
                "Endpoint requests and errors",
                {
                    "requests": self._endpoint("Invocations", "Sum"),
                    "the caller's errors": self._endpoint("Invocation4XXErrors", "Sum"),
                    "the model's errors": self._endpoint("Invocation5XXErrors", "Sum"),
                    "answered badly or not": self._endpoint("InvocationModelErrors", "Sum"),
                },
            ),
        ]

    def _fast_row(self) -> list[cloudwatch.IWidget]:
        return [
            _graph(
                "API latency (ms)",
                {"median": self._api("Latency", "p50"), "p99": self._api("Latency", "p99")},
            ),
            _graph(
                "Endpoint latency (µs)",
                {
                    "median": self._endpoint("ModelLatency", "p50"),
                    "p99": self._endpoint("ModelLatency", "p99"),
                    "p99 on the way": self._endpoint("OverheadLatency", "p99"),
                },
            ),
            _graph("Requests in hand", {"most": self._endpoint("ConcurrentRequestsPerModel", "Maximum")}),
        ]

    def _right_row(self, *, drift: bool) -> list[cloudwatch.IWidget]:
        indices = {
            "predicted classes": self._drift("classes"),
            "confidence": self._drift("confidence"),
            "unlike training's": self._drift("unlike"),
        }
        marks = {"certain": self._answers("Certain"), "unlike training's": self._answers("UnlikeTraining")}
        return [
            *([_graph("Drift from the test split (PSI; moved from 0.1 on)", indices)] if drift else []),
            _graph("Share of answers", marks),
            _graph("Pipeline calls", {name: self._function(name, "Invocations") for name in PIPELINE}),
            _graph("Pipeline errors", {name: self._function(name, "Errors") for name in PIPELINE}),
            _graph("Dead letters", {"waiting": self._dead_letters()}),
        ]

    def _cost_row(self) -> list[cloudwatch.IWidget]:
        machine = "/aws/sagemaker/Endpoints"
        return [
            _graph(
                "Requests per instance, processor and memory %",
                {
                    "requests per instance": self._endpoint("InvocationsPerInstance", "Sum"),
                    "processor %": self._endpoint("CPUUtilization", "Average", machine),
                    "memory %": self._endpoint("MemoryUtilization", "Average", machine),
                },
            ),
            _graph(
                "Endpoint reports (none: asleep)",
                {"reports": self._endpoint("CPUUtilization", "SampleCount", machine)},
            ),
            _graph(
                "Training jobs started", {name: self._function(name, "Invocations") for name in PIPELINE[:2]}
            ),
        ]

    def _api(self, metric: str, statistic: str) -> cloudwatch.Metric:
        return _metric("AWS/ApiGateway", metric, statistic, ApiName=self._names.api, Stage=API_STAGE)

    def _endpoint(self, metric: str, statistic: str, namespace: str = "AWS/SageMaker") -> cloudwatch.Metric:
        dimensions = {"EndpointName": self._names.endpoint, "VariantName": VARIANT}
        return _metric(namespace, metric, statistic, Duration.minutes(1), **dimensions)

    def _drift(self, of: str) -> cloudwatch.Metric:
        project = self._names.project
        return _metric(DRIFT_NAMESPACE, f"psi_{of}", "Maximum", Duration.days(1), Project=project)

    def _answers(self, metric: str) -> cloudwatch.Metric:
        return _metric(METRICS, metric, "Average", Project=self._names.project)

    def _function(self, name: str, metric: str) -> cloudwatch.Metric:
        return _metric("AWS/Lambda", metric, "Sum", FunctionName=self._names.function(name))

    def _dead_letters(self) -> cloudwatch.Metric:
        metric, queue = "ApproximateNumberOfMessagesVisible", self._names.dead_letters
        return _metric("AWS/SQS", metric, "Maximum", QueueName=queue)

    def _alarm(
        self, name: str, metric: cloudwatch.Metric, threshold: float, description: str
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name.title().replace("-", ""),
            alarm_name=f"{self._names.project}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm


def _metric(
    namespace: str, name: str, statistic: str, period: Duration = FIVE_MINUTES, **dimensions: str
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=period
    )


def _graph(title: str, metrics: Mapping[str, cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    # Set here and not on the metrics, for an alarm on a labelled metric takes another form in the template.
    left = [metric.with_(label=label) for label, metric in metrics.items()]
    return cloudwatch.GraphWidget(title=title, left=left, width=8, height=6)
