"""The race's job: networks are judged by pictures that their heads were not fitted to, within time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from contract import race as contract
from tests.unit.training_code import samples
from training_code.config import parse as parse_training
from training_code.data import dataset
from training_code.data.dataset import Found, find
from training_code.errors import InvalidHyperparameter
from training_code.race import features, run
from training_code.race.__main__ import main
from training_code.race.run import Deadline, NoWinner, check_won, race
from training_code.race.settings import parse
from training_code.stopping import Stopped, StopSignal

FRESH = json.dumps([["resnet18", "none"], ["mobilenetv4_conv_small", "none"]])


def settings(**more: str) -> Mapping[str, str]:
    return {"networks": FRESH, "dataset": "pair", "dataset_version": "2", "seed": "3", **more}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.dataset(tmp_path_factory.mktemp("race"))


@pytest.fixture
def found(pictures: Path) -> Found:
    return find({split: pictures / split for split in samples.COUNTS}, parse_training({}))


def test_a_race_judges_each_network_and_tells_what_it_takes(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = samples.job_folder(tmp_path / "job", pictures, settings(usd_per_hour="0.2"))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert main() == 0
    outcome = contract.read((base / "output" / "data" / contract.FILE).read_text())
    assert [each.network for each in outcome.entrants] == ["resnet18", "mobilenetv4_conv_small"]
    assert (outcome.dataset, outcome.pictures, outcome.classes) == ("pair@2", 18, 2)
    for each in outcome.entrants:
        assert not each.left_out
        assert (each.accuracy or 0.0) >= 0.8  # brightness tells the classes
        assert each.usd_per_million == pytest.approx(0.2 * 1e6 / (each.per_second or 0.0) / 3600)
        assert None not in (each.ms, each.mb)
    assert capsys.readouterr().out.count("race_accuracy=") == 2


def test_weights_that_cannot_be_had_leave_a_network_out(
    found: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = json.dumps([["resnet18", "pretrained-0"], ["resnet18", "none"]])
    outcome = race(parse(settings(networks=networks)), found, tmp_path, StopSignal())
    first, second = outcome.entrants
    assert "pretrained" in first.left_out
    assert second.accuracy is not None
    assert outcome.ranked == (second,)
    assert "race_left_out=resnet18" in capsys.readouterr().out


def test_a_network_that_cannot_see_such_pictures_is_left_out_alone(found: Found, tmp_path: Path) -> None:
    networks = json.dumps([["resnet18", "none"], ["maxvit_tiny_tf_224", "none"]])
    outcome = race(parse(settings(networks=networks, image_size="100")), found, tmp_path, StopSignal())
    first, second = outcome.entrants
    assert first.accuracy is not None
    assert "image_size=100" in second.left_out


def test_a_network_that_torch_gives_up_on_is_left_out_alone(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(network: torch.nn.Module, *rest: Any) -> features.Told:
        if type(network).__name__ == "Backbone":
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        return features.told(network, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "told", told)
    first, second = race(parse(settings()), found, tmp_path, StopSignal()).entrants
    assert first.accuracy is not None
    assert second.left_out == "CUDA out of memory."


def test_decoding_is_part_of_what_a_million_pictures_cost(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def load(*arguments: Any) -> Any:
        clock[0] += 3.0
        return dataset.load(*arguments)

    def told(*arguments: Any) -> features.Told:
        return replace(features.told(*arguments), seconds=1.5)

    monkeypatch.setattr(run, "load", load)
    monkeypatch.setattr(run, "told", told)
    monkeypatch.setattr(run, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    networks = json.dumps([["resnet18", "none"]])
    (only,) = race(
        parse(settings(networks=networks, usd_per_hour="1")), found, tmp_path, StopSignal()
    ).entrants
    assert only.per_second == pytest.approx(18 / 4.5)


def test_networks_after_the_races_time_are_left_out_and_the_first_is_judged(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = run._judge

    def slowly(*arguments: Any) -> Any:
        result = judged(*arguments)
        clock[0] += 120.0
        return result

    clock = [0.0]
    monkeypatch.setattr(run, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(run, "_judge", slowly)
    outcome = race(parse(settings(max_minutes="2")), found, tmp_path, StopSignal())
    assert outcome.entrants[0].accuracy is not None
    assert "were over" in outcome.entrants[1].left_out


def test_a_network_that_outlasts_the_races_time_is_left_out_alone() -> None:
    signal = StopSignal()
    with pytest.raises(Stopped):
        Deadline(signal, -120.0, 1.0).check()
    assert not signal.came
    signal.came = True
    with pytest.raises(Stopped):
        Deadline(signal, 0.0, None).check()


def test_a_stopped_job_has_no_winner(found: Found, tmp_path: Path) -> None:
    signal = StopSignal()
    signal.came = True
    with pytest.raises(Stopped):
        race(parse(settings()), found, tmp_path, signal)


def outcome(*entrants: contract.Entrant, **bounds: float) -> contract.Race:
    return contract.Race(
        dataset="pair",
        pictures=100,
        classes=2,
        machine="",
        bounds=contract.Bounds(**bounds),
        entrants=entrants,
    )


def entrant(network: str, accuracy: float, ms: float | None, mb: float = 1.0) -> contract.Entrant:
    return contract.Entrant(network=network, weights="w", accuracy=accuracy, ms=ms, mb=mb)


def test_the_winner_is_the_most_accurate_within_the_bounds_and_of_equals_the_quicker() -> None:
    slow, quick, exact = entrant("slow", 0.9, 50), entrant("quick", 0.8, 5), entrant("exact", 0.8, 9)
    unknown = entrant("unknown", 0.99, None)
    assert outcome(slow, exact, quick, unknown, max_ms=20).ranked == (quick, exact)
    assert outcome(slow, quick).ranked == (slow, quick)
    assert outcome(slow, quick, entrant("large", 0.95, 9, mb=80.0), max_mb=10).ranked == (slow, quick)


def test_what_is_ahead_by_less_than_a_standard_error_is_no_better_than_what_is_quicker() -> None:
    best, near, quick = entrant("best", 0.8, 50), entrant("near", 0.77, 20), entrant("quick", 0.75, 5)
    assert outcome(best, near, quick).ranked == (near, best, quick), "an error of 100 pictures is 0.04"
    assert outcome(best, entrant("near", 0.77, 90)).ranked[0] == best
    assert outcome(entrant("all", 1.0, 50), entrant("all but one", 0.99, 5)).ranked[0].network == "all"
    unknown = entrant("best", 0.8, None), entrant("near", 0.79, None)
    assert outcome(*reversed(unknown)).ranked == unknown


def test_the_front_has_what_nothing_quicker_beats() -> None:
    slow, quick, behind = entrant("slow", 0.9, 50), entrant("quick", 0.8, 5), entrant("behind", 0.7, 9)
    assert outcome(slow, quick, behind).front == (slow, quick)


def test_nothing_within_the_bounds_says_what_each_takes() -> None:
    with pytest.raises(NoWinner, match=r"max_ms = 2: slow 50.0 ms, 1.0 MB"):
        check_won(outcome(entrant("slow", 0.9, 50), max_ms=2))
    left_out = contract.Entrant(network="a", weights="w", left_out="no internet")
    with pytest.raises(NoWinner, match=r"no network could be judged\. a: no internet"):
        check_won(outcome(left_out))


def test_test_pictures_are_not_judged_by(found: Found) -> None:
    drawn = run._drawn(found, 1)
    assert [len(names) for names in drawn.files["test"].by_class.values()] == [1, 1]
    assert drawn.files["train"].by_class == found.files["train"].by_class


def test_of_very_many_pictures_each_class_has_its_share(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MAX_PICTURES", 9)
    drawn = run._drawn(found, 1)
    assert [len(names) for names in drawn.files["train"].by_class.values()] == [3, 3]
    assert run._drawn(found, 1).files == drawn.files


def test_copies_are_in_one_fold() -> None:
    class Split:
        def __init__(self, digests: bytes) -> None:
            self.digests = digests

    class Two:
        train = Split(b"a" * 32 + b"b" * 32)
        valid = Split(b"a" * 32)

    assert run._copies(Two()).tolist() == [0, 1, 0]  # type: ignore[arg-type]


def test_a_network_whose_rounded_form_says_something_else_is_measured_in_float(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training_code.race import features

    monkeypatch.setattr(features, "_likeness", lambda *_: 0.2)
    networks = json.dumps([["resnet18", "none"]])
    (only,) = race(parse(settings(networks=networks)), found, tmp_path, StopSignal()).entrants
    assert only.precision == "f32"


def test_features_of_the_graph_are_those_of_pytorch(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of the pictures, whichever request was ready first."""
    from training_code.evaluation.outputs import of_network
    from training_code.race import features

    seen: dict[str, np.ndarray[Any, Any]] = {}
    tell = features.told

    def both(network: Any, parts: Any, stop: StopSignal) -> features.Told:
        said = tell(network, parts, stop)
        plain = [of_network(network, part, np.arange(len(part.split)), stop).features for part in parts]
        seen["graph"], seen["torch"] = said.features.astype(np.float32), np.concatenate(plain)
        return said

    monkeypatch.setattr(run, "told", both)
    monkeypatch.setattr(features, "_likeness", lambda *_: 0.0)
    monkeypatch.setattr(run, "cores", lambda: 2)
    race(parse(settings(networks=json.dumps([["resnet18", "none"]]))), found, tmp_path, StopSignal())
    torch.testing.assert_close(seen["graph"], seen["torch"], rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"networks": "resnet18"}, "is no list of pairs"),
        ({"networks": "[]"}, "has 0 networks"),
        ({"networks": '[["resnet81", "none"]]'}, "resnet81"),
        ({"networks": '[["resnet18", "/etc/passwd"]]'}, "/etc/passwd"),
        ({"max_ms": "fast"}, "max_ms=fast is no number"),
    ],
)
def test_a_wrong_hyperparameter_is_named(told: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidHyperparameter, match=says):
        parse(settings(**told))


def test_a_race_can_be_read_back_and_nothing_else_is_one() -> None:
    judged = outcome(entrant("quick", 0.8, 5), max_ms=20)
    assert contract.read(judged.text()) == judged
    for text in ("", "[]", "{}", judged.text().replace("0.8", "NaN"), judged.text().replace("pictures", "x")):
        with pytest.raises(contract.UnreadableRace):
            contract.read(text)
