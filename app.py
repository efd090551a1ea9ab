"""Entry of the CDK app: settings in, stacks out. Needs no credentials, no network and no Docker.

The settings come from the context key "classifier" of cdk.json, or from a file named with `-c config=`:
`minimal` and `comprehensive` are in stacks/samples/, anything else is a path to a JSON file of the same form.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aws_cdk import App

from stacks.application import add_stacks
from stacks.folders import MissingFolderError
from stacks.settings import CONTEXT_KEY, Settings, SettingsError, load

ROOT = Path(__file__).resolve().parent
SAMPLES = ROOT / "stacks" / "samples"


def main() -> None:
    app = App()
    try:
        add_stacks(app, read_settings(app), ROOT)
    except (SettingsError, MissingFolderError) as error:
        sys.exit(f"error: {error}")
    app.synth()


def read_settings(app: App) -> Settings:
    """The settings the user chose for this synth.

    `-c defaults=` takes a JSON object with other defaults: the command line gives those of the local AWS.
    """
    defaults = json.loads(app.node.try_get_context("defaults") or "{}")
    config = app.node.try_get_context("config")
    if config is None:
        return load(_over(defaults, app.node.try_get_context(CONTEXT_KEY) or {}), "cdk.json")
    path = Path(config) if config.endswith(".json") else SAMPLES / f"{config}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        samples = ", ".join(sorted(sample.stem for sample in SAMPLES.glob("*.json")))
        raise SettingsError(
            f"config={config}: there is no file {path}; give one of {samples}, or the path of a .json file."
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"config={config}: {path} cannot be read as JSON: {error}") from None
    return load(_over(defaults, values), str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))


def _over(defaults: object, values: object) -> object:
    """`values` with what they leave out taken from `defaults`, object by object."""
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return values
    return {**defaults, **{key: _over(defaults.get(key), value) for key, value in values.items()}}


if __name__ == "__main__":
    main()
