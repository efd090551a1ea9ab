"""AWS's inference toolkit: a handler of SageMaker's functions, as its service file for Multi Model Server."""

from __future__ import annotations

import json
from typing import Any

from plain import Plain  # copied beside this file
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer


class Handler(DefaultInferenceHandler):
    """model_fn, input_fn, predict_fn and output_fn, as the course projects write them."""

    def default_model_fn(self, model_dir: str, context: Any = None) -> Plain:
        return Plain(model_dir)

    def default_input_fn(self, body: bytes, content_type: str, context: Any = None) -> bytes:
        return bytes(body)

    def default_predict_fn(self, data: bytes, model: Plain, context: Any = None) -> dict[str, Any]:
        return model.answer(data)

    def default_output_fn(self, prediction: dict[str, Any], accept: str, context: Any = None) -> str:
        return json.dumps(prediction)


class Service(DefaultHandlerService):
    """What the server starts in each of its workers."""

    def __init__(self) -> None:
        super().__init__(transformer=Transformer(default_inference_handler=Handler()))
        self.ready = False


_service = Service()


def handle(data: Any, context: Any) -> Any:
    """Multi Model Server's entry point."""
    if not _service.ready:
        _service.initialize(context)
        _service.ready = True
    return None if data is None else _service.handle(data, context)
