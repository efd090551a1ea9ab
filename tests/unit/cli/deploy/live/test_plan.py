"""The steps of a change are those that AWS allows, in an order in which it allows them."""

from __future__ import annotations

import pytest

from cli.deploy.live.plan import Build, Change, Deploy, Raise, Register, Remove, Unscale, planned
from cli.deploy.live.state import Endpoint, Hosting, Image, Running, Wanted

CHAMPION = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier/3"
CPU_TYPE, GPU_TYPE = "ml.c7i.large", "ml.g6.xlarge"
INSTANCES, COMPONENTS, SERVERLESS = Hosting.INSTANCES, Hosting.COMPONENTS, Hosting.SERVERLESS


def endpoint(hosting: Hosting = INSTANCES, instance_type: str = CPU_TYPE, instances: int = 1) -> Endpoint:
    own = hosting is INSTANCES
    return Endpoint(hosting, "main", "" if hosting is SERVERLESS else instance_type, instances if own else 0)


def change(now: Endpoint | None, wanted: Wanted, image: Image | None = Image.CPU) -> Change:
    return planned(Running(now, CHAMPION, image), wanted)


def wanted(
    hosting: Hosting = INSTANCES, image: Image = Image.CPU, instance_type: str = CPU_TYPE, least: int = 1
) -> Wanted:
    return Wanted(hosting, image, (instance_type,) if instance_type else (), least)


def kinds(change: Change) -> list[type]:
    return [type(step) for step in change.steps]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (endpoint(), wanted()),
        (endpoint(instances=4), wanted(least=2)),
        (endpoint(instances=2), wanted(least=2)),
        (endpoint(SERVERLESS), wanted(SERVERLESS, instance_type="")),
        (endpoint(COMPONENTS), wanted(COMPONENTS)),
        (endpoint(SERVERLESS), wanted()),  # the one change of hosting that AWS makes in place
        (None, wanted(least=4, instance_type="ml.c7i.xlarge")),  # what is not there is made as it shall be
    ],
)
def test_what_aws_does_in_one_update_is_one_deployment(now: Endpoint | None, then: Wanted) -> None:
    assert change(now, then).is_plain


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 4), (1, 4)])
def test_more_instances_come_before_the_deployment_that_needs_half_of_them(before: int, after: int) -> None:
    told = change(endpoint(instances=before), wanted(least=after))
    assert kinds(told) == [Raise, Deploy]
    assert not told.pauses


def test_another_instance_type_is_deployed_while_auto_scaling_is_off() -> None:
    told = change(endpoint(), wanted(instance_type="ml.c7i.xlarge"))
    assert kinds(told) == [Unscale, Deploy]
    assert not told.pauses


def test_a_type_that_the_settings_allow_stays() -> None:
    allowed = Wanted(INSTANCES, Image.CPU, ("ml.c7i.xlarge", CPU_TYPE), 1)
    assert change(endpoint(), allowed).is_plain


def test_instances_are_raised_before_auto_scaling_is_taken_off_since_it_keeps_them() -> None:
    told = change(endpoint(), wanted(instance_type="ml.c7i.xlarge", least=2))
    assert kinds(told) == [Raise, Unscale, Deploy]


def test_the_cpu_image_is_what_runs_whenever_image_and_machine_do_not_match() -> None:
    to_gpu = change(endpoint(), wanted(image=Image.GPU, instance_type=GPU_TYPE))
    assert kinds(to_gpu) == [Unscale, Deploy, Register]
    to_cpu = change(endpoint(instance_type=GPU_TYPE), wanted(), Image.GPU)
    assert kinds(to_cpu) == [Unscale, Build, Register, Deploy]
    assert not to_gpu.pauses
    assert not to_cpu.pauses


def test_a_flavour_change_that_was_broken_off_is_gone_on_with() -> None:
    on_gpu = endpoint(instance_type=GPU_TYPE)
    assert kinds(change(on_gpu, wanted(image=Image.GPU, instance_type=GPU_TYPE))) == [Deploy, Register]
    assert kinds(change(on_gpu, wanted())) == [Unscale, Deploy]


def test_a_package_that_does_not_say_what_its_image_is_for_is_left_alone() -> None:
    assert change(endpoint(), wanted(image=Image.GPU), None).is_plain


@pytest.mark.parametrize(
    ("now", "then", "image"),
    [
        (endpoint(), wanted(SERVERLESS, instance_type=""), Image.CPU),
        (endpoint(), wanted(COMPONENTS), Image.CPU),
        (endpoint(COMPONENTS), wanted(), Image.CPU),
        (endpoint(COMPONENTS), wanted(SERVERLESS, instance_type=""), Image.CPU),
        (endpoint(SERVERLESS), wanted(COMPONENTS), Image.CPU),
        (endpoint(COMPONENTS), wanted(COMPONENTS, Image.GPU, GPU_TYPE), Image.CPU),
        (endpoint(instance_type=GPU_TYPE), wanted(SERVERLESS, instance_type=""), Image.GPU),
    ],
)
def test_what_aws_cannot_do_while_it_serves_is_said_beforehand(
    now: Endpoint, then: Wanted, image: Image
) -> None:
    told = change(now, then, image)
    assert told.pauses
    assert kinds(told)[-1] is Deploy
    # An endpoint that is made anew begins with the image of its flavour.
    early = [Remove, Build, Register, Deploy] if image is not then.image else [Remove, Deploy]
    assert kinds(told) == early
    assert "503" in told.lines[-1]


def test_a_sleeping_champion_gets_the_other_image_too() -> None:
    told = change(None, wanted(image=Image.GPU, instance_type=GPU_TYPE))
    assert kinds(told) == [Deploy, Register]
    assert "sleeps" in told.lines[-1]


def test_the_plan_names_numbers_types_and_version() -> None:
    told = change(endpoint(), wanted(image=Image.GPU, instance_type=GPU_TYPE, least=2))
    text = "\n".join(told.lines)
    for said in ("from 1 to 2", GPU_TYPE, CPU_TYPE, "version 3", "gpu image", "answered all the time"):
        assert said in text
