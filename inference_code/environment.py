"""Numbers from the environment: read where they are used, refused by name."""

from __future__ import annotations

import math
import os


class BadSetting(SystemExit):
    """An environment variable that cannot be used. It ends the process, with its message and no traceback."""


class NoGpu(Exception):
    """An image for instances with a GPU that cannot use one; the message names driver and versions."""


def whole(name: str, default: int, least: int, most: int) -> int:
    """A whole number.

    Raises:
        BadSetting: it is none, or not from `least` to `most`.
    """
    number = positive(name, default)
    if not least <= number <= most or number != int(number):
        raise BadSetting(
            f"{name}={os.environ[name][:40]!r} has to be a whole number from {least} to {most}; "
            f"leave it out for {default}."
        )
    return int(number)


def positive(name: str, default: float) -> float:
    """A number above or equal to zero.

    Raises:
        BadSetting: it is none.
    """
    text = os.environ.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise BadSetting(f"{name}={text[:40]!r} is no number; leave it out for {default}.")
    return number
