"""The steps between an upload and a promoted model: four Lambdas, and the events that call them; and the one
that puts the endpoint to sleep.

launch-tuning is invoked by a person. From then on SageMaker's own events lead on: tuning job ended →
launch-training; training job ended → register-model; model package approved → promote-model; Serving stack
settled → promote-model again, which compares what should be with what is. AWS may deliver an event twice or
late, so every step can be repeated; what fails after all retries lies in the dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks import pipeline_permissions as permissions
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.images import ContainerImage
from stacks.names import DRIFT_NAMESPACE, MODEL_TAG, VARIANT, arn
from stacks.settings import SERVERLESS


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResources:
    """What the steps work with."""

    data: s3.IBucket
    artifacts: s3.IBucket
    code_prefix: str
    """`code/<hash>/` in the artifacts bucket."""
    training_image: ContainerImage
    training_image_gpu: ContainerImage
    serving_image: ContainerImage
    training_role: iam.IRole
    topic: sns.ITopic
    dead_letters: sqs.IQueue


class Pipeline(Construct):
    """The four functions (by the names of their outputs) and the rules that call them."""

    def __init__(
        self, scope: Construct, construct_id: str, context: Context, resources: PipelineResources
    ) -> None:
        super().__init__(scope, construct_id)
        self._context, self._resources = context, resources
        self.functions: Mapping[str, lambda_.Function] = {
            "LaunchTuning": self._launch_tuning(),
            "LaunchTraining": self._launch_training(),
            "RegisterModel": self._register_model(),
            "PromoteModel": self._promote_model(),
        }
        self._rules()
        self._sleep()
        self._watch_drift()

    def _launch_tuning(self) -> lambda_.Function:
        return self._function(
            "launch-tuning",
            "Checks a recipe and a dataset, and starts the tuning job.",
            self._launch_environment(),
            permissions.launch_tuning(self, self._context, self._resources),
        )

    def _launch_training(self) -> lambda_.Function:
        return self._function(
            "launch-training",
            "Starts the final training with the best hyperparameters of a tuning job, or with given ones.",
            self._launch_environment(),
            permissions.launch_training(self, self._context, self._resources),
        )

    def _register_model(self) -> lambda_.Function:
        names, settings = self._context.names, self._context.settings
        return self._function(
            "register-model",
            "Measures a trained model against the champion and puts it into the registry.",
            {
                "PROJECT": settings.project,
                "ARTIFACTS_BUCKET": self._resources.artifacts.bucket_name,
                "SERVING_IMAGE": self._resources.serving_image.uri,
                "SERVING_IMAGE_TARGET": settings.serving.image_target,
                "MODEL_PACKAGE_GROUP": names.model_package_group,
                "APPROVAL": settings.approval,
                **{key.upper(): str(value) for key, value in asdict(settings.gate).items()},
                "CHAMPION_PARAMETER": names.champion_parameter,
                "NOTIFICATION_TOPIC_ARN": self._resources.topic.topic_arn,
                **self._kept_images(),
            },
            permissions.register_model(self, self._context, self._resources),
            # It reads output.tar.gz of a training job, which a user's own code may fill.
            memory_mb=512,
            timeout_seconds=300,
        )

    def _kept_images(self) -> Mapping[str, str]:
        repository = self._resources.serving_image.repository_name
        return {"SERVING_REPOSITORY": repository, "IMAGE_TAG_PREFIX": MODEL_TAG} if repository else {}

    def _promote_model(self) -> lambda_.Function:
        names, serving = self._context.names, self._context.settings.serving
        runs_on = {
            "INSTANCE_TYPES": ",".join(serving.instances),
            "INSTANCE_TYPE_PARAMETER": names.instance_type_parameter,
            "MIN_INSTANCES": str(serving.min_instances),
        }
        return self._function(
            "promote-model",
            "Makes the approved model the champion and brings the Serving stack in line with it.",
            {
                "PROJECT": self._context.settings.project,
                "MODEL_PACKAGE_GROUP": names.model_package_group,
                "CHAMPION_PARAMETER": names.champion_parameter,
                "SERVING_STACK": names.stack("serving"),
                "NOTIFICATION_TOPIC_ARN": self._resources.topic.topic_arn,
                **(runs_on if serving.flavour != SERVERLESS else {}),
            },
            permissions.promote_model(self, self._context, self._resources),
            # It may look through all of SageMaker's quotas, a hundred at a time.
            timeout_seconds=180,
        )

    def _launch_environment(self) -> Mapping[str, str]:
        resources, training = self._resources, self._context.settings.training
        return {
            "PROJECT": self._context.settings.project,
            "DATA_BUCKET": resources.data.bucket_name,
            "ARTIFACTS_BUCKET": resources.artifacts.bucket_name,
            "CODE_PREFIX": resources.code_prefix,
            "TRAINING_IMAGE": resources.training_image.uri,
            "TRAINING_IMAGE_GPU": resources.training_image_gpu.uri,
            "TRAINING_ROLE_ARN": resources.training_role.role_arn,
            "TRAINING_INSTANCE_TYPE": ",".join(training.instances),
            "TRAINING_VOLUME_GB": str(training.volume_gb),
            "MAX_RUNTIME_MINUTES": str(training.max_runtime_minutes),
            "CHAMPION_PARAMETER": self._context.names.champion_parameter,
            "NOTIFICATION_TOPIC_ARN": resources.topic.topic_arn,
        }

    def _function(
        self,
        name: str,
        description: str,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        *,
        memory_mb: int = 256,
        timeout_seconds: int = 60,
    ) -> lambda_.Function:
        return PythonFunction(
            self,
            "".join(word.capitalize() for word in name.split("-")),
            name=self._context.names.function(name),
            module=name.replace("-", "_"),
            description=description,
            folders=self._context.folders,
            environment=environment,
            statements=statements,
            log_retention=self._context.log_retention,
            dead_letters=self._resources.dead_letters,
            memory_mb=memory_mb,
            timeout_seconds=timeout_seconds,
        ).function

    def _rules(self) -> None:
        names = self._context.names
        prefix = [{"prefix": f"{names.project}-"}]
        self._rule(
            "TuningEnded",
            "A tuning job of this project ended: start the final training, or tell that it failed.",
            "SageMaker HyperParameter Tuning Job State Change",
            {
                "HyperParameterTuningJobName": prefix,
                "HyperParameterTuningJobStatus": ["Completed", "Failed", "Stopped"],
            },
            "LaunchTraining",
        )
        self._rule(
            "TrainingEnded",
            "A training job of this project ended: register its model, or tell that it failed.",
            "SageMaker Training Job State Change",
            {"TrainingJobName": prefix, "TrainingJobStatus": ["Completed", "Failed", "Stopped"]},
            "RegisterModel",
        )
        self._rule(
            "TrainingFailed",
            "A training job of this project failed: if AWS had no instance for it, go on with the next type.",
            "SageMaker Training Job State Change",
            {"TrainingJobName": prefix, "TrainingJobStatus": ["Failed"]},
            "LaunchTraining",
        )
        self._rule(
            "ModelApproved",
            "A model was approved, by the quality gate or by a person: make it the champion. Or the champion"
            " was rejected: go back to the one before.",
            "SageMaker Model Package State Change",
            {
                "ModelPackageGroupName": [names.model_package_group],
                "ModelApprovalStatus": ["Approved", "Rejected"],
            },
            "PromoteModel",
        )
        self._rule(
            "EndpointFailed",
            "The endpoint failed: keep why, before CloudFormation removes it with its reason.",
            "SageMaker Endpoint State Change",
            {
                "EndpointName": [names.endpoint],
                "EndpointStatus": ["FAILED", "Failed", "ROLLING_BACK", "RollingBack"],
            },
            "PromoteModel",
        )
        self._schedule(
            "LookForWaiting",
            "Is an approved model waiting that can be brought up by now?",
            "rate(15 minutes)",
            self.functions["PromoteModel"],
            None,
        )
        stack_arn = arn(self, "cloudformation", "stack", f"{names.stack('serving')}/")
        self._rule(
            "ServingSettled",
            "The Serving stack ended an update: see that champion, registry and endpoint tell the same"
            " story.",
            "CloudFormation Stack Status Change",
            {
                "stack-id": [{"prefix": stack_arn}],
                "status-details": {"status": [{"suffix": "_COMPLETE"}, {"suffix": "_FAILED"}]},
            },
            "PromoteModel",
            source="aws.cloudformation",
        )

    def _sleep(self) -> None:
        """Take the endpoint away when nobody uses it, or at a given hour, and bring it back."""
        names, serving = self._context.names, self._context.settings.serving
        # What has none of its own costs nothing idle as it is.
        if serving.idle_minutes and serving.has_own_instances:
            guard = self._function(
                "idle-guard",
                "Puts an endpoint to sleep that nobody asked anything for a while.",
                {
                    "ENDPOINT_NAME": names.endpoint,
                    "VARIANT": VARIANT,
                    "CHAMPION_PARAMETER": names.champion_parameter,
                    "IDLE_MINUTES": str(serving.idle_minutes),
                    "PROMOTE_FUNCTION": names.function("promote-model"),
                },
                permissions.idle_guard(self, self._context),
            )
            self._schedule(
                "LookForIdleness", "Is anybody using the endpoint?", "rate(5 minutes)", guard, None
            )
        for action, when, code in (
            ("sleep", serving.sleep_at, {"code": "scheduled"}),
            ("wake", serving.wake_at, {}),
        ):
            if when:
                self._schedule(
                    f"{action.capitalize()}Time",
                    f"The hour at which the endpoint is to {action}.",
                    when,
                    self.functions["PromoteModel"],
                    {"action": action, "why": f"the hour of {action}_at", **code},
                )

    def _watch_drift(self) -> None:
        """Once a day, where answers are captured: do they still look like those on the test split?"""
        names, drift = self._context.names, self._context.settings.drift
        if not drift.capture_percent:
            return
        check = self._function(
            "check-drift",
            "Compares the last day's predictions with those on the test split.",
            {
                "PROJECT": names.project,
                "ARTIFACTS_BUCKET": self._resources.artifacts.bucket_name,
                "CHAMPION_PARAMETER": names.champion_parameter,
                "CAPTURE_FOLDER": names.capture_folder,
                "THRESHOLD": str(drift.threshold),
                "MIN_PREDICTIONS": str(drift.min_predictions),
                "RETRAIN": drift.retrain,
                "METRIC_NAMESPACE": DRIFT_NAMESPACE,
                "NOTIFICATION_TOPIC_ARN": self._resources.topic.topic_arn,
            },
            permissions.check_drift(self, self._context, self._resources),
            memory_mb=512,
            timeout_seconds=300,
        )
        self._schedule("LookForDrift", "Has what is asked of the model changed?", "rate(1 day)", check, None)

    def _schedule(
        self,
        construct_id: str,
        description: str,
        when: str,
        function: lambda_.Function,
        payload: Mapping[str, str] | None,
    ) -> None:
        events.Rule(
            self,
            construct_id,
            description=description,
            schedule=events.Schedule.expression(when),
            targets=[
                targets.LambdaFunction(
                    function,
                    event=events.RuleTargetInput.from_object(payload) if payload else None,
                    dead_letter_queue=self._resources.dead_letters,
                    retry_attempts=8,
                    max_event_age=Duration.hours(1),
                )
            ],
        )

    def _rule(
        self,
        construct_id: str,
        description: str,
        detail_type: str,
        detail: Mapping[str, object],
        function: str,
        *,
        source: str = "aws.sagemaker",
    ) -> None:
        events.Rule(
            self,
            construct_id,
            description=description,
            event_pattern=events.EventPattern(
                source=[source], detail_type=[detail_type], detail=dict(detail)
            ),
            targets=[
                targets.LambdaFunction(
                    self.functions[function],
                    dead_letter_queue=self._resources.dead_letters,
                    retry_attempts=8,
                    max_event_age=Duration.hours(6),
                )
            ],
        )
