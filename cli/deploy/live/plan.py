"""Which steps a change of the endpoint takes, and whether it answers meanwhile. Pure: it asks nobody.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.deploy.live.state import Endpoint, Hosting, Image, Running, Wanted
from contract.names import version_of


@dataclass(frozen=True)
class Raise:
    """As many instances as the settings' least, on the endpoint as it is."""

    endpoint: Endpoint
    least: int

    @property
    def text(self) -> str:
        return (
            f"raise the instances from {self.endpoint.instances} to {self.least}: a canary is at most half "
            "of those that run"
        )


@dataclass(frozen=True)
class Build:
    """Deploy what makes the image of the other flavour."""

    image: Image

    @property
    def text(self) -> str:
        return f"deploy the {self.image} image and what it needs"


@dataclass(frozen=True)
class Unscale:
    """The Serving stack without auto scaling."""

    @property
    def text(self) -> str:
        return (
            "take auto scaling off, under which AWS changes no instance type: the number of instances stays "
            "until the deployment puts it back"
        )


@dataclass(frozen=True)
class Remove:
    """The Serving stack without its endpoint."""

    before: Hosting
    after: Hosting

    @property
    def text(self) -> str:
        if self.before is self.after:
            return "take the endpoint away: its copies cannot change their processor while they serve"
        return f"take the endpoint away: AWS does not turn one of {self.before} into one of {self.after}"


@dataclass(frozen=True)
class Register:
    """The champion once more, with the image of the settings' flavour; promoted like any model."""

    champion: str
    image: Image

    @property
    def text(self) -> str:
        version = version_of(self.champion)
        return f"register version {version} once more, with the {self.image} image, and promote it"


@dataclass(frozen=True)
class Deploy:
    """Every stack, as the settings say."""

    what: str = "all stacks, the endpoint blue/green, watched by the alarms"

    @property
    def text(self) -> str:
        return f"deploy {self.what}"


Step = Raise | Build | Unscale | Remove | Register | Deploy


@dataclass(frozen=True)
class Change:
    """The steps in their order; one alone is a deployment like any other."""

    steps: tuple[Step, ...] = (Deploy(),)
    serves: bool = True
    """Whether there is an endpoint that serves now."""

    @property
    def is_plain(self) -> bool:
        """Whether the deployment alone will do."""
        return len(self.steps) == 1

    @property
    def pauses(self) -> bool:
        """Whether requests are refused for some minutes."""
        return any(isinstance(step, Remove) for step in self.steps)

    @property
    def lines(self) -> list[str]:
        """The steps for people."""
        steps = [f"  {number}. {step.text}" for number, step in enumerate(self.steps, 1)]
        return ["More than a deployment is needed for these settings:", *steps, self._meanwhile]

    @property
    def _meanwhile(self) -> str:
        if self.pauses:
            return (
                "AWS cannot do this while it serves: requests are answered 503 in between, for some minutes."
            )
        if not self.serves:
            return "The model sleeps: its new version wakes it up. It sleeps again when nobody asks."
        return "Requests are answered all the time. Old and new instances run side by side for a while."


def planned(running: Running, wanted: Wanted) -> Change:
    """The steps from what runs to what is wanted, none of which AWS refuses."""
    now = running.endpoint
    other_image = running.image is not None and running.image is not wanted.image
    register = Register(running.champion, wanted.image)
    if now is None:
        return Change((Deploy("all stacks"), register) if other_image else (Deploy(),), serves=False)
    pauses = _pauses(now, wanted, other_image)
    # The image for the processor runs on every machine: it comes before the machine without a GPU, and after
    # the one with it. An endpoint that is made anew begins with the right one.
    first = other_image and (pauses or wanted.image is Image.CPU)
    steps: list[Step] = []
    if _in_place(now, wanted) and now.instances < wanted.min_instances:
        steps.append(Raise(now, wanted.min_instances))
    # Before anything that may move the endpoint to another type, the new version's promotion included.
    if _in_place(now, wanted) and not wanted.takes(now.instance_type):
        steps.append(Unscale())
    if pauses:
        steps.append(Remove(now.hosting, wanted.hosting))
    if first:
        steps += [Build(wanted.image), register]
    steps.append(_deploy(now, wanted, pauses))
    if other_image and not first:
        steps.append(register)
    return Change(tuple(steps))


def _in_place(now: Endpoint, wanted: Wanted) -> bool:
    """Whether instances with the model on them are what there is and what there will be."""
    return now.hosting is wanted.hosting is Hosting.INSTANCES


def _pauses(now: Endpoint, wanted: Wanted, other_image: bool) -> bool:
    """Of the changes of hosting AWS makes one in place: serverless to instances.
    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-create-endpoint.html

    A component's copies reserve a GPU or none, as their image needs: both change together or not at all.
    """
    if now.hosting is not wanted.hosting:
        return (now.hosting, wanted.hosting) != (Hosting.SERVERLESS, Hosting.INSTANCES)
    return now.hosting is Hosting.COMPONENTS and other_image


def _deploy(now: Endpoint, wanted: Wanted, pauses: bool) -> Deploy:
    if pauses:
        return Deploy(f"all stacks, with a new endpoint of {wanted.hosting}")
    if wanted.instance_types and not wanted.takes(now.instance_type):
        old, new = now.instance_type or now.hosting, wanted.instance_types[0]
        return Deploy(f"all stacks: {new} in the place of {old}, watched by the alarms")
    return Deploy()
