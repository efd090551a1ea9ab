"""One of our training jobs, told that all cores are its own, as on SageMaker; used by `benchmarks.training`.

A job on a shared machine takes the idle cores only, which would compare it on one core with a peer on two
whenever something else runs for a moment.
"""

from __future__ import annotations

from training_code import __main__ as job
from training_code.distributed.process_group import ProcessGroup
from training_code.hardware import cores


class _AllCores(cores.CoreWatch):
    def free_cores(self) -> int:
        return cores.cores()


if __name__ == "__main__":
    setattr(job, "CoreWatch", _AllCores)  # noqa: B010 (mypy forbids to assign to a class)
    ProcessGroup.end(job.main())
