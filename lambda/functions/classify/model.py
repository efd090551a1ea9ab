"""GET /model: which model serves, and what it was measured at.

The path is open to everyone, so what was found is kept for some seconds: SageMaker's control plane is not
made to be asked for every visitor of a page.
"""

from __future__ import annotations

import json
import time
from typing import Any

from contract.environment import ClassifyEnvironment
from functions.classify.absence import why_absent
from functions.classify.api_error import starting
from functions.common.clients import client, describe

CACHED_SECONDS = 15.0

_cached: tuple[float, str] | None = None


def as_json(env: ClassifyEnvironment) -> str:
    """The answer of GET /model as JSON.

    Raises:
        ApiError: 503 NoModelYet, Asleep or EndpointStarting.
    """
    global _cached
    if _cached is not None and time.monotonic() - _cached[0] < CACHED_SECONDS:
        return _cached[1]
    text = json.dumps(_description(env), ensure_ascii=False)
    _cached = (time.monotonic(), text)
    return text


def _description(env: ClassifyEnvironment) -> dict[str, Any]:
    """Asked of the endpoint itself: the champion is what should serve, and may still be on its way."""
    sagemaker = client("sagemaker")
    endpoint = describe(sagemaker.describe_endpoint, EndpointName=env.endpoint_name)
    if endpoint is None:
        raise why_absent(env, wake=False)
    status = endpoint["EndpointStatus"]
    if status == "Creating":
        raise starting()
    model = sagemaker.describe_model(ModelName=_model_name(env, endpoint["EndpointConfigName"]))
    package = _package(model["PrimaryContainer"]["ModelPackageName"])
    return {
        **package,
        "endpoint": {"name": env.endpoint_name, "status": status},
        "limits": {"max_image_bytes": env.max_image_bytes},
    }


def _model_name(env: ClassifyEnvironment, config_name: str) -> str:
    """SageMaker's name of the model: in the endpoint configuration, or with scale_to_zero its component."""
    sagemaker = client("sagemaker")
    if env.inference_component:
        component = sagemaker.describe_inference_component(InferenceComponentName=env.inference_component)
        return str(component["Specification"]["ModelName"])
    config = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
    return str(config["ProductionVariants"][0]["ModelName"])


def _package(arn: str) -> dict[str, Any]:
    """What the registry knows of a package; its name and version also when it was deleted there."""
    name, version = arn.split("/")[-2:]
    found: dict[str, Any] = {"model": {"name": name, "version": version}}
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=arn) or {}
    metadata = package.get("CustomerMetadataProperties", {})
    found |= {key: metadata[key] for key in ("training_job", "recipe", "dataset") if key in metadata}
    if "test_accuracy" in metadata:
        found["test_accuracy"] = float(metadata["test_accuracy"])
    if "answer_precision" in metadata:
        share = metadata.get("certain_share")
        found["answers"] = {
            "precision": float(metadata["answer_precision"]),
            "certain_share": None if share is None else float(share),
            "calibration_error": float(metadata["calibration_error"]),
        }
    return found
