"""Which IAM action and resources each operation of our services is checked against.

ministack derives these for its own services and knows nothing of ours. The table follows the Service
Authorization Reference (list_amazonsagemakerai.html, list_applicationautoscaling.html); SageMaker's ARNs
carry names in lower case, and policies have to be written so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.core.api import Authorise, Request
from local_aws.core.context import LocalAws
from local_aws.ministack_adapter import permissions

# What begins the names of operations' members -> kind of the ARN, and the verbs of its operations.
_KINDS = {
    "TrainingJob": ("training-job", ("Create", "Describe", "Stop", "Update", "Delete")),
    "HyperParameterTuningJob": ("hyper-parameter-tuning-job", ("Create", "Describe", "Stop", "Delete")),
    "Model": ("model", ("Create", "Describe", "Delete")),
    "EndpointConfig": ("endpoint-config", ("Create", "Describe", "Delete")),
    "Endpoint": ("endpoint", ("Create", "Update", "Describe", "Delete", "Invoke")),
    "InferenceComponent": ("inference-component", ("Create", "Describe", "Update", "Delete")),
    "ModelPackageGroup": ("model-package-group", ("Create", "Describe", "Delete")),
    "ModelPackage": ("model-package", ("Describe", "Delete")),
}
# operation -> (kind of the ARN, request member with the name or ARN), ...
_SAGEMAKER: dict[str, tuple[tuple[str, str], ...]] = {
    **{
        f"{verb}{prefix}": ((kind, f"{prefix}Name"),)
        for prefix, (kind, verbs) in _KINDS.items()
        for verb in verbs
    },
    "ListTrainingJobsForHyperParameterTuningJob": (
        ("hyper-parameter-tuning-job", "HyperParameterTuningJobName"),
    ),
    **dict.fromkeys(
        ("CreateEndpoint", "UpdateEndpoint"),
        (("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")),
    ),
    "UpdateEndpointWeightsAndCapacities": (("endpoint", "EndpointName"),),
    "CreateInferenceComponent": (
        ("inference-component", "InferenceComponentName"),
        ("endpoint", "EndpointName"),
    ),
    "UpdateInferenceComponentRuntimeConfig": (("inference-component", "InferenceComponentName"),),
    "CreateModelPackage": (("model-package", "ModelPackageGroupName"),),
    "UpdateModelPackage": (("model-package", "ModelPackageArn"),),
    **dict.fromkeys(("AddTags", "DeleteTags", "ListTags"), (("", "ResourceArn"),)),
}
# What Application Auto Scaling asks of its caller besides its own action, for SageMaker endpoints:
# https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
_ENDPOINT_NEEDS = ("sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities")
_COMPONENT_NEEDS = (
    "sagemaker:DescribeInferenceComponent",
    "sagemaker:UpdateInferenceComponentRuntimeConfig",
)


def sagemaker(aws: LocalAws) -> Authorise:
    """The check for operations of SageMaker and its runtime."""

    def authorise(operation: str, request: Request) -> None:
        context = _tag_context(request.get("Tags", []))
        named = [
            (kind, str(request[member]))
            for kind, member in _SAGEMAKER.get(operation, ())
            if member in request
        ]
        for resource in [_sagemaker_arn(aws, operation, kind, name) for kind, name in named] or ["*"]:
            permissions.check(f"sagemaker:{operation}", resource, context)
        # Tags given at creation are a second action of their own.
        if request.get("Tags") and operation.startswith("Create"):
            kind, name = named[0]
            permissions.check("sagemaker:AddTags", _sagemaker_arn(aws, operation, kind, name), context)

    return authorise


def service_quotas(aws: LocalAws) -> Authorise:
    """The check for operations of Service Quotas; lists know no resource.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html
    """

    def authorise(operation: str, request: Request) -> None:
        resource = "*"
        if operation == "RequestServiceQuotaIncrease":
            resource = aws.arn(f"{request['ServiceCode']}/{request['QuotaCode']}", "servicequotas")
        permissions.check(f"servicequotas:{operation}", resource)

    return authorise


def application_autoscaling(aws: LocalAws) -> Authorise:
    """The check for operations of Application Auto Scaling."""

    def authorise(operation: str, request: Request) -> None:
        context = {
            "application-autoscaling:service-namespace": request.get("ServiceNamespace"),
            "application-autoscaling:scalable-dimension": request.get("ScalableDimension"),
        }
        resource = "*"
        if not operation.startswith("Describe"):
            resource = aws.arn("scalable-target/*", "application-autoscaling")
        permissions.check(f"application-autoscaling:{operation}", resource, context)
        if operation == "RegisterScalableTarget" and request.get("ServiceNamespace") == "sagemaker":
            kind, _, rest = str(request.get("ResourceId", "")).partition("/")
            named = f"{kind}/{rest.partition('/')[0].lower()}"
            for action in _COMPONENT_NEEDS if kind == "inference-component" else _ENDPOINT_NEEDS:
                permissions.check(action, aws.arn(named))

    return authorise


def _sagemaker_arn(aws: LocalAws, operation: str, kind: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    if operation == "CreateModelPackage":  # the version is not known yet
        name = f"{name}/1"
    return aws.arn(f"{kind}/{name.lower()}")


def _tag_context(tags: list[Mapping[str, str]]) -> dict[str, Any]:
    if not tags:
        return {}
    values: dict[str, Any] = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    return {**values, "aws:TagKeys": [tag["Key"] for tag in tags]}
