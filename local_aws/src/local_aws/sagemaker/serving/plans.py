"""Plans of production variants: everything that it takes to start their server processes.

An endpoint keeps its plans, so it outlives the configuration and the models they were made from, as on AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local_aws.sagemaker.registry import models
from local_aws.sagemaker.serving.data_capture import CaptureRule
from local_aws.sagemaker.serving.serverless import Serverless

# "ContainerStartupHealthCheckTimeoutInSeconds" is at most 3600; unset, SageMaker gives a container 8 minutes.
HEALTH_CHECK_SECONDS = 480.0


@dataclass(frozen=True, kw_only=True)
class VariantPlan:
    """One production variant, down to what its server processes need."""

    name: str
    config: str = ""
    """The endpoint configuration it is of, which CloudWatch tells an old fleet from a new one by."""
    container: models.Container | None
    """None: a variant for inference components, which bring their models themselves."""
    role_arn: str | None
    instance_type: str
    instance_count: int
    weight: float
    health_check_seconds: float
    serverless: Serverless | None = None
    capture: CaptureRule | None = None
    shadow: bool = False
    """It answers copies of requests, and nobody sees its answers."""

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> VariantPlan:
        """The plan stored as `asdict` wrote it."""
        size, capture = document.get("serverless"), document.get("capture")
        loaded = {
            "container": document["container"] and models.Container(**document["container"]),
            "serverless": size and Serverless(**size),
            "capture": capture and CaptureRule.load(capture),
        }
        return cls(**{**document, **loaded})

    def dump(self) -> dict[str, Any]:
        """The plan as a document for the store."""
        return asdict(self)
