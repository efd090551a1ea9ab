"""The local AWS runs the code it was started with: what code that is, and whether it may be started anew.

Its state outlives a restart and its endpoints come back; running jobs do not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cli.target import Target


def fingerprint(root: Path) -> str:
    """SHA-256 of the local AWS's source in a checkout, and of the list of packages it is installed with."""
    digest = hashlib.sha256()
    for path in (*sorted((root / "local_aws" / "src").rglob("*.py")), root / "requirements.txt"):
        if path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def work(target: Target) -> list[str]:
    """What a restart would break off: running jobs, and stacks that are being changed."""
    sagemaker = target.client("sagemaker")
    running = {"StatusEquals": "InProgress"}
    tunings = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(**running)
    trainings = sagemaker.get_paginator("list_training_jobs").paginate(**running)
    stacks = target.client("cloudformation").get_paginator("describe_stacks").paginate()
    return [
        *(
            each["HyperParameterTuningJobName"]
            for p in tunings
            for each in p["HyperParameterTuningJobSummaries"]
        ),
        *(each["TrainingJobName"] for page in trainings for each in page["TrainingJobSummaries"]),
        *(
            each["StackName"]
            for page in stacks
            for each in page["Stacks"]
            if each["StackStatus"].endswith("_IN_PROGRESS") and each["StackStatus"] != "REVIEW_IN_PROGRESS"
        ),
    ]
