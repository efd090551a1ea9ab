"""Taking the steps of a change, each waited for; what was begun is put back when a later step fails."""

from __future__ import annotations

from collections.abc import Callable

from cli import stacks
from cli.deploy.live import image, instances, stack
from cli.deploy.live.plan import Build, Change, Deploy, Raise, Register, Remove, Step, Unscale
from cli.errors import CliError
from cli.target import Target

Deployer = Callable[[tuple[str, ...]], object]
Tell = Callable[[str], None]


class HalfWay(CliError):
    """A step failed, and so did putting back what had been done before it."""


def carry_out(target: Target, change: Change, deploy: Deployer, tell: Tell) -> None:
    """Take the steps.

    Args:
        deploy: deploys the named stacks and those they need; all, if none is named.

    Raises:
        CliError, ClientError: of the step that failed; the endpoint is what it was.
    """
    from botocore.exceptions import ClientError

    work = _Work(target, deploy, tell)
    for step in change.steps:
        try:
            work.take(step)
        except (CliError, ClientError) as error:
            work.put_back(error)
            raise


class _Work:
    """The steps, and how to put back what they have done."""

    def __init__(self, target: Target, deploy: Deployer, tell: Tell) -> None:
        self._target, self._deploy, self._tell = target, deploy, tell
        self._undo: list[Callable[[], None]] = []

    def take(self, step: Step) -> None:
        match step:
            case Raise():
                self._raise(step)
            case Build():
                self._deploy((self._target.stack("training"),))
            case Unscale():
                self._leave_out(stack.SCALING, "taking auto scaling off")
            case Remove():
                self._leave_out(stack.ENDPOINT, "taking the endpoint away")
            case Register():
                self._tell(f"registering the champion with the {step.image} image")
                image.register(self._target, step.champion, step.image, self._tell)
            case Deploy():
                self._deploy(())
                self._undo.clear()

    def put_back(self, why: Exception) -> None:
        from botocore.exceptions import ClientError

        while self._undo:
            self._tell("putting back what was changed for it")
            try:
                self._undo.pop()()
            except (CliError, ClientError) as error:
                raise HalfWay(
                    f"{why}\nWhat had been changed before could not be put back: {error}\nWhen that is "
                    f"mended, run `{self._target.command('up')}` again: it deploys the rest."
                ) from why

    def _raise(self, step: Raise) -> None:
        before = instances.bounds(self._target, step.endpoint)
        if before is not None:
            self._undo.append(lambda: instances.bound(self._target, step.endpoint, before))
            instances.bound(self._target, step.endpoint, (step.least, max(before[1], step.least)))
        self._tell(f"waiting for {step.least} instances")
        instances.raise_to(self._target, step.endpoint, step.least)

    def _leave_out(self, types: tuple[str, ...], what: str) -> None:
        template = stacks.template(self._target, "serving", TemplateStage="Original")
        read = stack.read_by_name(self._target)

        def put_back() -> None:
            stack.write_back(self._target, read)
            stack.update(self._target, template, self._tell)

        self._tell(what)
        stack.update(self._target, stack.without(template, types), self._tell)
        self._undo.append(put_back)
