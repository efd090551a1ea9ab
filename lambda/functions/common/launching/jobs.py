"""From a run's record to the two requests SageMaker gets: one tuning job, or one training job.

Both run the same image with the same channels on the same machines, so that a trial and the last training
differ in nothing but hyperparameters and where they leave their output and checkpoints.
Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
and .../API_CreateTrainingJob.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contract import capacity, storage
from contract.datasets import SPLITS, store
from contract.environment import LaunchEnvironment
from contract.instances import has_gpu
from contract.jobs import CHAMPION, CODE, DATASET, PRETRAINED
from functions.common.launching import insight, search
from functions.common.launching.costs import Machine
from functions.common.launching.runs import RunRecord
from functions.common.recipes.recipe import Recipe, as_text
from functions.common.recipes.tuning import Tuning

Request = dict[str, Any]
MAX_INSTANCE_CONFIGS = 6
"""Of a tuning job. Source: .../API_HyperParameterTuningResourceConfig.html"""

_LIST = "ManifestFile"
"""The kind of channel that names its files. Source: .../API_S3DataSource.html"""


def tuning_job(
    name: str,
    record: RunRecord,
    tuning: Tuning,
    metrics: list[dict[str, str]],
    env: LaunchEnvironment,
    *,
    alone: bool = False,
) -> Request:
    """The CreateHyperParameterTuningJob request of a run.

    Args:
        alone: its trials are on the run's first instance type only, not on the next ones where AWS has none.
    """
    recipe = record.recipe
    searched = {each.name: each for each in tuning.ranges}
    fixed = {key: value for key, value in recipe.hyperparameters.items() if key not in searched}
    weights = {fixed.get("weights"), *(searched["weights"].values if "weights" in searched else ())}
    spot = _is_spot(recipe)
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": search.config(tuning, recipe),
        "TrainingJobDefinition": {
            "StaticHyperParameters": _texts(fixed, record, tuning, env),
            "AlgorithmSpecification": _algorithm(metrics, recipe, env),
            "InputDataConfig": _channels(record, fixed.get("weights"), env),
            # A bucket rule lets trials expire; a model that may be serving lies elsewhere.
            "OutputDataConfig": {"S3OutputPath": f"s3://{env.artifacts_bucket}/{storage.TRIALS}"},
            # Only an interrupted trial goes on from a checkpoint, and only spot interrupts.
            **({"CheckpointConfig": _checkpoints(name, env)} if spot else {}),
            **_machine(recipe, weights, env),
            **_search_resources(record, alone, env),
        },
        **search.warm_start(tuning),
        "Tags": tags(record, env),
    }


def training_job(
    name: str,
    record: RunRecord,
    hyperparameters: Mapping[str, Any],
    metrics: list[dict[str, str]],
    env: LaunchEnvironment,
    champion: str = "",
) -> Request:
    """The CreateTrainingJob request of a run's last, or only, training.

    Args:
        champion: S3 URI of the artifact to ask the same test pictures; empty for none.
    """
    weights = hyperparameters.get("weights")
    watched = insight.hyperparameters(record.recipe, machine(record.recipe, env))
    answer = record.recipe.table("answer")
    promised = {"answer_precision": answer["precision"]} if "precision" in answer else {}
    return {
        "TrainingJobName": name,
        "HyperParameters": _texts(
            {**hyperparameters, **watched, **promised}, record, record.recipe.tuning, env
        ),
        "AlgorithmSpecification": _algorithm(metrics, record.recipe, env),
        "InputDataConfig": _channels(record, weights, env, champion),
        "OutputDataConfig": {"S3OutputPath": f"s3://{env.artifacts_bucket}/{storage.JOBS}"},
        "CheckpointConfig": _checkpoints(name, env),
        **_machine(record.recipe, {weights}, env),
        "ResourceConfig": resources(machine(record.recipe, env)),
        **capacity.environment(record.instance_types[1:]),
        **insight.managed(record.recipe, name, env.artifacts_bucket),
        "Tags": tags(record, env),
    }


def machine(recipe: Recipe, env: LaunchEnvironment) -> Machine:
    """What each job of a recipe runs on: [resources] over the deployment's settings."""
    resources = recipe.table("resources")
    return Machine(
        instance_type=resources.get("instance_type", env.training_instance_types[0]),
        instance_count=resources.get("instance_count", 1),
        volume_gb=resources.get("volume_gb", env.training_volume_gb),
        max_runtime_minutes=resources.get("max_runtime_minutes", env.max_runtime_minutes),
        usd_per_hour=resources.get("usd_per_hour"),
    )


def image(instance_type: str, env: LaunchEnvironment) -> str:
    """The training image for an instance type: with CUDA or without."""
    return env.training_image_gpu if has_gpu(instance_type) else env.training_image


def _checkpoints(name: str, env: LaunchEnvironment) -> Request:
    return {"S3Uri": f"s3://{env.artifacts_bucket}/{storage.checkpoints(name)}"}


def _is_open(recipe: Recipe, weights: set[object]) -> bool:
    """Whether a job may reach the network, and so S3: an isolated container has no credentials either."""
    return "imagenet" in weights or bool(recipe.table("resources").get("network", False))


def _is_spot(recipe: Recipe) -> bool:
    return bool(recipe.table("resources").get("spot", False))


