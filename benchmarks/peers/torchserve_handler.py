"""TorchServe: a custom handler."""

from __future__ import annotations

from typing import Any

from plain import Plain  # packed beside this file into the archive


class Handler:
    """initialize once per worker, handle per batch (of one)."""

    def initialize(self, context: Any) -> None:
        self._model = Plain(context.system_properties["model_dir"])

    def handle(self, data: Any, context: Any) -> list[Any]:
        return [self._model.answer(bytes(row.get("data") or row.get("body"))) for row in data]
