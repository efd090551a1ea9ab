"""Endpoint configurations: which models an endpoint serves, and on how many servers.

`plan` turns a configuration into the `VariantPlan`s of its variants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.sagemaker.registry import models
from local_aws.sagemaker.resources import Listing, Resources
from local_aws.sagemaker.serving.data_capture import CaptureRule
from local_aws.sagemaker.serving.plans import HEALTH_CHECK_SECONDS, VariantPlan
from local_aws.sagemaker.serving.serverless import check as check_serverless
from local_aws.sagemaker.serving.serverless import of_variant

_CONFIGS = Resources(
    kind="endpoint-config",
    prefix="EndpointConfig",
    noun="endpoint configuration",
    listing=Listing.of("EndpointConfig"),
)
# Members that ask for machinery the local AWS does not have. Better a clear no than an endpoint that ignores
# them.
_NOT_HERE = {
    "AsyncInferenceConfig": "asynchronous inference",
    "ExplainerConfig": "explainers",
}


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on endpoint configurations."""
    _CONFIGS.register(svc, aws)

    @svc.operation("CreateEndpointConfig")
    def create(request: Request) -> Response:
        arn = aws.arn(f"endpoint-config/{request['EndpointConfigName']}")
        _check(aws, request)
        record = {**request, "EndpointConfigArn": arn, "CreationTime": aws.now()}
        record.pop("Tags", None)
        _CONFIGS.create(aws, record, request)
        return {"EndpointConfigArn": arn}

    @svc.operation("DeleteEndpointConfig")
    def delete(request: Request) -> Response:
        _CONFIGS.delete(aws, find(aws, request["EndpointConfigName"]))
        return {}


def find(aws: LocalAws, name: str) -> dict[str, Any]:
    """The stored configuration. Raises SageMaker's "Could not find endpoint configuration"."""
    return _CONFIGS.find(aws, name)


def plan(aws: LocalAws, name: str) -> tuple[VariantPlan, ...]:
    """The variants of a configuration with their models looked up.

    Raises SageMaker's "Could not find ..." if the configuration or one of its models is gone.
    """
    config = find(aws, name)
    seen = (_variant(aws, config, variant) for variant in config["ProductionVariants"])
    shadows = (_variant(aws, config, variant) for variant in config.get("ShadowProductionVariants", ()))
    return (*seen, *(replace(plan, shadow=True) for plan in shadows))


def _variant(aws: LocalAws, config: Mapping[str, Any], variant: Mapping[str, Any]) -> VariantPlan:
    model = models.find(aws, variant["ModelName"]) if "ModelName" in variant else None
    role = model.get("ExecutionRoleArn") if model else None
    return VariantPlan(
        name=variant["VariantName"],
        config=config["EndpointConfigName"],
        container=models.container(model) if model else None,
        role_arn=role,
        # One server of a serverless variant at most, while somebody asks.
        instance_type=variant.get("InstanceType", "serverless"),
        instance_count=variant.get("InitialInstanceCount", 1),
        weight=variant.get("InitialVariantWeight", 1.0),
        health_check_seconds=variant.get("ContainerStartupHealthCheckTimeoutInSeconds", HEALTH_CHECK_SECONDS),
        serverless=of_variant(variant),
        capture=CaptureRule.of(config.get("DataCaptureConfig"), role),
    )


def _check(aws: LocalAws, request: Request) -> None:
    for member, what in _NOT_HERE.items():
        if request.get(member):
            raise ValidationException(f"The local AWS has no {what}; leave {member} out when deploying here.")
    shadows = request.get("ShadowProductionVariants", [])
    if shadows:
        _check_shadows(request["ProductionVariants"], shadows)
    variants = [*request["ProductionVariants"], *shadows]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise ValidationException(
            f"VariantName must be unique within an endpoint configuration: {', '.join(names)}"
        )
    captures = CaptureRule.of(request.get("DataCaptureConfig"), None) is not None
    for variant in variants:
        if captures and ("ModelName" not in variant or "ServerlessConfig" in variant):
            raise ValidationException(
                f"Variant {variant['VariantName']} has no instances and model of its own: the local AWS"
                " captures the data of no other, so leave DataCaptureConfig out."
            )
        if "ModelName" not in variant and "ServerlessConfig" not in variant:
            _check_for_components(request, variant)
        else:
            _check_variant(aws, variant, len(variants))


def _check_shadows(seen: Sequence[Mapping[str, Any]], shadows: Sequence[Mapping[str, Any]]) -> None:
    """ "If you use this field, you can only specify one variant for ProductionVariants and one variant for
    ShadowProductionVariants." Serverless inference is among the features that AWS says do not go with it.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
    https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-create.html
    """
    if (len(seen), len(shadows)) != (1, 1):
        raise ValidationException(
            "With ShadowProductionVariants, there can be only one variant in ProductionVariants and one in "
            f"ShadowProductionVariants; there are {len(seen)} and {len(shadows)}."
        )
    for variant in (*seen, *shadows):
        if "ModelName" not in variant or "ServerlessConfig" in variant:
            raise ValidationException(
                f"Variant {variant['VariantName']} has no instances and model of its own, so it does not go "
                "with ShadowProductionVariants."
            )


def _check_for_components(request: Request, variant: Mapping[str, Any]) -> None:
    """What a variant needs that names no model."""
    name = variant["VariantName"]
    if "ExecutionRoleArn" not in request:
        raise ValidationException(
            f"Production variant {name} needs ModelName; or ExecutionRoleArn for the configuration, if"
            " inference components bring the models."
        )
    if "InstanceType" not in variant or "InitialInstanceCount" not in variant:
        raise ValidationException(f"Production variant {name} needs InstanceType and InitialInstanceCount.")


def _check_variant(aws: LocalAws, variant: Mapping[str, Any], variants: int) -> None:
    name = variant["VariantName"]
    if "ManagedInstanceScaling" in variant:
        raise ValidationException(
            f"Variant {name} has a model of its own, so ManagedInstanceScaling has nothing to follow."
        )
    if "InstancePools" in variant:
        raise ValidationException(
            f"The local AWS has no instance pools; variant {name} must not have InstancePools."
        )
    of_instances = () if "ServerlessConfig" in variant else ("InstanceType", "InitialInstanceCount")
    missing = [key for key in ("ModelName", *of_instances) if key not in variant]
    if missing:
        raise ValidationException(f"Production variant {name} needs {' and '.join(missing)}.")
    model = models.find(aws, variant["ModelName"])
    if "ServerlessConfig" in variant:
        check_serverless(variant, variants, model)
