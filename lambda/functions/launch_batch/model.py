"""Which model answers a batch: the champion, whether it serves or sleeps, or a version of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from contract.environment import BatchEnvironment
from contract.names import IMAGE_TARGET, NO_CHAMPION, version_of
from contract.storage import is_model
from functions.common import champion
from functions.common.clients import client, describe
from functions.common.errors import UserError

_GPU = "gpu"


class UnknownModel(UserError):
    """There is no such model, or none at all yet."""

    status = 404


class UnusableModel(UserError):
    """The model is there, and a job of this project cannot load it."""


@dataclass(frozen=True)
class Model:
    """A model package that can answer."""

    arn: str
    archive: str
    """The S3 address of its model.tar.gz."""
    on_gpu: bool
    """Its endpoint answers on a GPU, by the weights and not by the serving form."""

    @property
    def version(self) -> str:
        return version_of(self.arn)


def find(version: int | None, env: BatchEnvironment) -> Model:
    """The model of a version; of None the champion.

    Raises:
        UnknownModel, UnusableModel: with what to do.
    """
    arn = (
        champion.current(env.champion_parameter).model
        if version is None
        else f"{env.model_packages}{version}"
    )
    if arn == NO_CHAMPION:
        raise UnknownModel(
            "there is no model yet: train one (classifier tune), or name a version of the registry"
        )
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=arn)
    if package is None:
        raise UnknownModel(f"the registry has no version {version_of(arn)} (classifier status shows a run's)")
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    archive = str(containers[0].get("ModelDataUrl", "")) if containers else ""
    prefix = f"s3://{env.artifacts_bucket}/"
    key = archive.removeprefix(prefix)
    if not archive.startswith(prefix) or not is_model(key):
        raise UnusableModel(
            f"version {version_of(arn)} lies at {archive or 'no address'}, which a batch job may not read; "
            "it may read models that this project trained"
        )
    found = client("s3").list_objects_v2(Bucket=env.artifacts_bucket, Prefix=key, MaxKeys=1)
    if not any(each["Key"] == key for each in found.get("Contents", [])):
        raise UnusableModel(f"the model of version {version_of(arn)} is gone from {archive}")
    target = package.get("CustomerMetadataProperties", {}).get(IMAGE_TARGET, "")
    return Model(arn, archive, target == _GPU)
