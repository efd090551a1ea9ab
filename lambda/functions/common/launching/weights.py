"""Where a run's starting weights come from, settled before anything starts.

`imagenet` is taken from the artifacts bucket when `classifier weights` has staged it there, so that the jobs
stay cut off from the network; else the jobs download it. Weights named by an S3 address of this project's
buckets have to be there, and be of the network; of other buckets only AWS can tell, and does when the job is
created.
"""

from __future__ import annotations

from contract import networks, storage
from functions.common.clients import client
from functions.common.errors import InvalidRecipe, UserError, listed
from functions.common.launching import weights_file
from functions.common.launching.fit import Alone, Values, pairs
from functions.common.recipes.recipe import Recipe

_FOLDER = f"{storage.WEIGHTS}/"
_LEAST_BYTES = 100_000
"""The smallest network of timm's has more. Git LFS pointers and error pages are below this."""
_SHOWN = 5
_STAGE = "classifier weights --file FILE puts a file there and checks it"


class InvalidWeights(UserError):
    """There is no file of weights where a request names one."""


def settled(recipe: Recipe, alone: Alone | None, bucket: str) -> Recipe:
    """The recipe with `imagenet` replaced by its staged file in the artifacts bucket, if there is one.

    A search's last training may be of another network than its trials, and has that one's file then.
    """

    def staged(arch: str) -> str:
        key = storage.imagenet_weights(arch)
        return f"s3://{bucket}/{key}" if _objects(bucket, key) else "imagenet"

    final = recipe.final
    if alone is not None:
        values = alone(recipe)
        if values["weights"] != "imagenet":
            return recipe
        found = {"weights": staged(values["arch"])}
        tables = ("model", "final") if "weights" in final else ("model",)
        return (
            recipe.with_overrides(dict.fromkeys(tables, found)) if found["weights"] != "imagenet" else recipe
        )
    ranges = recipe.tuning.ranges if recipe.tuning else ()
    searched = {each.name for each in ranges} & {"weights", "arch"}
    overrides: dict[str, dict[str, str]] = {}
    weights, arch = recipe.hyperparameters["weights"], recipe.hyperparameters["arch"]
    if weights == "imagenet" and not searched:
        weights = staged(arch)
        if weights != "imagenet":
            overrides["model"] = {"weights": weights}
    if final.get("weights", recipe.hyperparameters["weights"]) == "imagenet" and searched <= set(final):
        last = staged(str(final.get("arch", arch)))
        if last != final.get("weights", weights):
            overrides["final"] = {"weights": last}
    return recipe.with_overrides(overrides)


def together(archs: tuple[str, ...], bucket: str) -> str | None:
    """One address for the ImageNet weights of several networks; None where only some of them are staged."""
    staged = [bool(_objects(bucket, storage.imagenet_weights(arch))) for arch in archs]
    if all(staged):
        return f"s3://{bucket}/{storage.weights('imagenet/').removesuffix('.safetensors')}"
    return None if any(staged) else "imagenet"


def check(jobs: tuple[Values, ...], artifacts_bucket: str, data_bucket: str) -> None:
    """See that files of weights lie where these jobs are told, and are of their networks.

    Raises:
        InvalidRecipe: an address in this project's buckets without a file of weights, or with another
            network's.
    """
    for arch, uri in dict.fromkeys(pairs(jobs)):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or bucket not in (artifacts_bucket, data_bucket):
            continue
        if bucket == artifacts_bucket and not key.startswith(_FOLDER):
            raise InvalidRecipe(f"[model] weights = {uri}: jobs read weights below {_FOLDER} only; {_STAGE}")
        file = networks.file_for(arch, _files(f"[model] weights = {uri}", _objects(bucket, key)))
        # Of the data bucket a launcher may read the versions only.
        if file is not None and bucket == artifacts_bucket:
            weights_file.check(bucket, file, arch)


def restrictions(jobs: tuple[Values, ...], artifacts_bucket: str) -> tuple[str, ...]:
    """What the licences of the weights that jobs start from keep from their user, a sentence for each."""
    found: list[str] = []
    for arch, uri in dict.fromkeys(pairs(jobs)):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if uri == "imagenet":
            found.append(networks.backbone(arch).restriction)
        elif uri.startswith("s3://") and bucket == artifacts_bucket:
            file = networks.file_for(arch, [each for each, _ in _objects(bucket, key)])
            licence = weights_file.licence(bucket, file) if file is not None else ""
            found.append(networks.restriction(f"the weights {uri}", licence))
    return tuple(dict.fromkeys(each for each in found if each))


def check_file(uri: str, bucket: str) -> None:
    """See that one file of weights, of whichever network, lies where a job is to read it.

    Raises:
        InvalidWeights: it does not, or not below the prefix of weights.
    """
    where, at = f"weights = {uri}", f"s3://{bucket}/{_FOLDER}"
    if not uri.startswith(at):
        raise InvalidWeights(f"{where}: jobs read weights below {at} only; {_STAGE}")
    try:
        files = _files(where, _objects(bucket, uri.removeprefix(f"s3://{bucket}/")))
    except InvalidRecipe as error:
        raise InvalidWeights(str(error)) from None
    if len(files) > 1:
        raise InvalidWeights(f"{where}: several files lie there; name one of {listed(files, _SHOWN)}")


def _files(where: str, objects: list[tuple[str, int]]) -> list[str]:
    files = [(key, size) for key, size in objects if key.endswith(networks.WEIGHTS_SUFFIXES)]
    if not files:
        kinds = " or ".join(networks.WEIGHTS_SUFFIXES)
        raise InvalidRecipe(f"{where}: no {kinds} file lies there; {_STAGE}")
    if all(size < _LEAST_BYTES for _, size in files):
        key, size = files[0]
        raise InvalidRecipe(
            f"{where}: {key} has {size} bytes and is no file of weights "
            f"(a Git LFS pointer or an error page?); {_STAGE}"
        )
    return [key for key, _ in files]


def _objects(bucket: str, prefix: str) -> list[tuple[str, int]]:
    page = client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=100)
    return [(each["Key"], each["Size"]) for each in page.get("Contents", [])]
