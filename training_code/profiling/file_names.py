"""What the profiler's files are called, in the job's folder debug/profile."""

from __future__ import annotations

from typing import Final

STEPS: Final = "steps.csv"
SYSTEM: Final = "system.csv"
WALL: Final = "wall.json"
PLAIN_TRACE: Final = "trace-of-{steps}-steps.json"
"""What torch's profiler writes, until the side process has packed it."""
TRACE: Final = "trace.json.gz"
OPERATORS: Final = "operators.json"
DONE: Final = "done"
"""In the folder above: the training is over, the side processes may end."""
