"""What it will cost: by the hour as it stands, and the first search at most."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.wanted import Wanted
from contract import prices


def check(look: Look) -> Iterator[Line]:
    yield Line(Code.COST, Status.OK, f"nothing by the hour until a model is promoted; then {_endpoint(look)}")
    launches = look.wanted.launches
    priced = {each.name: each.most_usd for each in launches if each.most_usd is not None}
    if priced:
        cheapest_first = sorted(priced.items(), key=lambda each: each[1])
        most = ", ".join(f"{name} {usd:.2f}" for name, usd in cheapest_first)
        table = f"on demand in {prices.PRICES_REGION}, table of {prices.PRICES_DATE}"
        yield Line(Code.COST, Status.OK, f"a first search costs at most, in USD: {most} ({table})")
    if look.wanted.retrain_usd_month:
        by_itself = (
            f"searches that start by themselves cost at most {look.wanted.retrain_usd_month} USD a month"
        )
        yield Line(Code.COST, Status.OK, f"{by_itself} (retrain.max_cost_usd_month)")
    unpriced = [each.name for each in launches if each.most_usd is None]
    if unpriced:
        why = "the price table does not have their instance types"
        mend = "set [resources] usd_per_hour in the recipe (https://aws.amazon.com/sagemaker/ai/pricing/)"
        yield Line(Code.COST, Status.UNKNOWN, f"what {', '.join(unpriced)} cost", why, mend)


def _endpoint(look: Look) -> str:
    wanted = look.wanted
    if not wanted.endpoint_types:
        return "by the millisecond of a request (serverless)"
    return ", or ".join(_fleet(wanted, each) for each in wanted.endpoint_types)


def _fleet(wanted: Wanted, instance_type: str) -> str:
    most = wanted.min_instances if instance_type in wanted.fixed_types else wanted.max_instances
    number = str(most) if most == wanted.min_instances else f"{wanted.min_instances} to {most}"
    fleet = f"{number} × {instance_type}"
    try:
        each = prices.hourly_usd(instance_type, prices.HOSTING)
    except prices.UnknownPrice:
        return f"{fleet}, whose price the table does not have"
    least = f"{wanted.min_instances * each:.3f}"
    return (
        f"{least} USD ({fleet})"
        if most == wanted.min_instances
        else f"{least} to {most * each:.3f} USD ({fleet})"
    )
