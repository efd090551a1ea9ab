"""What a batch leaves: one line per picture in one file, a summary, and a page.

All of it is made of the parts, in one pass, so that memory does not grow with the answers.
"""

from __future__ import annotations

import csv
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, Final

from batch.features import Rows
from batch.job import Job
from batch.parts import Kept, Parts
from contract.batch import (
    COLUMNS,
    CSV,
    PAGE,
    SHOWN,
    Summary,
    answers_file,
    cells,
    features_file,
    summary_file,
    together,
)
from contract.pictures.parts import UndecodablePicture
from contract.pictures.thumbnail import data_address
from reports.batch.page import render

Line = dict[str, Any]
_THUMBNAIL: Final = 112


class LostPictures(Exception):
    """Pictures of the list have no line, which never happens."""


def leave(job: Job, parts: Parts, model: dict[str, str], kept: int, seconds: float) -> Summary:
    """Write everything.

    Args:
        kept: how many pictures earlier runs had answered.
        seconds: what the job took to answer the others.

    Raises:
        LostPictures: the parts do not have a line for every picture.
    """
    wanted = {each.identity for each in job.listed()}
    total = len(wanted)
    summary = Summary(source=job.source, model=model, pictures=total, kept=kept, seconds=round(seconds, 1))
    tally = _Tally(summary)
    job.output.mkdir(parents=True, exist_ok=True)
    answers = _writing(job.output / answers_file(job.share, job.shares, job.form), job.form)
    features = Rows(job.output / features_file(job.share, job.shares)) if job.features else nullcontext()
    with answers as write, features as rows:
        for each in _once(parts, wanted):
            line = json.loads(each.text)
            write(line)
            if rows is not None and each.features:
                rows.add(each.features)
            wanted.remove(each.identity)
            tally.count(line)
    if wanted:
        first = next(each.key for each in job.listed() if each.identity in wanted)
        raise LostPictures(f"{len(wanted)} of {total} pictures have no line, such as {first}")
    tally.finish(job.path)
    summary = together([summary])
    (job.output / summary_file(job.share, job.shares)).write_text(summary.write(), encoding="utf-8")
    (job.output / PAGE).write_text(render(summary, job.share, job.shares), encoding="utf-8")
    return summary


def _once(parts: Parts, wanted: set[bytes]) -> Iterator[Kept]:
    """One line for each wanted picture; one for reasons of ours where there is no other."""
    passing: dict[bytes, Kept] = {}
    for each in parts.kept():
        if each.identity not in wanted:
            continue
        if each.final:
            yield each
        else:
            passing[each.identity] = each
    yield from (each for identity, each in passing.items() if identity in wanted)


@contextmanager
def _writing(path: Path, form: str) -> Iterator[Callable[[Line], object]]:
    """A function that writes a line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == CSV:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            yield lambda line: rows.writerow(cells(line))
        else:
            yield lambda line: file.write(f"{json.dumps(line, ensure_ascii=False)}\n")


class _Tally:
    """Counts lines into a summary, and keeps the few that the page shows."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._classes, self._refused = Counter[str](), Counter[str]()
        self._order = count()
        self._least: list[tuple[float, int, Line]] = []
        self._unlike: list[tuple[float, int, Line]] = []

    def count(self, line: Line) -> None:
        summary = self._summary
        if "error" in line:
            self._refused[line["error"]["code"]] += 1
            if len(summary.refusals) < SHOWN:
                summary.refusals.append({"key": line["key"], **line["error"]})
            return
        self._classes[line["predicted_class"]] += 1
        summary.certain += line["certain"] is True
        summary.uncertain += line["certain"] is False
        summary.unlike += line["unlike_training"] is True
        self._keep(self._least, line)
        if line["unlike_training"] is True:
            self._keep(self._unlike, line)

    def _keep(self, heap: list[tuple[float, int, Line]], line: Line) -> None:
        """The least confident ones: a heap with the most confident of them at its top."""
        entry = (-line["confidence"], next(self._order), line)
        (heapq.heappush if len(heap) < SHOWN else heapq.heappushpop)(heap, entry)

    def finish(self, place: Callable[[str], Path]) -> None:
        """Put counts and samples into the summary; pictures are read again for their thumbnails."""
        self._summary.classes = dict(self._classes.most_common())
        self._summary.refused = dict(self._refused.most_common())
        self._summary.least_certain = [self._sample(line, place(line["key"])) for _, _, line in self._least]
        self._summary.most_unlike = [self._sample(line, place(line["key"])) for _, _, line in self._unlike]

    @staticmethod
    def _sample(line: Line, path: Path) -> dict[str, Any]:
        try:
            thumbnail = data_address(path.read_bytes(), _THUMBNAIL)
        except (OSError, UndecodablePicture):
            thumbnail = ""
        best = [{key: each[key] for key in ("class", "confidence")} for each in line["predictions"][:2]]
        return {
            "key": line["key"],
            "confidence": line["confidence"],
            "predictions": best,
            "thumbnail": thumbnail,
        }
