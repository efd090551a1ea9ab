"""An account's quotas of one service, looked up by the names AWS gives them, and what is needed of them.

ListServiceQuotas leaves out what has no applied value, and an account that was never granted anything has
few; ListAWSDefaultServiceQuotas has the rest. Codes differ from quota to quota and say nothing, so a quota is
found by its name: "ml.c7i.large for endpoint usage".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.aws import listed
from cli.check.identity import Identity
from cli.check.line import Code, Line, Status
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
            for each in listed(client, listing, "Quotas", ServiceCode=service):
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


@dataclass(frozen=True)
class Need:
    """So many of a quota: now, or it is wrong; and later, or that is said."""

    quota: str
    """Its name."""
    now: int
    what: str
    later: int = 0
    later_for: str = ""
    others: str = ""
    """What is said besides of other types that would do."""
    quiet: bool = False
    """Whether nothing is said where it is enough."""

    @property
    def most(self) -> int:
        return max(self.now, self.later)

    @property
    def most_for(self) -> str:
        return self.later_for or self.what


def lines(code: Code, quotas: Quotas, needs: Iterable[Need]) -> Iterator[Line]:
    """What the quotas say to all of it: a line for each, in the order in which they are needed first."""
    by_quota: dict[str, list[Need]] = {}
    for each in needs:
        by_quota.setdefault(each.quota, []).append(each)
    for name, some in by_quota.items():
        yield from _of_one(code, quotas, name, some)


def _of_one(code: Code, quotas: Quotas, name: str, needs: Sequence[Need]) -> Iterator[Line]:
    now, most = max(each.now for each in needs), max(each.most for each in needs)
    quota = quotas.get(name)
    if quota is None:
        status = Status.UNKNOWN if now else Status.LATER
        why = "AWS lists no quota of that name in this region: it may not have the instance type"
        yield Line(code, status, f'"{name}"', why, f"{quotas.console}/servicequotas/home")
    elif quota.value < now:
        why = f"{_verb(now)} needed for {_now(quota, needs)}{_later(now, needs)}{_others(needs)}"
        yield Line(code, Status.WRONG, quota.shown, why, quotas.more(quota, now))
    elif quota.value < most:
        short = [(each.most, each.most_for) for each in needs if each.most > quota.value]
        why = f"{_verb(most)} needed for {_listed(short)}"
        yield Line(code, Status.LATER, quota.shown, why, quotas.more(quota, most))
    elif not all(each.quiet for each in needs):
        uses = _listed([(each.most, each.most_for) for each in needs])
        yield Line(code, Status.OK, f"{quota.shown}; {most} for {uses}{_others(needs)}")


def _now(quota: Quota, needs: Iterable[Need]) -> str:
    return _listed([(each.now, each.what) for each in needs if each.now > quota.value])


def _later(now: int, needs: Iterable[Need]) -> str:
    """What is going to be needed beyond that."""
    beyond = [(each.most, each.most_for) for each in needs if each.most > now]
    return f"; later {max(beyond)[0]} for {_listed(beyond)}" if beyond else ""


def _others(needs: Iterable[Need]) -> str:
    return "".join(f" ({each})" for each in dict.fromkeys(need.others for need in needs) if each)


def _listed(uses: Sequence[tuple[int, str]]) -> str:
    """The uses, the greatest first, whose number stands before the list already."""
    first, *rest = sorted(dict.fromkeys(uses), key=lambda use: -use[0])
    return ", ".join([first[1], *(f"{number} for {what}" for number, what in rest)])


def _verb(number: int) -> str:
    return f"{number} is" if number == 1 else f"{number} are"
