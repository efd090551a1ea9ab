"""Pictures that their senders give, and what they say of the answers: a bucket, and the feedback function.

All of it is in this stack, so that taking the setting away takes it away: a bucket of the Storage stack could
not go while this stack uses it. The bucket has no versions, so that what is deleted is gone.

Costs: by the gigabyte and month of what was given; nothing while nobody gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.environment import FeedbackEnvironment
from contract.given import ANSWERS, FEEDBACK, PICTURES
from stacks.buckets import private_bucket
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.review import accept
from stacks.roles import allow, below, may_list


class Corrections(Construct):
    """What is there with the setting `corrections.days`."""

    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        settings = context.settings
        self.bucket = private_bucket(
            self,
            "Given",
            settings,
            [
                s3.LifecycleRule(
                    id="forget-what-was-given",
                    expiration=Duration.days(settings.corrections.days),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            versioned=False,
        )
        accept(
            self.bucket,
            {
                "AwsSolutions-S1": "An access log would name who gave what, and outlive what was deleted; two"
                " functions and the owner reach this bucket."
            },
        )
        self.feedback = PythonFunction(
            self,
            "Feedback",
            context,
            "feedback",
            "Keeps what senders say of the answers to pictures that they gave.",
            environment=FeedbackEnvironment(
                given_bucket=self.bucket.bucket_name, allowed_origin=settings.api.cors_origin
            ),
            statements=[
                allow("s3:GetObject", below(self.bucket, ANSWERS)),
                allow("s3:PutObject", below(self.bucket, FEEDBACK)),
                may_list(self.bucket),
            ],
            timeout_seconds=15,
        ).function


def keep_what_is_given(bucket: s3.IBucket) -> Sequence[iam.PolicyStatement]:
    """The right to put pictures and answers into the bucket, and to read none."""
    return [allow("s3:PutObject", below(bucket, PICTURES, ANSWERS))]
