"""Pictures to lines, by the functions that serve: each worker answers a few pictures, then the next ones.

There is one worker per core. It decodes as many pictures as the network computes together at its quickest,
and waits for their scores, which its core computes meanwhile: a picture takes less of a processor so than in
any number of threads that ask one by one. Lines are looked for now and then by whoever takes them, which
wakes nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch.features import Compact, as_text
from batch.reading import Content, Reading
from contract.artifact import TOGETHER
from contract.batch import INTERNAL, NOT_READ, Listed, answer, refusal
from contract.calibration import PYTORCH
from inference_code import inference, limits
from inference_code.api_error import ApiError
from inference_code.inference import Classifier, Query
from inference_code.model.dynamic_batcher import Scores

log = logging.getLogger("batch")

_LOOKS_EVERY: Final = 0.01
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 1.0
_FOR_A_GPU: Final = 2
"""Workers per core where the network may be computed elsewhere."""

Line = dict[str, Any]


class Answered(NamedTuple):
    """A picture with its line, and with its features where they are kept and it was classified."""

    picture: Listed
    line: Line
    features: str = ""


class Answering:
    """One model, which answers these pictures on so many cores.

    Args:
        compact: makes what is kept of a picture's features; None: nothing is.
    """

    def __init__(
        self,
        model: Classifier,
        pictures: Iterable[Listed],
        place: Callable[[str], Path],
        name: Callable[[Listed], str],
        cores: int,
        compact: Compact | None = None,
    ) -> None:
        self._model, self._place, self._name, self._compact = model, place, name, compact
        self._reading = Reading(pictures, self._content, cores)
        self._done: deque[Answered] = deque()
        self._failure: BaseException | None = None
        self._closed = False
        count = cores * (_FOR_A_GPU if model.form == PYTORCH else 1)
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]

    def lines(self) -> Iterator[Answered]:
        """Each picture with its line, in the order in which they are done.

        Raises:
            Exception: what the pictures' iterator raised.
        """
        for worker in self._workers:
            worker.start()
        working = True
        while working:
            time.sleep(_LOOKS_EVERY)
            working = any(worker.is_alive() for worker in self._workers)
            while self._done:
                yield self._done.popleft()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        self._reading.close()

    def _work(self) -> None:
        try:
            while not self._closed and (together := self._decoded()):
                # All at once: the network takes a full batch if it finds one.
                asked = [
                    (each, query, self._model.network(pixels, False)) for each, query, pixels in together
                ]
                for picture, query, scores in asked:
                    self._keep(picture, partial(self._answer, picture, query, scores))
        except BaseException as error:
            self._failure = error

    def _decoded(self) -> list[tuple[Listed, Query, NDArray[np.uint8]]]:
        """The next pictures that can be decoded, at most a full batch; the others have their line."""
        together: list[tuple[Listed, Query, NDArray[np.uint8]]] = []

        def decode(picture: Listed, content: Content) -> None:
            query = inference.input_fn(content(), None)
            together.append((picture, query, self._model.pixels(query)))

        while len(together) < TOGETHER and (taken := self._reading.take()) is not None:
            self._keep(taken[0], partial(decode, *taken))
        return together

    def _answer(self, picture: Listed, query: Query, scores: Scores) -> tuple[Line, str]:
        said = scores.result()
        line = answer(self._name(picture), self._model.prediction(query, said))
        return line, as_text(self._compact(self._model.features(said))) if self._compact else ""

    def _keep(self, picture: Listed, step: Callable[[], tuple[Line, str] | None]) -> None:
        """Keep the line that a step makes, or why it failed: no picture's fault ends the others."""
        name, features = self._name(picture), ""
        try:
            made = step()
            if made is None:
                return
            line, features = made
        except ApiError as error:
            line = refusal(name, error.code, error.message)
        except OSError as error:
            line = refusal(name, NOT_READ, f"The picture could not be read: {error.strerror or error}.")
        except Exception as error:
            log.error("picture failed", extra={"fields": {"key": picture.key}}, exc_info=error)
            why = f"The picture could not be classified ({type(error).__name__})."
            line = refusal(name, INTERNAL, why)
        self._done.append(Answered(picture, line, features))

    def _content(self, picture: Listed) -> bytes:
        """What a picture's file holds; a mounted bucket is asked a few times.

        Raises:
            ApiError: it is too large.
            OSError: it cannot be read.
        """
        limits.check_size(picture.size)
        path = self._place(self._name(picture))
        for _ in range(_ATTEMPTS - 1):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                raise
            except OSError:
                time.sleep(_PAUSE_SECONDS)
        return path.read_bytes()
