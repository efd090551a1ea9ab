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
from stacks.names import arn, model_packages_arn, parameter_arn, role_arn
from stacks.review import REASON_NO_RESOURCE, accept


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
        read = [
            parameter_arn(self, each) for each in (names.champion_parameter, names.instance_type_parameter)
        ]
        for statement in (*self._sagemaker(context), *self._scaling(context), *self._alarms(context)):
            self.role.add_to_policy(statement)
        self.role.add_to_policy(iam.PolicyStatement(actions=["ssm:GetParameters"], resources=read))
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
                    iam.PolicyStatement(
                        actions=["iam:PassRole"],
                        resources=[role_arn(self, names.serving_deployment_role)],
                        conditions={"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
                    ),
                    iam.PolicyStatement(actions=["ssm:GetParameters"], resources=read),
                ]
            ),
        )

    def _sagemaker(self, context: Context) -> Sequence[iam.PolicyStatement]:
        names = context.names
        endpoint = arn(self, "sagemaker", "endpoint", names.endpoint)
        models = [arn(self, "sagemaker", "model", f"{prefix}*") for prefix in names.generated_prefixes]
        configs = [
            arn(self, "sagemaker", "endpoint-config", f"{prefix}*") for prefix in names.generated_prefixes
        ]
        component = arn(self, "sagemaker", "inference-component", names.inference_component)
        return (
            iam.PolicyStatement(
                actions=["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel"],
                resources=models,
            ),
            iam.PolicyStatement(
                # A model made from a package is checked against the package as well.
                actions=["sagemaker:CreateModel", "sagemaker:DescribeModelPackage"],
                resources=[model_packages_arn(self, names)],
            ),
            iam.PolicyStatement(
                actions=[
                    "sagemaker:CreateEndpointConfig",
                    "sagemaker:DescribeEndpointConfig",
                    "sagemaker:DeleteEndpointConfig",
                ],
                resources=configs,
            ),
            iam.PolicyStatement(
                actions=["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"],
                resources=[endpoint, *configs],
            ),
            iam.PolicyStatement(
                actions=[
                    "sagemaker:DescribeEndpoint",
                    "sagemaker:DeleteEndpoint",
                    "sagemaker:UpdateEndpointWeightsAndCapacities",
                ],
                resources=[endpoint],
            ),
            iam.PolicyStatement(
                actions=["sagemaker:CreateInferenceComponent"], resources=[component, endpoint, *models]
            ),
            iam.PolicyStatement(
                actions=[
                    "sagemaker:DescribeInferenceComponent",
                    "sagemaker:UpdateInferenceComponent",
                    "sagemaker:UpdateInferenceComponentRuntimeConfig",
                    "sagemaker:DeleteInferenceComponent",
                ],
                resources=[component],
            ),
            iam.PolicyStatement(
                actions=["sagemaker:AddTags", "sagemaker:ListTags", "sagemaker:DeleteTags"],
                resources=[endpoint, *configs, *models, component],
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[role_arn(self, names.endpoint_role)],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
        )

    def _scaling(self, context: Context) -> Sequence[iam.PolicyStatement]:
        stack = Stack.of(self)
        return (
            iam.PolicyStatement(
                actions=[
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:DeregisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DeleteScalingPolicy",
                    "application-autoscaling:TagResource",
                    "application-autoscaling:UntagResource",
                    "application-autoscaling:ListTagsForResource",
                ],
                resources=[arn(self, "application-autoscaling", "scalable-target", "*")],
                conditions={
                    "StringEqualsIfExists": {"application-autoscaling:service-namespace": "sagemaker"}
                },
            ),
            iam.PolicyStatement(
                actions=[
                    "application-autoscaling:DescribeScalableTargets",
                    "application-autoscaling:DescribeScalingPolicies",
                    "application-autoscaling:DescribeScheduledActions",
                ],
                resources=["*"],
            ),
            iam.PolicyStatement(
                # The first scalable target of an account makes the role by which AWS scales endpoints.
                actions=["iam:CreateServiceLinkedRole"],
                resources=[
                    f"arn:{stack.partition}:iam::{stack.account}:role/aws-service-role/"
                    "sagemaker.application-autoscaling.amazonaws.com/*"
                ],
                conditions={
                    "StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
                },
            ),
        )

    def _alarms(self, context: Context) -> Sequence[iam.PolicyStatement]:
        names = context.names
        ours = arn(self, "cloudwatch", "alarm", f"{names.project}-*", separator=":")
        # Target tracking makes its own alarms, in the name of who puts the policy.
        tracking = [
            arn(self, "cloudwatch", "alarm", f"TargetTracking-{scaled}", separator=":")
            for scaled in (
                f"endpoint/{names.endpoint}/variant/*",
                f"inference-component/{names.inference_component}-*",
            )
        ]
        return (
            iam.PolicyStatement(
                actions=[
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:TagResource",
                    "cloudwatch:UntagResource",
                    "cloudwatch:ListTagsForResource",
                ],
                resources=[ours, *tracking],
            ),
            iam.PolicyStatement(
                actions=["cloudwatch:DescribeAlarms"],
                resources=[arn(self, "cloudwatch", "alarm", "*", separator=":")],
            ),
        )
