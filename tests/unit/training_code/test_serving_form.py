"""The serving form: the same network as a graph, quantised only where that costs next to nothing."""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch

from contract.artifact import TOGETHER
from contract.pictures.transform import Transform
from tests.unit.inference_code.artifacts import randomise_norms
from tests.unit.training_code.samples import MACHINE, TINY, load, train
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.evaluation import openvino_graph, quantise, serving_form, serving_graph
from training_code.evaluation.scores import Evaluation, evaluate
from training_code.job import Job
from training_code.network.fresh import fresh
from training_code.network.network import Network
from training_code.stopping import Stopped, StopSignal
from training_code.training.progress import Trained

TRANSFORM = Transform.of_size(64)


ARCHITECTURES = ("resnet18", "resnet50", "tf_efficientnet_lite0", "mobilenetv4_conv_small", "convnext_atto")


def random_network(arch: str, classes: int = 5) -> Network:
    """A network with random batch norms."""
    torch.manual_seed(3)
    network = fresh(arch, classes, 64)
    randomise_norms(network)
    return network.eval()


def squares(count: int = 4) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """RGBA, alpha 255, each as a batch of one."""
    pixels = np.random.default_rng(1).integers(0, 256, (count, 1, 64, 64, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def by_torch(
    network: Network, pixels: np.ndarray[Any, np.dtype[np.uint8]], transform: Transform = TRANSFORM
) -> np.ndarray[Any, Any]:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transform.mean, transform.std))
    with torch.inference_mode():
        scores = network((torch.from_numpy(pixels[..., :3]).permute(0, 3, 1, 2).float() / 255 - mean) / std)
    return scores.numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("arch", [*ARCHITECTURES, "vit_tiny_patch16_224"])
