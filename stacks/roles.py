"""The roles that SageMaker and CloudFormation take on: training jobs, endpoints, and updates of the Serving
stack.

Each may do what its work needs and nothing else: no managed FullAccess policy, no resource `*` where an ARN
can be named. The last one exists because whoever may update a stack can do all that the stack's role can: the
Lambda which promotes a model updates the Serving stack, so that stack gets a role which knows this project's
endpoint only.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import DefaultStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.context import Context
from stacks.names import CHECKPOINTS, CODE_ROOT, JOBS, TRIALS, WEIGHTS, arn, role_arn
from stacks.review import accept

# Actions that know no resource: AWS evaluates them against `*` alone (service authorization reference).
_REASON_NO_RESOURCE = (
    "ecr:GetAuthorizationToken, cloudwatch:PutMetricData and the Describe actions of Application Auto"
    " Scaling know no resource (metrics are bound to SageMaker's namespaces by a condition). All other"
    " wildcards stand behind a fixed prefix of this project."
)


def sagemaker_role(scope: Construct, construct_id: str, name: str, description: str) -> iam.Role:
    """A role for SageMaker, which it can take on only for this account's own jobs."""
    role = iam.Role(
        scope,
        construct_id,
        role_name=name,
        description=description,
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
    )
    accept(role, {"AwsSolutions-IAM5": _REASON_NO_RESOURCE})
    return role


def grant_training(role: iam.Role, data: s3.IBucket, artifacts: s3.IBucket, repository_arn: str) -> None:
    """What a training job does: read pictures, code and weights; keep checkpoints; write its model and its
    log.
    """
    read = (CODE_ROOT, WEIGHTS, JOBS, TRIALS, CHECKPOINTS)
    written = (JOBS, TRIALS, CHECKPOINTS)
    for statement in (
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[data.arn_for_objects("*")]),
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[data.bucket_arn]),
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[artifacts.arn_for_objects(f"{prefix}/*") for prefix in read]
        ),
        iam.PolicyStatement(
            actions=["s3:PutObject", "s3:AbortMultipartUpload"],
            resources=[artifacts.arn_for_objects(f"{prefix}/*") for prefix in written],
        ),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[artifacts.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in read]}},
        ),
        *_pull_image(repository_arn),
        *_write_logs_and_metrics(role, "/aws/sagemaker/TrainingJobs"),
    ):
        role.add_to_policy(statement)


def grant_endpoint(
    role: iam.Role, artifacts: s3.IBucket, repository_arn: str, endpoint: str, project: str
) -> None:
    """What an endpoint does: load its model and image, write its log, and watch the alarms that roll it
    back.
    """
    for statement in (
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[artifacts.arn_for_objects(f"{JOBS}/*")]),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[artifacts.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{JOBS}/*"]}},
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:DescribeAlarms"],
            resources=[arn(role, "cloudwatch", "alarm", f"{project}-*", separator=":")],
        ),
        *_pull_image(repository_arn),
        *_write_logs_and_metrics(role, f"/aws/sagemaker/Endpoints/{endpoint}"),
    ):
        role.add_to_policy(statement)


def _pull_image(repository_arn: str) -> Sequence[iam.PolicyStatement]:
    return (
        iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        iam.PolicyStatement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[repository_arn],
        ),
    )


def _write_logs_and_metrics(scope: Construct, log_group: str) -> Sequence[iam.PolicyStatement]:
    group = arn(scope, "logs", "log-group", log_group, separator=":")
    return (
        iam.PolicyStatement(
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[group, f"{group}:*"],
        ),
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
        ),
    )


class ServingDeploymentRole(Construct):
    """The role CloudFormation takes on for the Serving stack, and the right to pass it.

    CDK's own deployment role (made by `cdk bootstrap`) may pass nothing but the bootstrap's execution role,
    so it is given exactly this one more. Reading the champion is allowed to all three who may be asked to
    resolve it: the deployer, this role, and the promoting Lambda.
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
        champion = arn(self, "ssm", "parameter", names.champion_parameter.removeprefix("/"))
        for statement in (*self._sagemaker(context), *self._scaling(context), *self._alarms(context)):
            self.role.add_to_policy(statement)
        self.role.add_to_policy(iam.PolicyStatement(actions=["ssm:GetParameters"], resources=[champion]))
        accept(self.role, {"AwsSolutions-IAM5": _REASON_NO_RESOURCE})

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
                    iam.PolicyStatement(actions=["ssm:GetParameters"], resources=[champion]),
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
        package = arn(self, "sagemaker", "model-package", f"{names.model_package_group}/*")
        return (
            iam.PolicyStatement(
                actions=["sagemaker:CreateModel", "sagemaker:DescribeModel", "sagemaker:DeleteModel"],
                resources=models,
            ),
            iam.PolicyStatement(
                # A model made from a package is checked against the package as well.
                actions=["sagemaker:CreateModel", "sagemaker:DescribeModelPackage"],
                resources=[package],
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
                actions=["sagemaker:AddTags", "sagemaker:ListTags", "sagemaker:DeleteTags"],
                resources=[endpoint, *configs, *models],
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
        tracking = arn(
            self,
            "cloudwatch",
            "alarm",
            f"TargetTracking-endpoint/{names.endpoint}/variant/*",
            separator=":",
        )
        return (
            iam.PolicyStatement(
                actions=[
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:TagResource",
                    "cloudwatch:UntagResource",
                    "cloudwatch:ListTagsForResource",
                ],
                resources=[ours, tracking],
            ),
            iam.PolicyStatement(
                actions=["cloudwatch:DescribeAlarms"],
                resources=[arn(self, "cloudwatch", "alarm", "*", separator=":")],
            ),
        )
