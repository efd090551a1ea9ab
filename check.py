"""Entry of the check before a deployment: what is wrong, and what settings and recipes ask of an account.

Reads the settings as `cdk synth` will, and recipes as their launchers will, so it knows both `stacks` and
`functions`. Costs a fraction of a synth; the command line asks it before it starts anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from contract.environment import LaunchEnvironment
from stacks import places
from stacks.settings.choice import ROOT, chosen
from stacks.settings.load import SettingsError
from stacks.settings.schema import Settings
from stacks.settings.serving import SERVERLESS, ServingSettings, is_burstable


def main(arguments: list[str] | None = None) -> int:
    """Print what is wrong, if anything; the exit code."""
    parser = argparse.ArgumentParser(prog="python check.py", description=__doc__)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--recipe", type=Path, action="append", default=[], help="a recipe's file")
    parser.add_argument("--json", action="store_true", help="print what settings and recipes ask for")
    parser.add_argument("--templates", type=Path, metavar="FOLDER", help="write what would be deployed there")
    parser.add_argument("--region", default="", help="where it would be deployed, which may lack something")
    options = parser.parse_args(arguments)
    try:
        context = _context() | dict(each.split("=", 1) for each in options.context)
        settings = chosen(context.get)
        recipes = [_recipe(path, settings) for path in options.recipe]
        types = set[str]()
        if options.templates is not None:
            types = _synthesise(context, settings, options.templates)
    except (_Wrong, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        lacks = [asdict(each) for each in places.lacks(options.region, types)]
        print(json.dumps({**_asked(settings, recipes), "lacks": lacks}))
    return 0


_NOT_OF_THE_MACHINE = (
    *("data_bucket", "artifacts_bucket", "code_prefix", "training_image", "training_image_gpu"),
    *("training_role_arn", "champion_parameter"),
)
"""Of a launcher's environment: what tells nothing of what a run asks of an account."""


class _Wrong(Exception):
    """Something that cannot be used, in a sentence."""


def _context() -> dict[str, object]:
    """The context of cdk.json."""
    try:
        found = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8")).get("context", {})
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise _Wrong(f"cdk.json cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise _Wrong('cdk.json: "context" has to be an object')
    return found


def _asked(settings: Settings, recipes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the settings want of an account, defaults included, with what each recipe wants."""
    serving = settings.serving
    own = serving.flavour != SERVERLESS
    return {
        "project": settings.project,
        "training_instance_types": settings.training.instances,
        "serving": {
            "hosting": _hosting(serving),
            "image_target": serving.image_target,
            "instance_types": serving.instances if own else (),
            "fixed_types": [each for each in serving.instances if own and is_burstable(each)],
            "min_instances": serving.min_instances if own else 0,
            "max_instances": serving.max_instances if own else 0,
            "shadow_instances": serving.min_instances if serving.shadows else 0,
            "serverless_concurrency": 0 if own else serving.serverless_concurrency,
            "serverless_memory_mb": 0 if own else serving.serverless_memory_mb,
        },
        "account_log_role": settings.api.account_log_role,
        "retrain_usd_month": settings.retrain.max_cost_usd_month if settings.retrain.is_on else 0,
        "recipes": list(recipes),
    }


def _hosting(serving: ServingSettings) -> str:
    """What stands behind the endpoint's name: `instances`, `components` or `serverless`."""
    if serving.flavour == SERVERLESS:
        return SERVERLESS
    return "components" if serving.scale_to_zero else "instances"


def _synthesise(context: dict[str, object], settings: Settings, folder: Path) -> set[str]:
    """Write the templates; the types of resources in them."""
    # Only now: it takes some seconds to load.
    from aws_cdk import App

    from stacks.application import add_stacks
    from stacks.folders import MissingFolderError

    app = App(context=context, outdir=str(folder))
    try:
        add_stacks(app, settings, ROOT)
    except MissingFolderError as error:
        raise _Wrong(str(error)) from None
    stacks = app.synth().stacks
    return {each["Type"] for stack in stacks for each in stack.template["Resources"].values()}


def _recipe(path: Path, settings: Settings) -> dict[str, Any]:
    """What a run of a recipe has at a time and can cost, as its launcher would answer it."""
    # Only now: most checks are of the settings alone.
    from functions.common.errors import InvalidRecipe
    from functions.common.launching import estimate, runs
    from functions.common.recipes.recipe import parse

    try:
        recipe = parse(path.stem, path.read_text(encoding="utf-8"), f"recipes/{path.name}")
    except (OSError, UnicodeDecodeError, InvalidRecipe) as error:
        raise _Wrong(str(error)) from None
    deployed = LaunchEnvironment(
        project=settings.project,
        training_instance_types=settings.training.instances,
        training_volume_gb=settings.training.volume_gb,
        max_runtime_minutes=settings.training.max_runtime_minutes,
        **dict.fromkeys(_NOT_OF_THE_MACHINE, ""),
    )
    kind = "tuning" if recipe.tuning is not None and recipe.tuning.ranges else "training"
    record = runs.RunRecord(run="", kind=kind, request_id="", dataset="", code_prefix="", recipe=recipe)
    record = replace(record, instance_types=estimate.affordable(record, deployed))
    return {
        "recipe": recipe.name,
        "machines": {
            **estimate.machines_of(record, deployed),
            "instance_types": estimate.instance_types(recipe, deployed),
        },
        "cost": estimate.cost_of(record, deployed).answer,
    }


if __name__ == "__main__":
    sys.exit(main())
