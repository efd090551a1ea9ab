"""BentoML: one service class. It takes pictures as form files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml
from plain import Plain


@bentoml.service
class Classifier:
    """One worker, as by default."""

    def __init__(self) -> None:
        self._model = Plain(os.environ["MODEL_FOLDER"])

    @bentoml.api(route="/classify")
    def classify(self, image: Path) -> dict[str, Any]:
        return self._model.answer(image.read_bytes())
