"""The training image's first process: `train` runs the package in the channel `code`.

The image holds Python, its libraries and this file; the training code comes with the job, so changing it
builds no image. SageMaker starts an image of one's own with the argument `train` and nothing else.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run `training_code` from the channel `code`, in this process."""
    if arguments != ["train"]:
        sys.exit(
            f"this image trains: start it with the argument 'train', not {' '.join(arguments) or 'none'!r}"
        )
    # A container's first process ignores SIGTERM unless it says otherwise; the training code takes over.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    code = base / "input" / "data" / "code"
    if not (code / "training_code" / "__main__.py").is_file():
        reason = (
            f"the channel 'code' holds no training_code/__main__.py (looked in {code}); give the job "
            f"a channel named 'code' whose S3 prefix contains the folder training_code"
        )
        output = base / "output"
        output.mkdir(parents=True, exist_ok=True)
        (output / "failure").write_text(reason, encoding="utf-8")
        sys.exit(f"error: {reason}")
    sys.path.insert(0, str(code))
    sys.argv = ["training_code"]
    runpy.run_module("training_code", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
