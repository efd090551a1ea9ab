"""Draw reports again from what jobs left: `python -m training_code.report --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training_code.report.compare import render as render_comparison
from training_code.report.page import render
from training_code.report.record import of_folder


def main(arguments: list[str]) -> int:
    """Write one page: the report of one job's output folder, or the comparison of several."""
    parser = argparse.ArgumentParser(prog="python -m training_code.report", description=__doc__)
    parser.add_argument("page", type=Path, help="the file to write")
    parser.add_argument(
        "folders", type=Path, nargs="+", help="what a job left: its unpacked output, or debug"
    )
    told = parser.parse_args(arguments)
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # smdebug would import it for nothing
    try:
        records = [of_folder(folder) for folder in told.folders]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    page = render(records[0]) if len(records) == 1 else render_comparison(records)
    told.page.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
