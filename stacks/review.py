"""How a rule of a template checker is answered where this project deliberately does otherwise: with the
reason.

The reasons travel in the construct tree; cdk-nag (run by the tests) reads them, and prints what has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings on a construct and all below it; `reasons` maps the rule's id to why it does not
    apply.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )
