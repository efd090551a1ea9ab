"""A candidate that answers a copy of the champion's traffic, as a shadow variant of the same endpoint.

"If you use this field, you can only specify one variant for ProductionVariants and one variant for
ShadowProductionVariants."
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html

The share of the requests that is copied is the shadow's weight beside the production variant's, which is 1:
AWS's example gives both 1 to copy all of them.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-shadow-deployment.html

Everything here is in the template only where the setting `serving.shadow.hours` asks for it, and in the stack
only while the candidate parameter names a model and the champion is awake.
"""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import CfnCondition, CfnParameter, Fn, ICfnConditionExpression, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker

from contract.names import NO_CHAMPION
from contract.storage import CAPTURED
from stacks.context import Context
from stacks.names import SHADOW_VARIANT
from stacks.serving.hosting import GPU_AMI, ROUTING
from stacks.settings.serving import GPU

CAPTURED_PERCENT = 100
"""While a candidate is compared all answers are kept, or few of both would be of one request."""


class Candidate:
    """The stack's parameter for the candidate, and the condition under which it shadows the champion."""

    def __init__(self, stack: Stack, context: Context, champion_exists: CfnCondition) -> None:
        self._context = context
        self.package = CfnParameter(
            stack,
            "CandidateParameter",
            type="AWS::SSM::Parameter::Value<String>",
            default=context.names.candidate_parameter,
            description="SSM parameter with the ARN of the model package to compare, or the word none.",
        ).value_as_string
        named = Fn.condition_not(Fn.condition_equals(self.package, NO_CHAMPION))
        # It is one, less a name of jsii's own.
        exists = cast(ICfnConditionExpression, champion_exists)
        self.shadows = CfnCondition(
            stack,
            "CandidateShadows",
            expression=Fn.condition_and(exists, cast(ICfnConditionExpression, named)),
        )

    def put_into(
        self,
        config: sagemaker.CfnEndpointConfig,
        model: sagemaker.CfnModel,
        instance_type: str,
        artifacts: s3.IBucket,
    ) -> None:
        """Give the endpoint's configuration the shadow variant, and let it capture what both answer."""
        variant, nothing = [self._variant(model, instance_type)], {"Ref": "AWS::NoValue"}
        config.add_property_override("ShadowProductionVariants", self._if(variant, nothing))
        percent = self._context.settings.drift.capture_percent
        if percent:
            config.add_property_override(
                "DataCaptureConfig.InitialSamplingPercentage", self._if(CAPTURED_PERCENT, percent)
            )
        else:
            captured = {
                "EnableCapture": True,
                "InitialSamplingPercentage": CAPTURED_PERCENT,
                "DestinationS3Uri": f"s3://{artifacts.bucket_name}/{CAPTURED}",
                # The pictures never: whoever sends one has not agreed to its being kept.
                "CaptureOptions": [{"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
            }
            config.add_property_override("DataCaptureConfig", self._if(captured, nothing))

    def _variant(self, model: sagemaker.CfnModel, instance_type: str) -> dict[str, Any]:
        serving = self._context.settings.serving
        return {
            "VariantName": SHADOW_VARIANT,
            "ModelName": model.attr_model_name,
            "InstanceType": instance_type,
            "InitialInstanceCount": serving.min_instances,
            "InitialVariantWeight": serving.shadow.percent / 100,
            "RoutingConfig": {"RoutingStrategy": ROUTING},
            **({"InferenceAmiVersion": GPU_AMI} if serving.flavour == GPU else {}),
        }

    def _if(self, then: object, otherwise: object) -> dict[str, Any]:
        return {"Fn::If": [self.shadows.logical_id, then, otherwise]}
