"""Which rules of template checkers this project breaks on purpose, and why.

The reasons travel in the construct tree; cdk-nag (run by the tests) reads them, and prints what has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

# Actions that know no resource: AWS evaluates them against `*` alone (service authorization reference).
REASON_NO_RESOURCE = (
    "ecr:GetAuthorizationToken, cloudwatch:PutMetricData and the Describe actions of Application Auto"
    " Scaling know no resource (metrics are bound to SageMaker's namespaces by a condition). All other"
    " wildcards stand behind a fixed prefix of this project."
)


def accept(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings on a construct and all below it; `reasons` maps the rule's id to why it does not
    apply.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )
