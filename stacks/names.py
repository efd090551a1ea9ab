"""Every fixed name of a project and the ARNs made from them, so that two stacks never spell one differently.

Names that another stack or a Lambda relies on are fixed; all others are left to CloudFormation. An ARN made
from a fixed name needs no export between stacks, so the Serving stack can be updated by a promotion on its
own.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Arn, ArnComponents, ArnFormat, Stack
from constructs import Construct

CODE_ROOT = "code"
RECIPES = "recipes"
RUNS = "runs"
JOBS = "jobs"
TRIALS = "trials"
CHECKPOINTS = "checkpoints"
FEATURES = "features"
WEIGHTS = "weights"
CAPTURED = "captured"
"""Prefixes of the artifacts bucket. `features` is what frozen stages computed, for other jobs on the same
data; `weights` is where users put their own pretrained weights."""

NO_CHAMPION = "none"
VARIANT = "main"
DRIFT_NAMESPACE = "Classifier/Drift"


@dataclass(frozen=True, slots=True)
class Names:
    project: str

    def stack(self, room: str) -> str:
        return f"{self.project}-{room}"

    def function(self, name: str) -> str:
        return f"{self.project}-{name}"

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
        return f"/{self.project}/champion"

    @property
    def instance_type_parameter(self) -> str:
        """The SSM parameter with the instance type that the endpoint is made on."""
        return f"/{self.project}/instance-type"

    @property
    def training_role(self) -> str:
        return f"{self.project}-training-job"

    @property
    def endpoint_role(self) -> str:
        return f"{self.project}-endpoint"

    @property
    def serving_deployment_role(self) -> str:
        return f"{self.project}-serving-deployment"

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


def role_arn(scope: Construct, name: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:iam::{stack.account}:role/{name}"


def topic_arn(scope: Construct, name: str) -> str:
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:{name}"
