"""Tells what the rules found while a model was trained, if its recipe asked for that.

It asks by `on_trigger = "notify"` or `"stop"` in [debug]. Programs are told by an event on the account's
default bus, people by mail. The job itself runs without a network and cannot tell anybody; it leaves its
findings in evaluation.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contract.environment import RegisterEnvironment
from contract.evaluation import FINDING_FIELDS
from contract.storage import of_run
from functions.common import notify
from functions.common.clients import client
from functions.common.errors import EventRefused
from functions.common.events import Event

DETAIL_TYPE = "Training Rule Triggered"
"""The event's detail-type; its source is the project's name."""

_MOST = 20
_LENGTH = 600


def tell(event: Event, job: Mapping[str, Any], raw: bytes, env: RegisterEnvironment) -> bool:
    """Tell what the rules of a training job found, once; whether there was something to tell.

    `raw` is its evaluation.json, read as JSON once; what it says of findings is not believed blindly.

    Raises:
        EventRefused: EventBridge did not take the event; the repeated call tells both again.
    """
    found = json.loads(raw).get("findings")
    if not isinstance(found, dict) or found.get("on_trigger") not in ("notify", "stop"):
        return False
    listed = found.get("findings")
    triggered = (
        [_bounded(each) for each in listed[:_MOST] if isinstance(each, dict)]
        if isinstance(listed, list)
        else []
    )
    if not triggered:
        return False
    name = str(job["TrainingJobName"])
    if notify.once(env.artifacts_bucket, of_run(name, "told-findings.json"), event.id):
        _put(job, {"training_job": name, "on_trigger": found["on_trigger"], "findings": triggered}, env)
        notify.send(
            env,
            f"rules triggered in training job {name}",
            f"While {name} was trained, its rules found:",
            *(_paragraph(each) for each in triggered),
            f"The whole report: classifier report {name}",
        )
    return True


def _put(job: Mapping[str, Any], detail: dict[str, Any], env: RegisterEnvironment) -> None:
    """The event, with the rules' names in a list, so that a pattern can ask for one of them."""
    entry = {
        "Source": env.project,
        "DetailType": DETAIL_TYPE,
        "Resources": [job["TrainingJobArn"]],
        # Not escaped to ASCII, which takes up to three times the bytes: an entry may have 256 KiB.
        "Detail": json.dumps(
            {**detail, "rules": [each.get("rule") for each in detail["findings"]]}, ensure_ascii=False
        ),
    }
    answer = client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:  # it raises nothing
        refused = answer["Entries"][0]
        raise EventRefused(f"{refused.get('ErrorCode')}: {refused.get('ErrorMessage')}")


def _bounded(finding: Mapping[str, Any]) -> dict[str, Any]:
    """What is passed on of a finding: its own fields, none of them long."""
    return {
        key: value if isinstance(value, int) else str(value)[:_LENGTH]
        for key in FINDING_FIELDS
        if (value := finding.get(key)) is not None
    }


def _paragraph(finding: Mapping[str, Any]) -> str:
    how = f" ({finding['how']})" if finding.get("how") else ""
    gain = f"\nWhat that could gain: {finding['gain']}{how}" if finding.get("gain") else ""
    return (
        f"{finding.get('rule')} at step {finding.get('step')}: {finding.get('message')}\n"
        f"What to change: {finding.get('change')}{gain}"
    )
