"""What may be asked of promote-model: sleep, wake, roll back, retry, and the end of a comparison (shadow.py).

Each is one more decision in the champion's history (common/champion.py), which the reconciler then carries
out. So it can be repeated, and what cannot be done is said before anything is written. `model` in a request
names the champion that the caller has seen: if it is another one by now, the request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.decisions import Decision, Outcome, Reason
from contract.environment import PromoteEnvironment
from contract.names import NO_CHAMPION, version_of
from functions.common import champion, logs
from functions.common.clients import client, describe
from functions.common.errors import InvalidPayload, UserError, listed
from functions.common.recipes.keys import quoted

APPROVED, REJECTED = "Approved", "Rejected"
SLEEP, RETRY = "sleep", "retry"
TRUST, DISTRUST = "trust", "distrust"
"""What compare-shadow asks for a candidate (shadow.py); `model` names the candidate then."""
_KEYS = ("action", "why", "model", "code")
_SLEEP_CODES = (Outcome.ASKED_TO_SLEEP, Outcome.IDLE, Outcome.SCHEDULED)


class NoModel(UserError):
    """There is no champion to act on."""

    status = 409


class NoPredecessor(UserError):
    """There is no earlier version to go back to."""

    status = 409


class NotApproved(UserError):
    """The model to serve was rejected or deleted."""

    status = 409


class NothingWaits(UserError):
    """There is no model that waits to be tried again."""

    status = 409


class OtherChampion(UserError):
    """The champion is not the one the caller has seen."""

    status = 409


@dataclass(frozen=True)
class Request:
    """`{"action": "sleep" | "wake" | "rollback" | "retry" | "trust" | "distrust", "why"?, "model"?}`.

    To sleep also `"code"?: "asked-to-sleep" | "idle" | "scheduled"`, for who asks.
    """

    action: str
    reason: Reason
    model: str


def parse(payload: object) -> Request | None:
    """The request in a payload, or None for `{}`, which asks for a comparison only.

    Raises:
        InvalidPayload: something else.
    """
    if not isinstance(payload, Mapping):
        raise InvalidPayload(f"the payload has to be a JSON object, not {quoted(payload)}")
    unknown = [quoted(str(key)) for key in payload if key not in _KEYS][:5]
    if unknown or not all(isinstance(value, str) for value in payload.values()):
        raise InvalidPayload(f"the payload has {listed(unknown)}; allowed are the texts {listed(_KEYS)}")
    if not payload:
        return None
    action = payload.get("action")
    if action not in (*_ACTIONS, *_OF_CANDIDATES):
        allowed = listed([*_ACTIONS, *_OF_CANDIDATES])
        raise InvalidPayload(f"action = {quoted(action)}; allowed are {allowed}")
    reason = Reason(_code(str(action), payload.get("code")), payload.get("why", "asked for"))
    return Request(str(action), reason, payload.get("model", ""))


def _code(action: str, given: str | None) -> Outcome:
    if given is None:
        return _OF_CANDIDATES[action] if action in _OF_CANDIDATES else _ACTIONS[action][1]
    if action != SLEEP or given not in _SLEEP_CODES:
        raise InvalidPayload(
            f"code = {quoted(given)}; allowed are, with the action {SLEEP} only: {listed(_SLEEP_CODES)}"
        )
    return Outcome(given)


def decide(request: Request, env: PromoteEnvironment) -> str:
    """Write the decision that a request asks for, unless it holds already; what was decided, in words.

    Raises:
        UserError: it cannot be done; nothing was written.
    """
    now = champion.settle(env.champion_parameter)
    if request.model and request.model != now.model:
        raise OtherChampion(f"{named(request.model)} is not the champion any more; {named(now.model)} is")
    if now.model == NO_CHAMPION and request.action != RETRY:
        raise NoModel("there is no model yet; tune or train one, and approve it")
    act, _ = _ACTIONS[request.action]
    did = act(now, request.reason, env)
    logs.info(
        "asked",
        action=request.action,
        code=request.reason.outcome,
        why=request.reason.why,
        did=did,
        champion=now.model,
    )
    return did


def leave_rejected(now: Decision, time: str, env: PromoteEnvironment) -> str:
    """Leave a champion that was rejected while it served: the one before it, or none, takes its place."""
    before = predecessor(now, env) or NO_CHAMPION
    reason = Reason(Outcome.REJECTED, "the champion was rejected")
    _replace(now, before, max(time, now.time), reason, env)
    return f"the champion was rejected; back to {named(before)}"


def predecessor(now: Decision, env: PromoteEnvironment) -> str | None:
    """The last champion before this one that the registry still has as Approved."""
    for each in reversed(champion.history(env.champion_parameter)):
        if each.model in (NO_CHAMPION, now.model):
            continue
        found = package(each.model, env)
        if found is not None and found["ModelApprovalStatus"] == APPROVED:
            return each.model
    return None


def package(arn: str, env: PromoteEnvironment) -> Mapping[str, Any] | None:
    """The registry's description of a package, or None when this project has none of that ARN.

    Of others it is not even asked: this function may not look at them, and a person may have put any ARN into
    the parameter.
    """
    if f":model-package/{env.model_package_group}/" not in arn:
        return None
    return describe(client("sagemaker").describe_model_package, ModelPackageName=arn)


def named(model: str) -> str:
    """A model for people, by its version."""
    return "no model" if model == NO_CHAMPION else f"version {version_of(model)}"


def _sleep(now: Decision, reason: Reason, env: PromoteEnvironment) -> str:
    if now.asleep:
        return "it sleeps already"
    parameter, time = env.champion_parameter, max(champion.now(), now.time)
    champion.decide(
        parameter, NO_CHAMPION, time, reason, asleep=now.model, since=now.since, waiting=now.waits
    )
    return f"{named(now.model)} goes to sleep"


def _wake(now: Decision, reason: Reason, env: PromoteEnvironment) -> str:
    if not now.asleep:
        return "it is awake already"
    found = package(now.model, env)
    status = found["ModelApprovalStatus"] if found else "deleted"
    if status != APPROVED:
        raise NotApproved(
            f"what sleeps, {named(now.model)}, is {status} by now; approve it again, or another version"
        )
    parameter, time = env.champion_parameter, max(champion.now(), now.time)
    champion.decide(parameter, now.model, time, reason, since=now.since, waiting=now.waits)
    return f"{named(now.model)} wakes up"


def _retry(now: Decision, reason: Reason, env: PromoteEnvironment) -> str:
    waits = now.waits
    if waits is None:
        raise NothingWaits("no model waits to be tried again; classifier status tells how things stand")
    if not still_approved(waits.package, env):
        raise NotApproved(
            f"{named(waits.package)} waits, but is not Approved any more; approve it again, or another"
        )
    try_again(now, reason, env)
    return f"{named(waits.package)} is tried again"


def still_approved(arn: str, env: PromoteEnvironment) -> bool:
    """Whether the registry has a package of this project as Approved."""
    found = package(arn, env)
    return found is not None and found["ModelApprovalStatus"] == APPROVED


def try_again(now: Decision, reason: Reason, env: PromoteEnvironment) -> Decision:
    """Make the model that waits the champion again; the decision that counts then.

    It takes the time of the decision that failed: whatever was decided since stays newer.
    """
    if now.waits is None:
        return now
    return champion.decide(
        env.champion_parameter, now.waits.package, now.time, reason, since=now.since, waiting=now.waits
    )


def _roll_back(now: Decision, reason: Reason, env: PromoteEnvironment) -> str:
    before = predecessor(now, env)
    if before is None:
        raise NoPredecessor(
            f"{named(now.model)} has no predecessor that is still Approved in the registry, so there is "
            "nothing to go back to; approve another version, or let it sleep"
        )
    _replace(now, before, max(champion.now(), now.time), reason, env)
    # Only now, so that a crash in between leaves a champion that is approved. Its event changes nothing more.
    client("sagemaker").update_model_package(
        ModelPackageArn=now.model,
        ModelApprovalStatus=REJECTED,
        ApprovalDescription=Reason(reason.outcome, reason.why, back_to=before).text(),
    )
    return f"back from {named(now.model)} to {named(before)}"


def _replace(now: Decision, before: str, time: str, reason: Reason, env: PromoteEnvironment) -> None:
    """Another model in the champion's place, asleep when the champion sleeps."""
    sleeps = now.asleep and before != NO_CHAMPION
    champion.decide(
        env.champion_parameter,
        NO_CHAMPION if sleeps else before,
        time,
        reason,
        asleep=before if sleeps else "",
    )


_ACTIONS = {
    SLEEP: (_sleep, Outcome.ASKED_TO_SLEEP),
    "wake": (_wake, Outcome.WOKEN),
    "rollback": (_roll_back, Outcome.ROLLED_BACK),
    RETRY: (_retry, Outcome.RETRIED),
}
"""What each does, and its code in the decision."""
_OF_CANDIDATES = {TRUST: Outcome.SHADOWED, DISTRUST: Outcome.NOT_TRUSTED}
