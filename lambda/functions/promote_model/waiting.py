"""An approved model that could not be brought up for something that is not its fault.

The model stays Approved. The champion parameter goes back to what is served, so that a `cdk deploy`
meanwhile does not fail, and its description says which model waits and for what. promote-model looks every
quarter of an hour (stacks/training/promote_model.py) whether to try again: soon at first, then every four
hours for a day. While a quota is known to be too small nothing is tried; once it is granted, the next look
goes on. A person goes on at once with `classifier retry`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contract.decisions import Decision, Outcome, Reason
from contract.environment import PromoteEnvironment
from contract.names import NO_CHAMPION
from contract.waiting import MENDED_BY, MOST_TRIES, Cause, Waiting
from functions.common import champion, logs, notify
from functions.promote_model import actions, instances
from functions.promote_model.stack import Stack

BLUE_GREEN = 2
"""An update of an endpoint brings the new fleet up beside the old one: it needs room for both."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=4)


def after(failed: Decision, cause: Cause) -> Waiting:
    """What waits after another try that failed."""
    return Waiting(failed.package, cause, (failed.waiting.tries if failed.waiting else 0) + 1)


def go_on(now: Decision, serving: Stack, env: PromoteEnvironment) -> Decision:
    """The decision to carry out: that for the model that waits, when it is due, or the present one."""
    waits = now.waits
    if waits is None or not serving.updatable or not _due(now, waits):
        return now
    if not actions.still_approved(waits.package, env):
        logs.info("a model that waited is not approved any more", package=waits.package)
        return _forget(now, env)
    if waits.cause == Cause.QUOTA and _still_short(serving, env):
        return now
    logs.info("a model that waited is tried again", package=waits.package, tries=waits.tries)
    return actions.try_again(now, Reason(Outcome.RETRIED, "it was due"), env)


def tell(waits: Waiting, serving: Stack, reason: str, env: PromoteEnvironment) -> None:
    """Mail that a model waits, the first time; `classifier status` says it at any time."""
    if waits.tries > 1:
        return
    notify.send(
        env,
        f"an approved model waits: {waits.cause}",
        f"{waits.package} is approved and stays so, but could not be brought up, for something that is not "
        f"its fault ({waits.cause}). Meanwhile {serving.serving} serves.",
        f"Why: {reason}",
        f"{MENDED_BY[waits.cause]}.\nIt is tried again by itself. To try now: classifier retry",
    )


def _due(now: Decision, waits: Waiting) -> bool:
    if waits.tries >= MOST_TRIES:
        return False
    pause = min(_FIRST_PAUSE * 2 ** max(0, waits.tries - 1), _LONGEST_PAUSE)
    return bool(datetime.fromisoformat(champion.now()) - datetime.fromisoformat(now.written) >= pause)


def _still_short(serving: Stack, env: PromoteEnvironment) -> bool:
    """Whether no instance type is known to be allowed often enough; what is not known may be."""
    types = env.instance_types
    if not types:  # nothing is known of what a serverless endpoint may have
        return False
    quotas = instances.allowed(types)
    if serving.serving == NO_CHAMPION:
        need = env.min_instances
    else:
        need, types = BLUE_GREEN * env.min_instances, (instances.current(env),)
    return all(quotas.get(each, float("inf")) < need for each in types)


def _forget(now: Decision, env: PromoteEnvironment) -> Decision:
    parameter, reason = (env.champion_parameter, Reason(Outcome.NOT_APPROVED, "what waited is not approved"))
    return champion.decide(parameter, now.package, now.time, reason, asleep=now.asleep, since=now.since)
