"""Entry of the CDK app: settings in, stacks out. Needs no credentials, no network and no Docker.

The settings come from the context key "classifier" of cdk.json, or from a file named with `-c config=`
(stacks/settings/choice.py).
"""

from __future__ import annotations

import os
import sys

from aws_cdk import App

from stacks import places
from stacks.application import add_stacks
from stacks.folders import MissingFolderError
from stacks.settings.choice import ROOT, chosen
from stacks.settings.load import SettingsError


def main() -> None:
    app = App()
    try:
        places.check(os.environ.get("CDK_DEFAULT_REGION", ""))  # set by the CDK's tool where it knows it
        add_stacks(app, chosen(app.node.try_get_context), ROOT)
    except (SettingsError, MissingFolderError, places.UnsupportedPlaceError) as error:
        sys.exit(f"error: {error}")
    app.synth()


if __name__ == "__main__":
    main()
