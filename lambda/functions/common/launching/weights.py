"""Where a run's starting weights come from, settled before anything starts.

`imagenet` is taken from the artifacts bucket when `classifier weights` has staged it there, so that the jobs
stay cut off from the network; else the jobs download it. Weights named by an S3 address of this project's
buckets have to be there; of other buckets only AWS can tell, and does when the job is created.
"""

from __future__ import annotations

from contract import storage
from contract.networks import WEIGHTS_SUFFIXES
from functions.common.clients import client
from functions.common.errors import InvalidRecipe
from functions.common.recipes.recipe import Recipe

_FOLDER = f"{storage.WEIGHTS}/"
_LEAST_BYTES = 100_000
"""The smallest network here has 40 MB. Git LFS pointers and error pages are below this."""


def settled(recipe: Recipe, artifacts_bucket: str, data_bucket: str) -> Recipe:
    """The recipe with `imagenet` replaced by its staged file, if there is one, and an address checked.

    Raises:
        InvalidRecipe: the address is in this project's buckets, and no file of weights lies there.
    """
    searched = {each.name for each in recipe.tuning.ranges} if recipe.tuning else set()
    weights, arch = recipe.hyperparameters["weights"], recipe.hyperparameters["arch"]
    if weights == "imagenet" and not searched & {"weights", "arch"}:
        key = storage.imagenet_weights(arch)
        if _objects(artifacts_bucket, key):
            return recipe.with_overrides({"model": {"weights": f"s3://{artifacts_bucket}/{key}"}})
    if weights.startswith("s3://"):
        bucket, _, key = weights.removeprefix("s3://").partition("/")
        if bucket in (artifacts_bucket, data_bucket):
            elsewhere = bucket == artifacts_bucket and not key.startswith(_FOLDER)
            _check(weights, _objects(bucket, key), elsewhere)
    return recipe


def _check(uri: str, objects: list[tuple[str, int]], elsewhere: bool) -> None:
    stage = "classifier weights --file FILE puts a file there and checks it"
    if elsewhere:
        raise InvalidRecipe(f"[model] weights = {uri}: jobs read weights below {_FOLDER} only; {stage}")
    files = [(key, size) for key, size in objects if key.endswith(WEIGHTS_SUFFIXES)]
    if not files:
        kinds = " or ".join(WEIGHTS_SUFFIXES)
        raise InvalidRecipe(f"[model] weights = {uri}: no {kinds} file lies there; {stage}")
    if all(size < _LEAST_BYTES for _, size in files):
        key, size = files[0]
        raise InvalidRecipe(
            f"[model] weights = {uri}: {key} has {size} bytes and is no file of weights "
            f"(a Git LFS pointer or an error page?); {stage}"
        )


def _objects(bucket: str, prefix: str) -> list[tuple[str, int]]:
    page = client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=100)
    return [(each["Key"], each["Size"]) for each in page.get("Contents", [])]
