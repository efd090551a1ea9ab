"""All that knows ministack's insides, and what each part answers.

ministack is pinned exactly (`VERSION`), and another is refused before it is used. A private name that is
gone, or takes something else, fails `tests/unit/test_ministack_contract.py` by name. What ministack does by
itself, and what is back when a file here no longer takes hold:

==================  ==================================================================================
alarms              An alarm takes all points of a metric's name, whatever their dimensions and periods.
authentication      Keys lie in several tables, and refusals have one form for all services.
builds              Every build is done at once, whatever the account's quota.
deliveries          An asynchronous invocation is lost with the process.
durable, snapshots  The state is written when the server stops.
function_logs       A function logs whatever its role may.
layers              The bytes of layers lie in the state that is written anew each time.
managed_policies    Thirty of AWS's policies are known, and any other can be attached.
objects, uploads    Writes that failed are answered by 200; keys have any length; parts lie in memory.
patches             Buckets forget their tags and rules; streams have no prefix; provisioners ask no IAM;
                    BatchDeleteImage by a tag takes the image away.
payloads            Nothing bounds what goes through API Gateway and Lambda.
permissions         Its evaluator is asked for our services too; trust of services is not judged there; no
                    condition key of PutMetricData and of policies attached; no NoSuchBucket for strangers.
request_checks      Nearly every name, length and value is taken (with `rules`).
routes              Administration and other emulators' paths are open.
services            Services are found in tables at the top of modules, and no other can be added.
stacks, journal     Handlers do not know their stack; what a killed operation made belongs to nobody.
stack_recovery      A stack that was busy when the server was killed stays busy.
stack_events        A stack's new status goes to no event bus.
stack_requests      Service roles and some functions in conditions are left out.
xml_values          Values that XML cannot carry make answers that no client reads.
==================  ==================================================================================

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
    """Set ministack's environment and mend the state folder, before it is imported and reads both."""
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
