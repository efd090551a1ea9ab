"""What the launchers read from the two buckets: recipes, names of folders, the metric definitions."""

from __future__ import annotations

import json
from typing import Any

from contract import storage
from contract.objects import below, read
from functions.common.errors import (
    ClassifierError,
    InvalidRecipe,
    UnknownRecipe,
    listed,
    suggest,
)
from functions.common.recipes import recipe

_SHOWN = 20
"""Of names that somebody else made, in a message: there can be thousands."""


def read_recipe(s3: Any, bucket: str, name: str) -> recipe.Recipe:
    """The checked recipe `recipes/<name>.toml`.

    Raises:
        UnknownRecipe: there is none of that name; the message has the nearest and all there are.
        InvalidRecipe: it is too large, not UTF-8, or not a recipe.
    """
    key = storage.recipe(name)
    data = read(s3, bucket, key, recipe.MAX_RECIPE_BYTES)
    if data is None:
        names = _recipe_names(s3, bucket)
        raise UnknownRecipe(
            f'there is no recipe "{name}"{suggest(name, names) or ";"} there are: {listed(names, _SHOWN)} '
            f"(add your own as s3://{bucket}/{storage.recipe('<name>')})"
        )
    if len(data) > recipe.MAX_RECIPE_BYTES:
        raise InvalidRecipe(
            f"{key} is larger than {recipe.MAX_RECIPE_BYTES} bytes; a recipe is a page of TOML"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecipe(f"{key} is not UTF-8 text: {error}") from None
    return recipe.parse(name, text, f"recipe {key}")


def read_metric_definitions(s3: Any, bucket: str, code_prefix: str) -> list[dict[str, str]]:
    """The regular expressions that find metrics in the log, from beside the code that prints them.

    Raises:
        ClassifierError: the training code that this function was deployed with is not in the bucket.
    """
    key = f"{code_prefix}training_code/metric_definitions.json"
    data = read(s3, bucket, key, 64 * 1024)
    if data is None:
        raise ClassifierError(
            f"s3://{bucket}/{key} is missing; deploy the training stack again to upload the code"
        )
    try:
        return [{"Name": str(each["Name"]), "Regex": str(each["Regex"])} for each in json.loads(data)]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ClassifierError(
            f"s3://{bucket}/{key} holds no metric definitions ({type(error).__name__}); deploy the training "
            "stack again to upload the code"
        ) from None


def _recipe_names(s3: Any, bucket: str) -> list[str]:
    keys = [each["Key"] for each in below(s3, bucket, f"{storage.RECIPES}/")]
    return [key[len(storage.RECIPES) + 1 : -len(".toml")] for key in keys if key.endswith(".toml")]
