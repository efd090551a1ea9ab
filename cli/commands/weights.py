"""`classifier weights`"""

from __future__ import annotations

import click

from cli.commands.options import confirm_cost, with_target, yes_option
from cli.target import Target
from contract.networks import ARCHITECTURES


@click.command()
@with_target
@click.option("--arch", type=click.Choice(ARCHITECTURES), help="The network (of a file it is recognised).")
@click.option("--file", "source", metavar="PATH|S3-URI", help="A .safetensors, .pth or .pt file of yours.")
@click.option("--name", help="Its name in the bucket (default: the file's).")
@yes_option
def weights(target: Target, arch: str | None, source: str | None, name: str | None, yes: bool) -> None:
    """Put starting weights into the artifacts bucket as safetensors, for jobs without internet access.

    Without --file: ImageNet's, downloaded here; recipes with weights = "imagenet" then use the staged file.
    On AWS it says before what storing them costs, and asks.
    """
    from cli.console import say
    from cli.weights import stage

    staged = stage(target, source, arch, name, agree=lambda cost: confirm_cost(target, cost, yes))
    say(f"{staged.uri}: weights of a {staged.arch}, {staged.bytes:,} bytes, sha256 {staged.sha256[:16]}.")
    if source is None:
        say(f'Recipes with arch = "{staged.arch}" and weights = "imagenet" use it from now on.')
    else:
        say(f"Use it with: --set model.arch={staged.arch} --set model.weights={staged.uri}")
