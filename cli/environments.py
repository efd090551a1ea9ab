"""The environments of classifier.toml, such as dev and prod: each a project in an account and a region.

[environments.prod]
target = "aws"
project = "petsprod"
config = "stacks/samples/comprehensive.json"
profile = "pets-prod"
region = "eu-west-1"
account = "111122223333"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cli.choice import Choice
from cli.errors import BadTarget
from cli.settings_file import project_of, usable
from cli.target import Target
from contract.words import did_you_mean, listed

FILE: Final = "classifier.toml"
KEYS: Final = ("target", "project", "config", "profile", "region", "account")
_KINDS: Final = ("local", "aws")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def kind_of(root: Path, environment: str, kind: str | None) -> str:
    """`local` or `aws`: as asked for, else as the environment has it (default: aws), else local.

    Raises:
        BadTarget: the environment is not there or cannot be used, or is for the other.
    """
    if not environment:
        return kind or "local"
    has = str(read(root, environment).get("target", "aws"))
    if kind not in (None, has):
        raise BadTarget(f"The environment {environment} is for --target {has}, and --target says {kind}.")
    return has


def chosen(target: Target, environment: str, profile: str, region: str) -> Target:
    """The target with what an environment, --profile and --region choose.

    Raises:
        BadTarget: they cannot be used.
    """
    if target.is_local and (profile or region):
        raise BadTarget("--profile and --region are for an account: give --target aws as well, or an --env.")
    if not (environment or profile or region):
        return target
    values = read(target.root, environment) if environment else {}
    config = str(values.get("config", ""))
    place = f" --env {environment}" if environment else target.option
    place += f" --profile {profile}" if profile else ""
    place += f" --region {region}" if region else ""
    choice = Choice(
        name=environment,
        config=config,
        profile=profile or str(values.get("profile", "")),
        region=region or str(values.get("region", "")),
        account=str(values.get("account", "")),
        option=place,
    )
    project = target.project
    if "project" in values:
        project = usable(values["project"], target.root / FILE)
    elif config:
        project = project_of(target.root, config)
    return replace(target, project=project, choice=choice)


def read(root: Path, environment: str) -> Mapping[str, Any]:
    """What classifier.toml says of an environment. Raises BadTarget."""
    path = root / FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadTarget(
            f"There is no {path}, so no environment {environment!r}. "
            "docs/environments.md shows what to write."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadTarget(f"{path} is not readable as TOML: {error}. Mend it and run again.") from None
    environments = tables.get("environments", {})
    if not isinstance(environments, dict) or not isinstance(environments.get(environment), dict):
        known = list(environments) if isinstance(environments, dict) else []
        there = f" There are: {listed(known, 10)}." if known else ""
        near = did_you_mean(environment, known)
        raise BadTarget(f"{path} has no table [environments.{environment}].{near}{there}")
    values: dict[str, Any] = environments[environment]
    _check(path, environment, values)
    return values


def _check(path: Path, environment: str, values: Mapping[str, Any]) -> None:
    where = f"{path}: environments.{environment}"
    if not _NAME.fullmatch(environment):
        raise BadTarget(f"{where}: a name is lower-case letters, digits and dashes.")
    for key, value in values.items():
        if key not in KEYS:
            raise BadTarget(
                f"{where}.{key} is not known.{did_you_mean(key, KEYS)} There are: {', '.join(KEYS)}."
            )
        if not isinstance(value, str) or not value:
            raise BadTarget(f"{where}.{key} has to be a text in quotes.")
    if values.get("target", "aws") not in _KINDS:
        raise BadTarget(f'{where}.target is "{values["target"]}"; it is "local" or "aws".')
    if not re.fullmatch(r"[0-9]{12}", values.get("account", "0" * 12)):
        raise BadTarget(f"{where}.account has to be 12 digits in quotes.")
    if values.get("target") == "local" and any(key in values for key in ("profile", "region", "account")):
        raise BadTarget(f"{where}: profile, region and account are for an account, and its target is local.")
