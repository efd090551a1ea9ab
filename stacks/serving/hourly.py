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
        f"{_comparison(serving, price.usd_per_hour)}"
    )


def _comparison(serving: ServingSettings, usd_per_hour: float) -> str:
    """What a candidate costs at most before it serves, where it is compared."""
    if not serving.shadows:
        return ""
    hours, count = serving.shadow.hours, serving.min_instances
    return (
        f" While an approved model is compared: {count} x {serving.instance} more, for {hours} hours at "
        f"most: {hours * count * usd_per_hour:.2f} USD."
    )