def _texts(
    hyperparameters: Mapping[str, Any], record: RunRecord, tuning: Tuning | None, env: LaunchEnvironment
) -> dict[str, str]:
    """All hyperparameters as SageMaker takes them, with what the training code wants to record."""
    texts = {key: as_text(value) for key, value in hyperparameters.items()}
    if texts.get("weights", "").startswith("s3://"):
        texts["weights"] = PRETRAINED  # the file comes in the channel of that name
    if record.recipe.table("resources").get("allow_cpu"):
        texts["allow_cpu"] = "yes"
    if tuning is not None:
        texts["objective"] = tuning.objective  # by which the best epoch is kept
    if (
        _is_open(record.recipe, {hyperparameters.get("weights")})
        and texts.get("trainable_from", "stem") != "stem"
    ):
        # What frozen stages compute, for all jobs on this data set; the job's own key tells what of it fits.
        texts["feature_cache"] = f"s3://{env.artifacts_bucket}/{storage.features(record.dataset)}"
    version = {"dataset_version": str(record.dataset_version)} if record.dataset_version else {}
    return {**texts, "run": record.run, "dataset": record.dataset, **version}


def _algorithm(metrics: list[dict[str, str]], recipe: Recipe, env: LaunchEnvironment) -> Request:
    return {
        "TrainingImage": image(machine(recipe, env).instance_type, env),
        "TrainingInputMode": "File",
        "MetricDefinitions": metrics,
    }


def _channels(
    record: RunRecord, weights: object, env: LaunchEnvironment, champion: str = ""
) -> list[Request]:
    uris = {CODE: f"s3://{env.artifacts_bucket}/{record.code_prefix}"}
    if isinstance(weights, str) and weights.startswith("s3://"):
        uris[PRETRAINED] = weights
    if champion:
        uris[CHAMPION] = champion
    # Code and weights are opened at any place; FastFile mode is for what is read front to back.
    mode = record.recipe.table("resources").get("input_mode", "File")
    pictures = channels_of(record.dataset, record.dataset_version or 0, record.pictures, env, mode)
    return [*pictures, *(channel(name, uri) for name, uri in uris.items())]


def channels_of(
    dataset: str, number: int, pictures: str, env: LaunchEnvironment, mode: str = "File"
) -> list[Request]:
    """The channels of a version's splits, and the lists that say which of their files are whose.

    AWS documents lists of files for File mode only; in FastFile mode a job is shown all that is below a
    prefix, and reads what the lists name.

    Args:
        pictures: what a run's record keeps under that name.
    """
    at = f"s3://{env.data_bucket}/"

    def listed(name: str) -> str:
        return at + storage.version_list(dataset, number, name)

    if not pictures:
        return [channel(split, at + storage.split(dataset, split), mode) for split in SPLITS]
    lists = channel(DATASET, listed(store.SHARDS), kind=_LIST)
    if mode == "FastFile":
        return [*(channel(split, at + pictures, mode) for split in SPLITS), lists]
    return [*(channel(split, listed(split), kind=_LIST) for split in SPLITS), lists]


def channel(name: str, uri: str, mode: str = "File", kind: str = "S3Prefix") -> Request:
    """A channel of the objects below an address, or of those that the list there names."""
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": mode}


def _machine(recipe: Recipe, weights: set[object], env: LaunchEnvironment) -> Request:
    """For how long at most a job runs, as which role, and whether it may reach the network.

    Only ImageNet's weights are fetched from the internet; every other job runs isolated unless its recipe
    asks for the network.
    """
    on, spot = machine(recipe, env), _is_spot(recipe)
    stopping = {"MaxRuntimeInSeconds": on.max_runtime_minutes * 60}
    if spot:
        wait = recipe.table("resources").get("max_wait_minutes", 2 * on.max_runtime_minutes)
        stopping["MaxWaitTimeInSeconds"] = max(wait, on.max_runtime_minutes) * 60
    return {
        "RoleArn": env.training_role_arn,
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": spot,
        "EnableNetworkIsolation": not _is_open(recipe, weights),
        "EnableInterContainerTrafficEncryption": True,
    }


def _search_resources(record: RunRecord, alone: bool, env: LaunchEnvironment) -> Request:
    """On what a search's trials run: of several instance types, AWS takes the first that it has left.

    All of a search's trials have one image, so those types are left out that need the other one.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTuningResourceConfig.html
    """
    on = machine(record.recipe, env)
    types = [each for each in record.instance_types if has_gpu(each) == has_gpu(on.instance_type)]
    if alone or len(types) < 2:
        return {"ResourceConfig": resources(on)}
    configs = [resources(replace(on, instance_type=each)) for each in types[:MAX_INSTANCE_CONFIGS]]
    return {
        "HyperParameterTuningResourceConfig": {
            "AllocationStrategy": "Prioritized",
            "InstanceConfigs": configs,
        }
    }


def resources(on: Machine) -> Request:
    """The member ResourceConfig of a request."""
    return {
        "InstanceType": on.instance_type,
        "InstanceCount": on.instance_count,
        "VolumeSizeInGB": on.volume_gb,
    }


def tags(record: RunRecord, env: LaunchEnvironment) -> list[dict[str, str]]:
    values = {
        "project": env.project,
        "run": record.run,
        "recipe": record.recipe.name,
        "dataset": record.dataset,
        **({"dataset-version": str(record.dataset_version)} if record.dataset_version else {}),
        **({"scheduled": " ".join(record.scheduled)} if record.scheduled else {}),
    }
    return [{"Key": key, "Value": value} for key, value in values.items()]
