"""launch-retraining: a search starts once, when enough was corrected or drift rang, and within the budget.

launch-tuning is the real one, in the same memory.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.response import StreamingBody

from contract import storage
from contract.datasets import manifest, store
from contract.datasets.manifest import Origin, Picture, Version
from functions.launch_retraining import book
from functions.launch_retraining.book import Book, Entry
from functions.launch_retraining.handler import handler
from functions.launch_tuning.handler import handler as launch_tuning
from tests.unit.lambda_functions.fakes import NOW, AwsFailure, Context, Fake, World, package_arn

MOST_USD = 2.36
"""What launch-tuning says of the recipe in conftest.py."""
DRIFT = {"drift": 0.31}


class FakeLambda(Fake):
    """launch-tuning, each time in a request of its own."""

    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"Invoke": self._invoke}
        self.before_answer: Callable[[dict[str, Any]], None] = lambda asked: None

    def _invoke(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["FunctionName"] == "demo-launch-tuning"
        asked = json.loads(params["Payload"])
        answer = launch_tuning(asked, Context(f"launch-{len(self.calls)}"))
        self.before_answer(asked)
        text = json.dumps(answer).encode()
        return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(text), len(text))}


@pytest.fixture
def serving(world: World) -> World:
    """Version 3 serves, trained on pets@1 with the recipe digits."""
    world.others["lambda"] = FakeLambda()
    uploaded(world)
    trained(world, 3, dataset_version=1)
    return world


def trained(world: World, version: int, dataset_version: int | None, dataset: str = "pets") -> None:
    arn, run = package_arn(version), f"demo-run-{version}"
    facts = {"training_job": f"{run}-final", "run": run, "recipe": "digits", "dataset": dataset}
    world.sagemaker.packages[arn] = {
        "ModelPackageArn": arn,
        "CustomerMetadataProperties": facts,
        "CreationTime": NOW,
    }
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})
    record = {
        "run": run,
        "kind": "tuning",
        "request_id": "r",
        "dataset": dataset,
        "dataset_version": dataset_version,
        "code_prefix": "code/abc/",
        "recipe": {"name": "digits", "tables": {"model": {"arch": "resnet18", "weights": "none"}}},
    }
    record["recipe"]["tables"] |= {"training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1}}  # type: ignore[index]
    record["recipe"]["tables"] |= {"data": {"image_size": 64}}  # type: ignore[index]
    world.s3.put("artifacts", storage.of_run(run, storage.RUN_RECORD), json.dumps(record))


def pictures(count: int, start: int = 0) -> list[Picture]:
    return [
        Picture(
            label="ab"[number % 2],
            split=split,
            name=f"{number}.png",
            content=manifest.hashlib.sha256(f"{split}{number}".encode()).hexdigest(),
            size=1,
            key=f"{split}{number}.png",
        )
        for split in ("train", "valid", "test")
        for number in range(start, start + (count if split == "train" else 2))
    ]


def write(world: World, origin: str, changes: dict[str, int], source: str = "", train: int = 20) -> Version:
    """The next version of pets."""
    s3 = world.s3.client
    parent = store.newest(s3, "data", "pets")
    number = parent.number if parent else 0
    draft = store.Draft(
        dataset="pets",
        origin=origin,
        root=storage.pictures_of("pets"),
        pictures=pictures(train + number),
        parent=parent,
        source=source,
        changes=changes,
    )
    return store.write(s3, "data", draft)


def uploaded(world: World) -> Version:
    return write(world, Origin.UPLOAD, {"added": 26})


def corrected(world: World, added: int, **changes: int) -> Version:
    return write(world, Origin.CORRECTIONS, {"added": added, **changes})


def look(payload: object = None, request_id: str = "look-1") -> dict[str, Any]:
    return handler({} if payload is None else payload, Context(request_id))


def started(world: World) -> list[str]:
    return sorted(world.sagemaker.tuning_jobs)


def ended(world: World) -> None:
    for job in world.sagemaker.tuning_jobs.values():
        job["HyperParameterTuningJobStatus"] = "Completed"


def test_enough_corrections_start_one_search_and_say_why_and_what_it_can_cost(serving: World) -> None:
    corrected(serving, 2)
    assert "saw" in look()
    assert started(serving) == []
    version = corrected(serving, 0, relabelled=1)
    answer = look()
    (run,) = started(serving)
    assert answer == {"started": run, "why": "3 corrections", "most_usd": MOST_USD}
    record = serving.s3.json("artifacts", storage.of_run(run, storage.RUN_RECORD))
    assert record["scheduled"] == {"corrections": 3}
    assert (record["dataset"], record["dataset_version"]) == ("pets", version.number)
    tags = {each["Key"]: each["Value"] for each in serving.sagemaker.tuning_jobs[run]["Tags"]}
    assert (tags["scheduled"], tags["recipe"]) == ("corrections", "digits")
    (mail,) = serving.sns.mails
    for part in (run, "3 corrections", f"{MOST_USD} USD", "is 5.", f"classifier stop {run}"):
        assert part in mail["Message"], part


def test_looking_twice_and_a_version_later_starts_one(serving: World) -> None:
    corrected(serving, 3)
    look()
    ended(serving)
    assert "saw" in look(request_id="look-2")
    corrected(serving, 2)  # beyond the search of before, not beyond the champion
    assert "saw" in look(request_id="look-3")
    assert len(started(serving)) == len(serving.sns.mails) == 1
    corrected(serving, 1)
    assert "started" in look(request_id="look-4")


def test_drift_starts_one_search_per_champion_and_version_however_often_it_rings(serving: World) -> None:
    answer = look(DRIFT)
    assert answer["why"] == "drift 0.31"
    ended(serving)
    assert "saw" in look(DRIFT, "look-2")
    assert len(started(serving)) == 1
    trained(serving, 4, dataset_version=1)
    assert "started" in look(DRIFT, "look-3")
    assert len(started(serving)) == 2


def test_both_causes_are_of_one_search(serving: World) -> None:
    corrected(serving, 4)
    assert look(DRIFT)["why"] == "4 corrections, drift 0.31"


@pytest.mark.parametrize("kind", ["tuning", "training", "training_code.race", "batch", "doctor"])
def test_while_a_run_is_under_way_no_other_starts(serving: World, kind: str) -> None:
    corrected(serving, 3)
    environment = {} if kind in ("tuning", "training") else {"JOB_PACKAGE": kind}
    where = serving.sagemaker.tuning_jobs if kind == "tuning" else serving.sagemaker.training_jobs
    member = "HyperParameterTuningJob" if kind == "tuning" else "TrainingJob"
    where["demo-mine"] = {f"{member}Status": "InProgress", "Environment": environment}
    where["other-demo-theirs"] = {f"{member}Status": "InProgress"}
    answer = look()
    assert ("started" in answer) == (kind in ("batch", "doctor")), answer
    where["demo-mine"][f"{member}Status"] = "Completed"
    ended(serving)
    look(request_id="look-2")
    assert [name for name in started(serving) if name not in ("demo-mine", "other-demo-theirs")]


def test_the_months_budget_is_kept_and_said_once(serving: World) -> None:
    for number in range(2):
        corrected(serving, 3)
        assert "started" in look(request_id=f"look-{number}")
        ended(serving)
    corrected(serving, 3)
    for number in range(2, 4):
        answer = look(request_id=f"look-{number}")
        assert answer["refused"] == "CostTooHigh", answer
    assert len(started(serving)) == 2
    *_, mail = serving.sns.mails
    assert len(serving.sns.mails) == 3
    assert "4.72 USD" in mail["Message"]
    assert "3 corrections" in mail["Message"]
    assert "demo-launch-tuning" in mail["Message"]


def test_what_was_spent_in_another_month_is_not_counted(serving: World) -> None:
    corrected(serving, 3)
    spent = _entry("demo-old", at="2001-01-31T00:00:00+00:00", most_usd=4.0)
    book.write("artifacts", Book().having(spent))
    assert "started" in look()


def test_with_nothing_left_nobody_is_asked(serving: World) -> None:
    corrected(serving, 3)
    look()
    (entry,) = book.read("artifacts").entries
    book.write("artifacts", book.read("artifacts").having(replace(entry, most_usd=5.0)))
    ended(serving)
    corrected(serving, 3)
    before = len(serving.others["lambda"].calls)
    assert look(request_id="look-2")["refused"] == "CostTooHigh"
    assert len(serving.others["lambda"].calls) == before


def test_the_recipes_own_limit_is_kept_where_it_is_lower(serving: World) -> None:
    recipe = serving.s3.objects["artifacts", "recipes/digits.toml"]
    serving.s3.put("artifacts", "recipes/digits.toml", recipe + b"\n[resources]\nmax_cost_usd = 2\n")
    corrected(serving, 3)
    assert look()["refused"] == "CostTooHigh"
    assert book.read("artifacts").entries == ()


def test_the_set_recipe_is_searched_and_one_that_is_not_there_is_told_of_once(
    serving: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE", "nightly")
    corrected(serving, 3)
    assert look()["refused"] == look(request_id="look-2")["refused"] == "UnknownRecipe"
    (mail,) = serving.sns.mails
    assert '"nightly"' in mail["Message"]
    serving.s3.put(
        "artifacts", "recipes/nightly.toml", serving.s3.objects["artifacts", "recipes/digits.toml"]
    )
    assert "nightly" in look(request_id="look-3")["started"]


def test_without_a_champion_of_this_project_nothing_starts(world: World) -> None:
    world.others["lambda"] = FakeLambda()
    assert "saw" in look(DRIFT)
    arn = package_arn(1)
    world.sagemaker.packages[arn] = {"ModelPackageArn": arn, "CreationTime": NOW}
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})
    assert "saw" in look(DRIFT)
    assert not world.sagemaker.tuning_jobs


def test_a_champion_that_sleeps_is_one(serving: World) -> None:
    from contract.decisions import Decision, Outcome, Reason

    time = "2026-11-20T12:00:00Z"
    asleep = Decision(0, "none", time, package_arn(3), time, Reason(Outcome.IDLE))
    serving.ssm._put(
        {"Name": "/demo/champion", "Value": "none", "Description": asleep.text(), "Overwrite": True}
    )
    corrected(serving, 3)
    assert "started" in look()


@pytest.mark.parametrize("what", ["all", "newest"])
def test_a_data_set_that_is_gone_is_told_of_once(serving: World, what: str) -> None:
    version = corrected(serving, 3)
    prefix = version.key if what == "newest" else f"{storage.DATASETS}/"
    for where in [each for each in serving.s3.objects if each[0] == "data" and each[1].startswith(prefix)]:
        del serving.s3.objects[where]
    assert look()["refused"] == look(request_id="look-2")["refused"] == "UnknownDataset"
    assert len(serving.sns.mails) == 1
    assert not started(serving)


def test_a_version_in_between_that_was_deleted_takes_its_corrections_out_of_the_count(serving: World) -> None:
    gone = corrected(serving, 2)
    corrected(serving, 2)
    del serving.s3.objects["data", gone.key]
    assert "saw" in look()
    corrected(serving, 1)
    assert look()["why"] == "3 corrections"


def test_the_champions_own_version_may_be_gone(serving: World) -> None:
    first = store.newest(serving.s3.client, "data", "pets")
    assert first is not None
    corrected(serving, 3)
    del serving.s3.objects["data", first.key]
    assert look()["why"] == "3 corrections"


def test_what_an_upload_brought_and_what_was_taken_back_is_no_correction(serving: World) -> None:
    write(serving, Origin.UPLOAD, {"added": 50})
    corrected(serving, 3)
    corrected(serving, 0, gone=1)
    assert "saw" in look()


def test_after_a_version_was_restored_only_its_own_corrections_count(serving: World) -> None:
    corrected(serving, 2)
    kept = corrected(serving, 1)
    corrected(serving, 5)
    write(serving, Origin.RESTORED, {"gone": 5}, source=kept.name)
    assert look()["why"] == "3 corrections"


def test_of_a_champion_whose_record_is_gone_all_corrections_count_once(serving: World) -> None:
    del serving.s3.objects["artifacts", storage.of_run("demo-run-3", storage.RUN_RECORD)]
    corrected(serving, 3)
    assert "started" in look()
    ended(serving)
    assert "saw" in look(request_id="look-2")


def test_whoever_dies_after_counting_starts_it_later_and_counts_it_once(serving: World) -> None:
    corrected(serving, 3)
    serving.sagemaker.refuse_with = AwsFailure("InternalFailure", "", 500)
    with pytest.raises(Exception, match="InternalFailure"):
        look()
    (pending,) = book.read("artifacts").entries
    assert not pending.started
    serving.sagemaker.refuse_with = None
    assert look(request_id="look-2")["started"] == pending.run
    assert started(serving) == [pending.run]
    assert book.read("artifacts").entries == (replace(pending, started=True),)


def test_whoever_dies_after_starting_tells_of_it_later(serving: World) -> None:
    corrected(serving, 3)
    serving.sns.on["Publish"] = _fails
    with pytest.raises(Exception, match="InternalFailure"):
        look()
    serving.sns.on["Publish"] = lambda _: {"MessageId": "1"}
    answer = look()  # Lambda repeats the event under its id
    assert started(serving) == [answer["started"]]
    assert len(book.read("artifacts").entries) == 1
    assert len(serving.sns.mails) == 2


def _fails(params: dict[str, Any]) -> dict[str, Any]:
    raise AwsFailure("InternalFailure", "", 500)


def test_what_aws_refuses_is_not_counted_and_told_of_once(serving: World) -> None:
    corrected(serving, 3)
    serving.sagemaker.refuse_with = AwsFailure("ResourceLimitExceeded", "the quota is 0.")
    assert look()["refused"] == look(request_id="look-2")["refused"] == "QuotaExceeded"
    assert book.read("artifacts").spent(_month()) == 0
    assert len(serving.sns.mails) == 1
    serving.sagemaker.refuse_with = None
    assert "started" in look(request_id="look-3")


def test_two_that_look_at_once_spend_the_budget_once(serving: World) -> None:
    corrected(serving, 3)

    def other_looks(asked: dict[str, Any]) -> None:
        serving.others["lambda"].before_answer = lambda asked: None  # type: ignore[attr-defined]
        trained(serving, 4, dataset_version=1)  # so that it wants another search
        assert "started" in look(request_id="look-2")

    serving.others["lambda"].before_answer = other_looks  # type: ignore[attr-defined]
    assert "saw" in look()
    assert len(started(serving)) == len(book.read("artifacts").entries) == 1


def test_a_damaged_book_is_named_and_nothing_starts(serving: World) -> None:
    corrected(serving, 3)
    serving.s3.put("artifacts", book.KEY, b"[]")
    with pytest.raises(book.BookInvalid, match=book.KEY):
        look()
    assert not started(serving)


@pytest.mark.parametrize("payload", [{"drift": "much"}, {"drift": -1}, {"drift": True}, {"drif": 1}, 7])
def test_what_cannot_be_asked_for_is_a_400(serving: World, payload: object) -> None:
    assert look(payload)["statusCode"] == 400


def test_the_clock_asks_for_a_look(serving: World) -> None:
    event = {"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-11-20T12:00:00Z"}
    assert look({**event, "detail": {}}) == {"saw": "0 of 3 corrections"}


@pytest.mark.parametrize("cause", [{"whim": 1}, {"drift": "much"}, [1]])
def test_launch_tuning_takes_known_causes_only(serving: World, cause: object) -> None:
    answer = launch_tuning({"recipe": "digits", "dataset": "pets", "scheduled": cause}, Context())
    assert (answer["statusCode"], answer["error"]["code"]) == (400, "InvalidPayload")


def _entry(run: str, at: str, most_usd: float) -> Entry:
    return Entry(
        run=run,
        at=at,
        champion=package_arn(2),
        recipe="digits",
        dataset="cats@1",
        scheduled={"corrections": 3},
        most_usd=most_usd,
        started=True,
    )


def _month() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()[:7]
