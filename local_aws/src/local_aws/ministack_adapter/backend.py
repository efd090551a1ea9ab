"""What `core.context.LocalAws` needs of the server underneath (its `Backend`): roles and events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import eventbridge

from local_aws.ministack_adapter.permissions import check_pass_role, role_credentials

__all__ = ["check_pass_role", "put_event", "role_credentials"]


def put_event(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
    """Put an event of an AWS service on the default bus; clients may not use ``aws.*`` sources."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
