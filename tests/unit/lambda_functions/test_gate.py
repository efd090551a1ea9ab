"""The gate's own reasons: a leak refuses, other classes wait for a person, and chance is no merit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.decisions import Outcome, Reason
from functions.common.errors import EvaluationInvalid
from functions.register_model import classes, evaluation, guessing
from functions.register_model.handler import handler
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_register_model import ended, numbers, output, scores, serve, train

LEAKED = {
    "test_in_train": 16,
    "pairs": [[f"0/{row}.png", f"1/copy {row}.png"] for row in range(16)],
    "valid_in_train": 3,
    "test_in_valid": 2,
}
NONE_LEAKED = {"test_in_train": 0, "pairs": [], "valid_in_train": 3, "test_in_valid": 2}


def judged(world: World, job: str, **content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The package and the verdict of a job with this in its evaluation."""
    output(world, job, {**numbers(), **content})
    made = world.sagemaker.packages[handler(ended(job), Context())["model_package"]]
    return made, world.s3.json("artifacts", f"runs/{job}/verdict.json")


def champion(world: World, arn: str) -> None:
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})


def test_a_leak_refuses_the_model_and_names_the_pictures(world: World) -> None:
    made, verdict = judged(world, train(world), leaked=LEAKED)
    assert made["ModelApprovalStatus"] == "Rejected"
    assert (verdict["passed"], verdict["outcome"]) == (False, "leaked-test-pictures")
    assert verdict["leaked"] == LEAKED
    reason = Reason.of_package(made["ApprovalDescription"])
    assert reason.outcome is Outcome.LEAKED
    assert reason.why == (
        "16 test pictures are also training pictures so test accuracy 0.9700 means nothing: test/0/0.png is "
        "train/1/copy 0.png and test/0/1.png is train/1/copy 1.png and 14 more"
    )
    metadata = made["CustomerMetadataProperties"]
    assert metadata["verdict"] == reason.why
    assert (metadata["outcome"], metadata["leaked_test_pictures"]) == ("leaked-test-pictures", "16")
    (mail,) = world.sns.mails
    assert "was tested on its training pictures" in mail["Subject"]
    assert reason.why in mail["Message"]
    assert "Take them out of one of the two splits" in mail["Message"]


def test_a_leak_between_other_splits_is_recorded_and_refuses_nothing(world: World) -> None:
    made, verdict = judged(world, train(world), leaked=NONE_LEAKED)
    assert made["ModelApprovalStatus"] == "Approved"
    assert verdict["leaked"] == NONE_LEAKED
    assert made["CustomerMetadataProperties"]["leaked_test_pictures"] == "0"


def test_an_evaluation_of_before_there_were_leaks_is_judged_as_ever(world: World) -> None:
    made, verdict = judged(world, train(world))
    assert made["ModelApprovalStatus"] == "Approved"
    assert "leaked" not in verdict
    assert "leaked_test_pictures" not in made["CustomerMetadataProperties"]


def test_names_of_any_length_leave_a_reason_that_the_registry_takes(world: World) -> None:
    pairs = [["c" * 255 + "/" + f"{row:0255}", "é\n" * 200] for row in range(30)]
    made, verdict = judged(world, train(world), leaked=LEAKED | {"test_in_train": 30, "pairs": pairs})
    assert len(verdict["leaked"]["pairs"]) == 20
    assert "28 more" in Reason.of_package(made["ApprovalDescription"]).why
    assert len(made["CustomerMetadataProperties"]["verdict"]) <= 256


@pytest.mark.parametrize(
    "leaked",
    [{}, 3, LEAKED | {"test_in_train": 101}, LEAKED | {"test_in_train": -1}, LEAKED | {"pairs": [["a"]]}],
)
def test_leaks_that_cannot_be_are_not_believed(leaked: Any) -> None:
    with pytest.raises(EvaluationInvalid):
        evaluation.parse(json.dumps({**numbers(), "leaked": leaked}).encode(), "here")


