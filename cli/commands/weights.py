"""`classifier weights`: starting weights, put where jobs without internet access find them.

A file is read without running anything in it, and checked to fit; in the artifacts bucket it is safetensors.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.options import confirm_cost, with_target, yes_option
from cli.console import say
from cli.cost.prices import of_storing
from cli.errors import BadArgument, CliError
from cli.stacks import outputs
from cli.target import Target
from contract import networks, storage
from contract.networks import WEIGHTS_SUFFIXES
from contract.words import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@click.command()
@with_target
@click.option("--arch", help="The network, by timm's name (of a file of a ResNet's it is recognised).")
@click.option("--file", "source", metavar="PATH|S3-URI", help="A .safetensors, .pth or .pt file of yours.")
@click.option("--licence", help="Of your file, as in apache-2.0; launchers say what it forbids.")
@click.option("--published", is_flag=True, help="The file is what is published for --arch, got elsewhere.")
@click.option("--name", help="Its name in the bucket (default: the file's).")
@yes_option
def weights(
    target: Target,
    arch: str | None,
    source: str | None,
    licence: str | None,
    published: bool,
    name: str | None,
    yes: bool,
) -> None:
    """Put starting weights into the artifacts bucket as safetensors, for jobs without internet access.

    Without --file: those that are published for the network, downloaded here; recipes with
    weights = "imagenet" then use the staged file. Where they cannot be downloaded, --file with --published
    stages them just so. docs/networks.md names some networks and their licences.
    On AWS it says before what storing them costs, and asks.
    """
    if published:
        _check_published(arch, source, name)
    staged = stage(
        target, source, arch, name, licence, lambda cost: confirm_cost(target, cost, yes), published=published
    )
    say(
        f"{staged.uri}: weights of a {staged.arch}, {staged.bytes:,} bytes, licence {staged.licence}, "
        f"sha256 {staged.sha256[:16]}."
    )
    if restriction := networks.restriction("these weights", staged.licence):
        say(f"Mind: {restriction}.")
    if source is None or published:
        say(f'Recipes with arch = "{staged.arch}" and weights = "imagenet" use it from now on.')
    else:
        say(f"Use it with: --set model.arch={staged.arch} --set model.weights={staged.uri}")


class BadWeights(BadArgument):
    """A file that cannot be used as starting weights; nothing was uploaded."""


class NotDownloaded(CliError):
    """What is published for a network could not be downloaded here; nothing was uploaded."""


@dataclass(frozen=True)
class Staged:
    """Weights in the bucket: for recipes, `weights = "<uri>"`."""

    uri: str
    arch: str
    bytes: int
    sha256: str
    licence: str


def stage(
    target: Target,
    source: str | None,
    arch: str | None,
    name: str | None = None,
    licence: str | None = None,
    agree: Callable[[str], None] = lambda cost: None,
    *,
    published: bool = False,
) -> Staged:
    """Stage a file, or ImageNet's weights.

    Args:
        source: a path, or an `s3://` address that your own credentials can read; None: what is published for
            the network, downloaded here.
        arch: the network; of a file of a ResNet's it is recognised and only compared.
        name: what it is called in the bucket; default: the file's own name.
        licence: of the file; None: not known, or what the publisher says.
        published: whether the source is what is published for `arch`.
        agree: is told what storing them costs before they are sent, and raises if that is too much.

    Raises:
        BadWeights: damaged, of another network, only readable by running code, or published by nobody.
        NotDownloaded: what is published could not be downloaded.
        NotDeployed: there is no bucket yet.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise BadWeights(f"{name!r} cannot be a name: letters, digits, dots, dashes and underscores.")
    _check(source, arch)
    bucket = outputs(target, "storage")["ArtifactsBucket"]
    with tempfile.TemporaryDirectory() as folder:
        found, origin, state = _state(target, source, arch, Path(folder), published)
        staged = Path(folder) / "staged.safetensors"
        origin |= {"licence": licence} if licence else {}
        said = {"arch": found, "source": origin["source"], "licence": origin["licence"], "format": "pt"}
        _write(state, staged, said)
        stem = name or (Path(source).stem if source else "")
        key = storage.imagenet_weights(found) if published or not stem else storage.weights(stem)
        with staged.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        agree(f"This uploads weights{of_storing(1, staged.stat().st_size / 1e9)}")
        target.client("s3").upload_file(str(staged), bucket, key)
        size = staged.stat().st_size
        return Staged(f"s3://{bucket}/{key}", found, size, sha256, origin["licence"])


def _check_published(arch: str | None, source: str | None, name: str | None) -> None:
    if source is None or arch is None or name is not None:
        raise BadWeights(
            "--published goes with --arch and --file, which say what the file is, and no --name."
        )


def _check(source: str | None, arch: str | None) -> None:
    """Raises BadWeights for what needs no bucket and no download to be seen."""
    if arch is not None and arch not in networks.names():
        raise BadWeights(f"There is no network {arch!r}.{did_you_mean(arch, networks.names())}")
    if source is None:
        _named(arch)
    elif Path(source).suffix not in WEIGHTS_SUFFIXES:
        raise BadWeights(f"{source} does not end in {', '.join(WEIGHTS_SUFFIXES)}; name it after what it is.")
    elif not source.startswith("s3://") and not Path(source).is_file():
        raise BadWeights(f"There is no file {source}.")


def _named(arch: str | None) -> str:
    if arch is None:
        known = " | ".join(networks.ARCHITECTURES)
        raise BadWeights(f"Say which network's weights: --arch {known} | any other of timm's.")
    return arch


def _state(
    target: Target, source: str | None, arch: str | None, folder: Path, published: bool
) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    """The network, what is known of its weights, and these."""
    from training_code.errors import UnusableWeights
    from training_code.network import weights  # brings torch, which takes seconds

    try:
        if source is None:
            found, start = _named(arch), weights.published(_named(arch))
        elif published:
            found = _named(arch)
            start = weights.from_published_file(_here(target, source, folder), found)
        else:
            found, start = weights.from_file(_here(target, source, folder), arch)
            start = replace(start, source=source)
        return found, start.describe(), weights.checked(found, start)
    except UnusableWeights as error:
        raise BadWeights(f"{error}. Nothing was uploaded.") from None
    except weights.NotDownloaded as error:
        again = target.command(f"weights --arch {arch} --file FILE --published")
        raise NotDownloaded(
            f"{error}. Nothing was uploaded. Bring the file {error.url} from a machine with internet access, "
            f"and stage it: `{again}`"
        ) from None


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
