"""`classifier cost`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from cli import answers
from cli.commands.options import json_option, with_target
from cli.console import say
from cli.cost.serving_hours import Served
from cli.cost.spending import Cost, look, some, usd_text
from cli.target import Target
from contract import prices


@click.command()
@with_target
@json_option
def cost(target: Target) -> None:
    """Show what was spent this month, what runs up cost now, and what is left when nothing runs."""
    found = look(target)
    if not answers.wrote(answers.Kind.COST, as_data(target, found)):
        say("\n".join(lines(target, found)))


def as_data(target: Target, cost: Cost) -> dict[str, Any]:
    """The look for programs."""
    return {
        "billed": not target.is_local,
        "prices": {"region": prices.PRICES_REGION, "date": prices.PRICES_DATE},
        "spent_usd": cost.spent_usd,
        "hourly_usd": cost.hourly_usd,
        "sleeping_version": cost.sleeper or None,
        **{key: value for key, value in asdict(cost).items() if key != "sleeper"},
    }


def lines(target: Target, cost: Cost) -> list[str]:
    """The look as lines to print."""
    table = f"on-demand prices of {prices.PRICES_REGION}, table of {prices.PRICES_DATE}"
    head = "Nothing is billed on this machine. On AWS this would be" if target.is_local else "This is"
    running = [job for job in cost.jobs if job.running]
    out = [f"{head} (at {table}):", ""]
    out.append(
        f"spent    {cost.spent_usd:10.2f} USD since {cost.month:%Y-%m-%d}: "
        f"{some(len(cost.jobs), 'training job')} with {sum(job.seconds for job in cost.jobs) / 3600:.2f} "
        f"billed hours{_serving(cost.served)}"
    )
    out += [f"           {line}" for line in _estimated(cost)]
    out.append(f"running  {cost.hourly_usd:10.3f} USD an hour")
    if cost.endpoint:
        each = usd_text(cost.endpoint.usd_per_hour)
        more = f" and {cost.endpoint.shadows} for a candidate" if cost.endpoint.shadows else ""
        out.append(
            f"           endpoint: {cost.endpoint.count} × {cost.endpoint.instance}{more}, {each} an hour"
        )
    out += [f"           {job.name}: {job.instance}, {usd_text(job.usd_per_hour)} an hour" for job in running]
    stored = cost.stored_gb * prices.S3_USD_PER_GB_MONTH
    out.append(
        f"idle     {0:10.3f} USD an hour when no job runs and the endpoint sleeps; {cost.stored_gb:.2f} GB "
        f"in S3 are {stored:.2f} USD a month; {cost.watching}"
    )
    if cost.sleeper:
        out.append(f"Version {cost.sleeper} sleeps: a picture or `{target.command('wake')}` wakes it.")
    elif cost.endpoint:
        out.append(f"To take the endpoint away until it is needed: {target.command('sleep')}")
    unknown = {job.instance for job in cost.jobs if job.usd is None}
    if cost.served and cost.served.usd is None:
        unknown.add(cost.served.fleet.instance)
    if unknown:
        out.append(f"The price table does not know {', '.join(sorted(unknown))}: those are left out.")
    return out


def _serving(served: Served | None) -> str:
    if served is None or not served.periods:
        return ", and no endpoint"
    if not served.fleet.instance:
        return f", and a serverless endpoint in {some(len(served.periods), 'period')}"
    return (
        f", and {served.instance_hours:.2f} hours of {served.fleet.instance} for the endpoint in "
        f"{some(len(served.periods), 'period')}"
    )


def _estimated(cost: Cost) -> list[str]:
    """What the endpoint's hours are worked out from, and what they leave out."""
    served = cost.served
    if served is None or not served.periods:
        return []
    since = (
        f"known since {served.known_since:%Y-%m-%d %H:%M} UTC; " if served.known_since > cost.month else ""
    )
    if not served.fleet.instance:
        return [f"({since}a serverless endpoint is billed by the milliseconds it answers: not in it)"]
    return [
        f"(the endpoint's hours are an estimate: {since}from the champion's decisions and the stack's "
        f"events, with as many instances as each hour's requests show, and {served.fleet.least} in hours "
        "without; a release's second fleet is not in it)"
    ]
