"""The training image's first process: `train` runs a package of the channel `code`.

The image holds Python, its libraries and this file; the code comes with the job, so changing it builds no
image. SageMaker starts a custom image with the argument `train` and nothing else, so an environment
variable of the job says which package is run.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import NoReturn

PACKAGE = "JOB_PACKAGE"
PACKAGES = ("training_code", "doctor", "batch", "training_code.race")
"""What may be run, the first without the variable; as in contract/jobs.py, which comes with the code only."""
COMPATIBLE = Path("/usr/local/cuda/compat")
"""NVIDIA's libraries for drivers older than the image's CUDA wants, where the image could have them."""


def main(arguments: list[str]) -> None:
    """Run the job's package from the channel `code`, in this process."""
    if arguments != ["train"]:
        sys.exit(
            f"this image trains: start it with the argument 'train', not {' '.join(arguments) or 'none'!r}"
        )
    # A container's first process ignores SIGTERM unless it says otherwise; the training code takes over.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    code = base / "input" / "data" / "code"
    package = os.environ.get(PACKAGE) or PACKAGES[0]
    if package not in PACKAGES:
        _fail(base, f"the environment variable {PACKAGE}={package!r} has to be {' or '.join(PACKAGES)}")
    folder = package.replace(".", "/")
    if not (code / folder / "__main__.py").is_file():
        _fail(
            base,
            f"the channel 'code' holds no {folder}/__main__.py (looked in {code}); give the job "
            f"a channel named 'code' whose S3 prefix contains the folder {folder}",
        )
    suit_the_driver()
    sys.argv = [package]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


def _fail(base: Path, reason: str) -> NoReturn:
    """End the job with a reason that SageMaker shows."""
    output = base / "output"
    output.mkdir(parents=True, exist_ok=True)
    (output / "failure").write_text(reason, encoding="utf-8")
    sys.exit(f"error: {reason}")


def suit_the_driver() -> None:
    """Start again with NVIDIA's compatibility libraries, if the machine's driver is older than they are.

    The loader reads LD_LIBRARY_PATH when a process starts, and never again; a newer driver has to be left
    alone. https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
    """
    from contract.nvidia import driver_version  # it comes with the code

    driver, ours = driver_version(), compatible_version()
    paths = os.environ.get("LD_LIBRARY_PATH", "")
    if not driver or not ours or _major(driver) >= _major(ours) or str(COMPATIBLE) in paths.split(":"):
        return
    print(f"driver {driver}: using the libraries of {ours} in {COMPATIBLE}", flush=True)
    os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(COMPATIBLE), paths]))
    os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - there is no shell in it


def compatible_version() -> str:
    """Of which driver the compatibility libraries are; empty where there are none."""
    found = [path.name.removeprefix("libcuda.so.") for path in COMPATIBLE.glob("libcuda.so.*.*")]
    return max(found, default="")


def _major(version: str) -> int:
    return int(version.split(".")[0])


if __name__ == "__main__":
    main(sys.argv[1:])
