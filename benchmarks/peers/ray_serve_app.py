"""Ray Serve: one deployment with one replica, as by default."""

from __future__ import annotations

import sys
import time
from typing import Any

import ray
from plain import Plain
from ray import serve
from starlette.requests import Request


@serve.deployment
class Classifier:
    """The replica."""

    def __init__(self, folder: str) -> None:
        self._model = Plain(folder)

    async def __call__(self, request: Request) -> dict[str, Any]:
        return self._model.answer(await request.body())


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Classifier.bind(sys.argv[1]), route_prefix="/classify")
    while True:
        time.sleep(3600)
