"""A container image of this repository, built where it is needed: by CodeBuild, at deploy time, without
Docker here.

Costs: build minutes when the image's sources change, and storage per gigabyte and month of the images kept in
ECR. Old images stay (the last twenty), for a model in the registry runs in the image it was registered with.
"""

from __future__ import annotations

from aws_cdk import IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from constructs import Construct
from deploy_time_build import ContainerImageBuild

from stacks.folders import Folders
from stacks.review import accept

IMAGES_KEPT = 20


class ContainerImage(Construct):
    """The image of `folder`/Dockerfile, or the one the user names instead.

    Attributes:
        uri: what SageMaker is told to run.
        repository_arn: what a role must be allowed to pull.
    """

    uri: str
    repository_arn: str

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: str,
        folders: Folders,
        image_uri: str,
        target: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        if image_uri:
            self.uri = image_uri
            self.repository_arn = _repository_arn(self, image_uri)
            return
        repository = ecr.Repository(
            self,
            "Repository",
            image_scan_on_push=True,
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=IMAGES_KEPT)],
        )
        directory, exclude = folders.image_context(folder)
        build = ContainerImageBuild(
            self,
            "Build",
            directory=directory,
            exclude=exclude,
            ignore_mode=IgnoreMode.DOCKER,
            target=target,
            platform=ecr_assets.Platform.LINUX_AMD64,
            repository=repository,
        )
        self.uri = build.image_uri
        self.repository_arn = repository.repository_arn


def accept_build_project(stack: Stack) -> None:
    """Say why the CodeBuild project shared by the images of a stack is as it is."""
    for child in stack.node.children:
        if child.node.id.startswith("ContainerImageBuild"):
            accept(
                child,
                {
                    "AwsSolutions-CB3": "Building a container image needs Docker, which CodeBuild only gives"
                    " to privileged builds.",
                    "AwsSolutions-CB4": "The project has no artifacts of its own to encrypt: the image goes"
                    " to ECR, which encrypts it.",
                    "AwsSolutions-IAM4": "The managed policy reads public base images from public.ecr.aws.",
                    "AwsSolutions-IAM5": "The project's own log groups and reports, the build context in"
                    " CDK's asset bucket, and ecr:GetAuthorizationToken, which knows no resource.",
                },
            )


def _repository_arn(scope: Construct, image_uri: str) -> str:
    """`<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>` → the repository's ARN (the settings checked
    it).
    """
    registry, _, path = image_uri.partition("/")
    account, _, _, region = registry.split(".")[:4]
    name = path.split("@")[0].split(":")[0]
    return f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{name}"
