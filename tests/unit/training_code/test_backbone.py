"""timm's networks, as training wants them: stages, freezing, the cut, and timm's own names."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from contract import networks
from contract.networks import ARCHITECTURES
from tests.unit.training_code.samples import numbers, train
from training_code.errors import InvalidHyperparameter
from training_code.network.backbone import Backbone, backbone
from training_code.training.callback import Callback

ROWS = ("tf_efficientnet_lite0", "mobilenetv3_large_100", "mobilenetv4_conv_small", "convnext_atto")
OTHERS = ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224")
SIDE = 64


def size(arch: str) -> int:
    return 224 if arch.startswith(("swin", "pit")) else SIDE


def network(arch: str, classes: int = 3) -> Backbone:
    torch.manual_seed(1)
    return backbone(arch, classes, size(arch)).eval()  # type: ignore[return-value]


def batch(arch: str, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, size(arch), size(arch), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("arch", [*ROWS, *OTHERS])
def test_names_and_scores_are_timms(arch: str) -> None:
    ours = network(arch)
    theirs = timm.create_model(arch, num_classes=3, **({"img_size": SIDE} if "vit" in arch else {})).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    with torch.inference_mode():
        assert torch.equal(ours(batch(arch)), theirs(batch(arch)))


@pytest.mark.parametrize("arch", [each for each in ARCHITECTURES if not networks.is_resnet(each)])
def test_the_stages_are_those_that_launchers_are_told(arch: str) -> None:
    with torch.device("meta"):
        assert backbone(arch, 2, 224).stage_names == networks.stages(arch)


@pytest.mark.parametrize("arch", ROWS)
def test_a_row_of_stages_is_cut_at_each_and_gives_the_scores_of_the_whole(arch: str) -> None:
    whole = network(arch)
    with torch.inference_mode():
        scores = whole(batch(arch))
    for stage in whole.stage_names[1:]:
        cut = network(arch)
        cut.freeze_before(stage)
        assert cut.is_cut
        with torch.inference_mode():
            activation = cut.frozen_part(batch(arch))
            assert torch.allclose(cut.trained_part(activation), scores, atol=1e-5)
            kept = cut.pooled(activation, from_freeze_point=True)
            assert torch.allclose(kept, cut.pooled(batch(arch)), atol=1e-5)
            assert kept.dim() == 2
    assert activation.dim() == 2, "before the head it is pooled"


@pytest.mark.parametrize(
    "arch", [each for each in ARCHITECTURES if not networks.is_resnet(each) and not each.startswith("vit")]
)
def test_each_network_of_the_table_that_is_a_row_is_cut_at_each_stage(arch: str) -> None:
    whole = network(arch)
    for stage in whole.stage_names[1:]:
        whole.freeze_before(stage)
        assert whole.is_cut, stage


@pytest.mark.parametrize(
    ("arch", "side"), [("vit_small_patch14_dinov2", 56), ("vit_base_patch32_clip_224", 64)]
)
def test_the_transformers_of_the_table_train_a_head_on_what_is_kept(arch: str, side: int) -> None:
    torch.manual_seed(1)
    vit = backbone(arch, 3, side).eval()
    pictures = torch.randn(2, 3, side, side)
    vit.freeze_before("head")
    assert vit.is_cut
    kept = vit.frozen_part(pictures)
    with torch.no_grad():
        assert torch.allclose(vit.trained_part(kept), vit(pictures), atol=1e-4)
    vit.trained_part(kept).sum().backward()  # type: ignore[no-untyped-call]
    learns = {name for name, value in vit.named_parameters() if value.grad is not None}
    assert learns == vit.head_names


def test_a_network_that_is_no_row_is_cut_at_its_head_alone() -> None:
    vit = network("vit_tiny_patch16_224")
    vit.freeze_before("stage6")
    assert not vit.is_cut
    vit.freeze_before("head")
    assert vit.is_cut
    with torch.inference_mode():
        activation = vit.frozen_part(batch("vit_tiny_patch16_224"))
        assert activation.shape == (2, 192)
        assert torch.allclose(vit.trained_part(activation), vit(batch("vit_tiny_patch16_224")), atol=1e-6)


@pytest.mark.parametrize("arch", [*ROWS, "vit_tiny_patch16_224"])
@pytest.mark.parametrize("place", [1, 3, -1])
def test_frozen_stages_get_no_gradients_and_keep_their_statistics(arch: str, place: int) -> None:
    built = network(arch)
    stage = built.stage_names[place]
    built.freeze_before(stage)
    built.train()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    built(batch(arch, 4)).sum().backward()  # type: ignore[no-untyped-call]
    trained = set(built.trained_state())
    for name, value in built.named_parameters():
        assert (value.grad is not None) == (name in trained), name
    changed = {name for name, value in built.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= trained
    norms = [each for each in built.modules() if isinstance(each, nn.BatchNorm2d)]
    assert stage == "head" or not norms or changed, "trained norms follow the pictures"
    assert set(built.frozen_state()) | trained == set(before)


def test_a_family_without_groups_has_a_stem_and_a_head() -> None:
    built = network("pit_ti_224")
    assert built.stage_names == ("stem", "head")
    built.freeze_before("head")
    assert built.is_cut
    assert built.pooled(batch("pit_ti_224")).shape == (2, 256)


def test_all_is_trained_where_nothing_is_frozen() -> None:
    built = network("convnext_atto")
    assert set(built.trained_state()) == set(built.state_dict())


def test_a_part_that_is_replaced_is_so_in_both_halves() -> None:
    built = network("tf_efficientnet_lite0")
    built.freeze_before("stage7")
    activation = built.frozen_part(batch("tf_efficientnet_lite0"))
    before = built.trained_part(activation)
    built.bn2 = nn.Identity()  # as `distributed.batch_norm` replaces it
    assert not torch.equal(built.trained_part(activation), before)


def test_a_stage_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidHyperparameter, match=r"stage9: this network has stem, stage1, .*, head"):
        network("convnext_atto").freeze_before("stage9")


class Crash(Callback):
    """Ends the program in the middle of the second epoch."""

    def step_begins(self, epoch: int, step: int) -> None:
        if (epoch, step) == (2, 2):
            raise SystemError


@pytest.mark.parametrize(
    ("arch", "stage"),
    [
        ("mobilenetv4_conv_small", "stage3"),
        ("convnext_atto", "stem"),
        ("vit_tiny_patch16_224", "stage6"),
        ("vit_tiny_patch16_224", "head"),
    ],
)
def test_a_training_that_crashed_is_resumed_and_ends_with_the_same_numbers(
    pictures: Path, tmp_path: Path, arch: str, stage: str
) -> None:
    asked = {"arch": arch, "trainable_from": stage, "image_size": "32", "augment": "flip", "weights": "none"}
    whole = train(pictures, None, **asked)
    with pytest.raises(SystemError):
        train(pictures, tmp_path, callback=Crash(), checkpoint_minutes="1e-9", **asked)
    resumed = train(pictures, tmp_path, **asked)
    assert numbers(resumed) == numbers(whole)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("arch", "side"), [("densenet121", 16), ("maxvit_tiny_tf_224", 100), ("vit_tiny_patch16_224", 100)]
)
def test_a_size_that_a_network_cannot_have_is_one_message(arch: str, side: int) -> None:
    with pytest.raises(InvalidHyperparameter, match=f"image_size={side}"):
        backbone(arch, 2, side)


@pytest.mark.parametrize("arch", ["tf_efficientnet_lite0", "mobilenetv3_large_100", "convnext_atto"])
def test_a_new_head_is_drawn_narrowly_whatever_timm_does(arch: str) -> None:
    built = network(arch)
    (weight,) = (
        value for name, value in built.named_parameters() if name in built.head_names and value.dim() > 1
    )
    assert 0.005 < float(weight.std()) < 0.02
