"""The file of settings, and the project that it names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.errors import BadTarget
from contract import names


def settings_of(root: Path, config: str = "") -> Mapping[str, Any]:
    """What cdk.json sets, or the file or sample that `config` or CLASSIFIER_CONFIG names.

    Raises:
        BadTarget: it is not there, or no JSON.
    """
    path = settings_file(root, config)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "cdk.json":
            settings = settings.get("context", {}).get("classifier", {})
        return dict(settings)
    except FileNotFoundError:
        if path.name == "cdk.json":
            return {}
        named = "classifier.toml" if config else "CLASSIFIER_CONFIG"
        raise BadTarget(f"{named} names {path}, and there is no such file. Mend or remove it.") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadTarget(
            f"{path} is not readable as JSON settings: {error}. Mend it and run again."
        ) from error


def settings_file(root: Path, config: str = "") -> Path:
    config = config or os.environ.get("CLASSIFIER_CONFIG", "")
    if not config:
        return root / "cdk.json"
    # As stacks/settings/choice.py has it, which runs in the checkout.
    return root / (config if config.endswith(".json") else f"stacks/samples/{config}.json")


def project_of(root: Path, config: str = "") -> str:
    """The project that the settings name. Raises BadTarget."""
    return usable(settings_of(root, config).get("project", "classifier"), settings_file(root, config))


def usable(project: object, place: Path) -> str:
    """The project's name. Raises BadTarget, with the file that has it, for one that cannot be used."""
    if not isinstance(project, str) or not names.PROJECT.fullmatch(project):
        raise BadTarget(f"The project name {project!r} in {place} cannot be used: {names.PROJECT_IN_WORDS}.")
    return project
