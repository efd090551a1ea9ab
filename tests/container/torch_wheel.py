"""PyTorch without CUDA for the training image's cpu target: from its own index, or a wheel that lies here.

The pins are for the Dockerfile's Python. Where the base has another, or PyTorch's index cannot be reached,
the image is built with whatever CPU wheel for the base's Python is in one of PIP_FIND_LINKS' folders: another
version maybe, all else as the Dockerfile says.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.request import urlopen

from tools import lock
from tools.pins import TRAINING, Pin

INSIDE = "/torch-index"


def pinned_can_be_had(base: str) -> bool:
    """Whether the image can be built on `base` as its Dockerfile says."""
    if python_of(base) != ".".join(lock.base_image().tag.partition("-")[0].split(".")[:2]):
        return False
    try:
        with urlopen(f"{lock.torch_index()}/torch/", timeout=20):
            return True
    except OSError:
        return False


def lying_here(base: str) -> Path | None:
    """A wheel of PyTorch without CUDA for the Python of `base`, or None."""
    tag = "cp" + python_of(base).replace(".", "")
    folders = [Path(each) for each in os.environ.get("PIP_FIND_LINKS", "").split()]
    found = [path for each in folders for path in each.glob(f"torch-*+cpu-{tag}-{tag}-*x86_64.whl")]
    return max(found, default=None)


def context_with(wheel: Path, folder: Path) -> tuple[Path, list[str]]:
    """A copy of the image's files which pins `wheel`, and buildah's options to build with it.

    Args:
        folder: an empty one, to make it in.
    """
    source, index = folder / "training_code", folder / "index" / "torch"
    source.mkdir()
    index.mkdir(parents=True)
    for name in ("Dockerfile", "Dockerfile.dockerignore", "entrypoint.py", "requirements.txt"):
        shutil.copy(TRAINING / name, source)
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    version = re.match(r"torch-([\d.]+)\+cpu", wheel.name)
    assert version
    pin = Pin("torch", version[1], "", (f"sha256:{digest}",))
    (source / "requirements-torch-cpu.txt").write_text(f"{pin}\n")
    shutil.copy(wheel, index)
    (index / "index.html").write_text(f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>')
    index_url = ["--build-arg", f"TORCH_INDEX_URL=file://{INSIDE}"]
    return folder, ["--volume", f"{index.parent}:{INSIDE}:ro", *index_url]


def python_of(image: str) -> str:
    """Its Python's version, such as 3.12."""
    run = ["podman", "--runtime", "runc", "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024"]
    limits = ["--ulimit", "nproc=1000:1000", "--entrypoint", "python", image]
    ask = ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run([*run, *limits, *ask], check=True, capture_output=True, text=True).stdout.strip()
