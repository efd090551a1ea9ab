"""A budget that tells of spending before the bill does.

It covers the SageMaker of the whole account: a filter by this project's tag would see nothing until somebody
activates the tag for cost allocation. Costs: nothing, a budget without actions is free.
Source: https://aws.amazon.com/aws-cost-management/aws-budgets/pricing/
"""

from __future__ import annotations

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from stacks.context import Context
from stacks.names import topic_arn

ALERTS = (("ACTUAL", 50), ("ACTUAL", 100), ("FORECASTED", 100))
"""Whether what was spent or what will be, and percent of the limit."""


def monthly_budget(scope: Construct, context: Context, usd: int) -> budgets.CfnBudget:
    """The budget, whose alerts go where all others go."""
    kind = budgets.CfnBudget
    topic = kind.SubscriberProperty(
        subscription_type="SNS", address=topic_arn(scope, context.names.alerts_topic)
    )
    return kind(
        scope,
        "Budget",
        budget=kind.BudgetDataProperty(
            budget_name=context.names.budget,
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=kind.SpendProperty(amount=usd, unit="USD"),
            cost_filters={"Service": ["Amazon SageMaker"]},
        ),
        notifications_with_subscribers=[
            kind.NotificationWithSubscribersProperty(
                notification=kind.NotificationProperty(
                    notification_type=what, comparison_operator="GREATER_THAN", threshold=percent
                ),
                subscribers=[topic],
            )
            for what, percent in ALERTS
        ],
    )
