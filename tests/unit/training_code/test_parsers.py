"""Whatever a job is told or given: the job ends with the name of what is wrong, or goes on without it."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.anything import DEEP, LONG, edited, json_values, refusal, texts
from training_code.config import Config, parse
from training_code.debugging.settings import DebugSettings
from training_code.errors import InvalidHyperparameter, UnusableWeights
from training_code.job import Job
from training_code.network import weights

NAMES = [each.name for each in dataclasses.fields(Config)]


@given(
    st.dictionaries(
        st.sampled_from(NAMES) | texts(), texts("16", '"16"', "1e999", "sgd", "true", "1_0"), max_size=4
    )
)
@example({"epochs": LONG})
@example({"epochs": f'"{DEEP}"'})
def test_any_hyperparameters_are_read_or_refused_by_name(told: dict[str, str]) -> None:
    said = refusal(InvalidHyperparameter, parse, told)
    assert not said or any(name in said or repr(name)[1:-1] in said for name in told)


@given(
    json_values(["overfit", "patience", "confusion"]).map(json.dumps) | edited('{"overfit": {"patience": 3}}')
)
@example(DEEP)
@example('{"overfit": {"patience": NaN}}')
@example('{"overfit": {"patience": 1' + "0" * 400 + "}}")
def test_any_parameters_of_rules_are_read_or_refused(text: str) -> None:
    config = dataclasses.replace(Config(), debug_rules="all", debug_parameters=text)
    refusal(InvalidHyperparameter, DebugSettings.of, config)


@given(texts("all", "none", "overfit,confusion", "overfit, ,", "overfi"))
def test_any_list_of_rules_is_read_or_refused(text: str) -> None:
    refusal(InvalidHyperparameter, DebugSettings.of, dataclasses.replace(Config(), debug_rules=text))


@given(json_values(NAMES).map(json.dumps) | st.sampled_from([DEEP, LONG, "", "{"]))
def test_any_file_of_hyperparameters_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    base = tmp_path_factory.mktemp("ml")
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "config" / "hyperparameters.json").write_text(text)
    refusal(InvalidHyperparameter, Job(base, "j").hyperparameters)


def _saved() -> dict[str, bytes]:
    tensors = {"conv1.weight": torch.zeros(4, 3, 3, 3), "bn1.bias": torch.zeros(4)}
    pickled = io.BytesIO()
    torch.save(tensors, pickled)
    return {".safetensors": safetensors.torch.save(tensors), ".pth": pickled.getvalue()}


SAVED = _saved()


def _header(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode(errors="replace"))) + text.encode(errors="replace")


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(SAVED)))
def test_any_file_of_weights_is_read_or_unusable(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, suffix: str
) -> None:
    content = bytearray(SAVED[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path: Path = tmp_path_factory.mktemp("weights") / f"w{suffix}"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    said = refusal(UnusableWeights, weights.from_file, path, "resnet18")
    assert path.name in said


@settings(deadline=None)
@given(
    json_values(["conv1.weight", "dtype", "shape", "data_offsets", "__metadata__"], ["F32"]).map(json.dumps)
)
@example(DEEP)
@example(LONG)
@example('{"w": {"dtype": "F32", "shape": [99999999999], "data_offsets": [0, 399999999996]}}')
@example('{"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}')
def test_any_header_of_a_safetensors_file_is_read_or_unusable(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path: Path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    path.write_bytes(_header(text) + bytes(64))
    assert path.name in refusal(UnusableWeights, weights.from_file, path, "resnet18")
