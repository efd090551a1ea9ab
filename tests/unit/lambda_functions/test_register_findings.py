"""What the rules found during a training is mailed once, when its recipe asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from register_model.handler import handler

from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_register_model import ended, numbers, output, train

FOUND = {"rule": "overfit", "step": 40, "message": "by heart", "change": "fewer epochs", "gain": ""}


def trained(world: World, findings: Any) -> str:
    job = train(world)
    output(world, job, {**numbers(), "findings": findings})
    return job


@pytest.mark.parametrize("action", ["notify", "stop"])
def test_findings_are_mailed_once_with_what_to_change(world: World, action: str) -> None:
    job = trained(world, {"on_trigger": action, "findings": [FOUND]})
    for event in ("e-1", "e-2"):
        handler(ended(job, event), Context())
    (mail,) = world.sns.mails
    assert f"rules triggered in training job {job}" in mail["Subject"]
    assert "overfit at step 40: by heart" in mail["Message"]
    assert "What to change: fewer epochs" in mail["Message"]


@pytest.mark.parametrize(
    "findings",
    [
        None,
        {"on_trigger": "report", "findings": [FOUND]},
        {"on_trigger": "notify", "findings": []},
        {"on_trigger": "notify", "findings": ["no table"]},
        {"on_trigger": "notify", "findings": 7},
        "no table",
    ],
)
def test_nothing_is_mailed_when_nothing_was_found_or_asked_for(world: World, findings: Any) -> None:
    assert handler(ended(trained(world, findings)), Context())["approval"] == "Approved"
    assert world.sns.mails == []
