"""Which labels look wrong, with their pictures."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import Markup

from reports import Record
from reports.shared.markup import NOTHING, draw

_MOST: Final = 50
_PICTURE: Final = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")
_LEFT_OUT: Final = {
    "costs": "The labels were not checked: for a training this short that would add more than a tenth to its "
    "work. classifier doctor checks them.",
    "stopped": "The labels were not checked: the job was told to stop. classifier doctor checks them.",
}


def title(count: int) -> str:
    """How many there are."""
    return f"{count} label{'s look' if count != 1 else ' looks'} wrong"


def sentences(record: Record) -> list[str]:
    """What the verdict says of them; nothing where there are none."""
    check = record.get("labels")
    return [f"{title(check['count'])}."] if check and check["count"] else []


def section(record: Record) -> Markup:
    """The pictures, the surest first; none for a record without a check, as a trial's."""
    check = record.get("labels")
    if not check:
        return NOTHING
    return draw(
        "training/labels.section",
        title(check["count"]),
        check,
        _LEFT_OUT.get(check["left_out"]),
        [_row(record["classes"], each) for each in check["rows"][:_MOST]],
    )


def _row(classes: list[str], each: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{each['split']}/{each['file']}",
        "given": classes[each["given"]],
        "proposed": classes[each["proposed"]],
        "score": each["score"],
        "picture": each["picture"] if _PICTURE.fullmatch(each["picture"]) else None,
    }
