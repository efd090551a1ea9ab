"""What an hour of each SageMaker instance costs, in USD: the one price table, dated, every figure with its
source.

On-demand prices of us-east-1; other regions cost up to half as much again, and prices change. A figure is put
right without a new deployment: `usd_per_hour` in a recipe's or a request's [resources] is taken instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PRICES_DATE = "2026-11-21"
PRICES_REGION = "us-east-1"

TRAINING, HOSTING = "training", "hosting"
KINDS = (TRAINING, HOSTING)

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "price-list": "AWS Price List API (AmazonSageMaker), usage types USE1-Train and USE1-Host, as read "
        "by third parties between 2026-06 and 2026-09 and published in their repositories",
        "price-list-usw2": "AWS Price List API, us-west-2, component Training, as published in a third "
        "party's repository in 2026; us-west-2 and us-east-1 have had equal SageMaker prices",
        "pricing-page": "aws.amazon.com/sagemaker/pricing, us-east-1, as quoted in public repositories",
        "estimate": "estimated: the EC2 on-demand price of us-east-1 times 1.2, SageMaker's usual markup on "
        "this generation; agrees with the published ml.c7i.large to .4xlarge and ml.m7i.large to the cent",
    }
)

VOLUME_USD_PER_GB_MONTH = 0.14
"""General purpose SSD of a training or hosting instance. Source: the SageMaker pricing page's examples, read
2026-09-28 by a third party.
"""
SERVERLESS_USD_PER_GB_SECOND = 0.00002
"""Serverless inference, per GB of its memory and second of a request. Estimated: the SageMaker pricing page's
figure for us-east-1 as remembered; no reading of it could be had.
"""
HOURS_PER_MONTH = 730

# Of us-east-1, as the services' pricing pages have had them for years and as remembered on PRICES_DATE: no
# reading of the pages could be had.
S3_USD_PER_GB_MONTH = 0.023
"""S3 Standard, the first 50 TB. Source: https://aws.amazon.com/s3/pricing/"""
S3_USD_PER_1000_PUTS = 0.005
"""PUT, COPY, POST and LIST requests of S3 Standard; bytes sent to S3 cost nothing. Source: as above."""
S3_USD_PER_GB_OUT = 0.09
"""Bytes that leave AWS for the internet, the first 10 TB; 100 GB of a month are free. Source: as above."""
FREE_ALARMS, FREE_DASHBOARDS = 10, 3
"""Of an account, always; dashboards of up to 50 metrics. Source: https://aws.amazon.com/cloudwatch/pricing/"""
ALARM_USD_PER_MONTH = 0.10
"""Each metric that an alarm of standard resolution watches, beyond the free ones. Source: as above."""
DASHBOARD_USD_PER_MONTH = 3.00
"""Beyond the free ones. Source: as above."""
FIREWALL_USD_PER_MONTH, FIREWALL_RULE_USD_PER_MONTH = 5.00, 1.00
"""A web ACL, and each rule or rule group in it. Source: https://aws.amazon.com/waf/pricing/"""

