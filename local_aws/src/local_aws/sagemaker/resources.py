"""What SageMaker's resources with a name of their own have in common: records, Describe, List, Delete.

All of its list operations share one grammar (NameContains, CreationTimeAfter, SortBy, MaxResults, NextToken,
...), so each of them is one `Listing` value here instead of a function of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException, could_not_find
from local_aws.core.paging import page
from local_aws.sagemaker import tags

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

    @classmethod
    def of(
        cls, prefix: str, result: str = "", *, status: bool = False, descending: bool = True, **sort_keys: str
    ) -> Listing:
        """Of resources whose members begin with `prefix`, sorted by name, by status if they have one, ..."""
        keys = {"Name": f"{prefix}Name", **({"Status": f"{prefix}Status"} if status else {}), **sort_keys}
        return cls(
            result=result or f"{prefix}s",
            name=keys["Name"],
            sort_keys=keys,
            status=keys.get("Status", ""),
            descending=descending,
        )

    def answer(self, records: Iterable[Record], request: Mapping[str, Any]) -> Record:
        """The page of `records` which the request asks for, with a NextToken when more follow."""
        found = [record for record in records if self._wanted(record, request)]
        key = self.sort_keys.get(request.get("SortBy", ""), "CreationTime")
        order = request.get("SortOrder")
        found.sort(
            key=lambda record: record[key],
            reverse=self.descending if order is None else order == "Descending",
        )
        message = f"The NextToken {request.get('NextToken')!r} is not one this operation has answered."
        return page(self.result, found, request, DEFAULT_PAGE, ValidationException(message))

    def _wanted(self, record: Record, request: Mapping[str, Any]) -> bool:
        if request.get("NameContains", "").lower() not in record[self.name].lower():
            return False
        for member in request:
            key = self.status if member == "StatusEquals" else member.removesuffix("Equals")
            if member.endswith("Equals") and record.get(key) != request[member]:
                return False
        return all(
            (
                record[key] >= request.get(f"{key}After", record[key])
                and record[key] <= request.get(f"{key}Before", record[key])
            )
            for key in ("CreationTime", "LastModifiedTime")
            if key in record
        )


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The resources of one kind, each a record under its name."""

    kind: str
    """Of the records in the store, and in ARNs."""
    prefix: str
    """Of operations and members: "Endpoint" for DescribeEndpoint, EndpointName, EndpointArn, ..."""
    noun: str = ""
    """In SageMaker's messages."""
    listing: Listing
    missing: Callable[[str, str], AwsError] | None = None
    """Of name and ARN, where it is not "Could not find ..."."""
    taken: Callable[[str, str], AwsError] | None = None
    """Of name and ARN, where it is not "Cannot create already existing ..."."""
    busy: Callable[[Record], str] = str
    """Why a resource that is being changed cannot be changed now."""

    def register(self, svc: JsonService, aws: LocalAws) -> None:
        """Answer Describe and List."""
        svc.operation(f"Describe{self.prefix}")(lambda request: self.find(aws, request[f"{self.prefix}Name"]))
        svc.operation(f"List{self.prefix}s")(lambda request: self.listing.answer(self.all(aws), request))

    def all(self, aws: LocalAws) -> list[Record]:
        """All records, oldest first."""
        return aws.store.list(self.kind)

    def find(self, aws: LocalAws, name: str) -> Record:
        """The record. Raises SageMaker's answer for a resource that does not exist."""
        record = aws.store.get(self.kind, name)
        if record is None:
            arn = aws.arn(f"{self.kind}/{name}")
            raise self.missing(name, arn) if self.missing else could_not_find(self.noun, arn)
        return record

    def create(self, aws: LocalAws, record: Record, request: Record) -> None:
        """Store a new record and the request's tags. Raises SageMaker's answer for a name that is taken."""
        name, arn = record[f"{self.prefix}Name"], record[f"{self.prefix}Arn"]
        with aws.store.transaction():
            if not aws.store.create(self.kind, name, record):
                if self.taken:
                    raise self.taken(name, arn)
                raise ValidationException(f'Cannot create already existing {self.noun} "{arn}".')
            tags.put(aws, arn, request.get("Tags", []))

    def begin(self, aws: LocalAws, name: str, change: Callable[[Record], Record], *also_from: str) -> Record:
        """Take a settled resource into a busy status. Raises SageMaker's answer for a missing or busy one."""
        with aws.store.transaction():
            record = self.find(aws, name)
            if record[f"{self.prefix}Status"] not in ("InService", *also_from):
                raise ValidationException(self.busy(record))
            changed = {**change(record), "LastModifiedTime": aws.now()}
            changed.pop("FailureReason", None)
            aws.store.put(self.kind, name, changed)
        return changed

    def delete(self, aws: LocalAws, record: Record) -> None:
        """Forget a resource and its tags."""
        aws.store.delete(self.kind, record[f"{self.prefix}Name"])
        tags.forget(aws, record[f"{self.prefix}Arn"])
