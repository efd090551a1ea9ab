"""The project's one price table (lambda/common/prices.py), which the launchers' cost guard uses too.

It has no other way out of the functions' folder: copied figures would differ one day.
"""

from __future__ import annotations

import sys

from cli.target import ROOT

sys.path.append(str(ROOT / "lambda"))

from common.prices import (
    ALARM_USD_PER_MONTH,
    DASHBOARD_USD_PER_MONTH,
    FIREWALL_RULE_USD_PER_MONTH,
    FIREWALL_USD_PER_MONTH,
    FREE_ALARMS,
    FREE_DASHBOARDS,
    HOSTING,
    PRICES_DATE,
    PRICES_REGION,
    S3_USD_PER_1000_PUTS,
    S3_USD_PER_GB_MONTH,
    TRAINING,
    UnknownPrice,
    hourly_usd,
    price_of,
    volume_usd,
)


def hourly_or_none(instance_type: str, kind: str) -> float | None:
    """USD an hour, or None for an instance that the table does not know."""
    try:
        return hourly_usd(instance_type, kind)
    except UnknownPrice:
        return None


__all__ = [
    "ALARM_USD_PER_MONTH",
    "DASHBOARD_USD_PER_MONTH",
    "FIREWALL_RULE_USD_PER_MONTH",
    "FIREWALL_USD_PER_MONTH",
    "FREE_ALARMS",
    "FREE_DASHBOARDS",
    "HOSTING",
    "PRICES_DATE",
    "PRICES_REGION",
    "S3_USD_PER_1000_PUTS",
    "S3_USD_PER_GB_MONTH",
    "TRAINING",
    "UnknownPrice",
    "hourly_or_none",
    "hourly_usd",
    "price_of",
    "volume_usd",
]
