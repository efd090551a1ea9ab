"""`classifier classify`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import answers, api
from cli.commands.options import json_option, with_target
from cli.console import console, error_console
from cli.errors import RequestFailed
from cli.outputs import read
from cli.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR_WIDTH = 30


@click.command()
@with_target
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.option("--top-k", type=click.IntRange(1), help="How many classes to show (default: 5).")
def classify(target: Target, pictures: tuple[Path, ...], top_k: int | None) -> None:
    """Ask the API what is on each of PICTURES."""
    api.must_be_files(pictures)
    outputs = read(target)
    refused, answered = 0, []
    for picture in pictures:
        try:
            result = api.classify(target, outputs, picture, top_k)
        except RequestFailed as error:
            if len(pictures) == 1 or error.for_all:
                raise
            refused += 1
            error_console().print(str(error), style="red", markup=False)
            continue
        answered.append({"picture": str(picture), **result.answer})
        console().print(prediction(result))
    answers.wrote(answers.Kind.PREDICTIONS, answered)
    if refused:
        raise RequestFailed(f"{refused} of {len(pictures)} pictures got no answer; see above.")


def prediction(result: api.Prediction) -> RenderableType:
    """A prediction for people: the predicted class, and every returned class with its confidence as a bar."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    model = result.answer.get("model") or {}
    head = Text(result.picture.name, style="dim")
    head.append(f"  {result.predicted_class} ", style="not dim bold green")
    head.append(f"{result.confidence:.1%}", style="not dim bold")
    for words in marks(result):
        head.append(f"  {words}", style="not dim yellow")
    if model:
        head.append(f"  (model {model.get('name', '?')} version {model.get('version', '?')})")
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    table.add_column(overflow="fold")  # a class's name is never cut
    for label, confidence in result.ranking:
        table.add_row(label, f"{confidence:.1%}", Text(bar(confidence), style="green"))
    return Group(head, table)


def marks(result: api.Prediction) -> list[str]:
    """What the model says of its own answer, in words; nothing of one that cannot tell."""
    if result.answer.get("unlike_training") is True:
        return ["unlike the training pictures: perhaps none of these"]
    certain = result.answer.get("certain")
    return [] if not isinstance(certain, bool) else ["certain" if certain else "not certain"]


def bar(fraction: float) -> str:
    """A bar of at most 30 cells for a fraction of 0 to 1."""
    return "█" * round(max(0.0, min(1.0, fraction)) * _BAR_WIDTH)
