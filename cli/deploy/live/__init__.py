"""Changing an endpoint while it serves: which steps AWS wants for it, said beforehand and then taken.

A deployment that only brings another model, or fewer instances, needs nothing of this. Three others AWS
refuses in one update, and one it cannot do while requests are answered:

* more instances than run: a canary takes at most half of those that run, so they are raised first;
* another instance type: auto scaling has to let go of the variant for as long as that takes;
* another flavour, cpu or gpu: the champion is registered once more, with the image that fits;
* from or to inference components, and to serverless: the endpoint is taken away and made anew.

`plan` decides, `steps` carries out, `stack` deploys the Serving stack with a part of it left out.
"""

from __future__ import annotations

from cli.deploy.live.plan import Change, planned
from cli.deploy.live.state import read_running, read_wanted
from cli.deploy.live.steps import carry_out
from cli.target import Target

__all__ = ["Change", "carry_out", "look"]


def look(target: Target) -> Change:
    """What deploying this checkout's settings will do to the endpoint. Raises WouldFail for bad settings."""
    running = read_running(target)
    if running.endpoint is None and not running.champion:
        return Change()
    return planned(running, read_wanted(target))
