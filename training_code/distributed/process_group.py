"""The processes that train one network together: one, or several on one or more machines.

They share the pictures of every step and agree on everything else, so that the numbers are those of one
process, within rounding. Alone, every method answers at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

import torch
from torch import Tensor, distributed, nn

from training_code.errors import TrainingError
from training_code.stopping import Stopped

_T = TypeVar("_T")

_PR_SET_PDEATHSIG: Final = 1

_LOST: Final = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""gloo's words, and those of the store where processes meet."""


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among `size`: its rank, and that among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    instance: distributed.ProcessGroup | None = None
    """The processes of this machine, where there are others."""

    @staticmethod
    def join() -> ProcessGroup:
        """Meet the other processes, if torchrun started this one.

        https://docs.pytorch.org/docs/stable/elastic/run.html
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return ProcessGroup()
        _die_with_parent()
        local_rank = int(os.environ["LOCAL_RANK"])
        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(local_rank)
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
        local_size = int(os.environ["LOCAL_WORLD_SIZE"])
        instance, _ = distributed.new_subgroups(local_size)  # type: ignore[no-untyped-call]
        return ProcessGroup(int(os.environ["RANK"]), size, local_rank, local_size, instance)

    @property
    def is_main(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    @property
    def is_local_main(self) -> bool:
        """Whether this process does what its machine needs once."""
        return self.local_rank == 0

    def share(self, items: Sequence[_T]) -> Sequence[_T]:
        """This process's part of what its machine has to do: neighbours, so that files are read in order."""
        first, end = (len(items) * (self.local_rank + each) // self.local_size for each in (0, 1))
        return items[first:end]

    def agreed(self, work: Callable[[], _T]) -> _T:
        """Do this process's part of a work, and wait until everybody has done theirs.

        Raises:
            TrainingError, Stopped: as raised by `work` in any process, in all of them.
        """
        if self.size == 1:
            return work()
        result, problem = None, None
        try:
            result = work()
        except (TrainingError, Stopped) as error:
            problem = error
        problems = [each for each in self.all_gather(problem) if each is not None]
        if problems:
            raise next((each for each in problems if isinstance(each, TrainingError)), problems[0])
        return result  # type: ignore[return-value]

    def broadcast(self, work: Callable[[], _T]) -> _T:
        """What the first process finds out, in all; errors as of `agreed`."""
        return self.all_gather(self.agreed(lambda: work() if self.is_main else None))[0]  # type: ignore[return-value]

    def part(self, rows: Tensor) -> Tensor:
        """This process's part of the rows of a step; parts differ in size by at most one."""
        return rows.tensor_split(self.size)[self.rank]

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        if self.size == 1:
            return flag
        flags = torch.tensor([flag], dtype=torch.int32)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags.item())

    def all_reduce(self, values: Tensor) -> Tensor:
        """The sum of everybody's `values`."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def all_gather(self, value: _T) -> Sequence[_T]:
        """Everybody's value, in the order of their ranks."""
        return _all_gather(value, self.size, None)

    def all_gather_local(self, value: _T) -> Sequence[_T]:
        """The value of each process of this machine, in their order."""
        return _all_gather(value, self.local_size, self.instance)

    @staticmethod
    def is_lost(error: Exception) -> bool:
        """Whether it says that another process has ended, which is not the reason for anything."""
        return isinstance(error, RuntimeError) and any(words in str(error) for words in _LOST)

    def data_parallel(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over all processes."""
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(network, broadcast_buffers=False)

    @staticmethod
    def end(code: int) -> NoReturn:
        """End this process at once, when all is written: on a slow way out, threads of gloo that nobody joins
        may abort it (SIGABRT), which torchrun takes for a failed job.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def leave(self) -> None:
        """Say goodbye, so that nobody waits."""
        if self.size > 1:
            distributed.destroy_process_group()


def _die_with_parent() -> None:
    """torchrun puts each process into a session of its own: whoever kills it would leave them training."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _all_gather(value: _T, size: int, group: distributed.ProcessGroup | None) -> Sequence[_T]:
    if size == 1:
        return [value]
    values: list[_T | None] = [None] * size
    distributed.all_gather_object(values, value, group=group)
    return values  # type: ignore[return-value]


ALONE: Final = ProcessGroup()
"""One process."""
