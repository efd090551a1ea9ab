"""Everything that touches ministack's private names, in one room.

ministack is pinned exactly; what is used of it here is asserted by
`tests/unit/local_aws/test_ministack_contract.py`, so an upgrade fails there by name and not somewhere in a
deployment. `services` puts our services into ministack, `routes` and `authentication` tell the front where
its paths lead and who holds which key, `permissions` asks its IAM evaluator, `stacks` teaches its
CloudFormation roles, events and recovery, `patches` corrects it where our stacks found it wrong. What AWS
would refuse is refused before it is asked: `request_checks` (by botocore's model and by `rules`),
`managed_policies`, `object_limits`, `payloads` and `xml_values`; a function logs what its role may
(`function_logs`). What it
acknowledges is on the disk: its memory by `durable` and `snapshots`, S3's objects by `objects` and `uploads`,
events on their way to functions by `deliveries`.

ministack reads its settings from the environment when it is imported, so `configure` comes first.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from local_aws.ministack_adapter import object_files
from local_aws.root_key import RootKey

VERSION = "1.5.33"


class WrongMinistackError(RuntimeError):
    """Another ministack than the one this adapter was written for is installed."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"ministack {found} is installed, and the local AWS needs {VERSION}; run `make install`"
        )


def configure(port: int, state: Path, account: str, region: str, root_key: RootKey) -> None:
    """Set ministack's environment, and bring the state folder in order. Must run before anything of ministack
    is imported: it reads both then.
    """
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise WrongMinistackError(found)
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_CONFIG_FILE",
        "SERVICES",
        "USE_SSL",
        "LAMBDA_EXECUTOR",
    ):
        os.environ.pop(name, None)
    object_files.recover(state / "s3")
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": region,
            "MINISTACK_ACCOUNT_ID": account,
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "ministack"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
            # Listeners of services nobody here uses.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # ministack takes this key for the root user's.
            **root_key.environment,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        }
    )
