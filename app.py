"""Entry of the CDK app: settings in, stacks out. Needs no credentials, no network and no Docker.

The settings come from the context key "classifier" of cdk.json, or from a file named with `-c config=`
(stacks/choice.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App

from stacks.application import add_stacks
from stacks.choice import chosen
from stacks.folders import MissingFolderError
from stacks.settings import SettingsError

ROOT = Path(__file__).resolve().parent


def main() -> None:
    app = App()
    try:
        add_stacks(app, chosen(app.node.try_get_context), ROOT)
    except (SettingsError, MissingFolderError) as error:
        sys.exit(f"error: {error}")
    app.synth()


if __name__ == "__main__":
    main()
