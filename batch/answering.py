"""Pictures to lines: read, decoded and computed side by side, as the endpoint does it.

A reader brings a picture's bytes, a worker decodes it and goes on to the next, and the thread that computed
its scores writes the line. Pictures come back as they are done. Only so many are under way, and only so many
bytes of them, so that memory does not grow with their number.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from contract.batch import INTERNAL, NOT_READ, Listed, answer, refusal
from inference_code import inference
from inference_code.api_error import ApiError
from inference_code.inference import Classifier, Query
from inference_code.model.dynamic_batcher import IN_WORK_PER_CORE, Scores

log = logging.getLogger("batch")

_READERS_PER_CORE: Final = 12
"""S3 takes some 50 ms for the first byte, and a core answers some 250 pictures a second."""
_MOST_BYTES: Final = 256 * 1024 * 1024
"""Of pictures under way."""
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 1.0

T = TypeVar("T")
Line = dict[str, Any]


class Answering:
    """A model that answers any number of pictures, on so many cores."""

    def __init__(
        self, model: Classifier, place: Callable[[str], Path], name: Callable[[Listed], str], cores: int
    ) -> None:
        self._model, self._place, self._name = model, place, name
        self._closed = False
        self._readers = ThreadPoolExecutor(_READERS_PER_CORE * cores, "reader")
        self._workers = ThreadPoolExecutor(cores, "worker")
        self._done: SimpleQueue[tuple[Listed, Line]] = SimpleQueue()
        self._most = (_READERS_PER_CORE + IN_WORK_PER_CORE) * cores

    def lines(self, pictures: Iterable[Listed]) -> Iterator[tuple[Listed, Line]]:
        """Each picture with its line, in the order in which they are done."""
        under_way = under_way_bytes = 0
        for picture in pictures:
            while under_way and (under_way >= self._most or under_way_bytes + picture.size > _MOST_BYTES):
                done, line = self._done.get()
                under_way, under_way_bytes = under_way - 1, under_way_bytes - done.size
                yield done, line
            under_way, under_way_bytes = under_way + 1, under_way_bytes + picture.size
            self._readers.submit(self._guarded, picture, self._read, None)
        for _ in range(under_way):
            yield self._done.get()

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        for pool in (self._readers, self._workers):
            pool.shutdown(wait=False, cancel_futures=True)

    def _guarded(self, picture: Listed, step: Callable[[Listed, T], None], argument: T) -> None:
        """A step that fails is the picture's line: in these threads nobody else would hear of it."""
        if self._closed:
            return
        try:
            step(picture, argument)
        except ApiError as error:
            self._done.put((picture, refusal(self._name(picture), error.code, error.message)))
        except OSError as error:
            why = f"The picture could not be read: {error.strerror or error}."
            self._done.put((picture, refusal(self._name(picture), NOT_READ, why)))
        except BaseException as error:
            log.error("picture failed", extra={"fields": {"key": picture.key}}, exc_info=error)
            why = f"The picture could not be classified ({type(error).__name__})."
            self._done.put((picture, refusal(self._name(picture), INTERNAL, why)))

    # On a reader

    def _read(self, picture: Listed, _: None) -> None:
        inference.check_size(picture.size)
        body = _content(self._place(self._name(picture)))
        self._workers.submit(self._guarded, picture, self._decode, body)

    # On a worker, then on the thread that computed the scores

    def _decode(self, picture: Listed, body: bytes) -> None:
        query = inference.input_fn(body, None)
        scores = self._model.scores(query)
        scores.add_done_callback(partial(self._guarded, picture, partial(self._answer, query)))

    def _answer(self, query: Query, picture: Listed, scores: Scores) -> None:
        prediction = self._model.prediction(query, scores.result())
        self._done.put((picture, answer(self._name(picture), prediction)))


def _content(path: Path) -> bytes:
    """What a file holds; a mounted bucket is asked a few times.

    Raises:
        OSError: it cannot be read.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")
