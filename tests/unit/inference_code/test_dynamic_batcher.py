"""Squares that wait at the same time are computed together, and everybody gets what is theirs."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_code.model.dynamic_batcher import DynamicBatcher


class Network:
    """Sums up squares, `sizes` at a time; from the third batch on (two are tries) when it may `go`."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.broken = False

    def __call__(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.sizes.append(len(squares))
        if len(self.sizes) > 2:
            self.began.release()
            assert self.go.wait(120)
        if self.broken:
            raise RuntimeError("no kernel image")
        return squares.sum((1, 2, 3), dtype=np.float32)[:, None]


def square(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 4), value, np.uint8)


def asked(network: Network, batcher: DynamicBatcher, count: int) -> list[float]:
    """The scores of one square, in whose time `count` others come. One thread asks: it never waits."""
    first = batcher.scores(square(0))
    network.began.acquire()
    others = [batcher.scores(square(value)) for value in range(1, count + 1)]
    network.go.set()
    return [float(each.result(120)[0]) for each in (first, *others)]


def test_who_waits_is_computed_in_full_batches_and_the_rest_one_by_one() -> None:
    network = Network()
    batcher = DynamicBatcher(network, most=4, threads=1, side=2)
    assert network.sizes == [1, 4]
    assert asked(network, batcher, 6) == [16.0 * value for value in range(7)]
    assert network.sizes == [1, 4, 1, 4, 1, 1]


def test_an_error_reaches_all_of_its_batch_and_the_next_is_computed() -> None:
    network = Network()
    batcher = DynamicBatcher(network, most=4, threads=1, side=2)
    network.broken = True
    with pytest.raises(RuntimeError, match="no kernel image"):
        asked(network, batcher, 4)
    network.broken = False
    assert batcher.scores(square(3)).result(120).tolist() == [48.0]


def test_a_network_that_cannot_be_computed_is_told_at_once() -> None:
    network = Network()
    network.broken = True
    with pytest.raises(RuntimeError, match="no kernel image"):
        DynamicBatcher(network, most=4, threads=2, side=2)


def test_threads_try_one_after_the_other() -> None:
    """OpenVINO's Python can lock up for ever when two threads use it for the first time at once."""
    turn = threading.Lock()

    def infer(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert turn.acquire(blocking=False), "two at a time"
        time.sleep(0.05)
        turn.release()
        return np.zeros((len(squares), 1), np.float32)

    DynamicBatcher(infer, most=4, threads=3, side=2)
