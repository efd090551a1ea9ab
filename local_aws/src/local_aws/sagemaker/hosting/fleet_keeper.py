"""The keeper of the fleets behind endpoints and inference components.

Each public method takes a record in a busy status, returns at once and works in a thread of its own; the
record is settled (InService or Failed) when that thread ends. A fleet is only taken down after the router has
stopped sending it requests, and a new one only replaces the old one when all of it is healthy.
"""

from __future__ import annotations

import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.store import NoSuchDocument
from local_aws.sagemaker.hosting import endpoint_records
from local_aws.sagemaker.hosting.endpoint_records import Record
from local_aws.sagemaker.resources import Resources
from local_aws.sagemaker.serving.fleet import Fleet, FleetFailedError
from local_aws.sagemaker.serving.plans import VariantPlan
from local_aws.sagemaker.serving.router import Router

log = logging.getLogger(__name__)

DEPLOYMENT = endpoint_records.DEPLOYMENT


class FleetKeeper(ABC):
    """The fleets of all resources of one kind, each under its resource's name."""

    resources: ClassVar[Resources]
    pending: ClassVar[str]
    """The member that says what an update leads to."""
    folder: ClassVar[str]
    log_group: ClassVar[str]

    def __init__(self, aws: LocalAws, router: Router) -> None:
        self._aws = aws
        self._router = router
        self._fleets: dict[str, Fleet] = {}
        self._kind, self._prefix = self.resources.kind, self.resources.prefix

    def create(self, record: Record) -> None:
        """Bring up a new fleet: Creating → InService, or Failed with a FailureReason."""
        self._work(record, self._create)

    def update(self, record: Record) -> None:
        """Go over to what is pending: Updating → InService; on failure with what was there before."""
        self._work(record, self._update)

    def delete(self, record: Record) -> None:
        """Stop the fleet and forget the resource."""
        self._work(record, self._delete)

    def resume(self) -> None:
        """Take up, before any request is answered, what the last run left."""
        for record in self.resources.all(self._aws):
            status = record[f"{self._prefix}Status"]
            if status == "Creating":
                self.create(record)
            elif status == "Deleting":
                self.delete(record)
            elif status != "Failed":
                self._interrupted(record)
                record.pop(self.pending, None)
                self._aws.store.put(self._kind, self._name(record), record)
                self._work(record, self._revive)

    @abstractmethod
    def _create(self, record: Record) -> None: ...

    @abstractmethod
    def _update(self, record: Record) -> None: ...

    @abstractmethod
    def _plans(self, stored: Record) -> tuple[VariantPlan, ...]:
        """The variants of a record or of its pending part."""

    @abstractmethod
    def _running(self, plans: Sequence[VariantPlan]) -> Record:
        """How a record says that all servers of its variants run."""

    def _interrupted(self, record: Record) -> None:  # noqa: B027 - not every kind marks it
        """Mark a record whose fleet comes back after a restart."""

    def _check_room(self, record: Record, plans: Sequence[VariantPlan]) -> None:  # noqa: B027 - as above
        """Raise FleetFailedError if the instances that there may be have no room for it."""

    def _announce(self, record: Record) -> None:  # noqa: B027 - not every kind has events
        """Say that the status is another one."""

    def _route(self, name: str) -> str:
        """The name under which the router knows the resource."""
        return name

    def _work(self, record: Record, work: Callable[[Record], None]) -> None:
        name = self._name(record)

        def run() -> None:
            try:
                work(record)
            except Exception as error:
                if process.ending():
                    return
                log.exception("%s %s: %s failed", self._kind, name, work.__name__)
                status = "InService" if name in self._fleets else "Failed"
                self._settle(record, status, FailureReason=f"Internal error of the local AWS: {error}")

        self._announce(record)
        self._aws.spawn(run, f"{self._kind} {name}")

    def _revive(self, record: Record) -> None:
        for leftover in self._folder(self._name(record)).glob("*"):
            if leftover.name != record[DEPLOYMENT]:
                shutil.rmtree(leftover, ignore_errors=True)
        self._bring_up(record, reachable=True)

    def _bring_up(self, record: Record, *, reachable: bool) -> None:
        """Start the fleet of a record that has none.

        Args:
            reachable: whether requests find it at once (503, which clients repeat), and its servers as soon
                as they are healthy.
        """
        name, plans = self._name(record), self._plans(record)
        fleet = self._fleet(record, plans, record[DEPLOYMENT])
        try:
            self._check_room(record, plans)
            if reachable:
                self._router.publish(self._route(name), [fleet.share(1.0)])
            fleet.start()
        except FleetFailedError as error:
            self._router.withdraw(self._route(name))
            self._settle(record, "Failed", FailureReason=str(error))
            return
        self._fleets[name] = fleet
        self._router.publish(self._route(name), [fleet.share(1.0)])
        self._settle(record, "InService", **self._running(plans))

    def _take_over(self, record: Record, fresh: Fleet, changes: Record) -> None:
        """Give a healthy fleet all traffic, and stop the old one after its last request."""
        name = self._name(record)
        old = self._fleets[name]
        self._router.publish(self._route(name), [fresh.share(1.0)])
        self._fleets[name] = fresh
        # From here on a crash brings the new fleet back, not the old one.
        self._write(name, "Updating", changes)
        old.stop()
        self._settle(record, "InService")

    def _delete(self, record: Record) -> None:
        name = self._name(record)
        self._router.withdraw(self._route(name))
        fleet = self._fleets.pop(name, None)
        if fleet is not None:
            fleet.stop()
        shutil.rmtree(self._folder(name), ignore_errors=True)
        self.resources.delete(self._aws, record)

    def _fleet(self, record: Record, plans: Sequence[VariantPlan], deployment_id: str) -> Fleet:
        name = self._name(record)
        folder = self._folder(name) / deployment_id
        return Fleet(self._aws, self._router, name, plans, folder, log_group=f"{self.log_group}/{name}")

    def _folder(self, name: str) -> Path:
        return self._aws.root / self.folder / name

    def _name(self, record: Record) -> str:
        name: str = record[f"{self._prefix}Name"]
        return name

    def _settle(self, record: Record, status: str, **changes: Any) -> None:
        """Give the resource its new status and announce it (unless the server is being stopped)."""
        if process.ending():
            return
        self._aws.atomically(lambda: self._announce(self._write(self._name(record), status, changes)))

    def _write(self, name: str, status: str, changes: Record) -> Record:
        def change(record: Record) -> Record:
            now = {f"{self._prefix}Status": status, "LastModifiedTime": self._aws.now()}
            changed = {**record, **changes, **now}
            if status != "RollingBack":
                changed.pop(self.pending, None)
            return changed

        try:
            return self._aws.store.update(self._kind, name, change)
        except NoSuchDocument:
            raise RuntimeError(f"the {self._kind} {name} vanished while it was worked on") from None
