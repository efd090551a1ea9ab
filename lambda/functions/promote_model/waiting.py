"""An approved model that could not be brought up for something that is not its fault.

It stays Approved; the champion parameter goes back to what is served, so that a `cdk deploy` meanwhile has
nothing to fail at, and says in its description which model waits and for what. Every quarter of an hour
(stacks/training/promote_model.py) promote-model looks whether it is due again: sooner at first, then every
four hours for a day. Where the quota is known to be short still, nothing is tried, and it goes on as soon as
it is granted. A person goes on at once with `classifier retry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from contract.environment import PromoteEnvironment
from functions.common import champion, logs, notify
from functions.common.champion import Decision
from functions.common.decisions import Code, Reason, Waiting
from functions.promote_model import actions, instances
from functions.promote_model.actions import Clients
from functions.promote_model.causes import Cause
from functions.promote_model.stack import Stack

BLUE_GREEN = 2
"""An update of an endpoint brings the new fleet up beside the old one: it needs room for both."""
MOST_TRIES = 10
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=4)

_MEND: Mapping[Cause, str] = {
    Cause.QUOTA: "Ask for more under Service Quotas (Amazon SageMaker, '<instance type> for endpoint "
    "usage'); classifier check says how many, with the command. An update of an endpoint that serves needs "
    "room for twice its instances.",
    Cause.CAPACITY: "AWS has no instance of the type left at the moment. It may have later, or of another "
    "type: serving.instance_type in cdk.json takes a list.",
    Cause.PERMISSION: "Something may not be done; the reason names it. classifier up puts the project's own "
    "roles back as they were.",
    Cause.IMAGE: "The model's container image could not be pulled: see that it is in ECR and that the "
    "endpoint's role may pull it. classifier up builds the project's own image again.",
    Cause.SERVICE: "AWS was busy or failed by itself; nothing has to be done.",
}


def after(failed: Decision, cause: Cause) -> Waiting:
    """What waits after another try that failed."""
    return Waiting(failed.package, cause, (failed.waiting.tries if failed.waiting else 0) + 1)


def go_on(now: Decision, serving: Stack, settings: PromoteEnvironment, clients: Clients) -> Decision:
    """The decision to carry out: that for the model that waits, when it is due, or the present one."""
    waits = now.waits
    if waits is None or not serving.updatable or not _due(now, waits):
        return now
    if not actions.still_approved(waits.package, settings, clients):
        logs.info("a model that waited is not approved any more", package=waits.package)
        return _forget(now, settings, clients)
    if waits.cause == Cause.QUOTA and _still_short(serving, settings, clients):
        return now
    logs.info("a model that waited is tried again", package=waits.package, tries=waits.tries)
    return actions.try_again(now, Reason(Code.RETRIED, "it was due"), settings, clients)


def tell(waits: Waiting, serving: Stack, reason: str, settings: PromoteEnvironment) -> None:
    """Mail that a model waits, the first time; `classifier status` says it at any time."""
    if waits.tries > 1:
        return
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] an approved model waits: {waits.cause}",
        f"{waits.package} is approved and stays so, but could not be brought up, for something that is not "
        f"its fault ({waits.cause}). Meanwhile {serving.serving} serves.",
        f"Why: {reason}",
        f"{_MEND[Cause(waits.cause)]}\nIt is tried again by itself. To try now: classifier retry",
    )


def _due(now: Decision, waits: Waiting) -> bool:
    if waits.tries >= MOST_TRIES:
        return False
    pause = min(_FIRST_PAUSE * 2 ** max(0, waits.tries - 1), _LONGEST_PAUSE)
    return bool(datetime.fromisoformat(champion.now()) - datetime.fromisoformat(now.written) >= pause)


def _still_short(serving: Stack, settings: PromoteEnvironment, clients: Clients) -> bool:
    """Whether no instance type is known to be allowed often enough; what is not known may be."""
    types = settings.instance_types
    known = instances.allowed(types, clients.quotas)
    if serving.serving == champion.NONE:
        need = settings.min_instances
    else:
        need, types = BLUE_GREEN * settings.min_instances, (instances.taken(clients.ssm, settings),)
    return bool(types) and all(known.get(each, float("inf")) < need for each in types)


def _forget(now: Decision, settings: PromoteEnvironment, clients: Clients) -> Decision:
    parameter, reason = settings.champion_parameter, Reason(Code.NOT_APPROVED, "what waited is not approved")
    return champion.decide(
        clients.ssm, parameter, now.package, now.time, reason, asleep=now.asleep, since=now.since
    )
