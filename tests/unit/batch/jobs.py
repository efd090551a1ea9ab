"""Batch jobs for tests, laid out as SageMaker does it."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.batch import KEYS, LIST, MODEL, PICTURES, Listed

SOURCE_KEY = "_batch/pets/"
SOURCE = f"s3://data/{SOURCE_KEY}"


def pack(model: Path, archive: Path) -> Path:
    """A model's folder as the archive that training leaves."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(model.iterdir()):
            tar.add(path, arcname=path.name)
    return archive


def lay_out(
    base: Path, archive: Path, pictures: Mapping[str, bytes], hosts: int = 1, host: int = 0, **told: Any
) -> Path:
    """A job's folders, with these pictures below the source; what is there already stays."""
    data, config = base / "input" / "data", base / "input" / "config"
    for folder in (data / LIST, data / MODEL, data / PICTURES, config):
        folder.mkdir(parents=True, exist_ok=True)
    if not (data / MODEL / "model.tar.gz").exists():
        (data / MODEL / "model.tar.gz").symlink_to(archive)
    for name, content in pictures.items():
        (data / PICTURES / name).parent.mkdir(parents=True, exist_ok=True)
        (data / PICTURES / name).write_bytes(content)
    (data / LIST / KEYS).write_bytes(
        gzip.compress("".join(each.line() for each in listed(pictures)).encode())
    )
    settings = {"source": SOURCE, "pictures": str(len(pictures)), "named_below": SOURCE_KEY, **told}
    (config / "hyperparameters.json").write_text(json.dumps(settings))
    names = [f"algo-{number + 1}" for number in range(hosts)]
    resources = {"hosts": names, "current_host": names[host]}
    (config / "resourceconfig.json").write_text(json.dumps(resources))
    return base


def listed(pictures: Mapping[str, bytes]) -> list[Listed]:
    return [
        Listed(f"{SOURCE_KEY}{name}", hashlib.md5(content).hexdigest(), len(content))
        for name, content in sorted(pictures.items())
    ]


def lines(base: Path, share: int = 1, shares: int = 1) -> list[dict[str, Any]]:
    """What a job answered."""
    text = (base / "model" / f"answers-{share}-of-{shares}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]
