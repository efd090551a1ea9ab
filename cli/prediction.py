"""The API's answer for one picture, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from classifier_client import Answer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_BAR_WIDTH: Final = 30


def prediction(picture: Path, answer: Answer) -> RenderableType:
    """An answer for people: in a sentence, and every returned class with its confidence as a bar."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble(
        f"{picture} looks like ",
        (answer.predicted_class, "bold green"),
        ", with a confidence of ",
        (f"{answer.confidence:.1%}", "bold"),
    )
    if verdict := _verdict(answer):
        head.append(": ").append(verdict, style="yellow")
    head.append(".")
    model = answer.raw.get("model") or {}
    if model:
        head.append(f" (model {model.get('name', '?')} version {model.get('version', '?')})", style="dim")
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    table.add_column(overflow="fold")  # a class's name is never cut
    for each in answer.predictions:
        table.add_row(each.label, f"{each.confidence:.1%}", Text(bar(each.confidence), style="green"))
    return Group(head, table)


def headline(picture: Path, answer: Answer) -> Text:
    """An answer in a row of many: the picture, the predicted class, and what the model says of it."""
    from rich.text import Text

    head = Text(str(picture), style="dim")
    head.append(f"  {answer.predicted_class} ", style="not dim bold green")
    head.append(f"{answer.confidence:.1%}", style="not dim bold")
    if verdict := _verdict(answer):
        head.append(f"  {verdict}", style="not dim yellow")
    return head


def _verdict(answer: Answer) -> str:
    """What the model says of its own answer; nothing of one that cannot tell."""
    if answer.unlike_training is True:
        return "unlike the training pictures, perhaps none of these classes"
    if not isinstance(answer.certain, bool):
        return ""
    return "certain" if answer.certain else "not certain"


def bar(fraction: float) -> str:
    """A bar of at most 30 cells for a fraction of 0 to 1."""
    return "█" * round(max(0.0, min(1.0, fraction)) * _BAR_WIDTH)
