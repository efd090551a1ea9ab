"""What the rules found during a training is told once, as event and mail, when its recipe asks for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.common.errors import EventRefused
from functions.register_model.handler import handler
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_register_model import ended, numbers, output, train

FOUND = {"rule": "overfit", "step": 40, "message": "by heart", "change": "fewer epochs"}
FOUND |= {"gain": "0.2", "how": "measured"}


def trained(world: World, findings: Any) -> str:
    job = train(world)
    output(world, job, {**numbers(), "findings": findings})
    return job


@pytest.mark.parametrize("action", ["notify", "stop"])
def test_findings_are_told_once_with_what_to_change(world: World, action: str) -> None:
    job = trained(world, {"on_trigger": action, "findings": [FOUND]})
    for event in ("e-1", "e-2"):
        handler(ended(job, event), Context())
    (entry,) = world.events.put
    assert (entry["Source"], entry["DetailType"]) == ("demo", "Training Rule Triggered")
    assert entry["Resources"] == [world.sagemaker.training_jobs[job]["TrainingJobArn"]]
    assert json.loads(entry["Detail"]) == {
        "training_job": job,
        "on_trigger": action,
        "findings": [FOUND],
        "rules": ["overfit"],
    }
    (mail,) = world.sns.mails
    assert f"rules triggered in training job {job}" in mail["Subject"]
    assert "overfit at step 40: by heart" in mail["Message"]
    assert "What to change: fewer epochs\nWhat that could gain: 0.2 (measured)" in mail["Message"]


def test_an_event_that_was_not_taken_is_told_again_by_lambdas_retry(world: World) -> None:
    job = trained(world, {"on_trigger": "notify", "findings": [FOUND]})
    taken = world.events.on["PutEvents"]
    refusal = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}
    world.events.on["PutEvents"] = lambda _: {"FailedEntryCount": 1, "Entries": [refusal]}
    with pytest.raises(EventRefused, match="ThrottlingException: slower"):
        handler(ended(job, "e-1"), Context())
    assert world.sns.mails == []
    world.events.on["PutEvents"] = taken
    handler(ended(job, "e-1"), Context())
    assert len(world.events.put) == 2
    assert len(world.sns.mails) == 1


def test_what_a_jobs_own_code_wrote_is_passed_on_only_as_short_texts_of_known_fields(world: World) -> None:
    strange = {"rule": ["x"], "step": "1", "message": "m" * 10_000, "more": {"deep": 1}}
    handler(ended(trained(world, {"on_trigger": "notify", "findings": [strange] * 50})), Context())
    (entry,) = world.events.put
    told = json.loads(entry["Detail"])["findings"]
    assert len(told) == 20
    assert told[0] == {"rule": "['x']", "step": "1", "message": "m" * 600}


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
def test_nothing_is_told_when_nothing_was_found_or_asked_for(world: World, findings: Any) -> None:
    assert handler(ended(trained(world, findings)), Context())["approval"] == "Approved"
    assert world.sns.mails == world.events.put == []
