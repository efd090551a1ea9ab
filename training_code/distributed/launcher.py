"""Several processes for one job: torchrun on this instance, which meets those of the job's other instances.

torchrun hands SIGTERM on to the processes, which agree where to stop (`process_group`). It runs in this
process: so it makes no traceback of its own beside the reason that a failed process gave.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

import torch

from training_code.config import Config
from training_code.errors import InvalidHyperparameter
from training_code.hardware.cores import cores
from training_code.job import Cluster, Job
from training_code.stopping import Stopped, StopSignal

_PORT: Final = "29500"

BEREAVED: Final = 3
"""Exit code of a process that fails only because another has ended."""

_GRACE: Final = 110
"""Seconds that stopped processes have to save what they have: nearly all that SageMaker gives."""


def per_instance(config: Config) -> int:
    """How many processes each instance runs.

    Raises:
        InvalidHyperparameter: more than it has GPUs; of those each process needs one.
    """
    gpus = torch.cuda.device_count()
    if gpus and config.processes > gpus:
        raise InvalidHyperparameter(
            f"processes={config.processes}: this instance has {gpus} GPU{'s' * (gpus > 1)}, one for each "
            f"process; 0 takes them all"
        )
    return config.processes or max(1, gpus)


def is_one_of_several() -> bool:
    """Whether torchrun started this process."""
    return "LOCAL_RANK" in os.environ


def needed(config: Config, cluster: Cluster) -> bool:
    """Whether this process has to start others; never in one that torchrun started."""
    return not is_one_of_several() and (per_instance(config) > 1 or len(cluster.hosts) > 1)


def start(config: Config, job: Job, stop: StopSignal) -> int:
    """Run this package under torchrun, to its end; its exit code, 0 when it was told to stop."""
    cluster = job.cluster()
    os.environ.update(environment(config, cluster))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what fails says so itself
    from torch.distributed import run  # takes a while
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    signal.signal(signal.SIGTERM, _give_up)  # torchrun takes over once there are workers
    try:
        stop.check()
        run.main([*arguments(config, cluster), "-m", "training_code"])
    except (Stopped, SignalException):
        return int(job.failed)
    except ChildFailedError as error:
        causes = [each for each in error.failures.items() if each[1].exitcode != BEREAVED]
        if not causes:
            print("error: a process on another instance has ended; its log says why", file=sys.stderr)
            return 1
        rank, failure = causes[0]
        reason = _ending(rank, failure.exitcode)
        if job.fail(reason):
            print(f"error: {reason}", file=sys.stderr, flush=True)
        return 1
    return 0


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _ending(rank: int, code: int) -> str:
    """Why a process ended that had no time to say it."""
    if code == -signal.SIGKILL:
        return (
            f"process {rank} was killed (SIGKILL), most likely because the machine's memory was used up; "
            f"try fewer processes, a smaller batch_size, or an instance with more memory"
        )
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"process {rank} ended {how} (see the job's log)"


def arguments(config: Config, cluster: Cluster) -> list[str]:
    """torchrun's; https://docs.pytorch.org/docs/stable/elastic/run.html"""
    each = [f"--nproc-per-node={per_instance(config)}", f"--shutdown-timeout={_GRACE}"]
    if len(cluster.hosts) == 1:
        return ["--standalone", *each]
    meet = [f"--master-addr={cluster.hosts[0]}", f"--master-port={os.environ.get('MASTER_PORT', _PORT)}"]
    return [f"--nnodes={len(cluster.hosts)}", f"--node-rank={cluster.rank}", *meet, *each]


def environment(config: Config, cluster: Cluster) -> dict[str, str]:
    """What the processes find: this package, their share of the cores, and the interface by which NCCL and
    gloo reach the other instances.
    """
    package = str(Path(__file__).parents[2])
    found = {
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")])),
        "OMP_NUM_THREADS": str(max(1, cores() // per_instance(config))),
    }
    if len(cluster.hosts) > 1 and cluster.interface:
        found |= {"NCCL_SOCKET_IFNAME": cluster.interface, "GLOO_SOCKET_IFNAME": cluster.interface}
    return found
