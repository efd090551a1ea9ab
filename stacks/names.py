"""Every fixed name of a project and the ARNs made from them, so that two stacks never spell one differently.

Most names are of a region. Those of the account (IAM's, budgets, dashboards) carry the region, so that a
project can be deployed to a second one.

Names that another stack or a Lambda relies on are fixed; all others are left to CloudFormation. An ARN made
from a fixed name needs no export between stacks, so the Serving stack can be updated by a promotion on its
own.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Arn, ArnComponents, ArnFormat, Aws, Stack
from constructs import Construct

from contract import names
from contract.storage import CAPTURED

MODEL_TAG = "model-"
"""Before a version of the registry: the tag that keeps the serving image it runs in."""
VARIANT = "main"
SHADOW_VARIANT = "shadow"
"""Answers a copy of the traffic while a candidate is compared with the champion."""
API_STAGE = "live"
DRIFT_NAMESPACE = "Classifier/Drift"
API_LOG_ROLE = f"api-gateway-logs-{Aws.REGION}"
"""Of the account and region like the setting it is for: all projects share it, and none takes it away."""


@dataclass(frozen=True, slots=True)
class Names:
    project: str
    region: str = Aws.REGION
    """As CloudFormation fills it in. In what the CDK's tool fills in, its own word for it: `of_cdk_tool`."""

    @property
    def of_cdk_tool(self) -> Names:
        """The same names for where the CDK's tool reads them before CloudFormation does."""
        return Names(self.project, "${AWS::Region}")

    def _of_the_account(self, what: str) -> str:
        """A name that no other region of the account may have: 64 characters at most are IAM's limit."""
        return f"{self.project}-{what}-{self.region}"

    def stack(self, room: str) -> str:
        return names.stack(self.project, room)

    def function(self, name: str) -> str:
        return names.function(self.project, name)

    @property
    def endpoint(self) -> str:
        return self.project

    @property
    def inference_component(self) -> str:
        """With scale_to_zero: the name InvokeEndpoint needs beside the endpoint's."""
        return self.project

    def serving_logs(self, *, components: bool) -> str:
        """Where SageMaker puts what the containers write."""
        if components:
            return f"/aws/sagemaker/InferenceComponents/{self.inference_component}"
        return f"/aws/sagemaker/Endpoints/{self.endpoint}"

    @property
    def model_package_group(self) -> str:
        return self.project

    @property
    def champion_parameter(self) -> str:
        return names.champion_parameter(self.project)

    @property
    def candidate_parameter(self) -> str:
        return names.candidate_parameter(self.project)

    @property
    def instance_type_parameter(self) -> str:
        """The SSM parameter with the instance type that the endpoint is made on."""
        return f"/{self.project}/instance-type"

    @property
    def training_role(self) -> str:
        return self._of_the_account("training-job")

    @property
    def batch_role(self) -> str:
        return self._of_the_account("batch-job")

    @property
    def endpoint_role(self) -> str:
        return self._of_the_account("endpoint")

    @property
    def serving_deployment_role(self) -> str:
        return self._of_the_account("serving-deployment")

    @property
    def budget(self) -> str:
        return self._of_the_account("monthly")

    @property
    def dashboard(self) -> str:
        """CloudWatch's PutDashboard: "All dashboards in your account are global, not region-specific"."""
        return self._of_the_account("overview")

    @property
    def dead_letters(self) -> str:
        return f"{self.project}-dead-letters"

    @property
    def alerts_topic(self) -> str:
        return f"{self.project}-alerts"

    @property
    def api(self) -> str:
        return self.project

    @property
    def capture_folder(self) -> str:
        """Where SageMaker's data capture puts what the endpoint answered, in the artifacts bucket."""
        return f"{CAPTURED}/{self.endpoint}/{VARIANT}"

    @property
    def shadow_folder(self) -> str:
        """The same of what a candidate answered."""
        return f"{CAPTURED}/{self.endpoint}/{SHADOW_VARIANT}"

    @property
    def champion_prefix(self) -> str:
        """How logical ids in the Serving stack begin.

        CloudFormation names SageMaker resources `<logical id>-<random>`, without the stack's name; the role
        that deploys them can be narrow only if the logical id carries the project.
        """
        return f"{self.project.capitalize()}Champion"

    @property
    def generated_prefixes(self) -> tuple[str, ...]:
        """What the names of the Serving stack's models and endpoint configurations may begin with.

        SageMaker's ARNs are in lower case; the last one is how CloudFormation names most other resources.
        """
        return (self.champion_prefix, self.champion_prefix.lower(), f"{self.stack('serving')}-")


def arn(scope: Construct, service: str, resource: str, name: str, *, separator: str = "/") -> str:
    """ARN of a resource in the stack's own account and region."""
    return Arn.format(
        ArnComponents(
            service=service,
            resource=resource,
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME if separator == ":" else ArnFormat.SLASH_RESOURCE_NAME,
        ),
        Stack.of(scope),
    )


def bucket_arn(scope: Construct, name: str) -> str:
    """Of a bucket that is not made here."""
    return f"arn:{Stack.of(scope).partition}:s3:::{name}"


def role_arn(scope: Construct, name: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:iam::{stack.account}:role/{name}"


def parameter_arn(scope: Construct, name: str) -> str:
    """Of an SSM parameter, whose name begins with a slash where its ARN has only one."""
    return arn(scope, "ssm", "parameter", name.removeprefix("/"))


def alarm_arn(scope: Construct, name: str) -> str:
    return arn(scope, "cloudwatch", "alarm", name, separator=":")


def generated_arns(scope: Construct, names: Names, resource: str) -> list[str]:
    """Of the Serving stack's models or endpoint configurations, which CloudFormation names."""
    return [arn(scope, "sagemaker", resource, f"{prefix}*") for prefix in names.generated_prefixes]


def served_parameter_arns(scope: Construct, names: Names, *, shadow: bool) -> list[str]:
    """Of the parameters that say what is served: the model package, on which instance type, and where models
    are compared before they serve, with which candidate beside it.
    """
    served = (names.champion_parameter, names.instance_type_parameter)
    candidate = (names.candidate_parameter,) if shadow else ()
    return [parameter_arn(scope, each) for each in (*served, *candidate)]


def model_packages_arn(scope: Construct, names: Names) -> str:
    """Of all versions in the project's registry."""
    return arn(scope, "sagemaker", "model-package", f"{names.model_package_group}/*")


def topic_arn(scope: Construct, name: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:{name}"
