"""The Storage stack: the buckets, and the parameter which says what model is the champion.

Two buckets: `Data` for the pictures and `Artifacts` for everything the system makes. Both refuse plain HTTP
and public access, are encrypted with S3's own key (a KMS key of our own would cost every month) and keep old
versions for a while. A third bucket keeps their access logs.

A Lambda makes the champion parameter, and only if it is missing. A CloudFormation parameter resource would
put its template value back one day and take the endpoint down.

Costs: storage per gigabyte and month of what lies in the buckets; nothing by the hour.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contract.storage import BATCH, BATCH_UPLOADS, CAPTURED, CHECKPOINTS, DOCTOR, FEATURES, TRIALS
from stacks.buckets import private_bucket
from stacks.context import Context
from stacks.functions import PythonFunction
from stacks.names import served_parameter_arns
from stacks.provided import adopt_provided_functions
from stacks.review import accept
from stacks.roles import allow
from stacks.settings.serving import SERVERLESS


class StorageStack(Stack):
    def __init__(self, scope: Construct, context: Context) -> None:
        names = context.names
        super().__init__(
            scope,
            names.stack("storage"),
            description="Pictures, models and the champion parameter of the image classifier.",
        )
        self._context = context
        self._access_logs = self._make_access_logs()
        # Folders that were sent to be answered in one go: what is kept of them are their answers.
        uploads = self._expire(
            "expire-batch", f"{BATCH_UPLOADS}/", context.settings.storage.trial_outputs_days
        )
        self.data = self._bucket("Data", [uploads])
        self.artifacts = self._bucket(
            "Artifacts",
            [
                # Only what tuning, the doctor and batches leave behind. Outputs of final trainings stay: an
                # endpoint loads its model from there whenever it starts another instance.
                self._expire(f"expire-{prefix}", f"{prefix}/", context.settings.storage.trial_outputs_days)
                for prefix in (TRIALS, CHECKPOINTS, FEATURES, DOCTOR, BATCH)
            ]
            + [self._expire("expire-captured", f"{CAPTURED}/", context.settings.drift.keep_days)],
        )
        self._champion_parameter()
        adopt_provided_functions(self, context)
        CfnOutput(self, "DataBucket", value=self.data.bucket_name)
        CfnOutput(self, "ArtifactsBucket", value=self.artifacts.bucket_name)
        CfnOutput(self, "ChampionParameter", value=names.champion_parameter)

    def _champion_parameter(self) -> None:
        context, names = self._context, self._context.names
        keeper = PythonFunction(
            self,
            "ChampionParameterFunction",
            context,
            "champion-parameter",
            "Makes the champion parameter if it is missing; removes it with the stack.",
            statements=[
                allow(
                    ["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"],
                    served_parameter_arns(self, names, shadow=context.settings.serving.shadows),
                )
            ],
        )
        champion = {"ParameterName": names.champion_parameter}
        keeper.custom_resource(self, "ChampionParameterValue", "ChampionParameter", champion)
        if context.settings.serving.shadows:
            candidate = {"ParameterName": names.candidate_parameter}
            keeper.custom_resource(self, "CandidateParameterValue", "CandidateParameter", candidate)
        if context.settings.serving.flavour != SERVERLESS:
            # Kept as it is, too, as long as the settings still allow the type that was taken.
            instance_type = {
                "ParameterName": names.instance_type_parameter,
                "Allowed": ",".join(context.settings.serving.instances),
            }
            keeper.custom_resource(self, "InstanceTypeValue", "InstanceTypeParameter", instance_type)

    def _bucket(self, construct_id: str, rules: list[s3.LifecycleRule]) -> s3.Bucket:
        return private_bucket(
            self,
            construct_id,
            self._context.settings,
            [
                s3.LifecycleRule(
                    id="forget-old-versions",
                    noncurrent_version_expiration=Duration.days(
                        self._context.settings.storage.old_versions_days
                    ),
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                *rules,
            ],
            versioned=True,
            access_logs=self._access_logs,
        )

    def _make_access_logs(self) -> s3.Bucket:
        settings = self._context.settings
        bucket = private_bucket(
            self,
            "AccessLogs",
            settings,
            [
                s3.LifecycleRule(
                    id="forget",
                    expiration=Duration.days(settings.log_retention_days),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
            versioned=True,
        )
        accept(
            bucket,
            {
                "AwsSolutions-S1": "This is the bucket the access logs go to; logging it into itself never"
                " ends."
            },
        )
        return bucket

    @staticmethod
    def _expire(rule_id: str, prefix: str, days: int) -> s3.LifecycleRule:
        # An old version of these is a checkpoint that was replaced: nobody brings it back, and each is large.
        return s3.LifecycleRule(
            id=rule_id,
            prefix=prefix,
            expiration=Duration.days(days),
            noncurrent_version_expiration=Duration.days(1),
        )
