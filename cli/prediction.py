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
    """An answer for people: the predicted class, and every returned class with its confidence as a bar."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = headline(picture.name, answer)
    model = answer.raw.get("model") or {}
    if model:
        head.append(f"  (model {model.get('name', '?')} version {model.get('version', '?')})")
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    table.add_column(overflow="fold")  # a class's name is never cut
    for each in answer.predictions:
        table.add_row(each.label, f"{each.confidence:.1%}", Text(bar(each.confidence), style="green"))
    return Group(head, table)


def headline(name: str, answer: Answer) -> Text:
    """A line of an answer: the picture's name, the predicted class, and what the model says of it."""
    from rich.text import Text

    head = Text(name, style="dim")
    head.append(f"  {answer.predicted_class} ", style="not dim bold green")
    head.append(f"{answer.confidence:.1%}", style="not dim bold")
    for words in marks(answer):
        head.append(f"  {words}", style="not dim yellow")
    return head


def marks(answer: Answer) -> list[str]:
    """What the model says of its own answer, in words; nothing of one that cannot tell."""
    if answer.unlike_training is True:
        return ["unlike the training pictures: perhaps none of these"]
    return [] if not isinstance(answer.certain, bool) else ["certain" if answer.certain else "not certain"]


def bar(fraction: float) -> str:
    """A bar of at most 30 cells for a fraction of 0 to 1."""
    return "█" * round(max(0.0, min(1.0, fraction)) * _BAR_WIDTH)
