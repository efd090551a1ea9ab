"""The judges of the fault campaign: each wrong thing is found, and nothing right is called wrong."""

from __future__ import annotations

import pytest

from benchmarks.faults import parse
from benchmarks.faults_judged import (
    KINDS,
    Found,
    Job,
    Ledger,
    draw,
    summary,
    wrong_champion,
    wrong_job,
    wrong_search,
)
from benchmarks.faults_kills import PLAN

DONE = Job("job", "Completed", artifact=True)
FAILED = Job("job", "Failed", "AlgorithmError, exit code: 137")


def test_thirty_moments_are_drawn_the_same_each_time_and_hit_everybody() -> None:
    moments = draw(PLAN, seed=13)
    assert len(moments) == 30
    assert moments == draw(PLAN, seed=13)
    assert moments != draw(PLAN, seed=14)
    assert {moment.victim for moment in moments} == {"server", "job", "endpoint", "CLI"}
    for moment in moments:
        assert 0 <= moment.seconds <= PLAN[moment.phase, moment.victim][1]


def refuse(_key: str, _value: str) -> None:
    raise ConnectionError


def test_an_acknowledged_write_that_is_gone_is_lost() -> None:
    ledger, store = Ledger(), {}
    assert ledger.write("a", "1", store.__setitem__)
    assert ledger.write("b", "1", store.__setitem__)
    assert ledger.lost(store) == []
    del store["a"]
    store["b"] = "something else"
    assert ledger.lost(store) == ["a", "b"]


def test_a_write_that_was_not_acknowledged_may_be_there_or_not() -> None:
    ledger, store = Ledger(), {}
    ledger.write("a", "1", store.__setitem__)
    assert not ledger.write("a", "2", refuse)
    assert not ledger.write("never", "1", refuse)
    for found in ({"a": "1"}, {"a": "2"}, {"a": "1", "never": "1"}):
        assert ledger.lost(found) == []


def test_a_value_from_before_the_acknowledged_one_is_a_lost_write() -> None:
    ledger, store = Ledger(), {}
    ledger.write("a", "1", store.__setitem__)
    ledger.write("a", "tried", refuse)
    ledger.write("a", "2", store.__setitem__)
    assert ledger.lost({"a": "1"}) == ["a"]
    assert ledger.lost({"a": "tried"}) == ["a"]


@pytest.mark.parametrize(
    ("job", "what"),
    [
        (Job("job", "Completed"), "no artifact"),
        (Job("job", "Failed"), "without a reason"),
        (Job("job", "Stopped"), "called Stopped"),
    ],
)
def test_a_job_that_ended_otherwise_than_it_says_is_found(job: Job, what: str) -> None:
    assert what in wrong_job(job, killed=True)


def test_jobs_that_ended_as_they_say_are_right() -> None:
    for job in (DONE, FAILED, Job("job", "InProgress")):
        assert wrong_job(job, killed=True) == ""
    assert wrong_job(Job("job", "Stopped"), killed=False) == ""


def test_a_search_is_judged_by_its_trials() -> None:
    assert wrong_search("Completed", [FAILED], server_killed=False)
    assert wrong_search("Failed", [DONE, FAILED], server_killed=False)
    assert not wrong_search("Failed", [DONE, FAILED], server_killed=True)
    assert not wrong_search("Completed", [DONE, FAILED], server_killed=False)
    assert not wrong_search("Failed", [FAILED, FAILED], server_killed=False)


def test_parameter_registry_stack_and_api_have_to_agree() -> None:
    assert wrong_champion("arn/7", "Approved", "arn/7", "7") == ""
    for story in (
        ("arn/8", "Approved", "arn/7", "7"),
        ("arn/7", "Rejected", "arn/7", "7"),
        ("arn/7", "Approved", "arn/7", "6"),
        ("arn/7", "Approved", "arn/7", ""),
    ):
        assert wrong_champion(*story)


def test_the_summary_adds_up_what_was_found() -> None:
    found = Found()
    found.add("stuck", ["a", "", "b"])
    found.add("wrong_outcomes", [""])
    assert found.lines == ["stuck: a", "stuck: b"]
    rows = [
        {"system": "server", **found.counts},
        {"system": "cold search", **found.counts, "failed_trials": 1},
    ]
    assert summary(rows) == dict.fromkeys(KINDS, 0) | {"stuck": 4, "failed_trials": 1}


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--parts", "kills,nonsense"])
    assert "no part is called nonsense" in capsys.readouterr().err
