"""The doctor as a SageMaker training job, where the data lies. Run as `python -m doctor`.

It reads SageMaker's folders below /opt/ml (or SAGEMAKER_BASE_DIR): pictures either in the channels `train`,
`valid` and `test`, with a folder per class, or as a version of a data set: its manifest (JSON Lines, in any
number of files) in the channel `manifest`, and what its keys name in the channel `pictures`. A network's
weights may be in the channel `pretrained`. Hyperparameters: `dataset`, its name; `pictures_prefix`, which a
key has before its place in the channel; `jobs`, cores to use. What it finds becomes the job's model.tar.gz.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from contract.datasets import SPLITS, SUFFIXES
from contract.jobs import PRETRAINED
from contract.networks import WEIGHTS_SUFFIXES
from doctor.records import BadManifest, Record, of_manifest

MANIFEST: Final = "manifest"
PICTURES: Final = "pictures"
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
    jobs = int(settings.get("jobs", len(os.sched_getaffinity(0))))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    from doctor.examine import examine
    from doctor.features.network import from_file, suited_size
    from doctor.output import leave

    torch.set_num_threads(jobs)
    channels = base / "input" / "data"
    records = _records(channels, settings.get("pictures_prefix", ""))
    weights = sorted(path for path in (channels / PRETRAINED).rglob("*") if path.suffix in WEIGHTS_SUFFIXES)
    extractor = from_file(weights[0], suited_size(records)) if weights else None
    print(f"{len(records)} pictures, on {jobs} cores", flush=True)
    diagnosis = examine(records, extractor, jobs, _Log(len(records)))
    if not len(diagnosis.album):
        name, why = diagnosis.album.failures[0][0].name, diagnosis.album.failures[0][1].reason
        raise NothingToExamine(f"not one of {len(records)} pictures can be read; {name}, for one, {why}")
    leave(diagnosis, settings.get("dataset", "data set"), base / "model")
    print(f"{len(diagnosis.findings)} findings in {len(records)} pictures", flush=True)


def _records(channels: Path, prefix: str) -> list[Record]:
    if (channels / MANIFEST).is_dir():
        pictures = channels / PICTURES
        found = of_manifest(
            _lines(channels / MANIFEST), lambda key: _inside(pictures, key, prefix).read_bytes()
        )
    else:
        found = list(_of_folders(channels))
    if not found:
        raise NothingToExamine(
            f"there are no pictures: neither a manifest in the channel {MANIFEST!r} nor class folders in the "
            f"channels {', '.join(SPLITS)} (looked in {channels})"
        )
    return found


def _lines(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield _object(line)
                except ValueError as error:
                    raise BadManifest(f"{path.name}, line {number}: {error}") from None


def _object(line: str) -> Mapping[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    return value


def _inside(folder: Path, key: str, prefix: str) -> Path:
    """The file of a key, which a manifest from elsewhere cannot put outside the channel."""
    path = folder / key.removeprefix(prefix).lstrip("/")
    if ".." in Path(key).parts:
        raise FileNotFoundError(2, "its key leads out of the channel", key)
    return path


def _of_folders(channels: Path) -> Iterator[Record]:
    for split in SPLITS:
        for path in sorted((channels / split).glob("*/*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                name = path.relative_to(channels).as_posix()
                yield Record(name, path.parent.name, split, path.read_bytes, path.stat().st_size)


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

    return isinstance(error, (NothingToExamine, BadManifest, UnusableWeights))


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
