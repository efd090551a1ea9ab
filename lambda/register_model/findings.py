"""What the rules found while a model was trained, told to people when its recipe asked for that.

The job itself runs without a network and cannot tell anybody; it leaves its findings in evaluation.json
([debug] on_trigger = "notify" or "stop").
"""

from __future__ import annotations

import json
from typing import Any

from common import notify
from common.environment import RegisterSettings
from common.events import Event

_MOST = 20
_LENGTH = 600


def tell(event: Event, job: str, raw: bytes, settings: RegisterSettings, s3: Any) -> bool:
    """Mail what the rules of a training job found, once; whether there was something to tell.

    Args:
        event: the job's end.
        job: its name.
        raw: its evaluation.json, already read as JSON once; what it says of findings is not believed blindly.
    """
    found = json.loads(raw).get("findings")
    if not isinstance(found, dict) or found.get("on_trigger") not in ("notify", "stop"):
        return False
    listed = found.get("findings")
    lines = (
        [_line(each) for each in listed[:_MOST] if isinstance(each, dict)] if isinstance(listed, list) else []
    )
    if not lines:
        return False
    if notify.once(s3, settings.artifacts_bucket, f"runs/{job}/told-findings.json", event.id):
        notify.send(
            settings.notification_topic_arn,
            f"[{settings.project}] rules triggered in training job {job}",
            f"While {job} was trained, its rules found:",
            *lines,
            f"The whole report: classifier report {job}",
        )
    return True


def _line(finding: dict[str, Any]) -> str:
    text = f"{finding.get('rule')} at step {finding.get('step')}: {finding.get('message')}"
    return f"{text[:_LENGTH]}\nWhat to change: {str(finding.get('change'))[:_LENGTH]}"
