"""What a person chose about where to work, beside local or aws: an environment, a profile, a region."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """An environment of classifier.toml, and what --profile and --region put in its place."""

    name: str = ""
    """The environment's; empty without one."""
    config: str = ""
    """Its file of settings, or a sample's name; empty: cdk.json, or CLASSIFIER_CONFIG."""
    profile: str = ""
    """Of the AWS configuration; empty: as every AWS tool finds credentials."""
    region: str = ""
    account: str = ""
    """The only account that it is for; empty: any."""
    option: str = ""
    """What a suggested command line must carry to reach the same place."""


NO_CHOICE = Choice()


def command(words: str, option: str) -> str:
    """A command line to suggest.

    Args:
        words: such as `approve 3`.
        option: what it must carry to reach the same place (`Target.option`).
    """
    return f"classifier {words}{option}"
