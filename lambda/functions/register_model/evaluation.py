"""The numbers a training job leaves in output.tar.gz."""

from __future__ import annotations

from contract.evaluation import FILE, MAX_BYTES
from functions.common import archived
from functions.common.evaluation import Evaluation, parse


def fetch(bucket: str, key: str) -> Evaluation:
    """The evaluation in a training job's output archive.

    Raises:
        OutputInvalid: no archive, no such file in it, or (EvaluationInvalid) not one that can be believed.
    """
    return parse(archived.fetch(bucket, key, FILE, MAX_BYTES), f"s3://{bucket}/{key}")