@pytest.mark.parametrize("in_metadata", [True, False])
def test_an_honest_model_is_not_refused_against_a_champion_that_leaked(
    world: World, in_metadata: bool
) -> None:
    first, _ = judged(world, train(world, request="r-1"), leaked=LEAKED, test=numbers(0.99)["test"])
    if not in_metadata:
        del first["CustomerMetadataProperties"]["leaked_test_pictures"]
    champion(world, first["ModelPackageArn"])
    made, verdict = judged(world, train(world, request="r-2"), leaked=NONE_LEAKED)
    assert made["ModelApprovalStatus"] == "Approved"
    assert verdict["champion_leaked"] == 16
    assert "champion_accuracy" not in verdict
    assert verdict["reason"] == (
        "test accuracy 0.9700 not compared: champion version 1 was tested on 16 of its own training pictures"
    )


@pytest.mark.parametrize("approval", ["auto", "manual"])
def test_a_model_of_other_classes_waits_for_a_person_whatever_the_setting(
    world: World, monkeypatch: pytest.MonkeyPatch, approval: str
) -> None:
    monkeypatch.setenv("APPROVAL", approval)
    first, _ = judged(world, train(world), test=numbers(fingerprint="e" * 64)["test"], classes=["0", "bee"])
    champion(world, first["ModelPackageArn"])
    made, verdict = judged(world, train(world, request="r-2"), classes=["0", "1"])
    assert made["ModelApprovalStatus"] == "PendingManualApproval"
    assert (verdict["passed"], verdict["outcome"]) == (True, "other-classes")
    assert verdict["other_classes"] == {
        "champion": "1",
        "known": True,
        "new": ["1"],
        "new_count": 1,
        "gone": ["bee"],
        "gone_count": 1,
    }
    reason = Reason.of_package(made["ApprovalDescription"])
    assert reason.outcome is Outcome.OTHER_CLASSES
    assert reason.why == (
        "test accuracy 0.9700 not compared: champion version 1 tells other classes apart so a person "
        "decides: new 1 - gone bee"
    )
    assert made["CustomerMetadataProperties"]["outcome"] == "other-classes"
    *_, mail = world.sns.mails
    assert "a model of other classes waits for your approval" in mail["Subject"]
    assert reason.why in mail["Message"]


def test_what_is_below_the_floors_is_refused_whatever_its_classes(world: World) -> None:
    serve(world, classes_sha256=classes.digest(["ant", "bee"]))
    made, verdict = judged(world, train(world), test=numbers(0.61)["test"])
    assert (made["ModelApprovalStatus"], verdict["outcome"]) == ("Rejected", "below-the-gate")


def test_the_same_classes_of_another_data_set_do_not_wait(world: World) -> None:
    for split in ("train", "valid", "test"):
        for label in ("0", "1"):
            world.s3.put("data", f"other/{split}/{label}/a.png")
    first, _ = judged(world, train(world), test=numbers(fingerprint="e" * 64)["test"])
    assert first["CustomerMetadataProperties"]["dataset"] == "digits"
    first["CustomerMetadataProperties"]["dataset"] = "other"
    champion(world, first["ModelPackageArn"])
    made, verdict = judged(world, train(world, request="r-2"))
    assert (made["ModelApprovalStatus"], verdict["outcome"]) == ("Approved", "passed")


def test_a_champion_whose_evaluation_is_gone_is_known_by_the_digest_of_its_classes(world: World) -> None:
    serve(world, fingerprint="e" * 64)
    made, _ = judged(world, train(world))
    assert made["ModelApprovalStatus"] == "Approved"
    serve(world, fingerprint="e" * 64, classes_sha256=classes.digest(["ant", "bee"]))
    made, verdict = judged(world, train(world, request="r-2"))
    assert made["ModelApprovalStatus"] == "PendingManualApproval"
    assert verdict["reason"].endswith("champion version 1 tells other classes apart so a person decides")


def test_an_older_champion_tested_on_the_same_pictures_has_the_same_classes(world: World) -> None:
    serve(world, classes_sha256="")
    made, verdict = judged(world, train(world))
    assert (made["ModelApprovalStatus"], verdict["outcome"]) == ("Approved", "passed")


