"""Compare what the champion answered in the last day with what it answered on the test split.

Two indices: of the predicted classes, and of the confidence. Above the threshold a message goes out, once a
day, and where the setting asks for it a new search starts, once per champion. Both indices are metrics too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract import names, storage
from contract.environment import DriftEnvironment
from contract.evaluation import CONFIDENCE_BINS, FILE, MAX_BYTES
from functions.check_drift import captured
from functions.check_drift.captured import Predictions
from functions.check_drift.psi import psi
from functions.common import champion, launching, logs, notify
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import Evaluation, parse
from functions.common.storage import read_object

HOURS = 24


@dataclass(frozen=True)
class Clients:
    """The services this function talks to."""

    sagemaker: Any
    s3: Any
    ssm: Any
    lambda_: Any
    cloudwatch: Any


def check(settings: DriftEnvironment, clients: Clients) -> dict[str, Any]:
    """Measure once; returns the indices, or why there are none."""
    model = champion.current(clients.ssm, settings.champion_parameter).model
    package = launching.describe(clients.sagemaker.describe_model_package, ModelPackageName=model)
    facts = (package or {}).get("CustomerMetadataProperties", {})
    if "training_job" not in facts:
        return _saw(f"no champion whose training is known: {model}")
    key = storage.of_run(facts["training_job"], FILE)
    raw = read_object(clients.s3, settings.artifacts_bucket, key, MAX_BYTES)
    if raw is None:
        return _saw(f"s3://{settings.artifacts_bucket}/{key} is missing")
    try:
        evaluation = parse(raw, f"s3://{settings.artifacts_bucket}/{key}")
    except EvaluationInvalid as error:
        return _saw(str(error))
    now = datetime.now(UTC)
    version = model.rpartition("/")[2]
    found = captured.read(clients.s3, settings.artifacts_bucket, settings.capture_folder, version, now, HOURS)
    if found.count < settings.min_predictions:
        return _saw(f"{found.count} predictions in {HOURS} hours; {settings.min_predictions} are needed")
    indices = measure(evaluation, found)
    _publish(indices, settings, clients)
    worst = max(indices.values(), default=0.0)
    logs.info("measured", version=version, predictions=found.count, **indices)
    if worst <= settings.threshold:
        return {"version": version, "predictions": found.count, **indices}
    return {
        "version": version,
        "predictions": found.count,
        **indices,
        "told": _tell(facts, version, found, indices, now, settings, clients),
    }


def measure(evaluation: Evaluation, found: Predictions) -> dict[str, float]:
    """The indices of the predicted classes and of the confidences, where the evaluation has them."""
    indices: dict[str, float] = {}
    if evaluation.told:
        indices["psi_classes"] = psi(evaluation.told, [found.classes[name] for name in evaluation.classes])
    if len(evaluation.confidences) == CONFIDENCE_BINS:
        indices["psi_confidence"] = psi(evaluation.confidences, found.confidences)
    return indices


def _tell(
    facts: dict[str, str],
    version: str,
    found: Predictions,
    indices: dict[str, float],
    now: datetime,
    settings: DriftEnvironment,
    clients: Clients,
) -> bool:
    bucket, job = settings.artifacts_bucket, facts["training_job"]
    if not notify.once(
        clients.s3, bucket, storage.of_run(job, f"drift-{now:%Y-%m-%d}.json"), now.isoformat()
    ):
        return False
    request = {"recipe": facts.get("recipe", ""), "dataset": facts.get("dataset", "")}
    function = names.function(settings.project, "launch-tuning")
    started = ""
    if settings.retrain == "yes" and notify.once(
        clients.s3, bucket, storage.of_run(job, "retrained.json"), f"{now:%Y-%m-%d}"
    ):
        clients.lambda_.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(request).encode()
        )
        started = "A new search was started."
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in indices.items())
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] what is asked of the model has drifted from its test pictures",
        f"The last {found.count} predictions of version {version} are not distributed as on the test split: "
        f"{numbers}; from 0.1 on something moved, above {settings.threshold:g} you are told.",
        f"Most often predicted: {', '.join(f'{name} ({n})' for name, n in found.classes.most_common(5))}.",
        started
        or "If pictures have changed, label some of them, add them to the data set and search again:\n"
        + notify.invoke_command(function, request),
    )
    return True


def _publish(indices: dict[str, float], settings: DriftEnvironment, clients: Clients) -> None:
    data = [
        {"MetricName": name, "Dimensions": [{"Name": "Project", "Value": settings.project}], "Value": value}
        for name, value in indices.items()
    ]
    if data:
        clients.cloudwatch.put_metric_data(Namespace=settings.metric_namespace, MetricData=data)


def _saw(what: str) -> dict[str, Any]:
    logs.info("nothing measured", reason=what)
    return {"saw": what}
