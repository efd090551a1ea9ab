"""Inference components: the working side. Each is a fleet of its own under the component's name; a copy is a
server process, and none is as good a number of copies as any.

Which instance a copy lies on is not modelled: managed instance scaling follows the copies, as far as there
may be instances (`component_capacity`). A new model comes up beside the old one and takes over when all its
copies are healthy; AWS's rolling batches and the alarms between them are not modelled either.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.store import NoSuchDocument
from local_aws.sagemaker import models, tags
from local_aws.sagemaker.component_capacity import NoRoom, check_room
from local_aws.sagemaker.endpoint_configs import HEALTH_CHECK_SECONDS, VariantPlan
from local_aws.sagemaker.fleet import Fleet, FleetFailedError
from local_aws.sagemaker.router import Router

log = logging.getLogger(__name__)
Record = dict[str, Any]
KIND = "inference-component"
# Members no output shape knows: what runs, and the folder it runs in.
PLAN, DEPLOYMENT, PENDING = "Plan", "Deployment", "Pending"


def route_name(component: str) -> str:
    """The name under which the router knows a component; no endpoint can be called so."""
    return f"{KIND}/{component}"


def plan_of(aws: LocalAws, model_name: str, variant: str, role_arn: str | None, copies: int) -> VariantPlan:
    """What it takes to run `copies` of a model. Raises SageMaker's "Could not find model"."""
    model = models.find(aws, model_name)
    return VariantPlan(
        name=variant,
        container=models.container(model),
        role_arn=role_arn or model.get("ExecutionRoleArn"),
        instance_type="inference component",
        instance_count=copies,
        weight=1.0,
        health_check_seconds=HEALTH_CHECK_SECONDS,
    )


class ComponentRunner:
    """The fleets of all inference components."""

    def __init__(self, aws: LocalAws, router: Router) -> None:
        self._aws = aws
        self._router = router
        self._fleets: dict[str, Fleet] = {}

    def start(self, record: Record) -> None:
        """Bring up the copies of a new component: Creating → InService, or Failed."""
        self._work(record, self._start)

    def update(self, record: Record) -> None:
        """Take the pending model and number of copies: Updating → InService, with the old ones on failure."""
        self._work(record, self._update)

    def delete(self, record: Record) -> None:
        """Stop the copies and forget the component."""
        self._work(record, self._delete)

    def resume(self) -> None:
        """Take up what the last run left."""
        for record in self._aws.store.list(KIND):
            status = record["InferenceComponentStatus"]
            if status == "Deleting":
                self.delete(record)
            elif status != "Failed":
                record.pop(PENDING, None)
                self._aws.store.put(KIND, record["InferenceComponentName"], record)
                self.start(record)

    def _work(self, record: Record, work: Callable[[Record], None]) -> None:
        def run() -> None:
            try:
                work(record)
            except Exception as error:
                if process.ending():
                    return
                log.exception("inference component %s failed", record["InferenceComponentName"])
                self._settle(record, "Failed", FailureReason=f"Internal error of the local AWS: {error}")

        self._aws.spawn(run, f"component {record['InferenceComponentName']}")

    def _start(self, record: Record) -> None:
        name, plan = record["InferenceComponentName"], VariantPlan.load(record[PLAN])
        fleet = self._fleet(record, plan, record[DEPLOYMENT])
        try:
            self._check_room(record, record["Specification"], plan)
            self._router.publish(route_name(name), [fleet.share(1.0)])
            fleet.start()
        except (FleetFailedError, NoRoom) as error:
            self._router.withdraw(route_name(name))
            self._settle(record, "Failed", FailureReason=str(error))
            return
        self._fleets[name] = fleet
        self._settle(record, "InService", RuntimeConfig=_copies(plan.instance_count))

    def _update(self, record: Record) -> None:
        name = record["InferenceComponentName"]
        before, plan = VariantPlan.load(record[PLAN]), VariantPlan.load(record[PENDING][PLAN])
        specification = record[PENDING]["Specification"]
        try:
            self._check_room(record, specification, plan)
            if plan.container == before.container:
                self._fleets[name].scale(plan.name, plan.instance_count)
                changes: Record = {}
            else:
                changes = self._replace(record, plan)
        except (FleetFailedError, NoRoom) as error:
            kept = _copies(before.instance_count)
            self._settle(record, "InService", FailureReason=str(error), RuntimeConfig=kept)
            return
        copies = _copies(plan.instance_count)
        told = {"RuntimeConfig": copies, "Specification": specification, PLAN: plan.dump(), **changes}
        self._settle(record, "InService", **told)

    def _check_room(self, record: Record, specification: Record, plan: VariantPlan) -> None:
        check_room(self._aws, record, specification, plan.instance_count, self._aws.store.list(KIND))

    def _replace(self, record: Record, plan: VariantPlan) -> Record:
        """Another model: its copies come up, take over, and the old ones finish what they have in hand."""
        name, deployment = record["InferenceComponentName"], uuid.uuid4().hex[:12]
        fresh, old = self._fleet(record, plan, deployment), self._fleets[name]
        fresh.start()
        self._router.publish(route_name(name), [fresh.share(1.0)])
        self._fleets[name] = fresh
        old.stop()
        return {DEPLOYMENT: deployment}

    def _delete(self, record: Record) -> None:
        name = record["InferenceComponentName"]
        self._router.withdraw(route_name(name))
        fleet = self._fleets.pop(name, None)
        if fleet is not None:
            fleet.stop()
        shutil.rmtree(self._folder(name), ignore_errors=True)
        self._aws.store.delete(KIND, name)
        tags.forget(self._aws, record["InferenceComponentArn"])

    def _fleet(self, record: Record, plan: VariantPlan, deployment: str) -> Fleet:
        name = record["InferenceComponentName"]
        group = f"/aws/sagemaker/InferenceComponents/{name}"
        return Fleet(self._aws, self._router, name, [plan], self._folder(name) / deployment, log_group=group)

    def _folder(self, name: str) -> Path:
        return self._aws.root / "components" / name

    def _settle(self, record: Record, status: str, **changes: Any) -> None:
        if process.ending():
            return

        def change(now: Record) -> Record:
            settled = {**now, **changes, "InferenceComponentStatus": status}
            settled.pop(PENDING, None)
            return {**settled, "LastModifiedTime": self._aws.now()}

        try:
            self._aws.store.update(KIND, record["InferenceComponentName"], change)
        except NoSuchDocument:
            raise RuntimeError("the component vanished while it was worked on") from None


def _copies(count: int) -> Mapping[str, int]:
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}
