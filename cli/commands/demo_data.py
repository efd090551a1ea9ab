"""`classifier demo-data`"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo-data")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def demo_data(folder: Path) -> None:
    """Write scikit-learn's handwritten digits to FOLDER as a class-folder dataset."""
    from cli.console import say
    from cli.demo_data import write_digits
    from cli.progress import counting

    with counting("Writing digits") as count:
        write_digits(folder, count.to)
    say(f"{count.done} pictures in {folder}")
