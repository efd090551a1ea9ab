"""`classifier demo-data`: scikit-learn's 1,797 handwritten digits as a class-folder dataset.

The 8x8 greys of the UCI collection (bundled with scikit-learn, no download) are enlarged to 32x32 by
repeating pixels and written as PNG, split 70/15/15 per digit with a fixed seed. Writing twice gives the same
files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from cli.commands.options import quiet_option
from cli.console import counting, say
from cli.data.splits import Candidate, fill
from cli.errors import CliError
from cli.files import replacing
from contract.datasets import SPLITS

ENLARGE = 4


@click.command("demo-data")
@quiet_option
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def demo_data(folder: Path) -> None:
    """Write scikit-learn's handwritten digits to FOLDER as a class-folder dataset."""
    with counting("Writing digits") as count:
        write_digits(folder, count.to)
    say(f"{count.done} pictures in {folder}")


def write_digits(folder: Path, on_written: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Writes `<folder>/{train,valid,test}/<0-9>/<nnnn>.png`, skipping files that are there.

    Args:
        folder: made if it is not there.
        on_written: called with (pictures done, pictures in all).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise CliError(
            "The package scikit-learn, which carries the digits, is not installed. Run `make install`."
        ) from None
    import numpy
    from PIL import Image

    digits = load_digits()
    names = [(str(label), f"{number:04d}.png") for number, label in enumerate(digits.target)]
    # By name, not by content: a folder written by an earlier version has them in the same splits.
    chosen = fill([Candidate("\0".join(name), name[0]) for name in names], SPLITS)
    for split in SPLITS:
        for label in range(10):
            (folder / split / str(label)).mkdir(parents=True, exist_ok=True)
    for number, (key, grey) in enumerate(zip(names, digits.images, strict=True)):
        path = folder / chosen["\0".join(key)] / key[0] / key[1]
        if not path.exists():
            pixels = numpy.kron(grey * (255 / 16), numpy.ones((ENLARGE, ENLARGE))).round().astype(numpy.uint8)
            with replacing(path) as part:
                Image.fromarray(pixels).save(part, format="PNG")
        on_written(number + 1, len(names))
