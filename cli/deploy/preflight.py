"""What is wrong with settings, recipe or disk is found before anything is started."""

from __future__ import annotations

import shutil
from difflib import get_close_matches
from pathlib import Path

from cli import aws, server_lock
from cli.data.folder import Examined
from cli.deploy.settings import check_settings
from cli.errors import NoSuchRecipe, NotDeployed, WouldFail
from cli.stacks import outputs
from cli.target import Target
from contract import storage

# The local AWS keeps a copy in its S3, and one where jobs find it.
LOCAL_COPIES = 2


def check_launch(target: Target, recipe: str | None, dataset: str) -> None:
    """Raises WouldFail for settings or a recipe that would be refused, as far as this checkout knows them.

    Args:
        recipe: None: that of the dataset's name, if there is one.
    """
    check_settings(target, _recipe_file(target, recipe, dataset))


def check_room(target: Target, examined: Examined) -> None:
    """Raises WouldFail when the local AWS would fill the disk with the pictures."""
    if not target.is_local:
        return
    place = next(folder for folder in (target.home, *target.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    needed = LOCAL_COPIES * sum(picture.size for picture in examined.pictures)
    if free < needed:
        raise WouldFail(
            f"{free // 2**20} MB are free at {place}, and the pictures need {needed // 2**20}: the local AWS "
            "keeps one copy of them, and its jobs one. Make room, or choose another place with "
            "CLASSIFIER_HOME. Nothing was started."
        )


def _recipe_file(target: Target, recipe: str | None, dataset: str) -> Path | None:
    """The recipe's file in this checkout, or None if it may be one of the user's own in the bucket."""
    folder = target.root / "recipes"
    recipes = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if (wanted := recipe or dataset) in recipes:
        return recipes[wanted]
    if recipe is None or _may_be_own(target, recipe):
        return None
    near = get_close_matches(recipe, recipes, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NoSuchRecipe(
        f"There is no recipe {recipe!r}.{hint} There are: {', '.join(recipes)}, and any of your own at "
        f"s3://<artifacts bucket>/recipes/<name>.toml. Nothing was started."
    )


def _may_be_own(target: Target, recipe: str) -> bool:
    """Whether the bucket has the recipe. A local AWS that was used before and is down cannot be asked yet."""
    if target.is_local and server_lock.holder(target.home) is None:
        return server_lock.state_dir(target.home).exists()
    try:
        return has_recipe(target, outputs(target, "storage")["ArtifactsBucket"], recipe)
    except NotDeployed:
        return False


def has_recipe(target: Target, bucket: str, recipe: str) -> bool:
    """Whether a recipe of that name is in the artifacts bucket."""
    return aws.found(target.client("s3").head_object, Bucket=bucket, Key=storage.recipe(recipe)) is not None
