"""Quotas of the instances that serve and train.

An update of an endpoint brings the new fleet up beside the old one, so each needs room twice, and so does a
candidate that is compared with the champion beside it (docs/shadow.md). Of several
types the first with a quota is taken, by the launchers and promote-model as here. What else runs in the
account uses the same quotas and is not counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.quotas import Need, Quotas, lines
from cli.check.wanted import Launch, Wanted

ALL_ENDPOINTS = "Number of instances across active endpoints"
ONE_ENDPOINT = "Maximum number of instances per endpoint"
ALL_TRAINING = "Number of instances across all training jobs"
ALL_SPOT_TRAINING = "Number of instances across all spot training jobs"
SERVERLESS_ENDPOINTS = "Maximum number of serverless endpoints"
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
SERVERLESS_MEMORY = "Memory size in MB per serverless endpoint"
"""A limit that CreateEndpoint keeps to and Service Quotas does not list."""
NEW_ACCOUNT_MEMORY_MB = 3072
_endpoint_quota = "{} for endpoint usage".format
_training_quota = "{} for training job usage".format
_spot_quota = "{} for spot training job usage".format
BLUE_GREEN = 2


def of_endpoint(look: Look) -> Iterator[Line]:
    """Room for the endpoint, for its update, and for its update when scaled out or beside a candidate."""
    wanted, quotas = look.wanted, look.sagemaker_quotas
    if not wanted.endpoint_types:
        yield from _of_serverless(look)
        return
    least = wanted.min_instances
    chosen = _first(quotas, wanted.endpoint_types, least, _endpoint_quota)
    most, how = _at_its_most(wanted, chosen)
    update = "the endpoint and the new fleet beside it when it is updated"
    later = f"an update while it is {how}" if how else update
    twice = Need(ALL_ENDPOINTS, BLUE_GREEN * least, update, BLUE_GREEN * most, later)
    alone = Need(ONE_ENDPOINT, least, "one endpoint", most, f"one endpoint while it is {how}", quiet=True)
    of_type = replace(twice, quota=_endpoint_quota(chosen), others=_others(wanted.endpoint_types, chosen))
    yield from lines(Code.ENDPOINT_QUOTA, quotas, [of_type, twice, alone])


def _at_its_most(wanted: Wanted, chosen: str) -> tuple[int, str]:
    """How many instances of a type the endpoint ever has, and what it is then; empty where it has always so
    many.
    """
    least = wanted.min_instances
    scaled_out = least if chosen in wanted.fixed_types else wanted.max_instances
    states = [f"scaled out to {scaled_out}"] if scaled_out > least else []
    states += ["compared with a candidate"] if wanted.shadow_instances else []
    return scaled_out + wanted.shadow_instances, " and ".join(states)


def _of_serverless(look: Look) -> Iterator[Line]:
    """Room for a serverless endpoint, which is updated in its place."""
    one = Need(SERVERLESS_ENDPOINTS, 1, "the serverless endpoint")
    requests = look.wanted.serverless_concurrency
    together = Need(SERVERLESS_CONCURRENCY, requests, "the requests it answers at a time")
    yield from lines(Code.ENDPOINT_QUOTA, look.sagemaker_quotas, [one, together])
    memory = look.wanted.serverless_memory_mb
    if memory > NEW_ACCOUNT_MEMORY_MB:
        yield Line(
            Code.ENDPOINT_QUOTA,
            Status.UNKNOWN,
            f'"{SERVERLESS_MEMORY}", which AWS does not list',
            f"a new account has {NEW_ACCOUNT_MEMORY_MB} and the settings want {memory}",
            f'set "serverless_memory_mb" to {NEW_ACCOUNT_MEMORY_MB}, or ask for more: '
            f"{look.sagemaker_quotas.console}/support/home#/case/create",
        )


def of_training(look: Look) -> Iterator[Line]:
    """Room for what is going to run; where that is not said, for one training on the settings' type, and what
    each recipe would run.
    """
    quotas, types = look.sagemaker_quotas, look.wanted.training_types
    runs = list(_of_launches(quotas, look.wanted.launches))
    if any(each.asked_for for each in look.wanted.launches):
        yield from lines(Code.TRAINING_QUOTA, quotas, runs)
        return
    chosen = _first(quotas, types, 1, _training_quota)
    one = Need(
        _training_quota(chosen), 1, "a training job on the settings' type", others=_others(types, chosen)
    )
    yield from lines(Code.TRAINING_QUOTA, quotas, [one, *runs])


def of_launch(look: Look) -> Iterator[Line]:
    """Room for the run that is about to be started."""
    if not look.wanted.launches:
        yield Line(
            Code.TRAINING_QUOTA,
            Status.UNKNOWN,
            "what the run would have at a time",
            "the deployed launcher does not say it yet",
            look.target.command("up"),
        )
    quotas = look.sagemaker_quotas
    yield from lines(Code.TRAINING_QUOTA, quotas, _of_launches(quotas, look.wanted.launches))


def _first(quotas: Quotas, types: Sequence[str], needed: int, name_of: Callable[[str], str]) -> str:
    """The type that will be taken; where none has a quota, the first choice."""
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


def _of_launches(quotas: Quotas, launches: Iterable[Launch]) -> Iterator[Need]:
    """What the runs need of the quotas they use: that of their type, and that of all types together.

    Those that need the same of the same quota are named in one breath.
    """
    found: dict[tuple[str, str, int, bool], list[str]] = {}
    for each in launches:
        total = ALL_SPOT_TRAINING if each.spot else ALL_TRAINING
        of_type = _spot_quota if each.spot else _training_quota
        chosen = _first(quotas, each.types, each.instances, of_type)
        for name, others in ((of_type(chosen), _others(each.types, chosen)), (total, "")):
            found.setdefault((name, others, each.instances, each.asked_for), []).append(each.name)
    for (name, others, instances, asked_for), names in found.items():
        what = f"the trials at a time of {', '.join(names)}"
        yield Need(name, instances if asked_for else 0, what, later=instances, others=others)
