"""Writes down every call to AWS with its request id, one JSON object a line, where VERIFY_CALLS says.

`python -m tests.system.recorded ...` is `python -m cli ...` written down; `recorded.cjs` does the same inside
the CDK CLI. Bodies are left out: they hold keys.
"""

from __future__ import annotations

import json
import os
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "VERIFY_CALLS"
NODE_HOOK = Path(__file__).with_suffix(".cjs")


def environment(file: Path) -> dict[str, str]:
    """With these variables a process started here writes its calls to `file`."""
    return {FILE: str(file), "NODE_OPTIONS": f"--require {NODE_HOOK}"}


def write_down() -> None:
    """From now on this process's calls are written down, as long as the variable names a file."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    call = BaseClient._make_api_call

    def noted(self: Any, operation: str, request: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        try:
            answer = call(self, operation, request)
        except ClientError as error:
            note(service, operation, error.response)
            raise
        note(service, operation, answer)
        return answer

    BaseClient._make_api_call = noted


def note(service: str, operation: str, answer: dict[str, Any]) -> None:
    """One line; of a failure its code too."""
    if not (file := os.environ.get(FILE)):
        return
    told = answer.get("ResponseMetadata", {})
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "by": "python",
        "service": service,
        "operation": operation,
        "status": told.get("HTTPStatusCode", 0),
        "error": answer.get("Error", {}).get("Code", ""),
        "request_id": told.get("RequestId", ""),
    }
    with Path(file).open("a", encoding="utf-8") as calls:
        calls.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    write_down()
    runpy.run_module("cli", run_name="__main__", alter_sys=True)
