"""The doctor as a SageMaker training job, where the data lies. Run as `python -m doctor`.

It reads SageMaker's folders below /opt/ml (or SAGEMAKER_BASE_DIR), as a training does: pictures in the
channels `train`, `valid` and `test`, with a folder per class, or those that the lists in the channel
`dataset` name. A network's weights may be in the channel `pretrained`. Hyperparameters: `dataset`, its name;
`jobs`, cores to use. What it finds becomes the job's model.tar.gz.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from contract.cores import usable_cores
from contract.datasets import SPLITS, channels, rules
from contract.datasets.manifest import ETAG, InvalidVersion, Picture
from contract.jobs import DATASET, PRETRAINED
from contract.networks import WEIGHTS_SUFFIXES
from doctor.records import Record

_REPORTED_EVERY: Final = 15.0
"""Seconds between two lines of the log."""
_FAILURE_CHARACTERS: Final = 1024


class NothingToExamine(Exception):
    """The job has no pictures that can be examined; the message says where it looked."""


def main() -> int:
    """Run the job this process was started for."""
    signal.signal(signal.SIGTERM, _stop)
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    failure = base / "output" / "failure"
    failure.unlink(missing_ok=True)
    try:
        _run(base)
    except KeyboardInterrupt:
        print("stopped: nothing was written", flush=True)
    except Exception as error:
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}"[:_FAILURE_CHARACTERS], encoding="utf-8")
        if not _is_foreseen(error):
            raise
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(base: Path) -> None:
    settings = _hyperparameters(base)
    jobs = int(settings.get("jobs", usable_cores()))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import torch

    from doctor.examine import examine
    from doctor.features.network import from_file, suited_size
    from doctor.output import leave

    torch.set_num_threads(jobs)
    inputs = base / "input" / "data"
    records = _records(inputs)
    weights = sorted(path for path in (inputs / PRETRAINED).rglob("*") if path.suffix in WEIGHTS_SUFFIXES)
    extractor = from_file(weights[0], suited_size(records)) if weights else None
    print(f"{len(records)} pictures, on {jobs} cores", flush=True)
    diagnosis = examine(records, extractor, jobs, _Log(len(records)))
    if not len(diagnosis.album):
        name, why = diagnosis.album.failures[0][0].name, diagnosis.album.failures[0][1].reason
        raise NothingToExamine(f"not one of {len(records)} pictures can be read; {name}, for one, {why}")
    leave(diagnosis, settings.get("dataset", "data set"), base / "model")
    print(f"{len(diagnosis.findings)} findings in {len(records)} pictures", flush=True)


def _records(channels_folder: Path) -> list[Record]:
    lists = channels_folder / DATASET
    found = list(_listed(channels_folder, lists) if lists.is_dir() else _of_folders(channels_folder))
    if not found:
        raise NothingToExamine(
            f"there are no pictures: neither lists in the channel {DATASET!r} nor class folders in the "
            f"channels {', '.join(SPLITS)} (looked in {channels_folder})"
        )
    return found


def _listed(folder: Path, lists: Path) -> Iterator[Record]:
    by_split: dict[str, list[Picture]] = defaultdict(list)
    try:
        for picture in channels.pictures(lists):
            by_split[picture.split].append(picture)
    except InvalidVersion as error:
        raise NothingToExamine(f"the channel {DATASET!r}: {error}") from None
    for split, pictures in by_split.items():
        root = channels.root(folder / split, [picture.key for picture in pictures])
        for each in pictures:
            sha256 = "" if each.content.startswith(ETAG) else each.content
            name = f"{split}/{each.label}/{each.name}"
            yield Record(name, each.label, split, (root / each.key).read_bytes, each.size, sha256)


def _of_folders(folder: Path) -> Iterator[Record]:
    for split in SPLITS:
        for path in sorted((folder / split).glob("*/**/*")):
            inner = path.relative_to(folder / split)
            if rules.is_picture(inner.as_posix()) and path.is_file():
                yield Record(f"{split}/{inner}", inner.parts[0], split, path.read_bytes, path.stat().st_size)


def _hyperparameters(base: Path) -> dict[str, str]:
    path = base / "input" / "config" / "hyperparameters.json"
    return {key: str(value) for key, value in json.loads(path.read_text()).items()} if path.exists() else {}


class _Log:
    """Says every few seconds how far the job is."""

    def __init__(self, pictures: int) -> None:
        self._pictures, self._done, self._last, self._stage = pictures, 0, time.monotonic(), ""

    def __call__(self, stage: str, done: int) -> None:
        if stage != self._stage:
            self._stage, self._done, self._last = stage, 0, 0.0
        self._done += done
        if time.monotonic() - self._last >= _REPORTED_EVERY:
            self._last = time.monotonic()
            of = f" of {self._pictures}" if self._done > 100 else ""
            print(f"{stage}: {self._done}{of}", flush=True)


def _is_foreseen(error: Exception) -> bool:
    from doctor.features.network import UnusableWeights

    return isinstance(error, (NothingToExamine, UnusableWeights))


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
