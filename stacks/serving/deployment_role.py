"""The role CloudFormation takes on for updates of the Serving stack.

Whoever may update a stack can do all that the stack's role can, and the Lambda which promotes a model updates
the Serving stack. So its role knows this project's endpoint only, in any of its flavours: a change of flavour
removes what the last one made.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import DefaultStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.context import Context
from stacks.names import alarm_arn, arn, generated_arns, model_packages_arn, served_parameter_arns
from stacks.review import REASON_NO_RESOURCE, accept
from stacks.roles import allow, may_pass


class ServingDeploymentRole(Construct):
    """The role CloudFormation takes on for the Serving stack, and the right to pass it.

    CDK's own deployment role (made by `cdk bootstrap`) may pass nothing but the bootstrap's execution role,
    so it is given exactly this one more. Reading champion and instance type is allowed to all three who
    may be asked to resolve them: the deployer, this role, and the promoting Lambda.
    """

    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        names = context.names
        self.role = iam.Role(
            self,
            "Role",
            role_name=names.serving_deployment_role,
            description="CloudFormation uses it to update the Serving stack, and for nothing else.",
            assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
        )
        read = served_parameter_arns(self, names, shadow=context.settings.serving.shadows)
        for statement in (*self._sagemaker(context), *self._scaling(context), *self._alarms(context)):
            self.role.add_to_policy(statement)
        self.role.add_to_policy(allow("ssm:GetParameters", read))
        accept(self.role, {"AwsSolutions-IAM5": REASON_NO_RESOURCE})

        qualifier = self.node.try_get_context("@aws-cdk/core:bootstrapQualifier")
        stack = Stack.of(self)
        iam.CfnRolePolicy(
            self,
            "MayPassIt",
            role_name=f"cdk-{qualifier or DefaultStackSynthesizer.DEFAULT_QUALIFIER}"
            f"-deploy-role-{stack.account}-{stack.region}",
            policy_name=names.serving_deployment_role,
            policy_document=iam.PolicyDocument(
                statements=[
                    may_pass(self, names.serving_deployment_role, "cloudformation"),
                    allow("ssm:GetParameters", read),
                ]
            ),
        )

    def _sagemaker(self, context: Context) -> Sequence[iam.PolicyStatement]:
        names = context.names
        endpoint = arn(self, "sagemaker", "endpoint", names.endpoint)
        models, configs = (generated_arns(self, names, each) for each in ("model", "endpoint-config"))
        component = arn(self, "sagemaker", "inference-component", names.inference_component)
        return (
            allow(["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel"], models),
            # A model made from a package is checked against the package as well.
            allow(
                ["sagemaker:CreateModel", "sagemaker:DescribeModelPackage"], model_packages_arn(self, names)
            ),
            allow(
                [
                    "sagemaker:CreateEndpointConfig",
                    "sagemaker:DescribeEndpointConfig",
                    "sagemaker:DeleteEndpointConfig",
                ],
                configs,
            ),
            allow(["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"], [endpoint, *configs]),
            allow(
                [
                    "sagemaker:DescribeEndpoint",
                    "sagemaker:DeleteEndpoint",
                    "sagemaker:UpdateEndpointWeightsAndCapacities",
                ],
                endpoint,
            ),
            allow("sagemaker:CreateInferenceComponent", [component, endpoint, *models]),
            allow(
                [
                    "sagemaker:DescribeInferenceComponent",
                    "sagemaker:UpdateInferenceComponent",
                    "sagemaker:UpdateInferenceComponentRuntimeConfig",
                    "sagemaker:DeleteInferenceComponent",
                ],
                component,
            ),
            allow(
                ["sagemaker:AddTags", "sagemaker:ListTags", "sagemaker:DeleteTags"],
                [endpoint, *configs, *models, component],
            ),
            may_pass(self, names.endpoint_role, "sagemaker"),
        )

    def _scaling(self, context: Context) -> Sequence[iam.PolicyStatement]:
        stack = Stack.of(self)
        return (
            allow(
                [
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:DeregisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DeleteScalingPolicy",
                    "application-autoscaling:TagResource",
                    "application-autoscaling:UntagResource",
                    "application-autoscaling:ListTagsForResource",
                ],
                arn(self, "application-autoscaling", "scalable-target", "*"),
                when={"StringEqualsIfExists": {"application-autoscaling:service-namespace": "sagemaker"}},
            ),
            allow(
                [
                    "application-autoscaling:DescribeScalableTargets",
                    "application-autoscaling:DescribeScalingPolicies",
                    "application-autoscaling:DescribeScheduledActions",
                ],
                "*",
            ),
            # The first scalable target of an account makes the role by which AWS scales endpoints.
            allow(
                "iam:CreateServiceLinkedRole",
                f"arn:{stack.partition}:iam::{stack.account}:role/aws-service-role/"
                "sagemaker.application-autoscaling.amazonaws.com/*",
                when={
                    "StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
                },
            ),
        )

    def _alarms(self, context: Context) -> Sequence[iam.PolicyStatement]:
        names = context.names
        ours = alarm_arn(self, f"{names.project}-*")
        # Target tracking makes its own alarms, in the name of who puts the policy.
        tracking = [
            alarm_arn(self, f"TargetTracking-{scaled}")
            for scaled in (
                f"endpoint/{names.endpoint}/variant/*",
                f"inference-component/{names.inference_component}-*",
            )
        ]
        return (
            allow(
                [
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:TagResource",
                    "cloudwatch:UntagResource",
                    "cloudwatch:ListTagsForResource",
                ],
                [ours, *tracking],
            ),
            allow("cloudwatch:DescribeAlarms", alarm_arn(self, "*")),
        )
