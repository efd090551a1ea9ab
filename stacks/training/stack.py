"""The Training stack: images, training code, the registry, the roles with fixed names, and the pipeline.

The container images are built by CodeBuild when their sources change. The training code goes to the artifacts
bucket under its own hash, so that a change of code builds no image and a running job keeps the code it began
with.

Costs: build minutes when an image changes, storage of the images in ECR, and what the jobs use while they
run. Nothing here is billed by the hour.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from contract.storage import CODE_ROOT, RECIPES
from stacks.context import Context
from stacks.folders import hash_of
from stacks.functions import PythonFunction
from stacks.names import MODEL_TAG, model_packages_arn
from stacks.provided import adopt_provided_functions
from stacks.roles import allow
from stacks.serving.deployment_role import ServingDeploymentRole
from stacks.serving.endpoint_role import endpoint_role
from stacks.settings.serving import CPU, GPU
from stacks.training import (
    check_drift,
    compare_shadow,
    idle_guard,
    launch_batch,
    launch_doctor,
    launch_retraining,
    launch_training,
    launch_tuning,
    promote_model,
    register_model,
)
from stacks.training.alerts import AlertsTopic, DeadLetters
from stacks.training.batch_role import batch_job_role
from stacks.training.images import ContainerImage, ImageBuilds, accept_build_project
from stacks.training.job_role import training_job_role
from stacks.training.pipeline import Pipeline, PipelineResources


class TrainingStack(Stack):
    def __init__(self, scope: Construct, context: Context, data: s3.IBucket, artifacts: s3.IBucket) -> None:
        names, settings = context.names, context.settings
        super().__init__(
            scope,
            names.stack("training"),
            description="Tuning, training, registration and promotion of the image classifier.",
        )
        self._context = context
        builds = ImageBuilds(self, "ImageBuilds", context)
        training_image, training_image_gpu = (
            ContainerImage(
                self,
                construct_id,
                folder="training_code",
                builds=builds,
                image_uri=image_uri,
                target=target,
            )
            for construct_id, target, image_uri in (
                ("TrainingImageBuild", CPU, settings.training.image_uri),
                ("TrainingGpuImageBuild", GPU, settings.training.image_uri_for_gpu),
            )
        )
        serving_image = ContainerImage(
            self,
            "ServingImageBuild",
            folder="inference_code",
            builds=builds,
            image_uri=settings.serving.image_uri,
            target=settings.serving.image_target,
            kept_tag=MODEL_TAG,
        )
        prefixes = self._deploy_files(artifacts)
        registry = self._registry()

        repositories = [image.repository_arn for image in (training_image, training_image_gpu)]
        training_role = training_job_role(self, names.training_role, data, artifacts, repositories)
        batch_role = batch_job_role(
            self, names.batch_role, data, artifacts, repositories, settings.batch.read_buckets
        )
        self._endpoint_logs()
        endpoint_role(self, context, artifacts, [serving_image.repository_arn])
        ServingDeploymentRole(self, "ServingDeployment", context)

        alerts = AlertsTopic(self, "Alerts", context)
        dead_letters = DeadLetters(self, "DeadLetters", context)
        pipeline = Pipeline(
            self,
            "Pipeline",
            context,
            PipelineResources(
                data=data,
                artifacts=artifacts,
                **prefixes,
                training_image=training_image,
                training_image_gpu=training_image_gpu,
                serving_image=serving_image,
                training_role=training_role,
                batch_role=batch_role,
                topic=alerts.topic,
                dead_letters=dead_letters.queue,
            ),
        )
        steps = {
            "LaunchTuning": launch_tuning.add(pipeline),
            "LaunchTraining": launch_training.add(pipeline),
            "RegisterModel": register_model.add(pipeline),
            "PromoteModel": promote_model.add(pipeline),
            "LaunchDoctor": launch_doctor.add(pipeline),
            "LaunchBatch": launch_batch.add(pipeline),
        }
        idle_guard.add(pipeline)
        check_drift.add(pipeline)
        launch_retraining.add(pipeline)
        compare_shadow.add(pipeline)
        adopt_provided_functions(self, context)
        accept_build_project(self)

        for step, function in steps.items():
            CfnOutput(self, f"{step}Function", value=function.function_name)
        CfnOutput(self, "ModelPackageGroup", value=registry.model_package_group_name)
        CfnOutput(self, "TrainingImage", value=training_image.uri)
        CfnOutput(self, "TrainingGpuImage", value=training_image_gpu.uri)
        CfnOutput(self, "ServingImage", value=serving_image.uri)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue.queue_url)

    def _deploy_files(self, artifacts: s3.IBucket) -> dict[str, str]:
        """Put the code of jobs and the recipes into the artifacts bucket.

        All code goes in one deployment, as each takes its time in every `up`.

        Returns:
            The prefix of each kind of job's code, as `PipelineResources` has it.
        """
        folders = self._context.folders
        for construct_id, source, prefix in (
            ("TrainingCode", folders.code_of_jobs(), CODE_ROOT),
            ("Recipes", folders.recipes(), RECIPES),
        ):
            deployment.BucketDeployment(
                self,
                construct_id,
                sources=[source],
                destination_bucket=artifacts,
                destination_key_prefix=prefix,
                # Earlier code stays for the jobs that began with it, and users may add recipes of their own.
                prune=False,
                retain_on_delete=True,
            )
        codes = {
            "code_prefix": folders.job_code(),
            "doctor_prefix": folders.doctor_code(),
            "batch_prefix": folders.batch_code(),
        }
        return {name: f"{CODE_ROOT}/{hash_of(code)}/" for name, code in codes.items()}

    def _registry(self) -> sagemaker.CfnModelPackageGroup:
        """The model registry, and the Lambda that empties it when the stack goes: AWS removes only empty
        ones.
        """
        context, name = self._context, self._context.names.model_package_group
        registry = sagemaker.CfnModelPackageGroup(
            self,
            "Registry",
            model_package_group_name=name,
            model_package_group_description="Models that were trained, with what they were measured at.",
        )
        emptier = PythonFunction(
            self,
            "EmptyRegistryFunction",
            context,
            "empty-registry",
            "Removes the registered models when the stack is removed.",
            statements=[
                allow("sagemaker:ListModelPackages", "*"),
                allow("sagemaker:DeleteModelPackage", model_packages_arn(self, context.names)),
            ],
            timeout_seconds=300,
        )
        properties = {"ModelPackageGroupName": name}
        empty = emptier.custom_resource(self, "EmptyRegistry", "EmptyRegistry", properties)
        empty.node.add_dependency(registry)
        return registry

    def _endpoint_logs(self) -> None:
        """SageMaker would make this log group itself, without an end to what it keeps."""
        names, components = self._context.names, self._context.settings.serving.scale_to_zero
        self._context.log_group(self, "EndpointLogs", names.serving_logs(components=components))
