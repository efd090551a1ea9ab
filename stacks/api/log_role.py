"""The role with which API Gateway logs: what the account has stays, and where it has none, one is made.

It belongs to the account and region, not to this project, so nothing here takes it away.
"""

from __future__ import annotations

from aws_cdk import CustomResource, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import API_LOG_ROLE, role_arn


class ApiLogRole(Construct):
    """To be there before the first stage that logs: without a role API Gateway refuses to make one."""

    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        role = role_arn(self, API_LOG_ROLE)
        policy = f"arn:{stack.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        keeper = PythonFunction(
            self,
            "Keeper",
            context,
            "api-log-role",
            "Gives API Gateway a role to log with if the account has none; replaces none.",
            statements=[
                iam.PolicyStatement(
                    actions=["apigateway:GET", "apigateway:PATCH"],
                    resources=[f"arn:{stack.partition}:apigateway:{stack.region}::/account"],
                ),
                iam.PolicyStatement(actions=["iam:CreateRole", "iam:GetRole"], resources=[role]),
                iam.PolicyStatement(
                    actions=["iam:AttachRolePolicy"],
                    resources=[role],
                    conditions={"ArnEquals": {"iam:PolicyARN": policy}},
                ),
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[role],
                    conditions={"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}},
                ),
            ],
            # Nine tries with ten seconds between them.
            timeout_seconds=180,
        )
        made = CustomResource(
            self,
            "Value",
            resource_type="Custom::ApiLogRole",
            service_token=keeper.function.function_arn,
            properties={"RoleName": API_LOG_ROLE, "PolicyArn": policy},
        )
        made.node.add_dependency(keeper)  # the role's policy too, which the ARN alone does not wait for
