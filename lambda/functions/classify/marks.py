"""How many answers are certain, how many pictures unlike training's: metrics, written as a line of the log.

CloudWatch reads them out of the log (embedded metric format), so a request waits for nothing. Source:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import time

from contract.calibration import METRICS
from functions.common import logs

_NAMES = {"certain": "Certain", "unlike_training": "UnlikeTraining"}
"""The metric of each mark."""


def count(answer: str, project: str) -> None:
    """Count the marks of an answer, the container's JSON; one whose model sets none counts nothing.

    A metric's sum is how many had the mark, its average their share.
    """
    try:
        given = json.loads(answer)
        told = {mark: given[mark] for mark in _NAMES if isinstance(given.get(mark), bool)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return  # whoever asked gets it as it is
    if not told:
        return
    metrics = [{"Name": _NAMES[mark], "Unit": "Count"} for mark in told]
    directive = {"Namespace": METRICS, "Dimensions": [["Project"]], "Metrics": metrics}
    values = {_NAMES[mark]: int(value) for mark, value in told.items()}
    embedded = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    logs.info("classified", _aws=embedded, Project=project, **values)
