"""The two kinds of resources that fleets stand behind: endpoints, and inference components."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from local_aws.sagemaker.hosting import component_records, deployment, endpoint_records
from local_aws.sagemaker.hosting.endpoint_records import DEPLOYMENT, PLAN, Record
from local_aws.sagemaker.hosting.fleet_keeper import FleetKeeper
from local_aws.sagemaker.serving.fleet import Fleet, FleetFailedError
from local_aws.sagemaker.serving.plans import VariantPlan

INTERRUPTED = "the local AWS was stopped while this endpoint was updated; it serves what it served before"


class EndpointFleets(FleetKeeper):
    """The fleets of all endpoints: traffic moves to a new one by the endpoint's DeploymentConfig."""

    resources = endpoint_records.ENDPOINTS
    pending = endpoint_records.PENDING
    folder = "endpoints"
    log_group = "/aws/sagemaker/Endpoints"

    def resize(self, record: Record) -> None:
        """Bring the variants to their desired counts and weights: Updating → InService."""
        self._work(record, self._resize)

    def _create(self, record: Record) -> None:
        self._bring_up(record, reachable=False)

    def _update(self, record: Record) -> None:
        """Replace the fleet by that of the pending configuration.

        If the new fleet does not come up or a rollback alarm goes off the old one goes on serving, and the
        endpoint is InService with its old configuration and a FailureReason.
        """
        name, waiting = self._name(record), record[self.pending]
        plans, config = self._plans(waiting), waiting["DeploymentConfig"]
        old, new = self._fleets[name], self._fleet(record, plans, waiting[DEPLOYMENT])
        until = time.monotonic() + deployment.timeout(config)
        try:
            new.start()
            deployment.shift(
                deployment.steps(config, endpoint_records.instances(endpoint_records.without_shadows(plans))),
                set_share=lambda share: self._router.publish(
                    name, [old.share(1.0 - share), new.share(share)]
                ),
                raised=lambda: self._raised(deployment.alarm_names(config)),
                wait=time.sleep,
                overdue=lambda: time.monotonic() > until,
            )
        except FleetFailedError as error:
            self._settle(record, "InService", FailureReason=str(error))
            return
        except deployment.RolledBackError as error:
            self._settle(record, "RollingBack")
            self._router.publish(name, [old.share(1.0)])
            new.stop()
            self._settle(record, "InService", FailureReason=str(error))
            return
        changes = {
            "EndpointConfigName": waiting["EndpointConfigName"],
            "LastDeploymentConfig": config,
            endpoint_records.CAPTURE: endpoint_records.captured(plans),
            PLAN: waiting[PLAN],
            DEPLOYMENT: waiting[DEPLOYMENT],
        }
        self._take_over(record, new, {**self._running(plans), **changes})

    def _raised(self, alarms: Sequence[str]) -> list[str]:
        if not alarms:
            return []
        cloudwatch = self._aws.client("cloudwatch")
        found = cloudwatch.describe_alarms(AlarmNames=list(alarms), StateValue="ALARM")
        return [alarm["AlarmName"] for alarm in found["MetricAlarms"]]

    def _resize(self, record: Record) -> None:
        fleet, before = self._fleets[self._name(record)], self._plans(record)
        after = [
            replace(plan, instance_count=variant["DesiredInstanceCount"], weight=variant["DesiredWeight"])
            for plan, variant in zip(before, endpoint_records.variants_of(record), strict=True)
        ]
        try:
            _apply(fleet, after)
        except FleetFailedError as error:
            self._settle(record, "RollingBack")
            _apply(fleet, before)
            self._settle(record, "InService", FailureReason=str(error), **self._running(before))
            return
        self._settle(record, "InService", Plan=[plan.dump() for plan in after], **self._running(after))

    def _interrupted(self, record: Record) -> None:
        # AWS's status for an endpoint it works on by itself, which nobody may change meanwhile.
        record["EndpointStatus"] = "SystemUpdating"
        if self.pending in record:
            record["FailureReason"] = INTERRUPTED

    def _plans(self, stored: Record) -> tuple[VariantPlan, ...]:
        return endpoint_records.plans_of(stored)

    def _running(self, plans: Sequence[VariantPlan]) -> Record:
        return endpoint_records.listed(plans, endpoint_records.summaries(self._aws, plans, running=True))

    def _announce(self, record: Record) -> None:
        endpoint_records.announce(self._aws, record)


class ComponentFleets(FleetKeeper):
    """The fleets of all inference components: a copy is a server process, and none is a good number too.

    A new model takes over when all its copies are healthy; AWS's rolling batches and the alarms between them
    are not modelled.
    """

    resources = component_records.COMPONENTS
    pending = component_records.PENDING
    folder = "components"
    log_group = "/aws/sagemaker/InferenceComponents"

    def _create(self, record: Record) -> None:
        self._bring_up(record, reachable=True)

    def _update(self, record: Record) -> None:
        name, waiting = self._name(record), record[self.pending]
        [before], [plan] = self._plans(record), self._plans(waiting)
        changes = {"Specification": waiting["Specification"], PLAN: plan.dump(), **self._running([plan])}
        try:
            self._check_room({**record, "Specification": waiting["Specification"]}, [plan])
            if plan.container == before.container:
                self._fleets[name].scale(plan.name, plan.instance_count)
                self._settle(record, "InService", **changes)
                return
            changes[DEPLOYMENT] = uuid.uuid4().hex[:12]
            fresh = self._fleet(record, [plan], changes[DEPLOYMENT])
            fresh.start()
        except FleetFailedError as error:
            self._settle(record, "InService", FailureReason=str(error), **self._running([before]))
            return
        self._take_over(record, fresh, changes)

    def _check_room(self, record: Record, plans: Sequence[VariantPlan]) -> None:
        specification, copies = record["Specification"], plans[0].instance_count
        component_records.check_room(self._aws, record, specification, copies, self.resources.all(self._aws))

    def _plans(self, stored: Record) -> tuple[VariantPlan, ...]:
        return (VariantPlan.load(stored[PLAN]),)

    def _running(self, plans: Sequence[VariantPlan]) -> Record:
        return {"RuntimeConfig": component_records.copies(plans[0].instance_count)}

    def _route(self, name: str) -> str:
        return component_records.route_name(name)


def _apply(fleet: Fleet, plans: Sequence[VariantPlan]) -> None:
    for plan in plans:
        fleet.reweight(plan.name, plan.weight)
        fleet.scale(plan.name, plan.instance_count)
