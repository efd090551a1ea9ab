"""The profiler: where the time of a step goes, how busy the machine is, and what would make it faster.

`steps` times the parts of every step, `trace` lets torch's profiler write down the first ones, which
`operators` adds up; `system` looks at the machine from a side process. `rule_runner` puts the `profile` to
the `rules`, `probe` measures what a finding proposes.
"""

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
