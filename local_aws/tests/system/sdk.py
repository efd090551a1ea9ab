"""The SageMaker SDK against a local AWS."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from local_aws.testing.local_server import REGION, LocalServer


def sagemaker_sdk(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`sagemaker.core.resources` on this server, by its environment and without its cached client."""
    for name, value in {**server.keys, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    for stale in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(stale, raising=False)
    importlib.import_module("sagemaker.core.utils.utils").SageMakerClient.reset()
    return importlib.import_module("sagemaker.core.resources")
