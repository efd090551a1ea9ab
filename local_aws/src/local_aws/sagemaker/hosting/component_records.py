"""The stored form of an inference component, and what it takes to run its copies.

Which instance a copy lies on is not modelled: managed instance scaling follows the copies, as far as
there may be instances (`component_capacity`).
"""

from __future__ import annotations

from collections.abc import Mapping

from local_aws.core.context import LocalAws
from local_aws.sagemaker.registry import models
from local_aws.sagemaker.resources import Listing, Resources
from local_aws.sagemaker.serving.plans import HEALTH_CHECK_SECONDS, VariantPlan

COMPONENTS = Resources(
    kind="inference-component",
    prefix="InferenceComponent",
    noun="inference component",
    listing=Listing.of("InferenceComponent", status=True),
    busy=lambda record: (
        f'Cannot update inference component "{record["InferenceComponentArn"]}" while it is '
        f"{record['InferenceComponentStatus']}."
    ),
)
# A member no output shape knows: what is to run next.
PENDING = "Pending"


def route_name(component: str) -> str:
    """The name under which the router knows a component; no endpoint can be called so."""
    return f"{COMPONENTS.kind}/{component}"


def plan_of(aws: LocalAws, model_name: str, variant: str, role_arn: str | None, copies: int) -> VariantPlan:
    """What it takes to run `copies` of a model. Raises SageMaker's "Could not find model"."""
    model = models.find(aws, model_name)
    return VariantPlan(
        name=variant,
        container=models.container(model),
        role_arn=role_arn or model.get("ExecutionRoleArn"),
        instance_type="inference component",
        instance_count=copies,
        weight=1.0,
        health_check_seconds=HEALTH_CHECK_SECONDS,
    )


def copies(count: int) -> Mapping[str, int]:
    """The RuntimeConfig of a component whose copies all run."""
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}
