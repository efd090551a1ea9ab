"""What `core.context.LocalAws` needs of the server underneath (its `Backend`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import eventbridge

from local_aws.ministack_adapter import permissions


class MinistackBackend:
    """Roles and events, by ministack."""

    def role_credentials(self, role_arn: str, service: str, session: str) -> dict[str, str]:
        """Temporary credentials of a role for a service that it trusts."""
        return permissions.role_credentials(role_arn, service, session)

    def check_pass_role(self, role_arn: str, service: str) -> None:
        """AccessDenied unless the caller of the current request may pass the role."""
        permissions.check_pass_role(role_arn, service)

    def put_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> None:
        """Put an event of an AWS service on the default bus; clients may not use ``aws.*`` sources."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
