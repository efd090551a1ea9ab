"""Which instance types there are, and which of them the images run on."""

from __future__ import annotations

import pytest

from contract import instances, prices
from contract.instances import HOSTING, TRAINING, Processor, UnusableInstance
from tools import instance_types


def test_the_types_written_down_are_those_of_the_installed_botocore() -> None:
    written = instance_types.WRITTEN.read_text(encoding="utf-8")
    assert written == instance_types.text(instance_types.of_botocore()), "python -m tools.instance_types"


@pytest.mark.parametrize("kind", [TRAINING, HOSTING])
def test_every_family_with_a_gpu_is_known_as_new_enough_or_too_old(kind: str) -> None:
    """AWS names families with a GPU g and p, so a new one does not pass for a processor."""
    lettered = {each for each in instances.types_for(kind) if each.startswith(("ml.g", "ml.p"))}
    assert {Processor.CPU, Processor.ACCELERATOR}.isdisjoint(map(instances.processor_of, lettered))
    assert all(
        instances.processor_of(each) is not Processor.GPU for each in instances.types_for(kind) - lettered
    )


@pytest.mark.parametrize(
    ("instance_type", "kind", "parts"),
    [
        ("ml.c9z.huge", TRAINING, ["ml.c9z.huge", "none of the types", "training", "ml.c7i"]),
        ("ml.g9.huge", TRAINING, ["none of the types", "ml.g6.xlarge"]),
        ("ml.qq.vast", HOSTING, ["none of the types", "hosting"]),
        ("ml.g6.large", HOSTING, ["take for example ml.g6.xlarge"]),  # a family it has, a size it has not
        ("ml.c7i-flex.large", TRAINING, ["none of the types"]),
        ("ml.c7i-flex.xlarge", HOSTING, ["none of the types"]),  # trains only
        ("ml.p2.xlarge", HOSTING, ["older than Turing", "ml.g6.xlarge"]),
        ("ml.p3.2xlarge", TRAINING, ["older than Turing"]),
        ("ml.p3dn.24xlarge", TRAINING, ["older than Turing"]),
        ("ml.g3.4xlarge", TRAINING, ["older than Turing"]),
        ("ml.c7g.large", HOSTING, ["ARM", "x86-64", "ml.c7i.large"]),
        ("ml.c7gn.xlarge", TRAINING, ["ARM", "ml.c7i.2xlarge"]),
        ("ml.p6e-gb200.36xlarge", TRAINING, ["ARM"]),
        ("ml.inf2.xlarge", HOSTING, ["accelerator"]),
        ("ml.trn1.2xlarge", TRAINING, ["accelerator"]),
        ("ml.dl1.24xlarge", HOSTING, ["accelerator"]),
    ],
)
def test_a_type_that_would_only_fail_is_refused_with_why(
    instance_type: str, kind: str, parts: list[str]
) -> None:
    with pytest.raises(UnusableInstance) as error:
        instances.check(instance_type, kind)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("kind", [TRAINING, HOSTING])
def test_every_type_of_the_families_the_images_run_on_is_taken(kind: str) -> None:
    usable = (Processor.CPU, Processor.GPU)
    for instance_type in instances.types_for(kind):
        if instances.processor_of(instance_type) in usable:
            instances.check(instance_type, kind)


def test_what_is_proposed_instead_can_be_taken_and_has_a_price() -> None:
    for (kind, processor), instance_type in instances.EXAMPLES.items():
        instances.check(instance_type, kind)
        assert instances.processor_of(instance_type) is processor
        assert prices.hourly_usd(instance_type, kind) > 0


def test_the_gpu_image_is_for_a_gpu_and_the_cpu_image_for_all_else() -> None:
    assert instances.has_gpu("ml.g4dn.xlarge")
    assert instances.has_gpu("ml.p6-b200.48xlarge")
    assert not instances.has_gpu("ml.c7i.large")
    assert not instances.has_gpu("ml.g6g.xlarge")


def test_what_is_proposed_instead_is_never_a_type_that_the_images_do_not_run_on() -> None:
    with pytest.raises(UnusableInstance) as error:
        instances.check("ml.inf.xlarge", HOSTING)  # most like those with an Inferentia
    instances.check(str(error.value).rsplit(" ", 1)[1], HOSTING)
