"""An account's quotas of one service, looked up by the names AWS gives them.

ListServiceQuotas leaves out what has no applied value, and an account that was never granted anything has
few; ListAWSDefaultServiceQuotas has the rest. Codes differ from quota to quota and say nothing, so a quota is
found by its name: "ml.c7i.large for endpoint usage".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cli.check.identity import Identity
from cli.target import Target


@dataclass(frozen=True)
class Quota:
    """How much of something the account may have at a time."""

    name: str
    value: float
    code: str

    @property
    def shown(self) -> str:
        return f'"{self.name}" is {self.value:g}'


@dataclass(frozen=True)
class Quotas:
    """All quotas of a service, by name."""

    service: str
    console: str
    by_name: Mapping[str, Quota]

    @classmethod
    def read(cls, target: Target, who: Identity, service: str) -> Quotas:
        """Both of AWS's lists; what was applied to the account is taken before the default."""
        client = target.client("service-quotas", retries={"mode": "adaptive", "total_max_attempts": 8})
        found: dict[str, Quota] = {}
        for listing in ("list_aws_default_service_quotas", "list_service_quotas"):
            for page in client.get_paginator(listing).paginate(ServiceCode=service):
                for each in page["Quotas"]:
                    name = each["QuotaName"]
                    found[name] = Quota(name, float(each.get("Value", 0)), each["QuotaCode"])
        return cls(service, who.console, found)

    def get(self, name: str) -> Quota | None:
        """The quota of a name; None where AWS has none, which says that there is no such thing here."""
        return self.by_name.get(name)

    def more(self, quota: Quota, wanted: int) -> str:
        """How to ask for more of it."""
        return (
            f"aws service-quotas request-service-quota-increase --service-code {self.service} --quota-code "
            f"{quota.code} --desired-value {wanted} ({self.console}/servicequotas/home/services/"
            f"{self.service}/quotas/{quota.code})"
        )
