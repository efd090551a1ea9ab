"""What the functions know of a run's jobs: which follows which, and under what name."""

from __future__ import annotations

import cli.prices  # noqa: F401  (the way into the functions' folder)
from common import capacity, names

__all__ = ["capacity", "names"]
