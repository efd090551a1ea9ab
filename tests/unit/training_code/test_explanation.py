"""The report shows where the network saw what it took a picture for, or says why it cannot."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contract.answers.explanation import NOT_LINEAR, NOT_POOLED, ONE_PLACE, WORDS, NotExplained
from reports import Record
from reports.training import page
from tests.unit.training_code.samples import MACHINE, TINY, load, train
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.evaluation import explanation
from training_code.evaluation.explanation import Explained
from training_code.evaluation.scores import Evaluation
from training_code.findings import Findings
from training_code.network.fresh import fresh
from training_code.output import record
from training_code.output.artifact import Facts
from training_code.stopping import StopSignal


@pytest.mark.parametrize("arch", ["resnet18", "efficientnet_lite0", "resnetv2_50"])
def test_places_add_up_to_the_scores(arch: str) -> None:
    torch.manual_seed(3)
    network = fresh(arch, 4, 64).eval()
    picture = torch.randn(1, 3, 64, 64)
    told = explanation.by_place(network, picture)
    assert told.shape == (2, 2, 4)
    bias = next(
        value for name, value in network.named_parameters() if name in network.head_names and value.dim() == 1
    )
    with torch.inference_mode():
        scores = network(picture)[0]
    assert told.mean((0, 1)) == pytest.approx((scores - bias.detach()).numpy(), abs=1e-4)


@pytest.mark.parametrize(
    ("arch", "side", "reason"),
    [
        ("mobilenetv3_small_050", 64, NOT_LINEAR),
        ("vit_tiny_patch16_224", 64, NOT_POOLED),
        ("resnet18", 32, ONE_PLACE),
    ],
)
def test_a_network_whose_places_have_no_share_says_so(arch: str, side: int, reason: str) -> None:
    torch.manual_seed(3)
    with pytest.raises(NotExplained) as raised:
        explanation.by_place(fresh(arch, 4, side), torch.randn(1, 3, side, side))
    assert raised.value.code == reason


@pytest.fixture(scope="module")
def facts(pictures: Path) -> Facts:
    """Of a training that takes every dark test picture for a light one."""
    config = parse(TINY | {"trainable_from": "fc"})
    trained, dataset = train(pictures, None, trainable_from="fc"), load(pictures, config)
    labels = dataset.test.labels
    wrong = Evaluation(0.5, labels, torch.ones_like(labels), torch.full((len(labels),), 0.9), 2)
    return Facts(
        job="job",
        config=config,
        dataset=dataset,
        machine=MACHINE,
        trained=trained,
        evaluations={"valid": wrong, "test": wrong},
        serving={},
        seconds=1.0,
    )


def reported(facts: Facts) -> Record:
    return record.gather(facts, Findings(), Path("/nowhere"))


def test_each_mistaken_picture_stands_beside_the_same_lit_where_the_answer_was_seen(facts: Facts) -> None:
    (shown,) = explanation.confused(facts.evaluations["test"])
    places = shown[3].tolist()
    corner = np.array([[1.0, 0.0], [0.0, 0.0]])
    told = replace(facts, explained=Explained(dict.fromkeys(places, corner)))
    (pair,) = reported(told)["confused"]
    assert len(pair["maps"]) == len(pair["pictures"]) == len(places) == 2
    plain, lit = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(pair[kind][0].partition(",")[2]))), float)
        for kind in ("pictures", "maps")
    )
    assert lit[:4, :4, 0].mean() > plain[:4, :4, 0].mean() + 20, "yellow where it was seen"
    assert lit[-4:, -4:].mean() < 0.6 * plain[-4:, -4:].mean(), "dark where it was not"
    drawn = page.render(reported(told))
    assert drawn.count("where light was seen in it") == 2
    assert "lit where the network saw" in drawn


def test_where_it_cannot_be_told_the_report_says_why(facts: Facts) -> None:
    part = Batches(facts.dataset.test, facts.dataset.transform, facts.config, MACHINE)
    explained = explanation.explain(facts.trained.network, part, facts.evaluations["test"], StopSignal())
    assert explained == Explained(missing=WORDS[ONE_PLACE])
    drawn = page.render(reported(replace(facts, explained=explained)))
    assert f"Where the network saw it cannot be shown: {WORDS[ONE_PLACE]}." in drawn
    assert "cannot be shown" not in page.render(reported(facts)), "of a trial nothing is said"


def test_a_job_that_is_stopped_explains_nothing(facts: Facts) -> None:
    part = Batches(facts.dataset.test, facts.dataset.transform, facts.config, MACHINE)
    stop = StopSignal()
    stop.came = True
    assert explanation.explain(facts.trained.network, part, facts.evaluations["test"], stop) is None


def test_what_fails_leaves_a_report_without_maps(
    facts: Facts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise AttributeError("forward_features")

    monkeypatch.setattr(explanation, "by_place", fail)
    part = Batches(facts.dataset.test, facts.dataset.transform, facts.config, MACHINE)
    assert explanation.explain(facts.trained.network, part, facts.evaluations["test"], StopSignal()) is None
    assert "does not show where classes were seen: AttributeError" in capsys.readouterr().out
