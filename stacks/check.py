"""What is known to be wrong before anything is deployed: `python -m stacks.check --help`.

Reads the settings as `cdk synth` will, and a recipe as its launcher will. Costs a fraction of a synth; the
command line asks it before it starts anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from stacks.choice import ROOT, chosen
from stacks.settings import SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Print what is wrong, if anything; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m stacks.check", description=__doc__)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--recipe", type=Path, help="a recipe's file")
    told = parser.parse_args(arguments)
    try:
        context = _context() | dict(each.split("=", 1) for each in told.context)
        chosen(context.get)
        if told.recipe is not None:
            _check_recipe(told.recipe)
    except (_Wrong, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


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


def _check_recipe(path: Path) -> None:
    # The functions' own check; who starts this puts their folder on the path.
    from common.errors import InvalidRecipe
    from common.recipe import parse

    try:
        parse(path.stem, path.read_text(encoding="utf-8"), f"recipes/{path.name}")
    except (OSError, UnicodeDecodeError, InvalidRecipe) as error:
        raise _Wrong(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
