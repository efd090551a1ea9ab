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
CAPTURED: Final = "captured"
"""What the endpoint answered."""

RUN_RECORD: Final = "run.json"
STOPPED: Final = "stopped.json"
VERDICT: Final = "verdict.json"


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
