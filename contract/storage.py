"""Where things lie in the artifacts bucket, and in the data bucket a data set's splits.

A prefix ends in a slash: without it `digits` would match `digits2` too, for to S3 it is only text.
"""

from __future__ import annotations

from typing import Final

CODE_ROOT: Final = "code"
RECIPES: Final = "recipes"
RUNS: Final = "runs"
JOBS: Final = "jobs"
"""Outputs of last trainings: an endpoint loads its model from there."""
TRIALS: Final = "trials"
CHECKPOINTS: Final = "checkpoints"
FEATURES: Final = "features"
"""What frozen stages computed, for other jobs on the same data."""
WEIGHTS: Final = "weights"
"""Starting weights: ImageNet's, and those that users put there."""
DOCTOR: Final = "doctor"
"""Outputs of the doctor's jobs."""
BATCH: Final = "batch"
"""What jobs that answer pictures in one go are given and leave."""
BATCH_LISTS: Final = f"{BATCH}/lists"
BATCH_PARTS: Final = f"{BATCH}/parts"
BATCH_ANSWERS: Final = f"{BATCH}/answers"
"""Outputs of batch jobs, as SageMaker puts them below S3OutputPath."""
CAPTURED: Final = "captured"
"""What the endpoint answered."""
RETRAINING: Final = "retraining"
"""What was started by the settings `retrain`, and what was told of it."""

RUN_RECORD: Final = "run.json"
STOPPED: Final = "stopped.json"
VERDICT: Final = "verdict.json"


DATASETS: Final = "datasets"
"""In the data bucket: the versions of data sets. A plain `aws s3 sync` goes beside it, to `<dataset>/`."""


BATCH_UPLOADS: Final = "_batch"
"""In the data bucket: folders that were sent to be answered. No data set can have this name."""


def split(dataset: str, name: str) -> str:
    """The pictures of a split, in the data bucket."""
    return f"{dataset}/{name}/"


def recipe(name: str) -> str:
    return f"{RECIPES}/{name}.toml"


def of_run(run: str, file: str) -> str:
    """A file about a run, or about one of its training jobs."""
    return f"{RUNS}/{run}/{file}"


def output_of(job: str) -> str:
    """A job's output archive, as SageMaker puts it below S3OutputPath."""
    return f"{job}/output/output.tar.gz"


def is_model(key: str) -> bool:
    """Whether the key is that of a last training's model."""
    return key.startswith(f"{JOBS}/") and key.endswith("/model.tar.gz")


def checkpoints(job: str) -> str:
    return f"{CHECKPOINTS}/{job}/"


def features(dataset: str) -> str:
    return f"{FEATURES}/{dataset}/"


def weights(name: str) -> str:
    return f"{WEIGHTS}/{name}.safetensors"


def imagenet_weights(arch: str) -> str:
    """Where a network's ImageNet weights are staged."""
    return weights(f"imagenet/{arch}")


def batch_list(job: str) -> str:
    """Which pictures a batch job answers."""
    return f"{BATCH_LISTS}/{job}/"


def batch_parts(identity: str) -> str:
    """What has been answered of the same pictures by the same model, whichever job did."""
    return f"{BATCH_PARTS}/{identity}/"


def batch_upload(name: str) -> str:
    """A folder that was sent to be answered, in the data bucket."""
    return f"{BATCH_UPLOADS}/{name}/"


def pictures_of(dataset: str) -> str:
    """The pictures that uploads brought, each once, named by its content."""
    return f"{DATASETS}/{dataset}/pictures/"


def shards_of(dataset: str) -> str:
    """The lists of pictures that versions consist of, each named by its content."""
    return f"{DATASETS}/{dataset}/shards/"


def versions_of(dataset: str) -> str:
    return f"{DATASETS}/{dataset}/versions/"


def version_of(dataset: str, number: int) -> str:
    """What a version is: counts, classes, and which shards list its pictures."""
    return f"{versions_of(dataset)}{number}.json"


def version_list(dataset: str, number: int, name: str) -> str:
    """A version's pictures of a split, or its shards, as a training job's channel reads them."""
    return f"{versions_of(dataset)}{number}/{name}.manifest"


def newest_of(dataset: str) -> str:
    """Which version is the newest."""
    return f"{DATASETS}/{dataset}/newest.json"


def deletions_of(dataset: str) -> str:
    """Versions whose deletion has begun."""
    return f"{DATASETS}/{dataset}/deleting/"


def deletion_of(dataset: str, number: int) -> str:
    return f"{deletions_of(dataset)}{number}.json"
