"""What every stack is given: the settings, the names made from them, and the folders to package."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_logs as logs

from stacks.folders import Folders
from stacks.names import Names
from stacks.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    folders: Folders

    @property
    def names(self) -> Names:
        return Names(self.settings.project)

    @property
    def log_retention(self) -> logs.RetentionDays:
        return _RETENTION[self.settings.log_retention_days]


# CDK wants its enum; the settings speak in days, as CloudWatch does.
_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
    1096: logs.RetentionDays.THREE_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    2192: logs.RetentionDays.SIX_YEARS,
    2557: logs.RetentionDays.SEVEN_YEARS,
    2922: logs.RetentionDays.EIGHT_YEARS,
    3288: logs.RetentionDays.NINE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}
