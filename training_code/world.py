"""The processes that train one network together: one, or several on one or more machines.

torchrun starts them and tells each its place in the environment. They share the pictures of every step and
agree on everything else, so that the numbers are those of one process, within rounding. Alone, every method
answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import torch
from torch import Tensor, nn

_T = TypeVar("_T")


@dataclass(frozen=True)
class World:
    """This process's place among `size`: its rank, and that among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @staticmethod
    def join() -> World:
        """Meet the other processes, if torchrun started this one.

        https://docs.pytorch.org/docs/stable/elastic/run.html
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return World()
        from torch import distributed

        local_rank = int(os.environ["LOCAL_RANK"])
        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(local_rank)
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
        return World(int(os.environ["RANK"]), size, local_rank, int(os.environ["LOCAL_WORLD_SIZE"]))

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def mine(self, rows: Tensor) -> Tensor:
        """This process's part of the rows of a step; parts differ in size by at most one."""
        return rows.tensor_split(self.size)[self.rank]

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        if self.size == 1:
            return flag
        from torch import distributed

        told = torch.tensor([flag], dtype=torch.int32)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return bool(told.item())

    def sum(self, values: Tensor) -> Tensor:
        """The sum of everybody's `values`."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def gathered(self, value: _T) -> Sequence[_T]:
        """Everybody's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        from torch import distributed

        values: list[_T | None] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def together(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over all processes."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network, broadcast_buffers=False)

    @staticmethod
    def end(code: int) -> NoReturn:
        """End this process at once: threads of gloo that nobody joins have aborted the interpreter on its way
        out (SIGABRT, seen once in some dozen times), which torchrun takes for a failed job.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def leave(self) -> None:
        """Say goodbye, so that nobody waits."""
        if self.size > 1:
            from torch import distributed

            distributed.destroy_process_group()
