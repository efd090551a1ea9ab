"""What the endpoint will be billed by the hour, in words for `cdk deploy` to print.

From the project's one price table, contract/prices.py, which the launchers' cost guard uses too.
"""

from __future__ import annotations

from contract import prices
from stacks.settings.serving import SERVERLESS, ServingSettings


def statement(serving: ServingSettings) -> str:
    """What is billed while a model serves, and that nothing is while none does."""
    if serving.flavour == SERVERLESS:
        return "Nothing by the hour: a serverless endpoint is billed for the milliseconds it answers."
    least = 0 if serving.scale_to_zero else serving.min_instances
    what = f"{least} to {serving.max_instances} x {serving.instance}"
    idle = "Nothing without a model or asleep"
    if serving.idle_minutes and not serving.scale_to_zero:
        idle += f", which it is after {serving.idle_minutes} minutes without a request"
    try:
        price = prices.price_of(serving.instance, prices.HOSTING)
    except prices.UnknownPrice as error:
        return f"While a model serves: {what}; {error}. {idle}."
    low, high = least * price.usd_per_hour, serving.max_instances * price.usd_per_hour
    estimated = "estimated, " if price.estimated else ""
    return (
        f"While a model serves: {what}, {low:.3f} to {high:.3f} USD an hour "
        f"({estimated}{prices.PRICES_REGION}, table of {prices.PRICES_DATE}). {idle}."
    )


def comparison(serving: ServingSettings) -> str:
    """What a candidate costs at most before it serves, where models are compared."""
    hours, count = serving.shadow.hours, serving.min_instances
    more = (
        f"While an approved model is compared with the champion: {count} x {serving.instance} more, for "
        f"{hours} hours at most"
    )
    try:
        price = prices.price_of(serving.instance, prices.HOSTING)
    except prices.UnknownPrice as error:
        return f"{more}; {error}."
    return f"{more}, {hours * count * price.usd_per_hour:.2f} USD."
