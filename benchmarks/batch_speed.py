"""The serving functions alone and a batch job's way of calling them, in turns, in one process with one model.

Each turn answers the same few pictures in each way, in another order each time, so that what else this
machine does hits all alike. A job keeps its answers besides, which is in its turns, and writes its output at
its end. Prints one JSON line: for each way the seconds of each turn, and the processor's seconds in all; and
the seconds of the output.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from batch.job import read
from batch.parts import Parts
from batch.progress import Progress
from contract.batch import Listed
from inference_code.process import prepare

_AT_ONCE = 100
"""Pictures of a turn."""


@dataclass
class Way:
    """One way to answer pictures, and what it has taken."""

    answer: Callable[[list[Listed]], None]
    turns: list[float] = field(default_factory=list)
    processor: float = 0.0


def main() -> None:
    """Answer the pictures of a job in each way."""
    prepare()
    from batch.answering import Answering
    from batch.output import leave
    from inference_code import inference
    from inference_code.api_error import ApiError
    from inference_code.serving.settings import IN_WORK_PER_CORE

    parser = argparse.ArgumentParser()
    parser.add_argument("base", type=Path, help="the folder of a job")
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    job, model = read(options.base), inference.model_fn(str(options.model))

    def one(picture: Listed) -> None:
        try:
            query = inference.input_fn(job.path(job.name(picture)).read_bytes(), None)
            inference.output_fn(inference.predict_fn(query, model), None)
        except ApiError:
            return

    def alone(threads: int) -> Callable[[list[Listed]], None]:
        return lambda pictures: _in_threads(threads, one, pictures)

    parts, progress = Parts(job.parts), Progress(job.count, 0)

    def as_job(pictures: list[Listed]) -> None:
        answering = Answering(model, pictures, job.path, job.name, cores)
        for picture, line, features in answering.lines():
            parts.add(picture, line, features)
            progress.done("error" in line)
        answering.close()

    ways = {
        f"functions alone, {cores} threads": Way(alone(cores)),
        f"functions alone, {IN_WORK_PER_CORE * cores} threads": Way(alone(IN_WORK_PER_CORE * cores)),
        "functions alone, once more": Way(alone(cores)),
        "batch": Way(as_job),
    }
    pictures = list(job.listed())
    names = list(ways)
    drawn = random.Random(7)
    for first in range(0, len(pictures), _AT_ONCE):
        for name in drawn.sample(names, len(names)):
            _timed(ways[name], pictures[first : first + _AT_ONCE])
    taken = {name: {"turns": way.turns, "processor": way.processor} for name, way in ways.items()}
    parts.close()
    began = time.perf_counter()
    leave(job, parts, model.identity, 0, progress.seconds)
    output = time.perf_counter() - began
    print(json.dumps({"pictures": len(pictures), "ways": taken, "output": output}))


def _timed(way: Way, pictures: list[Listed]) -> None:
    began, processor = time.perf_counter(), time.process_time()
    way.answer(pictures)
    way.turns.append(time.perf_counter() - began)
    way.processor += time.process_time() - processor


def _in_threads(count: int, work: Callable[[Listed], None], pictures: list[Listed]) -> None:
    rest, taking = iter(pictures), threading.Lock()

    def loop() -> None:
        while True:
            with taking:
                picture = next(rest, None)
            if picture is None:
                return
            work(picture)

    threads = [threading.Thread(target=loop) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
