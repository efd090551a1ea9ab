"""`classifier export`: a model as files that run without this project."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

import click

from cli.commands.options import with_target
from cli.console import say
from cli.errors import BadArgument, CliError
from cli.files import ignored_by_git
from cli.release import champion, registry
from cli.runs.archives import unpack
from cli.target import Target
from contract.names import NO_CHAMPION, version_of


class NotExported(CliError):
    """Why there is no file; the message says what to do."""


@click.command()
@with_target
@click.argument("version", required=False)
@click.option("--format", "form", type=click.Choice(["onnx"]), default="onnx", show_default=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False), help="A new folder for the files."
)
def export(target: Target, version: str | None, form: str, output: Path | None) -> None:
    """Write a model as ONNX, with its classes and a script that asks it, for use without AWS.

    VERSION is of the model registry (default: the champion). The probabilities are the calibrated ones, of
    the network in floats. The script needs onnxruntime, Pillow and numpy.
    """
    package = registry.find(target, version or _champion(target))
    found = version_of(package["ModelPackageArn"])
    out = output or Path(f"{target.project}-{found}-{form}")
    if out.exists():
        raise BadArgument(f"{out} is there already: name another folder with --output, or delete it.")
    place = urlparse(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    with tempfile.TemporaryDirectory() as scratch:
        archive, model = Path(scratch) / "model.tar.gz", Path(scratch) / "model"
        say(f"Fetching version {found} ...")
        _download(target, place.netloc, place.path.lstrip("/"), archive)
        unpack(archive, model)
        say("Writing the graph ...")
        # A process of its own: it imports PyTorch, and the room that trains, which the command does not know.
        command = [sys.executable, "-m", "training_code.onnx_export", str(model), str(out.absolute())]
        environment = os.environ | {"PYTHONPATH": str(target.root)}
        done = subprocess.run(command, cwd=target.root, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise NotExported(f"Version {found} was not exported: {done.stderr.strip().splitlines()[-1]}.")
    ignored_by_git(out, target.root)
    say(
        f"Version {found} is in {out}. Where onnxruntime, Pillow and numpy are installed: "
        f"python {out / 'classify.py'} PICTURE"
    )


def _champion(target: Target) -> str:
    model = champion.read(target).model
    if model == NO_CHAMPION:
        raise NotExported("No model has been promoted yet: name a version of the model registry.")
    return model


def _download(target: Target, bucket: str, key: str, archive: Path) -> None:
    from botocore.exceptions import ClientError

    try:
        target.client("s3").download_file(bucket, key, str(archive))
    except ClientError as error:
        raise NotExported(f"s3://{bucket}/{key} cannot be fetched: {error}.") from None
