"""Two processes that train together, for claims that need no whole job."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.spawn import start_processes

from tests.ports import free_port
from training_code.distributed.process_group import ProcessGroup


def in_two(work: Callable[..., None], *arguments: Any) -> None:
    """Do `work(group, *arguments)` in two processes that meet as torchrun's do; their errors are raised here.

    They are forked from one that has done nothing but import torch, which takes longer than most of the work.
    """
    multiprocessing.set_forkserver_preload(["torch", "torch.distributed"])
    start_processes(_one_of_two, (free_port(), work, arguments), nprocs=2, start_method="forkserver")


def _one_of_two(rank: int, port: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"OMP_NUM_THREADS": "1"}
    group = ProcessGroup.join()
    work(group, *arguments)
    group.leave()
    group.end(0)
