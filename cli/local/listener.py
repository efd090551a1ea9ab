"""Who answers on the port of the local AWS."""

from __future__ import annotations

import enum
import socket

from cli import server_lock
from cli.target import LOCAL_ACCOUNT, Target


class Listener(enum.Enum):
    """Who answers on a target's port."""

    US = "this checkout's local AWS"
    ANOTHER = "another checkout's local AWS"
    OTHER_PROGRAM = "another program"
    NOBODY = "nobody"


def who_listens(target: Target) -> Listener:
    """Who answers on the target's port.

    What tells our installation from another's is the key in which the question is signed, and the lock: the
    process that holds ours said that it serves this port.
    """
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect(("127.0.0.1", target.port))
        except OSError:
            return Listener.NOBODY
    ours = _takes_our_key(target)
    if ours is None:
        return Listener.OTHER_PROGRAM
    server = server_lock.holder(target.home)
    return Listener.US if ours and server is not None and server.port == target.port else Listener.ANOTHER


def _takes_our_key(target: Target) -> bool | None:
    """Whether what answers there takes our key for its root user's; None if it is no local AWS at all."""
    from botocore.exceptions import ClientError

    try:
        sts = target.any_client("sts", read_timeout=5, retries={"total_max_attempts": 1})
        return bool(sts.get_caller_identity()["Account"] == LOCAL_ACCOUNT) or None
    except ClientError as error:
        return False if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403 else None
    except Exception:  # anything at all may answer there, in any protocol
        return None
