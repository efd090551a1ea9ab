"""Staging starting weights: read a file without running anything in it, check that it fits, and put it into
the artifacts bucket as safetensors, where jobs without internet access find it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import prices
from cli.errors import CliError
from cli.stacks import outputs
from cli.target import Target
from contract import storage
from contract.networks import ARCHITECTURES, WEIGHTS_SUFFIXES

if TYPE_CHECKING:
    from torch import Tensor

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class BadWeights(CliError):
    """A file that cannot be used as starting weights; nothing was uploaded."""


@dataclass(frozen=True)
class Staged:
    """Weights in the bucket: for recipes, `weights = "<uri>"`."""

    uri: str
    arch: str
    bytes: int
    sha256: str


def stage(
    target: Target,
    source: str | None,
    arch: str | None,
    name: str | None = None,
    agree: Callable[[str], None] = lambda cost: None,
) -> Staged:
    """Stage a file, or ImageNet's weights.

    Args:
        source: a path, or an `s3://` address that your own credentials can read; None: torchvision's ImageNet
            weights, downloaded here.
        arch: the network; of a file it is recognised and only compared.
        name: what it is called in the bucket; default: the file's own name.
        agree: is told what storing them costs before they are sent, and raises if that is too much.

    Raises:
        BadWeights: damaged, of another network, only readable by running code, or not to be had.
        NotDeployed: there is no bucket yet.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise BadWeights(f"{name!r} cannot be a name: letters, digits, dots, dashes and underscores.")
    _check(source, arch)
    bucket = outputs(target, "storage")["ArtifactsBucket"]
    with tempfile.TemporaryDirectory() as folder:
        found, state = _state(target, source, arch, Path(folder))
        staged = Path(folder) / "staged.safetensors"
        _write(state, staged, {"arch": found, "source": source or "torchvision ImageNet", "format": "pt"})
        stem = name or (Path(source).stem if source else "")
        key = storage.weights(stem) if stem else storage.imagenet_weights(found)
        with staged.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        agree(f"This uploads weights{prices.of_storing(1, staged.stat().st_size / 1e9)}")
        target.client("s3").upload_file(str(staged), bucket, key)
        return Staged(f"s3://{bucket}/{key}", found, staged.stat().st_size, sha256)


def _check(source: str | None, arch: str | None) -> None:
    """Raises BadWeights for what needs no bucket and no download to be seen."""
    if source is None:
        _named(arch)
    elif Path(source).suffix not in WEIGHTS_SUFFIXES:
        raise BadWeights(f"{source} does not end in {', '.join(WEIGHTS_SUFFIXES)}; name it after what it is.")
    elif not source.startswith("s3://") and not Path(source).is_file():
        raise BadWeights(f"There is no file {source}.")


def _named(arch: str | None) -> str:
    if arch is None:
        raise BadWeights(f"Say which network's ImageNet weights: --arch {' | '.join(ARCHITECTURES)}.")
    return arch


def _state(
    target: Target, source: str | None, arch: str | None, folder: Path
) -> tuple[str, dict[str, Tensor]]:
    from training_code.errors import UnusableWeights
    from training_code.network import weights  # brings torch, which takes seconds

    try:
        if source is None:
            return _named(arch), weights.imagenet(_named(arch))
        return weights.from_file(_here(target, source, folder), arch)
    except UnusableWeights as error:
        raise BadWeights(f"{error}. Nothing was uploaded.") from None


def _here(target: Target, source: str, folder: Path) -> Path:
    """The file on this machine, fetched if it is in S3."""
    if not source.startswith("s3://"):
        return Path(source)
    path = folder / Path(source).name
    bucket, _, key = source.removeprefix("s3://").partition("/")
    target.client("s3").download_file(bucket, key, str(path))
    return path


def _write(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata=metadata)
