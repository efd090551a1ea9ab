"""Quotas of the instances that serve and train.

An update of an endpoint brings the new fleet up beside the old one, so each needs room twice. Of several
types the first with a quota is chosen, by the launchers and promote-model as here. What else runs in the
account uses the same quotas and is not counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.quotas import Quotas
from cli.check.wanted import Launch

ALL_ENDPOINTS = "Number of instances across active endpoints"
ONE_ENDPOINT = "Maximum number of instances per endpoint"
ALL_TRAINING = "Number of instances across all training jobs"
ALL_SPOT_TRAINING = "Number of instances across all spot training jobs"
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
BLUE_GREEN = 2


def of_endpoint(look: Look) -> Iterator[Line]:
    """Room for the endpoint, for its update, and for its update when scaled out."""
    wanted, quotas = look.wanted, look.sagemaker_quotas
    if not wanted.endpoint_types:
        need = _Need(Code.ENDPOINT_QUOTA, wanted.serverless_concurrency, "the serverless endpoint's requests")
        yield from need.lines(quotas, SERVERLESS_CONCURRENCY)
        return
    least = wanted.min_instances
    chosen = _first(quotas, wanted.endpoint_types, least, _endpoint_quota)
    most = least if chosen in wanted.fixed_types else wanted.max_instances
    update = "the endpoint and the new fleet beside it when it is updated"
    need = _Need(
        Code.ENDPOINT_QUOTA,
        BLUE_GREEN * least,
        update,
        later=BLUE_GREEN * most,
        later_for=f"an update while it is scaled out to {most}" if most > least else update,
    )
    yield from need.lines(quotas, _endpoint_quota(chosen), others=_others(wanted.endpoint_types, chosen))
    yield from need.lines(quotas, ALL_ENDPOINTS)
    alone = _Need(Code.ENDPOINT_QUOTA, least, "one endpoint", later=most, later_for=f"scaling out to {most}")
    yield from alone.lines(quotas, ONE_ENDPOINT, quiet=True)


def of_training(look: Look) -> Iterator[Line]:
    """Room for one training on the settings' type, and for what the recipes run."""
    quotas, types = look.sagemaker_quotas, look.wanted.training_types
    chosen = _first(quotas, types, 1, _training_quota)
    one = _Need(Code.TRAINING_QUOTA, 1, "a training job on the settings' type")
    yield from one.lines(quotas, _training_quota(chosen), others=_others(types, chosen))
    for name, launches in _by_quota(quotas, look.wanted.launches).items():
        for asked_for in (True, False):
            some = [each for each in launches if each.asked_for is asked_for]
            if some:
                yield from _of_recipes(look.sagemaker_quotas, name, some, asked_for)


def of_launch(look: Look) -> Iterator[Line]:
    """Room for the run that is about to be started."""
    if not look.wanted.launches:
        yield Line(
            Code.TRAINING_QUOTA,
            Status.UNKNOWN,
            "what the run would have at a time",
            "the deployed launcher does not say it yet",
            f"classifier up{look.target.option}",
        )
    for name, launches in _by_quota(look.sagemaker_quotas, look.wanted.launches).items():
        yield from _of_recipes(look.sagemaker_quotas, name, launches, True)


def _first(quotas: Quotas, types: Sequence[str], needed: int, name_of: Callable[[str], str]) -> str:
    """The type that will be chosen; where none has a quota, the first choice."""
    for each in types:
        quota = quotas.get(name_of(each))
        if quota is not None and quota.value >= needed:
            return each
    return types[0]


def _others(types: Sequence[str], chosen: str) -> str:
    """In words, what becomes of the other types of a list."""
    before, after = types[: types.index(chosen)], types[types.index(chosen) + 1 :]
    if before:
        return f"taken for want of a quota for {', '.join(before)}"
    return f"or as many of {', '.join(after)}" if after else ""


def _endpoint_quota(instance_type: str) -> str:
    return f"{instance_type} for endpoint usage"


def _training_quota(instance_type: str) -> str:
    return f"{instance_type} for training job usage"


def _spot_quota(instance_type: str) -> str:
    return f"{instance_type} for spot training job usage"


def _by_quota(quotas: Quotas, launches: Iterable[Launch]) -> dict[str, list[Launch]]:
    """The runs by the quotas they use: that of their type, and that of all types together."""
    found: dict[str, list[Launch]] = {}
    for each in launches:
        total = ALL_SPOT_TRAINING if each.spot else ALL_TRAINING
        of_type = _spot_quota if each.spot else _training_quota
        for name in (of_type(_first(quotas, each.types, each.instances, of_type)), total):
            found.setdefault(name, []).append(each)
    return found


def _of_recipes(quotas: Quotas, name: str, launches: list[Launch], asked_for: bool) -> Iterator[Line]:
    most = max(each.instances for each in launches)
    who = ", ".join(each.name for each in launches)
    need = _Need(
        Code.TRAINING_QUOTA,
        most if asked_for else 0,
        f"the trials at a time of {who}",
        later=most,
        later_for=f"the trials at a time of {who}",
    )
    yield from need.lines(quotas, name)


class _Need:
    """So many of something: now, or it is wrong; and later, or that is said."""

    def __init__(self, code: Code, now: int, what: str, *, later: int = 0, later_for: str = "") -> None:
        self._code, self._now, self._what = code, now, what
        self._later, self._later_for = max(later, now), later_for or what

    def lines(self, quotas: Quotas, name: str, *, quiet: bool = False, others: str = "") -> Iterator[Line]:
        """What one quota says to that; nothing where it is enough and `quiet`.

        Args:
            others: what is said besides of other types that would do.
        """
        also = f" ({others})" if others else ""
        quota = quotas.get(name)
        if quota is None:
            status = Status.UNKNOWN if self._now else Status.LATER
            why = "AWS lists no quota of that name in this region: it may not have the instance type"
            yield Line(self._code, status, f'"{name}"', why, f"{quotas.console}/servicequotas/home")
        elif quota.value < self._now:
            why = f"{self._now} are needed for {self._what}{also}"
            more = quotas.more(quota, max(self._now, 1))
            yield Line(self._code, Status.WRONG, quota.shown, why, more)
        elif quota.value < self._later:
            why = f"{self._later} are needed for {self._later_for}"
            yield Line(self._code, Status.LATER, quota.shown, why, quotas.more(quota, self._later))
        elif not quiet:
            yield Line(self._code, Status.OK, f"{quota.shown}; {self._later} for {self._later_for}{also}")
