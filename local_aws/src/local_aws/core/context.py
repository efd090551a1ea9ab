"""What a service of the local AWS is handed to work with: its store, its clients, its voice.

`LocalAws` is the whole of it. Services never look for the server they run in; they call AWS through `client`
(over HTTP against this same server, as root or under a role, so that IAM is asked like anywhere else), tell
the world through `emit`, `log` and `put_metric`, and keep everything durable in `store` or below `root`.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import boto3
from botocore.config import Config

from local_aws.core.logs import LogWriter
from local_aws.core.store import DiskFull, Store, waiting_for_room
from local_aws.root_key import RootKey

if TYPE_CHECKING:
    from local_aws.images.store import ImageStore

log = logging.getLogger(__name__)

# By this the server knows its own clients, whom it answers already while it starts and still while it stops.
USER_AGENT = "local-aws-itself"
_CONFIG = Config(
    s3={"addressing_style": "path"},
    retries={"total_max_attempts": 2},
    user_agent_extra=USER_AGENT,
    proxies={},
)
# One session for all clients: it keeps the service models it has read (SageMaker's alone takes a second).
# Sessions are not thread-safe while they make a client; the clients are.
_session = boto3.session.Session()
_making_client = threading.Lock()
_EVENT = "event"
# One thread at a time puts events on the bus, which keeps them in order.
_delivering = threading.Lock()
_T = TypeVar("_T")


class Backend(Protocol):
    """What only the server underneath can do for us (`ministack_adapter`; tests bring their own)."""

    def role_credentials(self, role_arn: str, service: str, session: str) -> dict[str, str]:
        """AWS_* variables of a role for `service`; AwsError if the role does not trust it."""

    def check_pass_role(self, role_arn: str, service: str) -> None:
        """AwsError unless the caller of the current request may pass the role, which trusts `service`."""

    def put_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> None:
        """Put an event of an AWS service on the default bus (clients may not use ``aws.*`` sources)."""


@dataclass(frozen=True)
class LocalAws:
    """The local AWS as its own services see it: one account, one region, one state folder."""

    store: Store
    root: Path
    """Folder for whatever is no document (job folders, image roots); survives a restart."""
    endpoint_url: str
    account: str
    region: str
    root_key: RootKey
    images: ImageStore
    backend: Backend

    def now(self) -> datetime:
        """The time of this moment, in UTC."""
        return datetime.now(UTC)

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        """The ARN of e.g. ``training-job/name`` here."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def credentials(
        self,
        role_arn: str | None = None,
        session: str = "SageMaker",
        service: str = "sagemaker.amazonaws.com",
    ) -> dict[str, str]:
        """AWS_* environment variables of a role as `service` would assume it (None: of root).

        Raises AwsError if the role does not exist or does not trust the service.
        """
        keys = self.root_key.environment
        if role_arn is not None:
            keys = self.backend.role_credentials(role_arn, service, session)
        return {
            **keys,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(
        self,
        service: str,
        role_arn: str | None = None,
        session: str = "SageMaker",
        trusted: str = "sagemaker.amazonaws.com",
    ) -> Any:
        """A boto3 client against this server: as root, or as the role, which `trusted` assumes."""
        keys = self.credentials(role_arn, session, trusted)
        with _making_client:
            return _session.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=self.region,
                aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=keys.get("AWS_SESSION_TOKEN"),
                config=_CONFIG,
            )

    def check_pass_role(self, role_arn: str, service: str = "sagemaker.amazonaws.com") -> None:
        """AwsError unless the caller may `iam:PassRole` the role to `service` and the role trusts it."""
        self.backend.check_pass_role(role_arn, service)

    def emit(
        self,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str] = (),
        source: str = "aws.sagemaker",
    ) -> None:
        """Put an event on the default event bus as AWS itself would.

        It is stored first and forgotten when the bus has it. In `atomically` it so becomes true together with
        the change that it tells of, and a `kill -9` between the two leaves no change that nobody heard of.
        """
        key = uuid.uuid4().hex
        event = {"source": source, "detail_type": detail_type, "detail": detail, "resources": list(resources)}
        self.store.put(_EVENT, key, {"key": key, "event": event})
        if not self.store.in_transaction:
            self.deliver_events()

    def atomically(self, work: Callable[[], _T]) -> _T:
        """Do all that `work` stores and emits, or nothing of it; the events go out afterwards."""
        result = self.store.atomically(work)
        self.deliver_events()
        return result

    def deliver_events(self) -> None:
        """Put the stored events on the bus, in their order; also those that a former server left."""
        with _delivering:
            for stored in self.store.list(_EVENT):
                try:
                    self.backend.put_event(**stored["event"])
                except Exception:
                    log.exception("an event of %s is lost", stored["event"]["source"])
                try:
                    self.store.delete(_EVENT, stored["key"])
                except DiskFull as error:
                    log.error("an event will be told twice: %s", error)

    def spawn(self, work: Callable[[], object], name: str = "local-aws-work") -> threading.Thread:
        """Run `work` in a daemon thread with the current account and region; what it raises is logged.

        On a full disk its writes wait for room: how a job ended must not be lost.
        """
        context = contextvars.copy_context()

        def patiently() -> None:
            with waiting_for_room():
                work()

        def run() -> None:
            try:
                context.run(patiently)
            except Exception:
                log.exception("%s failed", name)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def log(self, group: str, stream: str) -> LogWriter:
        """A writer into CloudWatch Logs; makes the group and the stream, and must be closed."""
        return LogWriter(self.client("logs"), group, stream)
