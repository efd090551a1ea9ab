"""Why a run was started that nobody asked for by hand: by the settings `retrain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CORRECTIONS: Final = "corrections"
"""Cause: how many accepted corrections its data has that the training before had not."""
DRIFT: Final = "drift"
"""Cause: the population stability index that rang."""
CAUSES: Final = (CORRECTIONS, DRIFT)


def in_words(scheduled: Mapping[str, float]) -> str:
    """The causes of a run, by name, as they are shown: `212 corrections, drift 0.31`; empty without any."""
    causes = []
    if CORRECTIONS in scheduled:
        causes.append(f"{scheduled[CORRECTIONS]:.0f} corrections")
    if DRIFT in scheduled:
        causes.append(f"drift {scheduled[DRIFT]:.2f}")
    return ", ".join(causes)
