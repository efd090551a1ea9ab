"""The candidate parameter, and its history as the log of comparisons (contract/candidates.py).

As with the champion, the newest approval wins, whichever handler writes last: an end counts with the time of
the approval that it ends.
"""

from __future__ import annotations

from contract.candidates import Candidate, in_order
from contract.decisions import Outcome, Reason
from contract.names import NO_CHAMPION
from functions.common.clients import client


def history(parameter: str) -> list[Candidate]:
    """All that is still known (SSM keeps a hundred versions), the one that counts last."""
    pages = client("ssm").get_paginator("get_parameter_history").paginate(Name=parameter)
    return in_order(Candidate.of_version(entry) for page in pages for entry in page["Parameters"])


def current(parameter: str) -> Candidate:
    """The candidate that counts."""
    return history(parameter)[-1]


def settle(parameter: str) -> Candidate:
    """The candidate that counts, after seeing to it that its package is the parameter's value."""
    versions = history(parameter)
    newest, latest = versions[-1], max(versions, key=lambda each: each.version)
    if latest.package != newest.package:
        _put(parameter, newest)
    return newest


def begin(parameter: str, package: str, since: str) -> Candidate:
    """Let a package be compared that was approved at this time; the candidate that counts then."""
    _put(parameter, Candidate(0, package, since, reason=Reason(Outcome.APPROVED)))
    return settle(parameter)


def end(parameter: str, now: Candidate, reason: Reason) -> Candidate:
    """End a comparison, or try once more to."""
    _put(parameter, Candidate(0, NO_CHAMPION, now.since, now.ended or now.package, reason))
    return settle(parameter)


def _put(parameter: str, candidate: Candidate) -> None:
    client("ssm").put_parameter(
        Name=parameter, Value=candidate.package, Type="String", Overwrite=True, Description=candidate.text()
    )
