"""A batch of pictures as a SageMaker training job. Run as `python -m batch`.

It reads SageMaker's folders below /opt/ml (or SAGEMAKER_BASE_DIR): the channel `list` names the pictures, the
channel `pictures` shows them, and the archive in the channel `model` answers them. What is answered goes to
the checkpoints, where the next job of the same pictures and model finds it; at the end each picture's one
line goes to the job's model folder, with a summary and a page. A picture that is none has a line that says
so, and fails nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from batch.job import CannotBegin, Job, read
from batch.parts import Parts
from batch.progress import Progress
from contract.batch import MAX_PICTURE_BYTES, OURS, Listed
from contract.cores import usable_cores
from inference_code import logs
from inference_code.process import prepare

if TYPE_CHECKING:
    from inference_code.inference import Classifier

_FAILURE_CHARACTERS: Final = 1024
_TELLS_NONE: Final = (
    "the model is of before models told their features: train it again, or run the batch without features"
)
_STOPPED: Final = "stopped: what is answered is kept, and the next run of this batch goes on from there"


class NothingAnswered(Exception):
    """Not one picture could be asked, for reasons that are no picture's."""


class _Stop(Exception):
    """SageMaker wants the instance back, or somebody the job's end."""


def main() -> int:
    """Run the job this process was started for."""
    signal.signal(signal.SIGTERM, _stop)
    prepare()
    logs.start()
    logging.getLogger().setLevel(logging.WARNING)  # people follow this log; a line of it says how far it is
    os.environ.setdefault("MAX_IMAGE_BYTES", str(MAX_PICTURE_BYTES))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    failure = base / "output" / "failure"
    failure.unlink(missing_ok=True)
    from inference_code.environment import NoGpu
    from inference_code.model.bad_artifact import BadArtifact

    try:
        _run(read(base))
    except _Stop:
        for unfinished in (base / "model").glob("*"):
            unfinished.unlink()
        print(_STOPPED, flush=True)
    except Exception as error:
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}"[:_FAILURE_CHARACTERS], encoding="utf-8")
        if not isinstance(error, CannotBegin | NothingAnswered | BadArtifact | NoGpu):
            raise
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(job: Job) -> None:
    from batch.output import leave
    from inference_code.inference import model_fn

    parts = Parts(job.parts, features=job.features)
    answered = {each.identity for each in parts.kept() if each.final}
    total = sum(1 for _ in job.listed())
    kept = sum(each.identity in answered for each in job.listed())
    begin = f"share {job.share + 1} of {job.shares}: " if job.shares > 1 else ""
    print(f"{begin}{total:,} pictures, {kept:,} answered before", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        job.unpack_model(Path(folder))
        model = model_fn(folder)
    if job.features and not model.width:
        raise CannotBegin(_TELLS_NONE)
    progress = Progress(total, kept, begin=begin)
    _answer(job, parts, model, (each for each in job.listed() if each.identity not in answered), progress)
    print(progress.line(), flush=True)
    summary = leave(job, parts, model.identity, kept, progress.seconds)
    refused = sum(summary.refused.values())
    print(f"{begin}done: {summary.answered:,} answered, {refused:,} without an answer", flush=True)


def _answer(job: Job, parts: Parts, model: Classifier, todo: Iterator[Listed], progress: Progress) -> None:
    """Ask for each picture, and keep its line; what is done when the job is stopped is kept as well.

    Raises:
        NothingAnswered: there were pictures, and not one line says something of its picture.
    """
    from batch.answering import Answering
    from batch.features import Compact

    compact = Compact(model.width) if job.features else None
    answering = Answering(model, todo, job.path, job.name, usable_cores(), compact)
    ours, theirs, why = 0, 0, ""
    try:
        for picture, line, features in answering.lines():
            parts.add(picture, line, features)
            progress.done("error" in line)
            if line.get("error", {}).get("code") in OURS:
                ours, why = ours + 1, f"{picture.key}: {line['error']['message']}"
            else:
                theirs += 1
    finally:
        answering.close()
        parts.close()
    if ours and not theirs:
        raise NothingAnswered(f"not one of {ours} pictures could be asked; {why}")


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stop


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # Not sys.exit: that would wait for threads that read or decode still.
    os._exit(status)
