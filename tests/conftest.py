"""What holds for all tests: a claim is tried on the same examples every time, however slow the machine is,
and what runs on this machine is asked past its proxies.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from cli.proxies import spare_loopback

spare_loopback(os.environ)

# Random examples, deadlines and "input generation is slow" would make a run on a busy machine differ from
# one on an idle machine.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
