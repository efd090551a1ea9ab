"""An endpoint under traffic, second by second: instances that queue and refuse, and target tracking that
adds and removes them as AWS does.

The decision is the local AWS's own (local_aws.autoscaling.decision), so what is simulated here is what
runs there. An instance is `workers` servers in parallel with a queue of limited room in front; how many
requests it has in hand below saturation is Sakasegawa's approximation (1977, Ann. Inst. Statist. Math. 29)
of a queue with random arrivals and equal service times. Above saturation the backlog is counted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local_aws.autoscaling.decision import HIGH, HIGH_RESOLUTION, LOW, Past, Tracking, decide

CONCURRENCY = "requests in hand, every 10 s"
INVOCATIONS = "invocations a minute"
# An instance answers four minutes after it was asked for: measured by third parties on AWS, 2026.
LAUNCH_SECONDS = 240
# A metric can be read so long after the end of its period: high resolution arrives with the next ten seconds.
DELAY_SECONDS = {CONCURRENCY: 10, INVOCATIONS: 60}
_START = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What one instance can do.

    Attributes:
        workers: pictures it works on at a time.
        seconds: one worker's time for one picture.
        queue: requests it lets wait; one more is refused with 503.
    """

    workers: int
    seconds: float
    queue: int

    @property
    def capacity(self) -> float:
        """Requests a second."""
        return self.workers / self.seconds

    def in_hand(self, load: float) -> float:
        """Mean number of requests being answered or waiting at this utilisation, 0 to below 1."""
        waiting: float = load ** math.sqrt(2 * (self.workers + 1)) / (1 - load) / 2
        return min(self.workers * load + waiting, self.workers + self.queue)


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The settings of an endpoint's scaling; cooldowns in seconds. Without a target nothing is scaled."""

    name: str
    metric: str = CONCURRENCY
    target: float | None = 2
    out_cooldown: int = 60
    in_cooldown: int = 1800
    least: int = 1
    most: int = 6


@dataclass
class Outcome:
    """What came of a day."""

    asked: int = 0
    missed: float = 0.0
    instance_seconds: int = 0
    most_instances: int = 0
    changes: int = 0


@dataclass
class _Metric:
    """The metric per period of `seconds`, as CloudWatch averages or adds it up."""

    seconds: int
    adds_up: bool
    kept: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    _sum: float = 0.0

    def take(self, second: int, value: float) -> None:
        self._sum += value
        if (second + 1) % self.seconds == 0:
            self.kept.append(self._sum if self.adds_up else self._sum / self.seconds)
            self._sum = 0.0

    def last(self, count: int, delay: int) -> list[float | None]:
        """The last periods that have arrived after a delay of so many seconds, oldest first."""
        late = -(-delay // self.seconds)
        found = list(self.kept)[: len(self.kept) - late] if late else list(self.kept)
        return [None] * (count - len(found)) + list(found[-count:])


def simulate(instance: Instance, scaling: Scaling, arrivals: Sequence[int]) -> Outcome:
    """Let `arrivals` (requests in each second) come to an endpoint scaled like this."""
    outcome = Outcome(asked=int(sum(arrivals)), most_instances=scaling.least)
    fast = scaling.metric == CONCURRENCY
    window = HIGH_RESOLUTION if fast else HIGH
    high, low = _Metric(window.period, not fast), _Metric(LOW.period, not fast)
    running, coming, ready_at, before = scaling.least, 0, 0, scaling.least
    backlog, past = 0.0, Past()
    for second, asked in enumerate(arrivals):
        if coming and second >= ready_at:
            past = Past(out_at=_at(second), out_from=running)
            running, coming = running + coming, 0
            outcome.most_instances = max(outcome.most_instances, running)
        load = (backlog + asked) / (running * instance.capacity)
        left = max(0.0, backlog + asked - running * instance.capacity)
        backlog = min(left, running * instance.queue)
        outcome.missed += left - backlog
        # An instance is paid for from the moment it is asked for.
        outcome.instance_seconds += running + coming
        busy = instance.in_hand(load) if load < 0.999 else instance.workers + backlog / running
        value = busy if fast else asked / running
        high.take(second, value)
        low.take(second, value)
        # While an endpoint is being changed it cannot be changed again.
        if scaling.target is None or coming or second % 5:
            continue
        delay = DELAY_SECONDS[scaling.metric]
        tracking = Tracking(
            name="simulated",
            target=scaling.target,
            out_cooldown=timedelta(seconds=scaling.out_cooldown),
            in_cooldown=timedelta(seconds=scaling.in_cooldown),
            may_scale_in=True,
            high=high.last(window.count, delay),
            low=low.last(LOW.count, delay),
        )
        decision = decide([tracking], running, (scaling.least, scaling.most), past, _at(second))
        if decision is None:
            continue
        outcome.changes += 1
        before, running = running, min(running, decision.capacity)
        if decision.capacity > before:
            coming, ready_at = decision.capacity - before, second + LAUNCH_SECONDS
        else:
            past = Past(out_at=past.out_at, out_from=past.out_from, in_at=_at(second))
    return outcome


def _at(second: int) -> datetime:
    return _START + timedelta(seconds=second)
