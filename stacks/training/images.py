"""A container image of this repository, built where it is needed: by CodeBuild, at deploy time, without
Docker here.

Costs: build minutes when the image's sources change, and storage per gigabyte and month of the images kept in
ECR: the newest few, and those that models in the registry run in. ECR knows the latter by tags, which
register-model puts on and takes away.
"""

from __future__ import annotations

from typing import cast

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from constructs import Construct, IConstruct
from deploy_time_build import ContainerImageBuild

from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.review import accept
from stacks.roles import allow

IMAGES_KEPT = 3
"""The one in force, the one to go back to, and one that a search or job of before the last change may still
start from. A model's image is kept besides."""
ALL = 9999
STARTER_MINUTES = 15
"""As long as a Lambda function may run: so long a build waits for its place."""
_BROUGHT_STARTER = "DeployTimeBuildCustomResourceHandler"


class ImageBuilds(Construct):
    """The builds of a stack's images, one after the other, and the function that starts them.

    A new account may run one build at a time, and CodeBuild refuses more. The construct's own starter takes
    that for the end; ours waits for a place (lambda/functions/build_image). It is made with the first build.
    """

    def __init__(self, scope: Construct, construct_id: str, context: Context) -> None:
        super().__init__(scope, construct_id)
        self.folders = context.folders
        self._context = context
        self._starter: PythonFunction | None = None
        self._last: CfnResource | None = None

    def add(self, build: ContainerImageBuild) -> None:
        """Have a build started by our function, when the one before it has ended."""
        if self._starter is None:
            self._starter = self._make_starter()
        stack = Stack.of(self)
        resource = cast(CfnResource, build.node.find_child("Resource").node.default_child)
        resource.add_property_override("ServiceToken", self._starter.function.function_arn)
        for child in stack.node.children:
            if child.node.id.startswith(_BROUGHT_STARTER):
                stack.node.try_remove_child(child.node.id)
        if self._last is not None:
            resource.add_resource_dependency(self._last)
        self._last = resource

    def _make_starter(self) -> PythonFunction:
        projects = [child for child in Stack.of(self).node.children if _is_project(child)]
        arns = [str(project.node.default_child.attr_arn) for project in projects]  # type: ignore[union-attr]
        return PythonFunction(
            self,
            "Starter",
            self._context,
            "build-image",
            "Starts the build of a container image, and waits for its place in CodeBuild.",
            statements=[allow("codebuild:StartBuild", arns)],
            timeout_seconds=STARTER_MINUTES * 60,
        )


class ContainerImage(Construct):
    """The image of `folder`/Dockerfile, or the one the user names instead.

    Attributes:
        uri: what SageMaker is told to run.
        repository_arn: what a role must be allowed to pull.
        repository_name: of the repository made here; empty where the user names the image.
    """

    uri: str
    repository_arn: str
    repository_name: str = ""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        folder: str,
        builds: ImageBuilds,
        image_uri: str,
        target: str,
        kept_tag: str = "",
    ) -> None:
        """Build it.

        Args:
            target: of the Dockerfile.
            kept_tag: images with a tag that begins so are kept however old they are.
        """
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
            lifecycle_rules=_lifecycle(kept_tag),
        )
        directory = builds.folders.image_context(folder)
        build = ContainerImageBuild(
            self,
            "Build",
            directory=directory,
            file=f"{folder}/Dockerfile",
            target=target,
            platform=ecr_assets.Platform.LINUX_AMD64,
            repository=repository,
        )
        builds.add(build)
        self.uri = build.image_uri
        self.repository_arn, self.repository_name = repository.repository_arn, repository.repository_name


def _lifecycle(kept_tag: str) -> list[ecr.LifecycleRule]:
    """An image that a rule's tags match is no longer expired by the rules after it, so the first one, which
    expires none, keeps what it matches.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
    """
    of_models = ecr.LifecycleRule(
        rule_priority=1,
        tag_prefix_list=[kept_tag],
        max_image_count=ALL,
        description="Models in the registry run in these.",
    )
    newest = ecr.LifecycleRule(rule_priority=2, max_image_count=IMAGES_KEPT, description="The newest ones.")
    return [of_models, newest] if kept_tag else [newest]


def accept_build_project(stack: Stack) -> None:
    """Say why the CodeBuild project shared by the images of a stack is as it is."""
    for child in stack.node.children:
        if _is_project(child):
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


def _is_project(child: IConstruct) -> bool:
    """Whether it is the CodeBuild project that the construct puts into the stack, once for all its images."""
    return child.node.id.startswith("ContainerImageBuild")


def _repository_arn(scope: Construct, image_uri: str) -> str:
    """`<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>` → the repository's ARN (the settings checked
    it).
    """
    registry, _, path = image_uri.partition("/")
    account, _, _, region = registry.split(".")[:4]
    name = path.split("@")[0].split(":")[0]
    return f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{name}"
