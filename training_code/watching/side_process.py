"""The side process: puts every new step to the rules while the training runs.

Reads watch.json, writes findings.json; with low priority, and without torch, which smdebug would import for
nothing. It ends when the training process is gone, or has written the file `done`, after one last look.

Run as `python -m training_code.watching.side_process FOLDER`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from training_code.findings import Findings
from training_code.profiling import DONE, operators
from training_code.profiling.rule_runner import ProfileRules

ORDERS: Final = "watch.json"
_SECONDS_BETWEEN_LOOKS: Final = 1.0


def watch(folder: Path) -> None:
    """Watch a job until it ends."""
    orders: dict[str, Any] = json.loads((folder / ORDERS).read_text(encoding="utf-8"))
    findings = Findings(on_trigger=orders["on_trigger"])
    tensors = _tensor_rules(folder, orders, findings)
    profile = ProfileRules(folder / "profile", orders["profile_rules"], findings)
    written = None
    while True:
        over = (folder / DONE).exists() or os.getppid() != orders["pid"]
        if tensors:
            tensors.evaluate_new()
        profile.evaluate(final=over)
        operators.pack(folder / "profile")
        if over or len(findings.findings) != written:
            findings.write(folder)
            written = len(findings.findings)
        if over:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _tensor_rules(folder: Path, orders: dict[str, Any], findings: Findings) -> Any:
    if not orders["debug_rules"]:
        return None
    # smdebug imports torch where it finds it, and needs it for nothing that is done here.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    from training_code.debugging.rule_runner import RuleRunner

    return RuleRunner(folder, orders["debug_rules"], findings)


def main(arguments: list[str]) -> int:
    """Watch the job whose debug folder is named."""
    folder = Path(arguments[0])
    with contextlib.suppress(OSError):
        os.nice(10)
    try:
        watch(folder)
    except OSError as error:  # a full disk ends the watching, not the training
        print(f"warning: nobody watches the training any more: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
