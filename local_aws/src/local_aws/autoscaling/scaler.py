"""The loop that scales: every few seconds, every target, one at a time.

A tick finishes the activity that is under way, or looks whether the target needs a new one: because it is
outside its bounds, or because its policies say so. Nothing is kept in memory, so a restart goes on where the
last run stopped. Clock and metrics come from outside; a test turns both by hand.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local_aws.autoscaling.decision import LOW, Past, Tracking, decide
from local_aws.autoscaling.metrics import CloudWatchMetrics, of_policy, step_of
from local_aws.autoscaling.policies import CONFIGURATION, COOLDOWN, STEPS
from local_aws.autoscaling.records import (
    POLICY,
    TARGET,
    activity_in_progress,
    begin_activity,
    finish_activity,
    key,
)
from local_aws.autoscaling.variants import ScalingFailedError, State, Variants
from local_aws.core.store import NoSuchDocument, Store

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
# After a failed attempt AWS waits before it tries again; so do we.
RETRY = timedelta(minutes=1)


@dataclass(eq=False)
class Scaler:
    """Brings every scalable target to the size its policies ask for."""

    store: Store
    variants: Variants
    metrics: CloudWatchMetrics
    now: Callable[[], datetime]
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Tick until `stop`."""
        while not self._stopped.wait(TICK_SECONDS):
            self.tick()

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    def tick(self) -> None:
        """Look at every target once."""
        for target in self.store.list(TARGET):
            try:
                self._look_at(target)
            except Exception:  # one target's trouble must not stop the others
                log.exception("auto scaling of %s failed", target["ResourceId"])

    def _look_at(self, target: dict[str, Any]) -> None:
        state = self.variants.read(target["ResourceId"])
        if state is None or not state.settled:
            return
        activity = activity_in_progress(self.store, target)
        if activity is not None:
            self._finish(target, activity, state)
            return
        now, last_failure = self.now(), target.get("FailedAt")
        if last_failure is not None and now < last_failure + RETRY:
            return
        low, high = target["MinCapacity"], target["MaxCapacity"]
        if state.capacity < low:
            self._set(target, state.capacity, low, f"minimum capacity was set to {low}")
        elif state.capacity > high:
            self._set(target, state.capacity, high, f"maximum capacity was set to {high}")
        else:
            self._track(target, state.capacity, now)

    def _track(self, target: dict[str, Any], capacity: int, now: datetime) -> None:
        policies = {p["PolicyName"]: p for p in self.store.list(POLICY) if key(p) == key(target)}
        if self._step(target, capacity, now, list(policies.values())):
            return
        trackings = [self._tracking(p, now) for p in policies.values() if CONFIGURATION in p]
        past = Past(out_at=target.get("OutAt"), out_from=target.get("OutFrom", 0), in_at=target.get("InAt"))
        bounds = (target["MinCapacity"], target["MaxCapacity"])
        decision = decide(trackings, capacity, bounds, past, now)
        if decision is None:
            return
        out = decision.capacity > capacity
        suspended = target["SuspendedState"]
        if suspended["DynamicScalingOutSuspended" if out else "DynamicScalingInSuspended"]:
            return
        alarm = policies[decision.policy]["Alarms"][0 if out else 1]["AlarmName"]
        cause = f"monitor alarm {alarm} in state ALARM triggered policy {decision.policy}"
        self._set(target, capacity, decision.capacity, cause)

    def _step(
        self, target: dict[str, Any], capacity: int, now: datetime, policies: list[dict[str, Any]]
    ) -> bool:
        """Take the step of a policy whose alarm is raised; whether one was taken."""
        for policy in policies:
            steps = policy.get(STEPS)
            if steps is None or target["SuspendedState"]["DynamicScalingOutSuspended"]:
                continue
            alarm = self.metrics.raised(policy["PolicyARN"])
            if alarm is None:
                continue
            cooldown = timedelta(seconds=steps.get("Cooldown", COOLDOWN))
            changed = target.get("OutAt")
            if changed is not None and now < changed + cooldown:
                continue
            wanted = min(capacity + step_of(steps, alarm.above), target["MaxCapacity"])
            if wanted > capacity:
                cause = f"monitor alarm {alarm.name} in state ALARM triggered policy {policy['PolicyName']}"
                self._set(target, capacity, wanted, cause)
                return True
        return False

    def _tracking(self, policy: Mapping[str, Any], now: datetime) -> Tracking:
        configuration = policy[CONFIGURATION]
        metric = of_policy(policy["ResourceId"], configuration)
        return Tracking(
            name=policy["PolicyName"],
            target=configuration["TargetValue"],
            out_cooldown=timedelta(seconds=configuration.get("ScaleOutCooldown", COOLDOWN)),
            in_cooldown=timedelta(seconds=configuration.get("ScaleInCooldown", COOLDOWN)),
            may_scale_in=not configuration.get("DisableScaleIn", False),
            high=self.metrics.read(metric, metric.high, now),
            low=self.metrics.read(metric, LOW, now),
        )

    def _set(self, target: dict[str, Any], before: int, after: int, cause: str) -> None:
        now = self.now()
        activity = begin_activity(self.store, target, after, cause, now)
        try:
            self.variants.set(target["ResourceId"], after)
        except ScalingFailedError as error:
            finish_activity(self.store, activity, now, str(error))
            self._note(target, FailedAt=now)
            return
        self._note(target, Before=before)

    def _finish(self, target: dict[str, Any], activity: dict[str, Any], state: State) -> None:
        """The endpoint is settled again: did it get the size? The cooldown counts from here."""
        now = self.now()
        if state.capacity != activity["Capacity"]:
            finish_activity(self.store, activity, now, state.failure or "the endpoint kept its size")
            self._note(target, FailedAt=now)
            return
        finish_activity(self.store, activity, now)
        before = target.get("Before", state.capacity)
        if state.capacity > before:
            # A scale-out ends the cooldown of a scale-in.
            self._note(target, OutAt=now, OutFrom=before, InAt=None, FailedAt=None)
        else:
            self._note(target, InAt=now, FailedAt=None)

    def _note(self, target: Mapping[str, Any], **notes: Any) -> None:
        try:
            self.store.update(TARGET, key(target), lambda record: {**record, **notes})
        except NoSuchDocument:
            return  # deregistered meanwhile
