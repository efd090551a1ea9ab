"""What cdk-nag's packs NIST 800-53 R5 and Serverless find, and why it stays: one row a rule.

Their rules ask of every workload what a few need, much of it billed by the month. A row holds for the
constructs that its pattern matches; another one that breaks the rule is a finding. AwsSolutions has no rows
here: what it finds is explained beside the resource (stacks/review.py), and checkov's in tools/checkov.yaml.
"""

from __future__ import annotations

import re
from typing import Final

_ALL: Final = r".*"
_NIST: Final = "NIST.800.53.R5-"
_OWN_KEY: Final = (
    "A KMS key of one's own is billed by the month, also while nothing runs; AWS's own encrypts it."
)
_CALLED_AND_HEARD: Final = (
    "CloudFormation or the API calls it and is told when it fails. What events call has the queue "
    "(tests/infrastructure/test_pipeline.py)."
)
_CALLED: Final = (
    r".*/(Classify|Feedback|ChampionParameterFunction|EmptyRegistryFunction|Keeper|Starter)/.*|.*Custom::.*"
)
_GIVEN: Final = r".*/Corrections/Given/Resource"
_TRACES: Final = (
    "X-Ray's traces are billed by request; latency has metrics and alarms, and errors their logs."
)

ACCEPTED: Final[dict[str, tuple[str, str]]] = {
    f"{_NIST}APIGWAssociatedWithWAF": (_ALL, "api.waf is a setting: a firewall is billed by the month."),
    f"{_NIST}APIGWCacheEnabledAndEncrypted": (
        _ALL,
        "A cache is billed by the hour, and no two pictures are the same.",
    ),
    f"{_NIST}APIGWSSLEnabled": (
        _ALL,
        "A certificate for backends that speak HTTP. Behind this API are Lambda functions alone.",
    ),
    f"{_NIST}CloudWatchLogGroupEncrypted": (_ALL, _OWN_KEY),
    f"{_NIST}IAMNoInlinePolicy": (
        _ALL,
        "A policy of one role, made and removed with it, cannot be attached to anybody else.",
    ),
    f"{_NIST}LambdaConcurrency": (
        _ALL,
        "A new account has ten executions in all, and AWS refuses to have any of them reserved.",
    ),
    f"{_NIST}LambdaDLQ": (_CALLED, _CALLED_AND_HEARD),
    f"{_NIST}LambdaInsideVPC": (
        _ALL,
        "They call AWS's APIs alone; in a VPC that needs endpoints or a NAT gateway, billed by the hour.",
    ),
    f"{_NIST}S3BucketLoggingEnabled": (
        _GIVEN,
        "An access log would name who gave what, and outlive what was deleted.",
    ),
    f"{_NIST}S3BucketVersioningEnabled": (_GIVEN, "What a sender wants deleted has no old version."),
    f"{_NIST}S3BucketReplicationEnabled": (
        _ALL,
        "A second copy in another region costs as much again; versions protect against mistakes.",
    ),
    f"{_NIST}S3DefaultEncryptionKMS": (_ALL, _OWN_KEY),
    f"{_NIST}SNSEncryptedKMS": (
        _ALL,
        "EventBridge and CloudWatch cannot publish to a topic under AWS's own key, and one's own is billed.",
    ),
    f"{_NIST}SageMakerEndpointConfigurationKMSKeyConfigured": (_ALL, _OWN_KEY),
    f"{_NIST}WAFv2LoggingEnabled": (
        r".*/Firewall/.*",
        "It has metrics and samples of requests; a log of all of them is billed by the gigabyte.",
    ),
    "Serverless-APIGWXrayEnabled": (_ALL, _TRACES),
    "Serverless-LambdaDLQ": (_CALLED, _CALLED_AND_HEARD),
    "Serverless-LambdaLatestVersion": (
        _ALL,
        "Python 3.13 is supported and is what the handlers are tested with.",
    ),
    "Serverless-LambdaTracing": (_ALL, _TRACES),
    "Serverless-SNSRedrivePolicy": (
        r".*/Alerts/Topic/.*@.*",
        "What an address could not be sent is a failed delivery of mail, which nobody takes out of a queue.",
    ),
    "Serverless-SQSRedrivePolicy": (
        r".*/DeadLetters/Queue/Resource",
        "It is the queue that the others are led to.",
    ),
}


def reason(rule: str, path: str) -> str:
    """Why a finding stays; empty if it has no row."""
    pattern, why = ACCEPTED.get(rule, ("", ""))
    return why if pattern and re.fullmatch(pattern, path) else ""
