"""Which model is the champion, and whether it sleeps or another waits: what the champion parameter says."""

from __future__ import annotations

from cli.aws import listed
from cli.choice import command
from cli.target import Target
from contract.decisions import Decision, in_order
from contract.names import NO_CHAMPION, champion_parameter, version_of
from contract.waiting import MENDED_BY, MOST_TRIES


def read(target: Target) -> Decision:
    """The champion now; none when the parameter is not there."""
    decisions = history(target)
    return decisions[-1] if decisions else Decision(0, NO_CHAMPION, "")


def history(target: Target) -> list[Decision]:
    """Every champion that is still known (SSM keeps a hundred versions), the one that counts last; none when
    the parameter is not there.
    """
    ssm, name = target.client("ssm"), champion_parameter(target.project)
    try:
        versions = list(listed(ssm, "get_parameter_history", "Parameters", Name=name))
    except ssm.exceptions.ParameterNotFound:
        return []
    return in_order(map(Decision.of_version, versions))


def waiting_in_words(now: Decision, option: str) -> str:
    """That the model that waits is not to blame, what is, and how it goes on; nothing when none waits.

    Args:
        option: the target's.
    """
    waits = now.waits
    if waits is None:
        return ""
    by_itself = (
        "It is tried again by itself; at once with" if waits.tries < MOST_TRIES else "When it is mended:"
    )
    why = f": {now.reason.why}" if now.reason.why else ""
    mend = MENDED_BY.get(waits.cause, "The reason says what to do")
    return (
        f"version {version_of(waits.package)} is approved and waits, for something that is not its fault "
        f"({waits.cause}){why}. {mend}. {by_itself} `{command('retry', option)}`"
    )