def test_a_champion_of_which_no_classes_are_known_is_a_person_s_to_replace(world: World) -> None:
    serve(world, fingerprint="e" * 64, classes_sha256="")
    made, verdict = judged(world, train(world))
    assert made["ModelApprovalStatus"] == "PendingManualApproval"
    assert verdict["other_classes"]["known"] is False
    assert "champion version 1 has no recorded classes so a person decides" in verdict["reason"]


@pytest.mark.parametrize(
    ("candidate", "before", "words"),
    [
        (["a", "b"], ["a", "b"], None),
        (["a", "b"], ["b", "a"], "has the same classes with other indices"),
        (["a", "b", "c"], ["a", "b"], "tells other classes apart"),
        (["a", "b"], ["A", "b"], "tells other classes apart"),
    ],
)
def test_classes_are_compared_as_callers_have_them(
    candidate: list[str], before: list[str], words: str | None
) -> None:
    found = classes.difference(candidate, before, "", same_pictures=False)
    assert (found.words if found else None) == words


def test_of_very_many_classes_some_are_named() -> None:
    before, now = [f"old {row}" for row in range(10_000)], [f"new {row}" for row in range(10_000)]
    found = classes.difference(now, before, "", same_pictures=False)
    assert found is not None
    assert "new new 0 and new 1 and new 2 and new 3 and new 4 and 9995 more - gone old 0" in found.names
    assert len(json.dumps(found.numbers)) < 1000


def test_nine_of_sixteen_is_a_coin_s_result(world: World) -> None:
    made, verdict = judged(world, train(world), test={**numbers(**scores(set(range(9)), 16))["test"]})
    assert (made["ModelApprovalStatus"], verdict["outcome"]) == ("Rejected", "below-the-gate")
    assert verdict["reason"] == (
        "test accuracy 0.5625 is not above 0.5000 of always guessing one class beyond chance - McNemar p = 1"
        ": 4 to 3"
    )
    assert verdict["guessing"] == {
        "test": "mcnemar",
        "p": 1.0,
        "only_candidate_right": 4,
        "only_guessing_right": 3,
        "significance": 0.05,
    }


def test_nine_of_sixteen_without_single_answers_is_one_too(world: World) -> None:
    content = {**scores(set(range(9)), 16), "labels": None, "predicted": None}
    made, verdict = judged(world, train(world), test=numbers(**content)["test"])
    assert made["ModelApprovalStatus"] == "Rejected"
    assert "beyond chance - binomial test p = 0.8" in verdict["reason"]


def test_so_few_pictures_that_no_model_could_pass_are_named_as_the_cause(world: World) -> None:
    made, verdict = judged(world, train(world), test=numbers(**scores(set(range(10)), 10))["test"])
    assert made["ModelApprovalStatus"] == "Rejected"
    assert verdict["reason"].endswith("McNemar p = 0.062: 5 to 0 - 10 test pictures are too few to show more")


def test_all_of_sixteen_is_more_than_chance(world: World) -> None:
    made, _ = judged(world, train(world), test=numbers(**scores(set(range(16)), 16))["test"])
    assert made["ModelApprovalStatus"] == "Approved"


@pytest.mark.parametrize(
    ("right", "count", "chance", "p"),
    # 2 * scipy.stats.binom.sf(right - 1, count, chance)
    [
        (9, 16, 0.5, 0.803619),
        (13, 16, 0.5, 0.0212708),
        (70, 100, 0.6, 0.0495701),
        (60, 100, 0.6, 1.0),
        (100, 100, 1.0, 1.0),
        (30_500, 300_000, 0.1, 0.00241956),
        (300_000, 300_000, 0.1, 0.0),
    ],
)
def test_the_binomial_p_is_the_exact_one(right: int, count: int, chance: float, p: float) -> None:
    assert guessing.binomial_p(right, count, chance) == pytest.approx(p, rel=1e-3)


@given(st.integers(1, 40).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_a_binomial_test_against_a_coin_is_mcnemars(of: tuple[int, int]) -> None:
    from functions.register_model.mcnemar import Comparison

    right, count = of
    expected = Comparison(count - right, right).p if 2 * right > count else 1.0
    assert guessing.binomial_p(right, count, 0.5) == pytest.approx(expected)
