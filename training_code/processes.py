"""Several processes for one job: torchrun on this instance, which meets those of the job's other instances.

One per GPU by default; the instances are those SageMaker lists in resourceconfig.json. Signals go through to
the processes, which agree where to stop (`world`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import torch

from training_code.config import Config
from training_code.job import Cluster
from training_code.stopping import StopSignal

_PORT: Final = "29500"
_TICK: Final = 0.2


def per_instance(config: Config) -> int:
    """How many processes each instance runs."""
    return config.processes or max(1, torch.cuda.device_count())


def needed(config: Config, cluster: Cluster) -> bool:
    """Whether this process has to start others; never in one that torchrun started."""
    return "LOCAL_RANK" not in os.environ and (per_instance(config) > 1 or len(cluster.hosts) > 1)


def start(config: Config, cluster: Cluster, stop: StopSignal) -> int:
    """Run this package under torchrun, to its end; its exit code, 0 when it was told to stop.

    A stopped job's model and checkpoint are whole; torchrun's code then only says that a signal came.
    """
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *arguments(config, cluster),
        "-m",
        "training_code",
    ]
    process = subprocess.Popen(command, env={**os.environ, **environment(cluster)})
    told = False
    while process.poll() is None:
        if stop.came and not told:
            told = True
            _tell(process)
        time.sleep(_TICK)
    return 0 if told else process.returncode


def _tell(process: subprocess.Popen[bytes]) -> None:
    """Pass SIGTERM on to the workers themselves: torchrun would kill them after 30 of SageMaker's 120 s, and
    end with a traceback.
    """
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8")
        for worker in children.split():
            os.kill(int(worker), signal.SIGTERM)
    except OSError:
        children = ""
    if not children.strip():
        process.terminate()


def arguments(config: Config, cluster: Cluster) -> list[str]:
    """torchrun's; https://docs.pytorch.org/docs/stable/elastic/run.html"""
    each = ["--nproc-per-node", str(per_instance(config))]
    if len(cluster.hosts) == 1:
        return ["--standalone", *each]
    return [
        "--nnodes",
        str(len(cluster.hosts)),
        "--node-rank",
        str(cluster.rank),
        "--master-addr",
        cluster.hosts[0],
        "--master-port",
        os.environ.get("MASTER_PORT", _PORT),
        *each,
    ]


def environment(cluster: Cluster) -> dict[str, str]:
    """Where Python finds this package, and by which interface NCCL and gloo reach the other instances."""
    package = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    if len(cluster.hosts) == 1 or not cluster.interface:
        return {"PYTHONPATH": path}
    return {
        "PYTHONPATH": path,
        "NCCL_SOCKET_IFNAME": cluster.interface,
        "GLOO_SOCKET_IFNAME": cluster.interface,
    }
