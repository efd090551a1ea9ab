"""The candidate parameter: which approved model answers a copy of the traffic before it may serve.

Each version of the SSM parameter `/<project>/candidate` says one thing: a model began to be compared with the
champion (the value is its package), or a comparison ended (the value is `none`). The description is JSON on
one line, written and read here only. So the parameter's history also says which models were compared before,
as the champion's says which served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.decisions import BY_HAND, TIME, Outcome, Reason, fitted, texts_of, time_of
from contract.names import NO_CHAMPION

VERDICT_KEY = "shadow"
"""In a training's verdict.json: what the comparison found."""


@dataclass(frozen=True)
class Candidate:
    """One version of the candidate parameter."""

    version: int
    package: str
    """The model package's ARN, or `none`: the parameter's value."""
    since: str = ""
    """When it was approved, in the form of `Decision.time`."""
    ended: str = ""
    """The package whose comparison ended with this version; only with `none`."""
    reason: Reason = BY_HAND
    written: str = ""
    """When this version was written: the comparison begins or ends."""

    @property
    def shadows(self) -> bool:
        """Whether a model is to be compared."""
        return self.package != NO_CHAMPION

    def text(self) -> str:
        """The description that `of_version` reads."""
        document = {"code": self.reason.outcome.value}
        document |= {"since": self.since} if self.since else {}
        document |= {"ended": self.ended} if self.ended else {}
        return fitted(document, self.reason.why)

    @classmethod
    def of_version(cls, entry: Mapping[str, Any]) -> Candidate:
        """The candidate in one entry of GetParameterHistory's answer.

        A person's own put-parameter counts from when it was written.
        """
        version, package = int(entry["Version"]), str(entry["Value"])
        written = time_of(entry["LastModifiedDate"])
        document = texts_of(entry.get("Description", "")) or {}
        code, since = document.get("code", ""), document.get("since", "")
        if code not in set(Outcome):
            return cls(version, package, written, written=written)
        return cls(
            version,
            package,
            since if re.fullmatch(TIME, since) else written,
            document.get("ended", "") if package == NO_CHAMPION else "",
            Reason(Outcome(code), document.get("why", "")),
            written,
        )


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The one that counts last: by their approvals' times, and of one approval the later written.

    The version that was made with the parameter says nothing of an approval.
    """
    return sorted(
        candidates, key=lambda each: (each.since if each.shadows or each.ended else "", each.version)
    )
