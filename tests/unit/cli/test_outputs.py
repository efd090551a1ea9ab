"""The addresses a user goes on with, and the file that keeps them."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import outputs
from cli.errors import NotDeployed
from cli.files import private_folder
from cli.outputs import address_lines, load, reachable, read, save
from tests.unit.cli.conftest import client_error

API = "https://abc123.execute-api.us-east-1.amazonaws.com/v1/"
STACKS = {
    "classifier-storage": {"DataBucket": "d", "ArtifactsBucket": "a"},
    "classifier-training": {
        f"{name}Function": f"classifier-{name}"
        for name in ("LaunchTuning", "LaunchTraining", "RegisterModel", "PromoteModel")
    },
    "classifier-api": {
        "ApiUrl": API,
        "PageUrl": API,
        "ApiKeyId": "k",
        "ClassifyFunction": "classifier-classify",
    },
}


def aws(target: Any, kind: str = "local", **missing: Any) -> Any:
    def describe_stacks(StackName: str) -> dict[str, Any]:
        if StackName in missing or StackName not in STACKS:
            raise client_error("ValidationError", f"Stack with id {StackName} does not exist")
        items = [{"OutputKey": key, "OutputValue": value} for key, value in STACKS[StackName].items()]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": items}]}

    keys = SimpleNamespace(get_api_key=lambda apiKey, includeValue: {"value": f"secret-{apiKey}"})
    return target(kind, cloudformation=SimpleNamespace(describe_stacks=describe_stacks), apigateway=keys)


def test_the_addresses_are_those_of_the_stacks(target: Any) -> None:
    found = read(aws(target))
    assert found["api_url"] == "http://127.0.0.1:4740/_aws/execute-api/abc123/v1/"
    assert found["api_key"] == "secret-k"
    assert found["data_bucket"] == "d"
    assert sorted(found["functions"]) == [
        "classify",
        "launch-training",
        "launch-tuning",
        "promote-model",
        "register-model",
    ]


def test_on_aws_the_url_is_the_stack_s_own(target: Any) -> None:
    assert read(aws(target, "aws"))["api_url"] == API
    assert reachable(target("local"), "http://elsewhere/") == "http://elsewhere/"


def test_a_missing_stack_says_what_to_run(target: Any) -> None:
    with pytest.raises(
        NotDeployed, match=r"classifier-api is not deployed. Run `classifier up --target aws`"
    ):
        read(aws(target, "aws", **{"classifier-api": True}))


def test_news_are_merged_into_what_was_known(target: Any) -> None:
    there = target()
    save(there, {"api_url": "u", "seconds": {"deploy": 20.0, "tune": 1.0}})
    save(there, {"tuning_job": "t", "seconds": {"tune": 2.0}})
    expected = {"api_url": "u", "tuning_job": "t", "seconds": {"deploy": 20.0, "tune": 2.0}}
    assert json.loads(there.outputs_path.read_text()) == expected
    assert there.outputs_path.stat().st_mode & 0o077 == 0


def test_a_damaged_file_is_started_over(target: Any) -> None:
    there = target()
    save(there, {"a": 1})
    there.outputs_path.write_text('{"a": ')
    assert load(there) == {}
    assert save(there, {"b": 2}) == {"b": 2}


def test_aws_and_local_addresses_are_kept_apart(target: Any) -> None:
    assert target("aws").outputs_path != target("local").outputs_path


def test_of_two_that_save_at_once_neither_loses_what_the_other_said(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = target()
    save(there, {"api_url": "u"})
    second = threading.Thread(target=save, args=(there, {"tuning_job": "t", "seconds": {"tune": 2.0}}))
    whole = outputs.load

    def slow(where: Any) -> dict[str, Any]:
        known = whole(where)
        if not second.ident:  # the first has read and not yet written: now comes the second
            second.start()
            second.join(1)
        return known

    monkeypatch.setattr(outputs, "load", slow)
    save(there, {"prediction": 1, "seconds": {"deploy": 1.0}})
    second.join()
    assert whole(there) == {
        "api_url": "u",
        "prediction": 1,
        "tuning_job": "t",
        "seconds": {"deploy": 1.0, "tune": 2.0},
    }


def test_the_url_is_shown_as_the_examples_of_docs_take_it(target: Any) -> None:
    lines = address_lines(read(aws(target, "aws")))
    assert f"URL              {API}" in lines, '"${URL}classify" would be none of its addresses'


def test_a_save_cut_short_leaves_the_former_file_and_no_other(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = target()
    save(there, {"a": 1})
    before = sorted(there.home.iterdir())

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(there, {"b": 2})
    assert load(there) == {"a": 1}
    assert sorted(there.home.iterdir()) == before


def test_the_home_made_for_the_key_is_its_owner_s_alone(target: Any) -> None:
    there = target()
    there.home.mkdir(mode=0o755)
    save(there, {"api_key": "k"})
    assert stat.S_IMODE(there.home.stat().st_mode) == 0o700


def test_a_folder_that_many_share_is_not_closed_to_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert stat.S_IMODE(private_folder(shared).stat().st_mode) & 0o777 == 0o777
