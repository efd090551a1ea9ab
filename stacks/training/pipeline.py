"""The pipeline between an upload and a promoted model: what its steps share.

Each step is a Lambda function in a file of its own. A person invokes launch-tuning; from then on SageMaker's
events call the next step. AWS may deliver an event twice or late, so every step can be repeated. What fails
after all retries lies in the dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contract.environment import Environment
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import parameter_arn
from stacks.roles import allow
from stacks.training.images import ContainerImage


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResources:
    """What the steps work with."""

    data: s3.IBucket
    artifacts: s3.IBucket
    code_prefix: str
    """`code/<hash>/` in the artifacts bucket."""
    doctor_prefix: str
    """The same of the doctor's code."""
    batch_prefix: str
    """The same of the code that answers pictures in one go."""
    training_image: ContainerImage
    training_image_gpu: ContainerImage
    serving_image: ContainerImage
    training_role: iam.IRole
    batch_role: iam.IRole
    topic: sns.ITopic
    dead_letters: sqs.IQueue


class Pipeline(Construct):
    """Where the steps' functions and rules are put."""

    def __init__(
        self, scope: Construct, construct_id: str, context: Context, resources: PipelineResources
    ) -> None:
        super().__init__(scope, construct_id)
        self.context, self.resources = context, resources

    def function(
        self,
        name: str,
        description: str,
        environment: Environment,
        statements: Sequence[iam.PolicyStatement],
        *,
        memory_mb: int = 256,
        timeout_seconds: int = 60,
    ) -> lambda_.Function:
        """A step's function, whose failures go to the dead-letter queue."""
        return PythonFunction(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            self.context,
            name,
            description,
            environment=environment,
            statements=statements,
            dead_letters=self.resources.dead_letters,
            memory_mb=memory_mb,
            timeout_seconds=timeout_seconds,
        ).function

    def on_event(
        self,
        construct_id: str,
        description: str,
        function: lambda_.Function,
        detail_type: str,
        detail: Mapping[str, object],
        *,
        source: str = "aws.sagemaker",
    ) -> None:
        """Call a function for the events of a type whose details match."""
        pattern = events.EventPattern(source=[source], detail_type=[detail_type], detail=dict(detail))
        target = self._target(function, Duration.hours(6))
        events.Rule(self, construct_id, description=description, event_pattern=pattern, targets=[target])

    def on_schedule(
        self,
        construct_id: str,
        description: str,
        function: lambda_.Function,
        schedule: str,
        payload: Mapping[str, str] | None = None,
    ) -> None:
        """Call a function by the clock, with `payload` in place of the event."""
        event = events.RuleTargetInput.from_object(payload) if payload else None
        events.Rule(
            self,
            construct_id,
            description=description,
            schedule=events.Schedule.expression(schedule),
            targets=[self._target(function, Duration.hours(1), event)],
        )

    def _target(
        self, function: lambda_.Function, max_age: Duration, event: events.RuleTargetInput | None = None
    ) -> targets.LambdaFunction:
        return targets.LambdaFunction(
            function,
            event=event,
            dead_letter_queue=self.resources.dead_letters,
            retry_attempts=8,
            max_event_age=max_age,
        )

    def may_read_champion(self) -> iam.PolicyStatement:
        """The right to read who the champion is, and who it was."""
        champion = parameter_arn(self, self.context.names.champion_parameter)
        return allow("ssm:GetParameterHistory", champion)

    def may_publish(self) -> iam.PolicyStatement:
        """The right to send a message to the project's owner."""
        return allow("sns:Publish", self.resources.topic.topic_arn)
