"""How a List* operation filters, sorts and pages its records.

All of SageMaker's list operations share one grammar (NameContains, CreationTimeAfter, SortBy, MaxResults,
NextToken, ...), so each of them is one `Listing` value here instead of a function of its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.core.errors import ValidationException

Record = dict[str, Any]

# The API's own default and maximum ("MaxResults ... The default value is 10", valid range 1-100).
DEFAULT_PAGE = 10


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One List* operation: under which key it answers and by which keys of a record it sorts and filters."""

    result: str
    """The answer's list, e.g. ``Models``."""
    name: str
    """The record's key which NameContains looks into."""
    sort_keys: Mapping[str, str] = field(default_factory=dict)
    """SortBy value → record key; ``CreationTime`` sorts when the request names none."""
    status: str = ""
    """The record's key which StatusEquals is compared with."""
    descending: bool = True
    """The order when the request names none."""

    def answer(self, records: Iterable[Record], request: Mapping[str, Any]) -> Record:
        """The page of `records` which the request asks for, with a NextToken when more follow."""
        found = [record for record in records if self._wanted(record, request)]
        key = self.sort_keys.get(request.get("SortBy", ""), "CreationTime")
        order = request.get("SortOrder")
        found.sort(
            key=lambda record: record[key],
            reverse=self.descending if order is None else order == "Descending",
        )
        start = _offset(request.get("NextToken"))
        end = start + request.get("MaxResults", DEFAULT_PAGE)
        page: Record = {self.result: found[start:end]}
        if end < len(found):
            page["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
        return page

    def _wanted(self, record: Record, request: Mapping[str, Any]) -> bool:
        if request.get("NameContains", "").lower() not in record[self.name].lower():
            return False
        if self.status and record[self.status] != request.get("StatusEquals", record[self.status]):
            return False
        return all(
            (
                record[key] >= request.get(f"{key}After", record[key])
                and record[key] <= request.get(f"{key}Before", record[key])
            )
            for key in ("CreationTime", "LastModifiedTime")
            if key in record
        )


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return max(0, int(base64.urlsafe_b64decode(token)))
    except (ValueError, binascii.Error) as error:
        raise ValidationException(
            f"The NextToken {token!r} is not one this operation has answered."
        ) from error
