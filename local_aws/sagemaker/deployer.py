"""Endpoints: the working side. Brings fleets up, moves the traffic over, takes fleets down, revives them.

Each public method takes an endpoint's record in a busy status, returns at once and works in a thread of its
own; the endpoint is settled (InService or Failed) when that thread ends. A fleet is only ever taken down
after the router has stopped sending it requests, and a new one only ever replaces the old one when all of it
is healthy.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.store import NoSuchDocument
from local_aws.sagemaker import deployment, tags
from local_aws.sagemaker.endpoint_configs import VariantPlan
from local_aws.sagemaker.endpoint_records import (
    CAPTURE,
    DEPLOYMENT,
    KIND,
    PENDING,
    PLAN,
    Record,
    announce,
    captured,
    instances,
    plans_of,
    summaries,
)
from local_aws.sagemaker.fleet import Fleet, FleetFailedError
from local_aws.sagemaker.router import Router

log = logging.getLogger(__name__)

INTERRUPTED = "the local AWS was stopped while this endpoint was updated; it serves what it served before"


class Deployer:
    """The fleets of all endpoints."""

    def __init__(self, aws: LocalAws, router: Router) -> None:
        self._aws = aws
        self._router = router
        self._fleets: dict[str, Fleet] = {}

    def create(self, record: Record) -> None:
        """Bring up a new endpoint: Creating → InService, or Failed with a FailureReason."""
        self._work(record, self._create)

    def update(self, record: Record) -> None:
        """Replace the fleet by that of the pending configuration: Updating → InService.

        If the new fleet does not come up or a rollback alarm goes off the old one goes on serving, and the
        endpoint is InService with its old configuration and a FailureReason.
        """
        self._work(record, self._update)

    def resize(self, record: Record) -> None:
        """Bring the variants to their desired counts and weights: Updating → InService."""
        self._work(record, self._resize)

    def delete(self, record: Record) -> None:
        """Stop the endpoint and forget it."""
        self._work(record, self._delete)

    def resume(self) -> None:
        """Take up, before any request is answered, the endpoints which the last run left."""
        for record in self._aws.store.list(KIND):
            status = record["EndpointStatus"]
            if status == "Creating":
                self.create(record)
            elif status == "Deleting":
                self.delete(record)
            elif status != "Failed":
                # AWS's status for an endpoint it works on by itself, which nobody may change meanwhile.
                record["EndpointStatus"] = "SystemUpdating"
                if record.pop(PENDING, None) is not None:
                    record["FailureReason"] = INTERRUPTED
                self._aws.store.put(KIND, record["EndpointName"], record)
                self._work(record, self._revive)

    def _work(self, record: Record, work: Callable[[Record], None]) -> None:
        def run() -> None:
            try:
                work(record)
            except Exception as error:
                if process.ending():
                    return
                log.exception("endpoint %s: %s failed", record["EndpointName"], work.__name__)
                status = "InService" if record["EndpointName"] in self._fleets else "Failed"
                self._settle(record, status, FailureReason=f"Internal error of the local AWS: {error}")

        announce(self._aws, record)
        self._aws.spawn(run, f"endpoint {record['EndpointName']}")

    def _create(self, record: Record) -> None:
        name, plans = record["EndpointName"], plans_of(record)
        fleet = self._fleet(record, plans, record[DEPLOYMENT])
        try:
            fleet.start()
        except FleetFailedError as error:
            self._settle(record, "Failed", FailureReason=str(error))
            return
        self._fleets[name] = fleet
        self._router.publish(name, [fleet.share(1.0)])
        self._settle(record, "InService", ProductionVariants=summaries(self._aws, plans, running=True))

    def _revive(self, record: Record) -> None:
        name, plans = record["EndpointName"], plans_of(record)
        for leftover in self._folder(name).glob("*"):
            if leftover.name != record[DEPLOYMENT]:
                shutil.rmtree(leftover, ignore_errors=True)
        fleet = self._fleet(record, plans, record[DEPLOYMENT])
        # Requests find the endpoint at once (503, which clients repeat) and its servers as soon as they are
        # healthy.
        self._router.publish(name, [fleet.share(1.0)])
        try:
            fleet.start()
        except FleetFailedError as error:
            self._router.withdraw(name)
            self._settle(record, "Failed", FailureReason=str(error))
            return
        self._fleets[name] = fleet
        self._settle(record, "InService", ProductionVariants=summaries(self._aws, plans, running=True))

    def _update(self, record: Record) -> None:
        name, waiting = record["EndpointName"], record[PENDING]
        plans, config = plans_of(waiting), waiting["DeploymentConfig"]
        old, new = self._fleets[name], self._fleet(record, plans, waiting[DEPLOYMENT])
        until = time.monotonic() + deployment.timeout(config)
        try:
            new.start()
            way = deployment.steps(config, instances(plans))
            self._shift(name, old, new, way, deployment.alarm_names(config), until)
        except FleetFailedError as error:
            self._settle(record, "InService", FailureReason=str(error))
            return
        except deployment.RolledBackError as error:
            self._settle(record, "RollingBack")
            self._router.publish(name, [old.share(1.0)])
            new.stop()
            self._settle(record, "InService", FailureReason=str(error))
            return
        self._router.publish(name, [new.share(1.0)])
        self._fleets[name] = new
        changes = {
            "EndpointConfigName": waiting["EndpointConfigName"],
            "LastDeploymentConfig": config,
            "ProductionVariants": summaries(self._aws, plans, running=True),
            CAPTURE: captured(plans),
            PLAN: waiting[PLAN],
            DEPLOYMENT: waiting[DEPLOYMENT],
        }
        # From here on a crash brings the new fleet back, not the old one.
        self._write(name, "Updating", changes)
        old.stop()
        self._settle(record, "InService")

    def _shift(
        self,
        name: str,
        old: Fleet,
        new: Fleet,
        way: Sequence[deployment.Step],
        alarms: Sequence[str],
        until: float,
    ) -> None:
        def raised() -> list[str]:
            if not alarms:
                return []
            cloudwatch = self._aws.client("cloudwatch")
            found = cloudwatch.describe_alarms(AlarmNames=list(alarms), StateValue="ALARM")
            return [alarm["AlarmName"] for alarm in found["MetricAlarms"]]

        deployment.shift(
            way,
            set_share=lambda share: self._router.publish(name, [old.share(1.0 - share), new.share(share)]),
            raised=raised,
            wait=time.sleep,
            overdue=lambda: time.monotonic() > until,
        )

    def _resize(self, record: Record) -> None:
        fleet = self._fleets[record["EndpointName"]]
        before = {plan.name: plan for plan in plans_of(record)}
        wanted = {variant["VariantName"]: variant for variant in record["ProductionVariants"]}
        after = [
            plan.with_count(wanted[name]["DesiredInstanceCount"]).with_weight(wanted[name]["DesiredWeight"])
            for name, plan in before.items()
        ]
        try:
            self._apply(fleet, after)
        except FleetFailedError as error:
            self._settle(record, "RollingBack")
            self._apply(fleet, list(before.values()))
            variants = summaries(self._aws, list(before.values()), running=True)
            self._settle(record, "InService", FailureReason=str(error), ProductionVariants=variants)
            return
        variants = summaries(self._aws, after, running=True)
        self._settle(record, "InService", ProductionVariants=variants, Plan=[plan.dump() for plan in after])

    def _apply(self, fleet: Fleet, plans: Sequence[VariantPlan]) -> None:
        for plan in plans:
            fleet.reweight(plan.name, plan.weight)
            fleet.scale(plan.name, plan.instance_count)

    def _delete(self, record: Record) -> None:
        name = record["EndpointName"]
        self._router.withdraw(name)
        fleet = self._fleets.pop(name, None)
        if fleet is not None:
            fleet.stop()
        shutil.rmtree(self._folder(name), ignore_errors=True)
        self._aws.store.delete(KIND, name)
        tags.forget(self._aws, record["EndpointArn"])

    def _fleet(self, record: Record, plans: Sequence[VariantPlan], deployment_id: str) -> Fleet:
        name = record["EndpointName"]
        return Fleet(self._aws, self._router, name, plans, self._folder(name) / deployment_id)

    def _folder(self, name: str) -> Path:
        return self._aws.root / "endpoints" / name

    def _settle(self, record: Record, status: str, **changes: Any) -> None:
        """Give the endpoint its new status and tell the event bus (unless the server is being stopped)."""
        if process.ending():
            return
        self._aws.atomically(
            lambda: announce(self._aws, self._write(record["EndpointName"], status, changes))
        )

    def _write(self, name: str, status: str, changes: Record) -> Record:
        def change(record: Record) -> Record:
            changed = {**record, **changes, "EndpointStatus": status, "LastModifiedTime": self._aws.now()}
            if status != "RollingBack":
                changed.pop(PENDING, None)
            return changed

        try:
            return self._aws.store.update(KIND, name, change)
        except NoSuchDocument:
            raise RuntimeError(f"the endpoint {name} vanished while it was worked on") from None
