"""What an AWS account lacks for this project, found before anything is started.

`deployment` is what `up` asks and `launch` what `tune` and `train` ask. Both return `Line`s, which the
command shows and `refusal` turns into a refusal to start. Each kind of check is a file of its own here: a
function from a `Look` (where, whose, what is wanted) to its lines. What cannot be looked at is unknown,
never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cli.check import account, bootstrap, identity, instances, names, permissions, price
from cli.check.identity import Identity
from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.wanted import read, read_launch
from cli.errors import CliError
from cli.explain import explain
from cli.runs.launch import Launched
from cli.target import Target

Check = Callable[[Look], Iterable[Line]]

OF_DEPLOYMENT: dict[Code, Check] = {
    Code.PARTITION: account.of_partition,
    Code.BOOTSTRAP: bootstrap.check,
    Code.PERMISSIONS: permissions.check,
    Code.NAMES: names.check,
    Code.BUILDS: account.of_builds,
    Code.LOG_ROLE: account.of_log_role,
    Code.ENDPOINT_QUOTA: instances.of_endpoint,
    Code.TRAINING_QUOTA: instances.of_training,
    Code.COST: price.check,
}
OF_LAUNCH: dict[Code, Check] = {
    Code.TRAINING_QUOTA: instances.of_launch,
    Code.ENDPOINT_QUOTA: instances.of_endpoint,
}


class NotReady(CliError):
    """The account lacks something; nothing was started."""


def deployment(
    target: Target, recipes: tuple[str, ...] = (), tell: Callable[[Code], None] = lambda code: None
) -> list[Line]:
    """Everything a first deploy and the first search need.

    Args:
        recipes: names of recipes that will be run: what they need is wrong where it is short. Without any,
            what each recipe of the checkout would need is said.
        tell: is told what is being looked at.

    Raises:
        WouldFail: the settings or a recipe cannot be used.
    """
    return _all(target, OF_DEPLOYMENT, lambda who: Look(target, who, read(target, recipes)), tell)


def launch(target: Target, planned: Launched) -> list[Line]:
    """What one run needs, as its launcher planned it, and what serves its model afterwards."""
    return _all(target, OF_LAUNCH, lambda who: Look(target, who, read_launch(target, planned)))


def refusal(lines: Iterable[Line]) -> NotReady | None:
    """What to raise instead of starting something; None when nothing is wrong."""
    wrong = [line for line in lines if line.status is Status.WRONG]
    if not wrong:
        return None
    things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
    return NotReady(
        f"{things} in the way, so nothing was started. Mend what is said above and run again, or add "
        "--anyway to start all the same."
    )


def _all(
    target: Target,
    checks: dict[Code, Check],
    look: Callable[[Identity], Look],
    tell: Callable[[Code], None] = lambda code: None,
) -> list[Line]:
    tell(Code.CREDENTIALS)
    who, line = identity.whose(target)
    if who is None:  # without an answer to that there is none to anything else
        return [line]
    lines, here = [line], look(who)
    for code, check in checks.items():
        tell(code)
        lines += _lines(code, check, here)
    return lines


def _lines(code: Code, check: Check, look: Look) -> list[Line]:
    """What a check says; where AWS would not answer it, that."""
    try:
        return list(check(look))
    except CliError:
        raise
    except Exception as error:
        why = explain(error, look.target)
        if why is None:
            raise
        return [Line(code, Status.UNKNOWN, "could not be looked at", why)]


__all__ = ["Line", "NotReady", "Status", "deployment", "launch", "refusal"]
