"""The topic that alarms and failed jobs are told to, and the queue where undeliverable events wait.

Costs: nothing while nothing happens (SNS e-mails and SQS requests have a permanent free tier).
"""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.context import Context
from stacks.review import accept


class AlertsTopic(Construct):
    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        # Not encrypted with the AWS managed key: alarms cannot publish to such a topic, and a key of our own
        # costs every month. What is sent names jobs and alarms, nothing secret.
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=context.names.alerts_topic,
            display_name=f"{context.settings.project} classifier",
            enforce_ssl=True,
        )
        # enforce_ssl replaces the topic's default policy, which was what let alarms of this account in.
        for service in ("cloudwatch.amazonaws.com", "budgets.amazonaws.com"):
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=["sns:Publish"],
                    resources=[self.topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )
        if context.settings.alert_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(context.settings.alert_email))


class DeadLetters(Construct):
    """What an event or an asynchronous Lambda call could not deliver after all retries, for two weeks."""

    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=context.names.dead_letters,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(self.queue, {"AwsSolutions-SQS3": "This queue is the dead-letter queue of the others."})
