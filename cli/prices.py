"""The project's one price table (lambda/common/prices.py), which the launchers' cost guard uses too.

It has no other way out of the functions' folder: copied figures would differ one day.
"""

from __future__ import annotations

import sys

from cli.target import ROOT

sys.path.append(str(ROOT / "lambda"))

from common.prices import (
    HOSTING,
    PRICES_DATE,
    PRICES_REGION,
    TRAINING,
    UnknownPrice,
    hourly_usd,
    price_of,
    volume_usd,
)

__all__ = [
    "HOSTING",
    "PRICES_DATE",
    "PRICES_REGION",
    "TRAINING",
    "UnknownPrice",
    "hourly_usd",
    "price_of",
    "volume_usd",
]
