"""SageMaker's four functions: load the model, read a request, predict, write the answer.

AWS's own inference toolkit runs them in this order when a copy of this file lies in the folder `code/` of a
model archive, beside the packages `inference_code` and `contract`. So does `serving/exchange.py`, with the
two halves of `predict_fn` apart. https://github.com/aws/sagemaker-inference-toolkit
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contract.answers.explanation import NotExplained
from contract.calibration import OPENVINO, PYTORCH
from inference_code import limits, picture, wishes
from inference_code.model import artifact
from inference_code.model.artifact import Artifact
from inference_code.model.bad_artifact import BadArtifact
from inference_code.model.explanations import Explainer, Explanations
from inference_code.model.promises import Promises
from inference_code.picture import Encoded

if TYPE_CHECKING:
    from inference_code.model import openvino_form
    from inference_code.model.dynamic_batcher import Scores

log = logging.getLogger("inference")

JSON = "application/json"
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
# `pytorch` serves the weights although there is a serving form: to tell what the form changes.
FORM = os.environ.get("SERVE_FORM", "")


class Context(Protocol):
    """What the toolkit hands in beside the request; of all of it only the headers are read here."""

    def get_request_header(self, index: int, key: str) -> str | None:
        """The header `key` of the request at `index` of the batch (always 0: no batching)."""


@dataclass
class Query:
    """A request understood: a picture, its header checked, how many classes the answer shall name, and
    whether it shall explain the first.

    `decoded_at` is the moment of `time.perf_counter` when its pixels were there, for the log. `square` is
    what the network was shown, kept for an explanation; `look` is what it looks like.
    """

    picture: Encoded
    top_k: int
    explain: bool = False
    decoded_at: float = 0.0
    square: NDArray[np.uint8] | None = None
    look: NDArray[np.float32] | None = None


class Classifier:
    """A model that answers. Any number of threads may call it.

    Attributes:
        identity: its name and version, as answers have them.
        width: how many features it tells behind its scores; 0 where its form tells none.
    """

    def __init__(self, source: Artifact, name: str, version: str) -> None:
        self._classes, self._transform = source.classes, source.transform
        self.form, self.network = _network(source)
        self._explanations = Explanations(partial(_explainer, source, self.form))
        self._promises = source.promises.get(self.form, Promises())
        self.identity = {"name": name, "version": version}
        self.width = 0

    def scores(self, query: Query, alone: bool = False) -> Scores:
        """What the network says of the picture, once it has. A request `alone` may use all cores.

        Raises:
            ApiError: the picture cannot be decoded.
        """
        return self.network(self.pixels(query), alone)

    def pixels(self, query: Query) -> NDArray[np.uint8]:
        """The square of the picture that the network is shown.

        Raises:
            ApiError: the picture cannot be decoded.
        """
        pixels = picture.pixels(query.picture, self._transform)
        query.decoded_at = time.perf_counter()
        if query.explain:
            query.square = pixels
        query.look = self._promises.look(pixels)
        return pixels

    def prediction(self, query: Query, said: NDArray[np.float32]) -> dict[str, Any]:
        """What the network said (class scores, and the head's input behind them if it tells it), in the form
        that docs/api.md describes.
        """
        scores, features = said[: len(self._classes)], self.features(said)
        probabilities = self._promises.shares(scores)
        best = np.argsort(-scores, kind="stable")[: query.top_k]
        unlike = self._promises.unlike(features, query.look)
        predictions = [
            {
                "class": self._classes[index],
                "class_index": int(index),
                "confidence": round(float(probabilities[index]), 6),
            }
            for index in best
        ]
        return {
            "predicted_class": predictions[0]["class"],
            "class_index": predictions[0]["class_index"],
            "confidence": predictions[0]["confidence"],
            "certain": self._promises.certain(float(probabilities[best[0]]), unlike),
            "unlike_training": unlike,
            "predictions": predictions,
            "model": self.identity,
        }

    def features(self, said: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of what the network said, the head's input (width,)."""
        return said[len(self._classes) :]

    def explained(self, query: Query, prediction: dict[str, Any]) -> Future[dict[str, Any]]:
        """The prediction with a map of where its class was seen, or why there is none, once it is computed.

        `query` asked for it, and its scores are there.
        """
        assert query.square is not None  # noqa: S101 (of `scores`)
        answer = Future[dict[str, Any]]()

        def told(found: Future[list[list[float]]]) -> None:
            try:
                rows = found.result()
            except NotExplained as reason:
                answer.set_result({**prediction, "explanation": None, "explanation_missing": reason.code})
            except BaseException as error:
                answer.set_exception(error)
            else:
                named = {key: prediction["predictions"][0][key] for key in ("class", "class_index")}
                box = [round(each, 4) for each in self._transform.seen(query.picture.upright)]
                answer.set_result({**prediction, "explanation": {**named, "map": rows, "box": box}})

        self._explanations.of(query.square, prediction["class_index"]).add_done_callback(told)
        return answer

    def warm_up(self) -> None:
        """Answer each way twice, so that no client pays for first-time work.

        Raises:
            BadArtifact: the answers are not numbers; the weights hold NaN or infinity.
        """
        side = self._transform.crop
        for alone in (True, False) * 2:
            said = self.network(np.zeros((side, side, 4), np.uint8), alone).result()
            if not np.isfinite(self._promises.shares(said[: len(self._classes)])).all():
                raise BadArtifact("The model answers with NaN: its weights are damaged or diverged.")
            self.width = len(self.features(said))


def _network(source: Artifact) -> tuple[str, openvino_form.Network]:
    """The fastest form of the model that artifact and image both have, and its name; only that is imported.

    Raises:
        BadArtifact: there is no such form, or it is damaged.
    """
    if source.graph is not None and FORM != "pytorch" and _installed("openvino"):
        from inference_code.model import openvino_form

        log.info("form", extra={"fields": {"form": "openvino", "precision": source.graph.precision}})
        return OPENVINO, openvino_form.load(source, source.graph)
    if not _installed("torch"):
        raise BadArtifact(
            "The artifact has no serving form (model.json says why), and this image has no PyTorch to do "
            "without: train the model again, or build the image with --build-arg WITH_TORCH=1."
        )
    from inference_code.model import pytorch_form

    log.info("form", extra={"fields": {"form": "pytorch"}})
    return PYTORCH, pytorch_form.load(source)


def _explainer(source: Artifact, form: str) -> Explainer:
    """The network that tells where a class was seen, in the form that answers.

    Raises:
        NotExplained: it cannot be told of this network.
    """
    if form == OPENVINO and source.graph is not None:
        from inference_code.model import openvino_form

        return openvino_form.explainer(source, source.graph)
    from inference_code.model import pytorch_form

    return pytorch_form.explainer(source)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def model_fn(model_dir: str, context: Context | None = None) -> Classifier:
    """Load, check and warm up the model of a folder.

    Raises:
        BadArtifact: the folder does not hold a sound model artifact.
    """
    source = artifact.read(Path(model_dir))
    classifier = Classifier(source, *_identity(source))
    classifier.warm_up()
    return classifier


def input_fn(body: bytes, content_type: str | None, context: Context | None = None) -> Query:
    """Check the header of the picture in a body; `predict_fn` decodes as many pixels as the model needs.

    Args:
        content_type: image/*, application/x-image or application/octet-stream; the bytes decide the format.
        context: with the header `X-Amzn-SageMaker-Custom-Attributes: top_k=3,explain=true`, how many classes
            to name, and whether to explain the first.

    Raises:
        ApiError: 415 UnsupportedMediaType, 413 PayloadTooLarge, 400 InvalidTopK or InvalidExplain, those of
            `picture.read`.
    """
    limits.check_content_type(content_type)
    limits.check_size(len(body))
    attributes = (context.get_request_header(0, CUSTOM_ATTRIBUTES) if context else None) or ""
    top_k, explain = wishes.top_k(attributes), wishes.explain(attributes)
    return Query(picture.read(body), top_k, explain)


def predict_fn(query: Query, model: Classifier, context: Context | None = None) -> dict[str, Any]:
    """The most probable classes of the picture, most probable first.

    Raises:
        ApiError: the picture cannot be decoded.
    """
    prediction = model.prediction(query, model.scores(query).result())
    return model.explained(query, prediction).result() if query.explain else prediction


def output_fn(
    prediction: dict[str, Any], accept: str | None, context: Context | None = None
) -> tuple[str, str]:
    """The answer as JSON, whatever the client says it accepts, and its content type."""
    return json.dumps(prediction, ensure_ascii=False), JSON


def _identity(source: Artifact) -> tuple[str, str]:
    """Name and version of the model: its package in the registry, else the job that trained it."""
    arn = os.environ.get("MODEL_PACKAGE_ARN", "")
    match = re.fullmatch(r"arn:[^:]+:sagemaker:[^:]*:[^:]*:model-package/([^/]+)/([0-9]+)", arn)
    return (match[1], match[2]) if match else (source.training_job, "0")
