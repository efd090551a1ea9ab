"""A small CDK app of two stacks which use every resource type the local AWS adds.

Context: `files`, the folder to deploy; `missing`, an action to leave out of the serving stack's role.
"""

import os
from pathlib import Path
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm
from constructs import Construct
from deploy_time_build import ContainerImageBuild

HERE = Path(__file__).parent
BOOTSTRAP = "cdk-hnb659fds"
TargetTracking = scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty
PredefinedMetric = scaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty


FUNCTIONS = os.environ["FUNCTIONS"]
"""The folder of this project's functions."""


class Ground(cdk.Stack):
    """A bucket with files, an image, a model package group, and the other stack's service role."""

    def __init__(self, scope: Construct, name: str, missing: str) -> None:
        super().__init__(scope, name)
        cdk.Tags.of(self).add("team", "a")
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            auto_delete_objects=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            lifecycle_rules=[s3.LifecycleRule(noncurrent_version_expiration=cdk.Duration.days(7))],
        )
        folder = self.node.try_get_context("files") or str(HERE / "files")
        deployment.BucketDeployment(
            self,
            "Files",
            sources=[
                deployment.Source.asset(folder),
                deployment.Source.json_data("made.json", {"bucket": self.bucket.bucket_name}),
            ],
            destination_bucket=self.bucket,
            destination_key_prefix="files",
            retain_on_delete=False,
        )
        self.image = ContainerImageBuild(
            self, "Image", directory=str(HERE / "image"), build_args={"BASE_IMAGE": "x"}
        )
        self._started_by_ours(self.image)
        sagemaker.CfnModelPackageGroup(self, "Group", model_package_group_name="throwaway")
        ssm.StringParameter(self, "Greeting", parameter_name="/throwaway/greeting", string_value="hey ")
        self.endpoint_role = iam.Role(
            self,
            "EndpointRole",
            role_name="throwaway-endpoint",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
        )
        role = iam.Role(
            self,
            "Serving",
            role_name="throwaway-serving",
            assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
        )
        allowed = {
            "sagemaker:CreateModel": "model/*",
            "sagemaker:DeleteModel": "model/*",
            "sagemaker:CreateEndpointConfig": "endpoint-config/*",
            "sagemaker:DeleteEndpointConfig": "endpoint-config/*",
            "sagemaker:CreateEndpoint": "*",
            "sagemaker:UpdateEndpoint": "*",
            "sagemaker:DeleteEndpoint": "endpoint/throwaway",
            "sagemaker:DescribeEndpoint": "endpoint/throwaway",
            "sagemaker:UpdateEndpointWeightsAndCapacities": "endpoint/throwaway",
            "sagemaker:AddTags": "*",
        }
        for action, resource in allowed.items():
            if action != missing:
                arn = "*" if resource == "*" else self.format_arn(service="sagemaker", resource=resource)
                role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[arn]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "application-autoscaling:RegisterScalableTarget",
                    "application-autoscaling:DeregisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:DeleteScalingPolicy",
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:DeleteAlarms",
                    "ssm:GetParameters",
                ],
                resources=["*"],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.endpoint_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            )
        )
        iam.CfnRolePolicy(
            self,
            "MayPass",
            role_name=f"{BOOTSTRAP}-deploy-role-{self.account}-{self.region}",
            policy_name="pass-throwaway-serving",
            policy_document=iam.PolicyDocument(
                statements=[iam.PolicyStatement(actions=["iam:PassRole"], resources=[role.role_arn])]
            ),
        )
        cdk.CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        cdk.CfnOutput(self, "ImageUri", value=self.image.image_uri)

    def _started_by_ours(self, image: ContainerImageBuild) -> None:
        """By lambda/build_image: the construct's own starter is for Node.js, which no function has here."""
        starter = lambda_.Function(
            self,
            "Starter",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="functions.build_image.handler.handler",
            code=lambda_.Code.from_asset(FUNCTIONS, exclude=["**/__pycache__"]),
            timeout=cdk.Duration.minutes(15),
            log_group=logs.LogGroup(self, "StarterLogs", removal_policy=cdk.RemovalPolicy.DESTROY),
        )
        starter.add_to_role_policy(iam.PolicyStatement(actions=["codebuild:StartBuild"], resources=["*"]))
        started = cast(cdk.CfnResource, image.node.find_child("Resource").node.default_child)
        started.add_property_override("ServiceToken", starter.function_arn)


class Serving(cdk.Stack):
    """A model, its endpoint, scaling and an alarm, deployed under the narrow role."""

    def __init__(self, scope: Construct, name: str, ground: Ground) -> None:
        super().__init__(
            scope,
            name,
            synthesizer=cdk.DefaultStackSynthesizer(
                cloud_formation_execution_role="arn:aws:iam::${AWS::AccountId}:role/throwaway-serving",
                generate_bootstrap_version_rule=False,
            ),
        )
        self.add_stack_dependency(ground)
        greeting = ssm.StringParameter.value_for_string_parameter(self, "/throwaway/greeting")
        is_on = cdk.CfnCondition(
            self, "On", expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(greeting, "none"))
        )
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=ground.endpoint_role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=ground.image.image_uri, environment={"GREETING": greeting}
            ),
        )
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name="main",
                    model_name=model.attr_model_name,
                    initial_instance_count=1,
                    instance_type="ml.c7i.large",
                    initial_variant_weight=1.0,
                )
            ],
        )
        endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name="throwaway",
            endpoint_config_name=config.attr_endpoint_config_name,
            retain_all_variant_properties=True,
            exclude_retained_variant_properties=[],
        )
        target = scaling.CfnScalableTarget(
            self,
            "Target",
            min_capacity=1,
            max_capacity=2,
            resource_id=f"endpoint/{endpoint.attr_endpoint_name}/variant/main",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            service_namespace="sagemaker",
        )
        policy = scaling.CfnScalingPolicy(
            self,
            "Policy",
            policy_name="throwaway-load",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=TargetTracking(
                target_value=100,
                predefined_metric_specification=PredefinedMetric(
                    predefined_metric_type="SageMakerVariantInvocationsPerInstance"
                ),
            ),
        )
        alarm = cloudwatch.CfnAlarm(
            self,
            "Alarm",
            comparison_operator="GreaterThanThreshold",
            evaluation_periods=1,
            metric_name="Invocation5XXErrors",
            namespace="AWS/SageMaker",
            period=60,
            statistic="Sum",
            threshold=0,
        )
        for resource in (model, config, endpoint, target, policy, alarm):
            resource.cfn_options.condition = is_on


app = cdk.App()
ground = Ground(app, "throwaway-ground", missing=app.node.try_get_context("missing") or "")
Serving(app, "throwaway-serving", ground)
app.synth()
