"""The role with which API Gateway logs: what the account has stays, and where it has none, one is made.

It belongs to the account and region, not to this project, so nothing here takes it away.
"""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct

from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import API_LOG_ROLE, role_arn
from stacks.roles import allow, may_pass


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
                allow(
                    ["apigateway:GET", "apigateway:PATCH"],
                    f"arn:{stack.partition}:apigateway:{stack.region}::/account",
                ),
                allow(["iam:CreateRole", "iam:GetRole"], role),
                allow("iam:AttachRolePolicy", role, when={"ArnEquals": {"iam:PolicyARN": policy}}),
                may_pass(self, API_LOG_ROLE, "apigateway"),
            ],
            # Nine tries with ten seconds between them.
            timeout_seconds=180,
        )
        properties = {"RoleName": API_LOG_ROLE, "PolicyArn": policy}
        keeper.custom_resource(self, "Value", "ApiLogRole", properties)
