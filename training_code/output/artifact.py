"""The model artifact: all that a server, a registry and a reader need, and nothing that runs when loaded.

Weights, classes.json, model.json and report.html go into the model folder, beside the serving form.
evaluation.json, which the registry's quality gate reads, goes into the output folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import safetensors.torch

import contract
import training_code
from contract import artifact as files
from contract import evaluation as measured
from contract.calibration import OPENVINO, PYTORCH, Calibration, Form
from contract.jobs import DEBUG
from reports.training.page import render
from training_code.config import Config
from training_code.data.dataset import Dataset
from training_code.evaluation.explanation import Explained
from training_code.evaluation.label_check import LabelCheck
from training_code.evaluation.scores import Evaluation
from training_code.findings import Findings
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.output import record
from training_code.training.progress import Trained


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All there is to say about one training; `evaluations` is empty when it was stopped before them."""

    job: str
    config: Config
    dataset: Dataset
    machine: Machine
    trained: Trained
    evaluations: Mapping[str, Evaluation]
    serving: dict[str, Any]
    champion: measured.ChampionScore | None = None
    """How the model that serves did on these test pictures, when it was asked."""
    calibration: Calibration | None = None
    """Of a trial, and of a job that was stopped, None."""
    labels: LabelCheck | None = None
    """Of a trial, and of a job that was stopped, None."""
    explained: Explained | None = None
    """Likewise."""
    seconds: float
    code_version: str = field(default_factory=lambda: code_version())
    versions: Mapping[str, str] = field(default_factory=lambda: _versions())

    @property
    def stopped(self) -> bool:
        return self.trained.stopped or not self.evaluations


def write(job: Job, facts: Facts, findings: Findings | None = None) -> None:
    """Write the artifact of a job: the model and its papers; `findings` are those of the rules."""
    job.model.mkdir(parents=True, exist_ok=True)
    network = facts.trained.network.state_dict()
    state = {name: value.detach().cpu().contiguous() for name, value in network.items()}
    weights = job.model / files.WEIGHTS
    safetensors.torch.save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors writes for this user alone; a server may run as another
    _write_json(job.model / files.CLASSES, list(facts.dataset.classes))
    _write_json(job.model / files.CARD, model_card(facts))
    if facts.evaluations:  # what the quality gate needs comes before what people like to read
        job.output_data.mkdir(parents=True, exist_ok=True)
        _write_json(job.output_data / measured.FILE, evaluation(facts, findings))
    report = record.gather(facts, findings or Findings(), job.output_data / DEBUG)
    (job.model / files.REPORT).write_text(render(report), encoding="utf-8")
    if not job.is_trial:
        record.write(report, job.output_data)


def model_card(facts: Facts) -> files.Card:
    """model.json."""
    config = facts.config
    return {
        "format": files.FORMAT,
        "arch": config.arch,
        "num_classes": len(facts.dataset.classes),
        "timm": facts.trained.network.settings,
        "image_size": config.image_size,
        "transform": facts.dataset.transform.describe(),
        "training_job": facts.job,
        "run": config.run,
        "dataset": config.dataset,
        "dataset_version": config.dataset_version,
        "metrics": _metrics(facts),
        "best_epoch": facts.trained.best.epoch,
        "stopped_early": facts.stopped,
        "serving": facts.serving,
        "weights": dict(facts.trained.network.origin),
        "calibration": facts.calibration,
        "hyperparameters": dataclasses.asdict(config),
        "data": facts.dataset.describe(),
        "machine": str(facts.machine),
        "precision": "bfloat16" if facts.machine.bfloat16 else "float32",
        "code_version": facts.code_version,
        "versions": dict(facts.versions),
        "seconds": round(facts.seconds, 3),
    }


def evaluation(facts: Facts, findings: Findings | None = None) -> measured.Evaluation:
    """evaluation.json, which is never larger than `size_limit.bound` says."""
    classes, dataset = facts.dataset.classes, facts.dataset
    return {
        "format": measured.FORMAT,
        "arch": facts.config.arch,
        "classes": list(classes),
        "image_size": facts.config.image_size,
        "test": {
            **facts.evaluations["test"].describe(dataset.test.fingerprint),
            **facts.evaluations["test"].answers(),
            "confidence": _confidence(facts, "test"),
            "misclassified": facts.evaluations["test"].misclassified(classes, dataset.test.files),
        },
        "valid": {
            **facts.evaluations["valid"].describe(dataset.valid.fingerprint),
            "confidence": _confidence(facts, "valid"),
        },
        "train": {"count": len(dataset.train), "fingerprint": dataset.train.fingerprint},
        "leaked": dataset.leaked,
        "champion": facts.champion,
        "serving": facts.serving,
        "calibration": _without_offsets(facts.calibration),
        "hyperparameters": dataclasses.asdict(facts.config),
        "versions": dict(facts.versions),
        "findings": findings.summary() if findings and findings.rules else None,
        "seconds": round(facts.seconds, 3),
    }


def _confidence(facts: Facts, split: Literal["valid", "test"]) -> list[int]:
    """How many pictures have a confidence in each bin as the endpoint answers it, which drift is told by."""
    if facts.calibration is None:
        return facts.evaluations[split].confidences()
    forms = facts.calibration["forms"]
    bins = (forms.get(OPENVINO) or forms[PYTORCH])[split]["after"]["bins"]
    counts = {each["place"]: each["count"] for each in bins}
    return [counts.get(place, 0) for place in range(measured.CONFIDENCE_BINS)]


def _without_offsets(calibration: Calibration | None) -> Calibration | None:
    """For evaluation.json, whose size is bounded: without the one list that grows with the classes."""
    if calibration is None:
        return None
    forms = {name: Form(**(each | {"offsets": None})) for name, each in calibration["forms"].items()}
    return {**calibration, "forms": forms}


def code_version() -> str:
    """SHA-256 over the source files that train, by name: which code trained the model."""
    digest = hashlib.sha256()
    for package in (contract, training_code):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            name = f"{package.__name__}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    """The libraries whose version can change a result, and Python's own."""
    names = ("torch", "numpy", "pillow", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _metrics(facts: Facts) -> dict[str, dict[str, float]]:
    best = facts.trained.best
    return {
        "train": {"loss": best.train_loss},
        "valid": {"accuracy": best.valid_accuracy, "loss": best.valid_loss},
        **{name: {"accuracy": each.accuracy, "loss": each.loss} for name, each in facts.evaluations.items()},
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(as_lines(content) + "\n", encoding="utf-8")


def as_lines(content: Any, indent: str = "") -> str:
    """JSON for people and machines: a line for each key, one for a whole list of numbers or names."""
    deeper = indent + " "
    if isinstance(content, dict) and content:
        rows = [f"{json.dumps(key, ensure_ascii=False)}: {as_lines(content[key], deeper)}" for key in content]
        opened, closed = "{", "}"
    elif isinstance(content, list) and any(isinstance(each, dict) for each in content):
        rows, opened, closed = [_compact(each) for each in content], "[", "]"
    else:
        return _compact(content)
    separator = f",\n{deeper}"
    return f"{opened}\n{deeper}{separator.join(rows)}\n{indent}{closed}"


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
