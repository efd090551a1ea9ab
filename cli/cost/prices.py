"""What the price table (contract/prices.py) says, in a command's words."""

from __future__ import annotations

from contract.prices import (
    PRICES_DATE,
    PRICES_REGION,
    S3_USD_PER_1000_PUTS,
    S3_USD_PER_GB_MONTH,
    S3_USD_PER_GB_OUT,
    UnknownPrice,
    hourly_usd,
)


def hourly_or_none(instance_type: str, kind: str) -> float | None:
    """USD an hour, or None for an instance that the table does not know."""
    try:
        return hourly_usd(instance_type, kind)
    except UnknownPrice:
        return None


def of_storing(objects: int, gigabytes: float) -> str:
    """What S3 bills for new objects, to follow what they are in a sentence."""
    sent, kept = objects / 1000 * S3_USD_PER_1000_PUTS, gigabytes * S3_USD_PER_GB_MONTH
    return (
        f", {gigabytes:.3f} GB, to S3: {_usd(sent)} once for the requests, and {_usd(kept)} a month for as "
        f"long as they are stored ({PRICES_REGION}, table of {PRICES_DATE})."
    )


def of_fetching(gigabytes: float) -> str:
    """What AWS bills for bytes that leave it, to follow what they are in a sentence."""
    billed = _usd(gigabytes * S3_USD_PER_GB_OUT)
    return (
        f", for at most {billed} ({PRICES_REGION}, table of {PRICES_DATE}; an account's first 100 GB of a "
        "month are free)."
    )


def _usd(usd: float) -> str:
    """A sum that may be far below a cent."""
    return f"{usd:.2f} USD" if usd >= 0.01 or not usd else "less than 0.01 USD"
