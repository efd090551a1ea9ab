"""AWS::Budgets::Budget: a limit on what is spent, and who is told when it is near.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budget.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloudformation.stack import (
    Properties,
    Provisioned,
    Register,
    Stack,
    generated_name,
    request_of,
)


def install(stack: Stack, register: Register) -> None:
    """Register the type."""

    def put(name: str, properties: Properties) -> Provisioned:
        client = stack.client("budgets")
        shape = client.meta.service_model.operation_model("CreateBudget").input_shape
        wanted = {**properties, "Budget": {**properties["Budget"], "BudgetName": name}}
        client.create_budget(AccountId=stack.aws.account, **request_of(shape, wanted))
        return name, {}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return put(
            properties["Budget"].get("BudgetName") or generated_name(stack_name, logical_id), properties
        )

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        delete(physical_id, old)
        return put(new["Budget"].get("BudgetName") or physical_id, new)

    def delete(physical_id: str, properties: Properties) -> None:
        client: Any = stack.client("budgets")
        try:
            client.delete_budget(AccountId=stack.aws.account, BudgetName=physical_id)
        except client.exceptions.NotFoundException:
            return

    handler = {"create": create, "update": update, "delete": delete}
    register("AWS::Budgets::Budget", handler, None)
