"""GET /classes: what the model that serves can answer, for whoever has the key.

The endpoint tells a class only with a picture; the registry's evaluation of the model names them all.
"""

from __future__ import annotations

import json
from functools import lru_cache

from botocore.exceptions import ClientError

from contract.environment import ClassifyEnvironment
from functions.classify import model
from functions.common import logs
from functions.common.errors import EvaluationInvalid
from functions.common.evaluation import registered
from functions.common.rest import ApiError


def as_json(env: ClassifyEnvironment) -> str:
    """The answer of GET /classes as JSON: the model, and its classes in the order of `class_index`.

    Raises:
        ApiError: as `model.as_json`, or 404 ClassesUnknown.
    """
    serving = json.loads(model.as_json(env))
    try:
        classes = _of(env.artifacts_bucket, serving.get("training_job", ""))
    except (EvaluationInvalid, ClientError) as error:
        # Nothing may be listed here, so S3 does not tell what is missing from what may not be read.
        logs.warning("the classes are not known", reason=str(error))
        raise ApiError(
            404,
            "ClassesUnknown",
            "What this model was measured at is no longer kept; its answers name classes.",
        ) from None
    return json.dumps({"model": serving["model"], "classes": classes}, ensure_ascii=False)


@lru_cache(maxsize=2)  # of the model that serves, and the one that follows it
def _of(bucket: str, training_job: str) -> tuple[str, ...]:
    return registered(bucket, training_job).classes
