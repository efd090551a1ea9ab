"""The registry's side: find a training's package, read the champion's, build the request for a new one.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from contract.api import RAW_BYTES
from contract.decisions import Outcome
from contract.environment import RegisterEnvironment
from contract.evaluation import FILE
from contract.names import CLASSES_DIGEST, GATE_OUTCOME, IMAGE_TARGET, NO_CHAMPION, version_of
from contract.storage import of_run
from functions.common import champion as decisions
from functions.common.clients import client, describe
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import Evaluation, registered
from functions.register_model import classes
from functions.register_model.gate import Champion, Verdict

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", *RAW_BYTES)
_METADATA_LENGTH = 256
_DESCRIPTION_LENGTH = 1024
_LEAKED = "leaked_test_pictures"


def find(group: str, job: Mapping[str, Any]) -> dict[str, Any] | None:
    """The package made of a training job before, or None.

    A list shows descriptions but no metadata, so the description begins with the training job's name.
    """
    pages = (
        client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=group, CreationTimeAfter=job["CreationTime"])
    )
    for page in pages:
        for each in page["ModelPackageSummaryList"]:
            if str(each.get("ModelPackageDescription", "")).startswith(_prefix(job["TrainingJobName"])):
                found: dict[str, Any] = each
                return found
    return None


def champion(env: RegisterEnvironment) -> Champion | None:
    """The model that serves or sleeps now, or None when there is none."""
    arn = decisions.current(env.champion_parameter).model
    if arn == NO_CHAMPION:
        return None
    # Deleted from the registry it may still be serving.
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=arn) or {}
    metadata = package.get("CustomerMetadataProperties", {})
    try:
        accuracy = float(metadata["test_accuracy"])
    except (KeyError, ValueError):
        accuracy = None
    training_job = metadata.get("training_job", "")
    measured = None
    with suppress(EvaluationInvalid):  # it may be gone, or of somebody else's making
        measured = registered(env.artifacts_bucket, training_job)
    return Champion(
        version=version_of(arn),
        training_job=training_job,
        accuracy=accuracy,
        fingerprint=metadata.get("test_fingerprint", ""),
        labels=measured.labels if measured else (),
        predicted=measured.predicted if measured else (),
        classes=measured.classes if measured else (),
        classes_digest=metadata.get(CLASSES_DIGEST, ""),
        leaked=_leaked(metadata, measured),
    )


def _leaked(metadata: Mapping[str, str], evaluation: Evaluation | None) -> int:
    """How many test pictures the champion was trained on, by its package or else its evaluation."""
    recorded = metadata.get(_LEAKED, "")
    if re.fullmatch(r"[0-9]{1,9}", recorded):
        return int(recorded)
    return evaluation.leaked.test_in_train if evaluation and evaluation.leaked else 0


def request(
    job: Mapping[str, Any],
    facts: Mapping[str, str],
    evaluation: Evaluation,
    verdict: Verdict,
    env: RegisterEnvironment,
) -> dict[str, Any]:
    """The CreateModelPackage request.

    Its client token is made of the training job's name, so a repeated request makes no second package. No
    tags: a version has its group's.

    Args:
        job: DescribeTrainingJob's answer.
        facts: `run`, `recipe` and `dataset` of the training.
    """
    name = job["TrainingJobName"]
    metadata = {
        "training_job": name,
        **facts,
        "test_accuracy": repr(evaluation.accuracy),  # all digits: the next candidate is compared with it
        "test_fingerprint": evaluation.fingerprint,
        CLASSES_DIGEST: classes.digest(evaluation.classes),
        "verdict": verdict.reason,
        GATE_OUTCOME: verdict.outcome.value,
        # `classifier up` reads it when the endpoint's flavour changes (cli/deploy/live/image.py).
        IMAGE_TARGET: env.serving_image_target,
        **_numbers(verdict),
        **_answers(evaluation),
        **({_LEAKED: str(evaluation.leaked.test_in_train)} if evaluation.leaked else {}),
    }
    return {
        "ModelPackageGroupName": env.model_package_group,
        "ModelPackageDescription": _description(f"{_prefix(name)}{verdict.reason}"),
        "ModelApprovalStatus": approval(verdict, env),
        "InferenceSpecification": {
            "Containers": [
                {"Image": env.serving_image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
            ],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": ["application/json"],
            # No instance types: a version may leave them out, and it has to run on another one tomorrow.
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"s3://{env.artifacts_bucket}/{of_run(name, FILE)}",
                }
            }
        },
        "Domain": "COMPUTER_VISION",
        "Task": "IMAGE_CLASSIFICATION",
        "CustomerMetadataProperties": {key: _metadata_text(value) for key, value in metadata.items()},
        "ClientToken": sha256(name.encode()).hexdigest()[:36],
    }


def approval(verdict: Verdict, env: RegisterEnvironment) -> str:
    """The approval status a verdict leads to; the setting `approval` is asked where nothing else decides."""
    if not verdict.passed:
        return "Rejected"
    if verdict.outcome is Outcome.OTHER_CLASSES:
        return "PendingManualApproval"
    return "Approved" if env.approval == "auto" else "PendingManualApproval"


def _numbers(verdict: Verdict) -> dict[str, str]:
    """What the verdict rests on, as far as it was measured."""
    found = {
        "mcnemar_p": verdict.numbers.get("mcnemar", {}).get("p"),
        "compared_with": verdict.numbers.get("champion"),
        "lowest_class_recall": verdict.numbers.get("lowest_class_recall"),
        "latency_ms": verdict.numbers.get("latency_ms"),
        "size_mb": verdict.numbers.get("size_mb"),
    }
    return {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in found.items()
        if value is not None
    }


def _answers(evaluation: Evaluation) -> dict[str, str]:
    """What GET /model tells of the answers."""
    of = evaluation.answers
    if of is None:
        return {}
    told = {"answer_precision": f"{of.precision:.6g}", "calibration_error": f"{of.ece:.4g}"}
    # None certain of those tested is not the same as nothing promised, which has no number.
    return told if of.certain is None else {**told, "certain_share": f"{of.certain / of.count:.4g}"}


def reason(description: str, training_job: str) -> str:
    """The verdict's reason in a package's description."""
    return description.removeprefix(_prefix(training_job))


def _prefix(training_job: str) -> str:
    return f"{training_job}: "


def _description(text: str) -> str:
    """The text in what a description may have: no control characters, at most 1024."""
    return "".join(each if each.isprintable() else "-" for each in text)[:_DESCRIPTION_LENGTH]


def _metadata_text(value: str) -> str:
    """The value in the characters that metadata may have (letters, digits, spaces and _.:/=+-@)."""
    return re.sub(r"[^\w \-.:/=+@]", "-", value)[:_METADATA_LENGTH] or "-"