def test_the_graph_answers_as_the_network_does(arch: str) -> None:
    network, transform = random_network(arch), Transform.of(arch, 64)
    graph = serving_graph.graph(network, transform)
    compiled = openvino_graph.compiled(graph, "f32", 1)
    together = openvino_graph.compiled(graph, "f32", 1, squares=TOGETHER)
    expected = np.concatenate([by_torch(network, pixels, transform) for pixels in squares()])
    alone = np.concatenate([compiled([pixels])[0] for pixels in squares()])
    assert np.abs(alone - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(together([np.concatenate(squares())])[0] - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_graph_of_a_small_stem_answers_as_the_network_does() -> None:
    torch.manual_seed(3)
    network = fresh("resnet18", 5, 64, "small")
    randomise_norms(network)
    compiled = openvino_graph.compiled(serving_graph.graph(network.eval(), TRANSFORM), "f32", 1)
    for pixels in squares(2):
        expected = by_torch(network, pixels)
        assert np.abs(compiled([pixels])[0] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("arch", ["tf_efficientnet_lite0", "convnext_atto", "vit_tiny_patch16_224"])
def test_the_normalisation_is_in_the_first_convolution(arch: str) -> None:
    kinds = [
        node.get_type_name()
        for node in serving_graph.graph(random_network(arch), Transform.of(arch, 64)).get_ordered_ops()
    ]
    first = kinds.index("Convolution")
    assert set(kinds[:first]) == {"Parameter", "Constant", "Convert", "Transpose"}


def quantised(network: Network) -> Any:
    plain = serving_graph.graph(network, TRANSFORM)
    return openvino_graph.compiled(openvino_graph.quantised(plain, squares(), 1), "int8", 1)


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_the_quantised_graph_runs_on_integers_and_answers_nearly_as_the_network_does(arch: str) -> None:
    network = random_network(arch)
    compiled = quantised(network)
    for pixels in squares():
        expected = by_torch(network, pixels)
        assert np.abs(compiled([pixels])[0] - expected).max() < 0.1 * np.abs(expected).max()
    nodes = compiled.get_runtime_model().get_ordered_ops()
    # Behind the pooling a picture is a few hundred numbers, which go out as floats too.
    shapes = [[str(side) for side in each.get_output_partial_shape(0)] for each in nodes]
    told = [
        each.get_rt_info()
        for each, shape in zip(nodes, shapes, strict=True)
        if len(shape) == 4 and shape[2:] != ["1", "1"]
    ]
    convolutions = [each for each in told if each["layerType"].astype(str) == "Convolution"]
    assert len(convolutions) == sum(isinstance(each, torch.nn.Conv2d) for each in network.modules())
    for kind in ("runtimePrecision", "outputPrecisions"):
        assert {each[kind].astype(str) for each in convolutions} <= {"i8", "u8"}
    # Normalisation, activations and additions are done inside the convolutions.
    assert not {each["layerType"].astype(str) for each in told} & {"Subgraph", "Eltwise", "FakeQuantize"}


def test_the_bias_takes_off_what_rounded_weights_shift_the_mean_output_by() -> None:
    """One of two weights is less than half a step, so it becomes 0; its mean input stays in the output."""
    small = 0.49 / 127
    weight = np.array([small, 1.0], np.float32).reshape(1, 2, 1, 1)
    values = openvino.opset13.parameter([-1, 2, 4, 4], np.float32)
    sides = ([1, 1], [0, 0], [0, 0], [1, 1])
    layer = openvino.opset13.convolution(values, openvino.opset13.constant(weight), *sides)
    plain = openvino.Model([layer], [values], "one")
    pictures = np.stack([np.ones((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.float32)], axis=1)
    compiled = openvino_graph.compiled(openvino_graph.quantised(plain, [pictures], 1), "int8", 1)
    assert np.allclose(compiled([pictures])[0], small, atol=small / 10)


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_products_of_8_bits_are_added_right_without_vnni(instructions: str) -> None:
    """Such a CPU adds two of them in 16 bits; by weights that take all 8 it is off by 0.26 to 0.89."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.training_code.older_processor"],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": instructions},
        capture_output=True,
        text=True,
        check=True,
    )
    for layer, told in json.loads(done.stdout).items():
        assert told["runtimePrecision"] in ("i8", "u8"), layer
        assert told["off"] < 0.01, layer
        assert instructions != "AVX2" or "avx512" not in told["primitiveType"], "all instructions were used"


def float_convolutions(graph: Any) -> list[Any]:
    """Convolutions whose weights are not of 8 bits."""
    return [
        each
        for each in graph.get_ordered_ops()
        if each.get_type_name() in serving_graph.CONVOLUTIONS
        and each.input_value(1).get_node().get_type_name() == "Constant"
    ]


def test_what_gates_compute_stays_in_floats_and_nothing_else_does() -> None:
    # In floats with 8-bit weights a model of several streams answered wrongly once in ten starts.
    network = random_network("mobilenetv3_large_100")
    rounded = openvino_graph.quantised(serving_graph.graph(network, TRANSFORM), squares(), 1)
    left = float_convolutions(rounded)
    assert len(left) == 2 * 8 + 1, "eight gates of two layers, and the one behind the mean"
    assert all(quantise._is_small(each) for each in left)


def test_a_last_map_of_one_place_is_no_gate() -> None:
    network, transform = random_network("resnet18"), Transform.of_size(32)
    small = [each[:, :32, :32] for each in squares()]
    rounded = openvino_graph.quantised(serving_graph.graph(network, transform), small, 1)
    assert float_convolutions(rounded) == []


def test_a_dead_channel_and_a_dead_layer_do_no_harm() -> None:
    network = random_network("resnet18")
    with torch.no_grad():
        network.conv1.weight[3] = 0  # type: ignore[union-attr, operator, index]
        network.layer2[0].bn1.weight.zero_()  # type: ignore[union-attr, operator, index]
        network.layer2[0].bn1.bias.zero_()  # type: ignore[union-attr, operator, index]
    assert np.isfinite(quantised(network)([squares()[0]])[0]).all()


@dataclasses.dataclass(frozen=True)
class Result:
    trained: Trained
    train: Batches
    valid: Batches
    reference: Evaluation


@pytest.fixture(scope="module")
def result(pictures: Path) -> Result:
    config = parse(TINY)
    dataset = load(pictures, config)
    batches, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    trained = train(pictures, None, trainable_from="fc")
    return Result(trained, batches, valid, evaluate(trained.network, valid, 2, StopSignal()))


def write(result: Result, folder: Path, stop: StopSignal | None = None) -> dict[str, Any]:
    return serving_form.write(
        folder, result.trained.network, result.train, result.valid, result.reference, stop or StopSignal()
    )


def test_int8_is_written_and_its_numbers_are_told(result: Result, tmp_path: Path) -> None:
    told = write(result, tmp_path / "model")
    assert (told["form"], told["precision"]) == ("openvino", "int8")
    (candidate,) = told["candidates"]
    assert candidate["accepted"]
    assert candidate["drop_points"] <= serving_form.MAX_DROP
    quick, slow = candidate["most_within"]
    assert 0 < quick <= slow
    assert candidate["milliseconds"] > 0
    for name, digest in told["files"].items():
        path = tmp_path / "model" / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
        assert path.stat().st_mode & 0o044 == 0o044
    read = openvino.Core().read_model(tmp_path / "model" / "model.xml")
    shapes = [list(port.shape) for port in (*read.inputs, *read.outputs)]
    assert shapes == [[1, 16, 16, 4], [1, 2], [1, 512]]


def test_a_form_that_costs_more_than_half_a_point_is_not_taken(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = serving_form._judged

    def worse(precision: str, *rest: Any) -> serving_form.Candidate:
        candidate = judged(precision, *rest)
        if precision == "int8":
            return dataclasses.replace(candidate, drop_points=0.6, accepted=False)
        return candidate

    monkeypatch.setattr(serving_form, "_judged", worse)
    told = write(result, tmp_path)
    assert told["precision"] == "bf16"
    assert [each["accepted"] for each in told["candidates"]] == [False, True]
    assert "not taken" in capsys.readouterr().out


def test_the_limit_is_half_a_point(result: Result) -> None:
    class Always:
        """A compiled graph that finds class 0 in every picture."""

        def create_infer_request(self) -> Always:
            return self

        def infer(self, *_: Any, **__: Any) -> list[Any]:
            return [np.array([[1.0, 0.0]])]

    right = torch.zeros(len(result.valid.split), dtype=torch.int64)
    wrong = right.clone()
    wrong[0] = 1
    for labels, accepted in ((right, True), (wrong, False)):
        reference = Evaluation(
            loss=0.0, labels=labels, predicted=labels, confidence=labels.float(), classes=2
        )
        candidate = serving_form._judged("int8", Always(), result.valid, reference, StopSignal())
        assert (candidate.accepted, candidate.accuracy == 1.0) == (accepted, accepted)
    last = serving_form._judged("f32", Always(), result.valid, reference, StopSignal())
    assert last.accepted, "the last precision is the network itself"


def test_without_openvino_the_log_says_so_and_the_model_is_left_to_pytorch(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("openvino"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    told = write(result, tmp_path)
    assert told == {"form": "pytorch", "reason": "ModuleNotFoundError: No module named 'openvino'"}
    assert "the endpoint will run PyTorch" in capsys.readouterr().out


def test_a_job_stopped_on_the_way_leaves_no_half_written_form(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        (tmp_path / "model.xml").write_text("half")
        raise Stopped

    monkeypatch.setattr(openvino, "save_model", stopped)
    assert write(result, tmp_path)["form"] == "pytorch"
    assert list(tmp_path.iterdir()) == []


def test_the_same_network_and_pictures_give_the_same_weights_twice(result: Result, tmp_path: Path) -> None:
    first, second = (write(result, tmp_path / name)["files"] for name in ("a", "b"))
    assert first["model.bin"] == second["model.bin"]  # model.xml numbers its nodes on


def test_a_trial_is_known_by_its_objective(tmp_path: Path) -> None:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    for extra, trial in (({}, False), ({"_tuning_objective_metric": "valid_accuracy"}, True)):
        (config / "hyperparameters.json").write_text(json.dumps({"epochs": "1"} | extra))
        assert Job(tmp_path, "p").is_trial is trial


@pytest.mark.parametrize("arch", ["resnet18", "tf_efficientnet_lite0", "vit_tiny_patch16_224"])
def test_the_graph_tells_what_goes_into_the_head_and_does_not_round_it(arch: str) -> None:
    network = random_network(arch)
    plain = serving_graph.graph(network, TRANSFORM)
    compiled = openvino_graph.compiled(plain, "f32", 1)
    (name,) = {each.rpartition(".")[0] for each in network.head_names}
    head: Any = network.plain.get_submodule(name)
    for pixels in squares():
        with torch.inference_mode():
            by_head = head(torch.from_numpy(compiled([pixels])[1])).numpy()
        assert np.allclose(compiled([pixels])[0], by_head, atol=1e-4 * np.abs(by_head).max())
    node = openvino_graph.quantised(plain, squares(), 1).get_results()[1].input_value(0).get_node()
    while node.get_type_name() in serving_graph.SHAPING:
        node = node.input_value(0).get_node()
    assert node.get_type_name() != "FakeQuantize"
