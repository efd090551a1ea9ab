"""A Python Lambda function of this project: its own narrow role, its own log group, its failures kept.

All functions share one asset (a few hundred kilobytes of plain Python), which is uploaded once:
lambda/functions/, and contract/ which they import.

Costs: per request and per millisecond; nothing while idle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contract.environment import Environment
from contract.names import log_of
from stacks.context import Context
from stacks.review import accept


class PythonFunction(Construct):
    """The Lambda function `<project>-<name>`, whose handler is in lambda/functions/<name>/."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        context: Context,
        name: str,
        description: str,
        *,
        statements: Sequence[iam.PolicyStatement],
        environment: Environment | None = None,
        timeout_seconds: int = 60,
        memory_mb: int = 256,
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        function_name = context.names.function(name)
        log_group = context.log_group(self, "Logs", log_of(function_name))
        # Not the managed AWSLambdaBasicExecutionRole: it may write to, and re-create after a destroy, every
        # log group of the account.
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {function_name} may do.",
        )
        log_group.grant_write(self.role)
        for statement in statements:
            self.role.add_to_policy(statement)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            # Graviton: a fifth cheaper per millisecond, and nothing in lambda/ is compiled.
            architecture=lambda_.Architecture.ARM_64,
            handler=f"functions.{name.replace('-', '_')}.handler.handler",
            code=context.folders.lambda_code(),
            role=self.role,
            environment=environment.variables() if environment else None,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=memory_mb,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            dead_letter_queue=dead_letters,
            # No reserved concurrency: a new account has 10 in all, and refuses to have any of them reserved.
        )
        accept(
            self.role,
            {
                "AwsSolutions-IAM5": "The wildcards stand behind a fixed prefix of this project's own jobs,"
                " packages or objects, whose names do not exist yet when the role is made; actions that know"
                " no resource are listed one by one in the statement."
            },
        )
        accept(
            self.function,
            {
                "AwsSolutions-L1": "Python 3.13 is supported and is what the handlers are tested with; a new"
                " runtime is taken after the tests ran on it."
            },
        )

    def custom_resource(
        self, scope: Construct, construct_id: str, kind: str, properties: Mapping[str, str]
    ) -> CustomResource:
        """A resource `Custom::<kind>` that this function makes."""
        resource = CustomResource(
            scope,
            construct_id,
            resource_type=f"Custom::{kind}",
            service_token=self.function.function_arn,
            properties=properties,
        )
        resource.node.add_dependency(self)  # the role's policy too, which the ARN alone does not wait for
        return resource
