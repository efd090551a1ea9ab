"""Wrong labels are found by what other pictures say, copies of a picture aside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from contract.picture_decisions import Action
from doctor.examine import examine
from doctor.findings import Kind
from judging.labels import judge
from judging.out_of_fold import FOLDS, folds
from tests.unit.doctor.drawn import relabelled, striped


def test_flipped_labels_are_found_with_their_right_class_and_little_else() -> None:
    flipped = {3, 40, 77, 98}
    diagnosis = examine(relabelled(striped(120), flipped))
    found = [each for each in diagnosis.findings if each.kind is Kind.WRONG_LABEL]
    assert {int(each.pictures[0].name.removesuffix(".png")) for each in found} == flipped
    for each in found:
        (proposal,) = each.proposals
        assert proposal.action is Action.RELABEL
        assert proposal.label == ("lying", "upright")[int(each.pictures[0].name.removesuffix(".png")) % 2]
    assert diagnosis.judgement is not None
    assert set(np.argsort(-diagnosis.judgement.suspicion)[:4].tolist()) == flipped


def test_a_doubtful_label_is_shown_and_not_proposed_to_be_changed() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(200) % 2
    features = 0.1 * torch.randn(200, 4, generator=generator)
    features[:, 0] += torch.from_numpy(labels * 2.0 - 1)
    features[7, 0] = -0.5  # nearer to the other class, and half way to the middle
    judgement = judge(features, labels, np.arange(200))
    assert judgement.suspicion.argmax() == 7
    assert judgement.wrong[7]
    assert not judgement.sure.any()


def test_copies_are_in_one_fold_and_classes_are_dealt_out_evenly() -> None:
    labels = np.arange(100) % 4
    group = np.arange(100)
    group[[10, 50, 90]] = 2
    dealt = folds(labels, group)
    assert len({dealt[row] for row in (2, 10, 50, 90)}) == 1
    alone = group == np.arange(100)
    for label in range(4):
        counts = np.bincount(dealt[(labels == label) & alone], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_a_wrongly_labelled_copy_does_not_vouch_for_itself() -> None:
    # Ten copies of one picture, all under the wrong label: only those of other pictures know better.
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(100) % 2
    features = 0.3 * torch.randn(100, 30, generator=generator)
    features[:, 0] += torch.from_numpy(labels * 2.0 - 1)
    features[90:] = features[0] + torch.eye(30)[5] * 4  # what only these ten have
    labels[90:] = 1
    group = np.arange(100)
    group[90:] = 90
    assert judge(features, labels, group).probability[90:, 0].min() > 0.5


def test_one_class_alone_is_not_judged() -> None:
    diagnosis = examine([each for each in striped(40) if each.label == "lying"])
    assert diagnosis.judgement is None
    assert diagnosis.accuracy is None


def test_features_that_tell_nothing_apart_contradict_no_label() -> None:
    # As many directions as pictures: a fit learns them by heart and is sure of nonsense.
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(120) % 2
    judgement = judge(torch.randn(120, 128, generator=generator), labels, np.arange(120))
    assert not judgement.wrong.any()


def test_probabilities_are_as_modest_as_the_predictions_are_right() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(1000) % 4
    features = torch.randn(1000, 128, generator=generator)
    features[torch.arange(1000), torch.from_numpy(labels)] += 1.5
    probability = judge(features, labels, np.arange(1000)).probability
    right = (probability.argmax(1).numpy() == labels).mean()
    assert abs(float(probability.max(1).values.mean()) - right) < 0.05


def test_heads_are_fitted_without_importing_the_compiler() -> None:
    # It takes as long to import as torch. Whether torch still asks for it so is no promise of torch's.
    code = """
import sys, numpy, torch
from judging.out_of_fold import folds, probabilities
labels = torch.arange(100) % 2
features = torch.randn(100, 4, generator=torch.Generator().manual_seed(0)) + 3 * labels[:, None]
every = torch.ones(100, dtype=torch.bool)
fold = torch.from_numpy(folds(labels.numpy(), numpy.arange(100)))
told = probabilities(features, labels, fold, every, lambda: None)
print(float((told.argmax(1) == labels).float().mean()) > 0.9, "torch._dynamo" in sys.modules)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.split() == ["True", "False"]
