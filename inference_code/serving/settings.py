"""What the environment decides about the server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from contract.cores import usable_cores
from inference_code.environment import positive, whole
from inference_code.model.dynamic_batcher import BATCH

# One is decoding, a batch is in the network, and one is next.
IN_WORK_PER_CORE = 2 + BATCH


@dataclass(frozen=True)
class Settings:
    """How the server listens, and how much it takes on.

    Attributes:
        host: address to listen on.
        port: SageMaker may ask for another than 8080.
        model_dir: where SageMaker unpacks model.tar.gz.
        workers: threads that decode. One per core: more are no quicker, and each may take 830 MB.
        in_work: requests that all cores together can work on.
        queue: requests that may wait beside them; one more is told to come back.
        request_seconds: from the arrival of a request to its answer.
    """

    host: str
    port: int
    model_dir: Path
    workers: int
    in_work: int
    queue: int
    request_seconds: float

    @staticmethod
    def from_environment() -> Settings:
        """Read SAGEMAKER_BIND_TO_PORT, SAGEMAKER_BASE_DIR, SERVE_HOST, SERVE_QUEUE, SERVE_REQUEST_SECONDS."""
        env = os.environ
        cores = usable_cores()
        return Settings(
            host=env.get("SERVE_HOST", "0.0.0.0"),  # noqa: S104  (a container is reached from outside)
            port=whole("SAGEMAKER_BIND_TO_PORT", 8080, 0, 65535),
            model_dir=Path(env.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model",
            workers=cores,
            in_work=IN_WORK_PER_CORE * cores,
            queue=whole("SERVE_QUEUE", 64, 0, 100_000),
            request_seconds=positive("SERVE_REQUEST_SECONDS", 20.0),
        )
