"""Compare what the champion answered in the last day with what it answered on the test split.

Three indices: of the predicted classes, of the confidence, and of pictures unlike training's. Above the
threshold a message goes out, once a day, and where the setting asks for it launch-retraining is asked for a
new search. The indices are metrics too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from contract import names, storage
from contract.environment import DriftEnvironment
from contract.evaluation import CONFIDENCE_BINS
from contract.retraining import DRIFT
from functions.check_drift import captured
from functions.check_drift.captured import Predictions
from functions.check_drift.psi import psi
from functions.common import champion, logs, notify
from functions.common.clients import client, describe
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import Evaluation, registered

HOURS = 24


def check(env: DriftEnvironment) -> dict[str, Any]:
    """Measure once; returns the indices, or why there are none."""
    model = champion.current(env.champion_parameter).model
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=model)
    facts = (package or {}).get("CustomerMetadataProperties", {})
    if "training_job" not in facts:
        return _saw(f"no champion whose training is known: {model}")
    try:
        evaluation = registered(env.artifacts_bucket, facts["training_job"])
    except EvaluationInvalid as error:
        return _saw(str(error))
    now = datetime.now(UTC)
    version = names.version_of(model)
    found = captured.read(env.artifacts_bucket, env.capture_folder, version, now, HOURS)
    if found.count < env.min_predictions:
        return _saw(f"{found.count} predictions in {HOURS} hours; {env.min_predictions} are needed")
    indices = measure(evaluation, found)
    _publish(indices, env)
    worst = max(indices.values(), default=0.0)
    measured = {"version": version, "predictions": found.count, **indices}
    logs.info("measured", **measured)
    if worst <= env.threshold:
        return measured
    return {**measured, "told": _tell(facts, version, found, indices, now, env)}


def measure(evaluation: Evaluation, found: Predictions) -> dict[str, float]:
    """The indices of the predicted classes, of the confidences, and of pictures unlike training's, where the
    evaluation has them and the answers tell.
    """
    indices: dict[str, float] = {}
    if evaluation.predicted_counts:
        indices["psi_classes"] = psi(
            evaluation.predicted_counts, [found.classes[name] for name in evaluation.classes]
        )
    if len(evaluation.confidences) == CONFIDENCE_BINS:
        indices["psi_confidence"] = psi(evaluation.confidences, found.confidences)
    of = evaluation.answers
    if of is not None and of.unlike is not None and found.judged:
        seen = [found.unlike, found.judged - found.unlike]
        indices["psi_unlike"] = psi([of.unlike, of.count - of.unlike], seen)
    return indices


def _tell(
    facts: dict[str, str],
    version: str,
    found: Predictions,
    indices: dict[str, float],
    now: datetime,
    env: DriftEnvironment,
) -> bool:
    bucket, job = env.artifacts_bucket, facts["training_job"]
    if not notify.once(bucket, storage.of_run(job, f"drift-{now:%Y-%m-%d}.json"), now.isoformat()):
        return False
    request = {"recipe": facts.get("recipe", ""), "dataset": facts.get("dataset", "")}
    function = names.function(env.project, "launch-tuning")
    if env.retrain_function:
        asked = json.dumps({DRIFT: max(indices.values())}).encode()
        client("lambda").invoke(FunctionName=env.retrain_function, InvocationType="Event", Payload=asked)
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in indices.items())
    notify.send(
        env,
        "what is asked of the model has drifted from its test pictures",
        f"The last {found.count} predictions of version {version} are not distributed as on the test split: "
        f"{numbers}; from 0.1 on something moved, above {env.threshold:g} you are told.",
        f"Most often predicted: {', '.join(f'{name} ({n})' for name, n in found.classes.most_common(5))}."
        + (f" Unlike training's: {found.unlike} of {found.judged} pictures." if found.judged else ""),
        "A new search is started where it was not yet and the budget allows it; its own message follows."
        if env.retrain_function
        else "If pictures have changed, label some of them, add them to the data set and search again:\n"
        + notify.invoke_command(function, request),
    )
    return True


def _publish(indices: dict[str, float], env: DriftEnvironment) -> None:
    data = [
        {"MetricName": name, "Dimensions": [{"Name": "Project", "Value": env.project}], "Value": value}
        for name, value in indices.items()
    ]
    if data:
        client("cloudwatch").put_metric_data(Namespace=env.metric_namespace, MetricData=data)


def _saw(what: str) -> dict[str, Any]:
    logs.info("nothing measured", reason=what)
    return {"saw": what}
