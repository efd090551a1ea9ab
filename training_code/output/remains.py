"""The record of a job that crashed, from the folder it left.

`python -m training_code.output.remains FOLDER FILE` writes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from reports import REPORT, Record, read_record
from training_code.findings import Findings
from training_code.output.record import FORMAT, watched
from training_code.profiling.rule_runner import ProfileRules
from training_code.watching.side_process import ORDERS


def of_folder(folder: Path) -> Record:
    """The record of a job that left none: what its debug folder tells.

    Raises:
        FileNotFoundError: there is nothing of a job in the folder.
    """
    debug = folder / "debug" if (folder / "debug").is_dir() else folder
    names = read_record(debug / "names.json")
    record: Record = {"format": FORMAT, "job": folder.name, "classes": (names or {}).get("class_names", [])}
    record |= {"failure": "The job ended before it could write a report. This is what it left."}
    record |= watched(_judged(debug), debug)
    if names is None and "steps" not in record and not record.get("rules"):
        raise FileNotFoundError(f"{folder} holds neither {REPORT} nor the debug folder of a job")
    return record


def _judged(debug: Path) -> Findings:
    """What the rules find in all that a crashed job left, or had found by then if that cannot be read.

    The side process's orders, which a job that ends takes away, say which rules and with which parameters.
    """
    orders = read_record(debug / ORDERS)
    if orders is None:
        return Findings.read(debug)
    from training_code.debugging.rule_runner import evaluate_folder

    findings = Findings(on_trigger=orders["on_trigger"])
    try:
        if orders["debug_rules"]:
            evaluate_folder(debug, orders["debug_rules"], findings)
        ProfileRules(debug / "profile", orders["profile_rules"], findings).evaluate(final=True)
    except Exception as error:  # whatever smdebug makes of files that were cut off
        print(f"warning: the rules cannot read all that was left: {error}", flush=True)
        return Findings.read(debug)
    return findings


def main(folder: str, file: str) -> int:
    """Write what a crashed job left in `folder` into `file`, as report.json."""
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # smdebug would import it for nothing
    try:
        record = of_folder(Path(folder))
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Path(file).write_text(json.dumps(record), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