# A family whose price grows with its size in proportion, by the price of its `large`.
_FAMILIES: Mapping[str, tuple[float, str]] = {
    "m5": (0.1152, "price-list"),
    "c5": (0.102, "pricing-page"),
    "c6i": (0.102, "estimate"),
    "m6i": (0.1152, "estimate"),
    "c7i": (0.1071, "estimate"),
    "m7i": (0.12096, "estimate"),
    "c8i": (0.11246, "estimate"),
    "m8i": (0.12701, "estimate"),
    "c7g": (0.087, "estimate"),
    "c8g": (0.09571, "estimate"),
    "m8g": (0.10771, "estimate"),
}
_SIZES: Mapping[str, int] = {
    **{"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16, "9xlarge": 18, "12xlarge": 24},
    **{"16xlarge": 32, "18xlarge": 36, "24xlarge": 48, "48xlarge": 96},
}
_INSTANCES: Mapping[str, tuple[float, str]] = {
    "ml.t2.medium": (0.0557, "estimate"),
    "ml.g4dn.xlarge": (0.7364, "pricing-page"),
    "ml.g4dn.2xlarge": (0.94, "pricing-page"),
    "ml.g4dn.4xlarge": (1.505, "pricing-page"),
    "ml.g4dn.8xlarge": (2.72, "pricing-page"),
    "ml.g4dn.12xlarge": (4.89, "pricing-page"),
    "ml.g5.xlarge": (1.408, "price-list-usw2"),
    "ml.g5.2xlarge": (1.515, "price-list"),
    "ml.g5.4xlarge": (2.03, "price-list-usw2"),
    "ml.g5.8xlarge": (3.06, "price-list-usw2"),
    "ml.g5.12xlarge": (7.09, "price-list-usw2"),
    "ml.g5.16xlarge": (5.12, "price-list-usw2"),
    "ml.g5.24xlarge": (10.18, "price-list-usw2"),
    "ml.g5.48xlarge": (20.36, "price-list-usw2"),
    "ml.g6.xlarge": (1.127, "price-list-usw2"),
    "ml.g6.2xlarge": (1.222, "price-list-usw2"),
    "ml.g6.4xlarge": (1.654, "price-list-usw2"),
    "ml.g6.8xlarge": (2.518, "price-list-usw2"),
    "ml.g6.12xlarge": (5.752, "price-list-usw2"),
    "ml.g6.24xlarge": (8.344, "price-list-usw2"),
    "ml.g6.48xlarge": (16.688, "price-list-usw2"),
    "ml.g6e.xlarge": (2.61, "price-list-usw2"),
    "ml.g6e.2xlarge": (2.8026, "price-list-usw2"),
    "ml.g6e.4xlarge": (3.76, "price-list-usw2"),
    "ml.g6e.8xlarge": (5.6607, "price-list-usw2"),
    "ml.g6e.12xlarge": (13.12, "price-list-usw2"),
    "ml.g6e.24xlarge": (18.832, "price-list-usw2"),
    "ml.g6e.48xlarge": (37.664, "price-list-usw2"),
    "ml.p4d.24xlarge": (25.2513, "price-list-usw2"),
    "ml.p5.48xlarge": (63.296, "price-list-usw2"),
}
# Graviton instances host and do not train (FACTS: the training service offers none).
_HOSTING_ONLY = ("c7g", "c8g", "m8g")


class UnknownPrice(LookupError):
    """The table has no price for an instance type."""


@dataclass(frozen=True)
class Price:
    """USD for one instance for one hour, and where the figure is from."""

    usd_per_hour: float
    source: str

    @property
    def estimated(self) -> bool:
        return self.source == SOURCES["estimate"]


def price_of(instance_type: str, kind: str) -> Price:
    """The price of an instance type, for `training` or `hosting`; the price list has had one for both.

    Raises:
        UnknownPrice: the table has none; the message says how to give one.
    """
    if kind not in KINDS:
        raise ValueError(f"kind has to be {' or '.join(KINDS)}, not {kind!r}")
    found = _INSTANCES.get(instance_type) or _of_family(instance_type, kind)
    if found is None:
        raise UnknownPrice(
            f"the price table of {PRICES_DATE} has no {kind} price for {instance_type}; look it up at "
            "https://aws.amazon.com/sagemaker/ai/pricing/ and set [resources] usd_per_hour to it"
        )
    usd, source = found
    return Price(round(usd, 4), SOURCES[source])


def hourly_usd(instance_type: str, kind: str) -> float:
    """`price_of(...).usd_per_hour`."""
    return price_of(instance_type, kind).usd_per_hour


def volume_usd(gigabytes: float, hours: float) -> float:
    """What an instance's disk of so many GB costs for so long."""
    return gigabytes * hours * VOLUME_USD_PER_GB_MONTH / HOURS_PER_MONTH


def _of_family(instance_type: str, kind: str) -> tuple[float, str] | None:
    _, _, rest = instance_type.partition("ml.")
    family, _, size = rest.partition(".")
    if family not in _FAMILIES or size not in _SIZES or (kind == TRAINING and family in _HOSTING_ONLY):
        return None
    usd, source = _FAMILIES[family]
    return usd * _SIZES[size], source
