"""Whatever stands in a file, an argument or an answer: the command says what is wrong in its own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli import outputs, server_lock
from cli.data.findings import BadDataset
from cli.data.upload import check_name
from cli.deploy.cdk_output import Deployment
from cli.errors import BadTarget, CliError
from cli.runs import clue
from cli.runs.launch import BadOverride, payload
from cli.target import NeverStarted, Target, resolve
from contract import epoch_line
from tests.unit.anything import DEEP, LONG, json_values, refusal, texts


@pytest.mark.parametrize("name", ["a\n", "dogs\n", "\n", "", "ä", "a b", "a/b", "..", "-a", "a" * 64])
def test_a_dataset_is_named_by_what_a_bucket_a_tag_and_a_payload_can_carry(name: str) -> None:
    with pytest.raises(BadDataset):
        check_name(name)


@pytest.mark.parametrize(
    "project", ["demo\n", "Demo", "d", "d" * 13, "1demo", "de-mo", "", None, 5, [], DEEP]
)
def test_a_project_is_named_by_letters_and_digits(project: object, tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"classifier": {"project": project}}}))
    with pytest.raises(BadTarget):
        resolve("local", tmp_path)


@given(
    json_values(["context", "classifier", "project"], ["demo"]).map(json.dumps)
    | st.sampled_from([DEEP, LONG, "{"])
)
def test_any_cdk_json_names_a_project_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("app")
    (folder / "cdk.json").write_text(text)
    refusal(BadTarget, resolve, "local", folder)


@given(
    texts("1", "4566", "²", "٣", "65536", "+1", "1_0", " 1").filter(
        lambda text: "\0" not in text and text.isprintable()
    )
)
def test_any_port_is_one_or_refused(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLASSIFIER_PORT", text)
        refusal(BadTarget, resolve, "aws", Path("/nowhere"))


PARTS = st.lists(
    st.sampled_from(["training", "epochs", "tuning", "ranges", "", " "]) | st.text(max_size=5), max_size=10
)


@given(
    st.lists(
        st.builds(
            lambda parts, value: f"{'.'.join(parts)}={value}", PARTS, texts("1", '"a"', "[1]", "1\nb = 2")
        ),
        max_size=3,
    )
)
@example([f"training.epochs={DEEP}"])
@example([f"training.epochs={LONG}"])
@example(["training.epochs=0x" + "f" * 5_000])
@example([".".join("a" * 5_000) + "=1"])
def test_any_override_becomes_json_or_is_refused(overrides: list[str]) -> None:
    said = refusal(BadOverride, payload, "r", "d", overrides)
    if not said:
        json.dumps(payload("r", "d", overrides))


def test_an_override_sets_one_value_and_none_beside_it() -> None:
    assert payload("r", "d", ["training.epochs=1\nother = 2"])["training"] == {"epochs": "1\nother = 2"}


@given(
    st.lists(
        texts(
            "✅  demo",
            "❌  demo failed",
            "demo | 1/2 | 12:00 | CREATE_FAILED | AWS::X | Y a",
            "demo: deploying...",
        ),
        max_size=5,
    )
)
@example([f"demo | {LONG}/9 | 12:00 | CREATE_COMPLETE | AWS::S3::Bucket | B"])
def test_any_line_of_the_cdk_cli_is_read_or_passed_over(lines: list[str]) -> None:
    deployment = Deployment("deploy")
    for line in lines:
        deployment.read(line)
    assert isinstance(deployment.reason(), str)


@given(texts("epoch=3 train_loss=0.5", "epoch=nan valid_accuracy=1e999", f"epoch={LONG} a=1"))
def test_any_log_line_is_an_epoch_or_none(line: str) -> None:
    assert epoch_line.read(line) is None or "epoch" in (epoch_line.read(line) or {})
    assert isinstance(clue.complaint(line), str)


STORED = json_values(["pid", "port", "label", "seconds", "api_key", "AccessKeyId"]).map(json.dumps)


@given(STORED | st.sampled_from([DEEP, LONG, "{", '{"pid": 1e999, "port": 1, "label": ""}']))
def test_any_file_of_our_own_that_somebody_broke_is_passed_over_or_named(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    target = Target(kind="local", project="demo", root=home, home=home, port=4566)
    target.outputs_path.write_text(text)
    assert isinstance(outputs.load(target), dict)
    server_lock._parse(text)
    target.state_dir.mkdir(parents=True, exist_ok=True)
    (target.state_dir / "root-credentials.json").write_text(text)
    assert issubclass(NeverStarted, CliError)
    refusal(NeverStarted, lambda: target.root_key)
