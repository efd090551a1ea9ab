"""Draw reports again from what jobs left: `python -m training_code.report --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training_code.report.compare import render as render_comparison
from training_code.report.page import render
from training_code.report.record import of_folder
from training_code.report.templates import UNDRAWABLE


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
        page = render(records[0]) if len(records) == 1 else render_comparison(records)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (OSError, *UNDRAWABLE) as error:
        print(
            "error: these reports cannot be drawn, they say what no training of this project writes "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})",
            file=sys.stderr,
        )
        return 1
    told.page.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
