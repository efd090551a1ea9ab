"""report.json: everything that the report of a training says, as plain values.

What is not there is left out: a job without debugging has no rules, one that was stopped no test.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from reports import REPORT, Record, read_record
from training_code.findings import Findings
from training_code.profiling import OPERATORS, WALL
from training_code.profiling.profile import Column, Profile
from training_code.profiling.spread import of_values
from training_code.training.callback import PHASES

if TYPE_CHECKING:
    from training_code.data.dataset import Dataset
    from training_code.data.split import Split
    from training_code.evaluation.explanation import Explained, Map
    from training_code.evaluation.label_check import LabelCheck
    from training_code.evaluation.scores import Evaluation
    from training_code.output.artifact import Facts

FORMAT: Final = 1
_THUMBNAIL: Final = 96
_DIMMED: Final = 0.35
"""What is left of a picture's light where nothing spoke for the class."""
_SEEN: Final = (255, 210, 30)
_POINTS: Final = 160
"""Points of a timeline; more cannot be told apart on a page."""
_FLOW_STEPS: Final = 48
_EPOCHS_WITH_A_WARM_UP: Final = 3


def gather(facts: Facts, findings: Findings, debug: Path) -> Record:
    """The record of a training that left a model; `debug`, the job's debug folder, need not be there."""
    test = facts.evaluations.get("test")
    config = facts.config
    return {
        "format": FORMAT,
        "job": facts.job,
        "arch": config.arch,
        "weights": dict(facts.trained.network.origin),
        "dataset": config.dataset,
        "dataset_version": config.dataset_version,
        "run": config.run,
        "classes": list(facts.dataset.classes),
        "epochs": config.epochs,
        "history": [dataclasses.asdict(epoch) for epoch in facts.trained.history],
        "speed": _speed([epoch.images_per_second for epoch in facts.trained.history]),
        "best_epoch": facts.trained.best.epoch,
        "schedule": config.schedule,
        "stopped": facts.stopped,
        "evaluations": {name: _evaluation(each) for name, each in facts.evaluations.items()},
        "confused": _confused(test, facts.dataset.test, facts.explained) if test else [],
        **({"unexplained": facts.explained.missing} if facts.explained else {}),
        "hyperparameters": dataclasses.asdict(config),
        "data": facts.dataset.describe(),
        "leaked": facts.dataset.leaked,
        "skipped": [[each.file, each.reason] for split in facts.dataset.splits for each in split.skipped][
            :200
        ],
        "machine": str(facts.machine),
        "versions": dict(facts.versions),
        "code_version": facts.code_version,
        **({"labels": _labels(facts.labels, facts.dataset)} if facts.labels else {}),
        "serving": facts.serving,
        "calibration": facts.calibration,
        "seconds": round(facts.seconds, 3),
        "hourly_usd": config.hourly_usd,
        **watched(findings, debug),
    }


def write(record: Record, folder: Path) -> None:
    """Write the record; on a disk that is full there is none, and the model has its report.html."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        (folder / REPORT).unlink(missing_ok=True)  # half of it
        print(f"warning: {REPORT} is not written: {error}", flush=True)


def watched(findings: Findings, debug: Path) -> Record:
    """What the debugger and the profiler saw."""
    record: Record = {}
    if findings.rules:
        record["on_trigger"] = findings.on_trigger
        record["stopped_by"] = findings.stopped_by
        record["findings"] = [dataclasses.asdict(each) for each in findings.findings]
        record["rules"] = [dataclasses.asdict(each) for each in findings.rules]
    profile = Profile.read(debug / "profile")
    if len(profile.steps.get("step", ())):
        record["steps"] = _steps(profile, read_record(debug / "profile" / WALL))
    if len(profile.system.get("seconds", ())) > 1:
        record["system"] = _system(profile)
    operators = read_record(debug / "profile" / OPERATORS)
    if operators:
        record["operators"] = operators
    flow = _flow(debug)
    if flow:
        record["flow"] = flow
    return record


def _evaluation(result: Evaluation) -> Record:
    return {
        "accuracy": result.accuracy,
        "loss": result.loss,
        "count": len(result.labels),
        "per_class": [list(each) for each in result.per_class()],
        "confusion": result.confusion().tolist(),
    }


def _confused(test: Evaluation, split: Split, explained: Explained | None) -> list[Record]:
    """The pairs mixed up most, each with a few of its pictures, and where the answer was seen in them."""
    from training_code.evaluation.explanation import confused  # not for the record of a crashed job

    maps = explained.maps if explained else {}
    pairs = []
    for truth, answer, count, places in confused(test):
        squares = split.images.pick(places).numpy()
        pair: Record = {"is": truth, "said": answer, "count": count}
        pair["pictures"] = [_thumbnail(each) for each in squares]
        if maps:
            of_each = zip(places.tolist(), squares, strict=True)
            pair["maps"] = [_thumbnail(_laid_over(maps[place], each)) for place, each in of_each]
        pairs.append(pair)
    return pairs


def _laid_over(where: Map, pixels: Any) -> Any:
    """The picture, dark but for where the class was seen."""
    size = pixels.shape[1], pixels.shape[0]
    shares = np.asarray(Image.fromarray(where.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
    light = np.clip(shares, 0, 1)[..., None]
    dark = _DIMMED * pixels
    shown = dark + light * (0.35 * np.array(_SEEN) + 0.65 * pixels - dark)
    return np.clip(shown, 0, 255).astype(np.uint8)


def _labels(check: LabelCheck, dataset: Dataset) -> Record:
    """The labels that look wrong, each with its picture."""
    import torch  # not for the record of a crashed job, which is made without it

    splits = {split.name: split for split in dataset.splits}
    rows = []
    for each in check.suspects:
        square = splits[each.split].images.pick(torch.tensor([each.picture])).numpy()[0]
        rows.append(
            {
                "split": each.split,
                "file": each.file,
                "given": each.given,
                "proposed": each.proposed,
                "score": each.score,
                "picture": _thumbnail(square),
            }
        )
    return {
        "count": check.count,
        "judged": check.judged,
        "pictures": check.pictures,
        "left_out": check.left_out,
        "rows": rows,
    }


def _thumbnail(pixels: Any) -> str:
    """A picture as a small JPEG in a data address."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _speed(epochs: Sequence[float]) -> Record:
    """Training pictures a second of an epoch with its validation. The first warms up and is left out where
    there are others enough.
    """
    left_out = 1 if len(epochs) >= _EPOCHS_WITH_A_WARM_UP else 0
    spread = of_values(epochs[left_out:])
    return {"epochs": len(epochs) - left_out, "left_out": left_out, **dataclasses.asdict(spread)}


def _steps(profile: Profile, wall: Record | None) -> Record:
    """Where the time went: seconds of each part, a timeline of them, and how long a step takes."""
    steps = profile.steps
    parts = {name: float(steps[name].sum()) for name in (*PHASES, "rest")}
    measured = sum(parts.values()) + float(steps["between"].sum())
    total = max(measured, wall["seconds"]) if wall else measured
    groups = np.array_split(np.arange(len(steps["step"])), min(_POINTS, len(steps["step"])))
    steady = np.sum([profile.steady[name] for name in parts], axis=0)
    low, middle, high = (round(1000 * float(each), 3) for each in np.percentile(steady, (5, 50, 95)))
    return {
        "count": len(steps["step"]),
        "left_out": len(steps["step"]) - len(steady),
        "wall_seconds": round(total, 4),
        "seconds": {name: round(value, 4) for name, value in parts.items()},
        "between_seconds": round(total - sum(parts.values()), 4),
        "median_ms": middle,
        "usual_ms": [low, high],
        "timeline": {
            "step": [int(steps["step"][group[0]]) for group in groups],
            **{name: [round(1000 * float(steps[name][g].mean()), 3) for g in groups] for name in parts},
        },
    }


def _system(profile: Profile) -> Record:
    """Utilisation over time."""
    system = profile.system
    groups = np.array_split(np.arange(len(system["seconds"])), min(_POINTS, len(system["seconds"])))

    def thinned(values: Column) -> list[float]:
        return [round(float(values[group].mean()), 2) for group in groups]

    series = {
        "seconds": thinned(system["seconds"]),
        "cpu": thinned(profile.cores),
        "io_wait": thinned(system["io_wait"]),
        "memory_mb": thinned(system["memory_mb"]),
        "process_mb": thinned(system["process_mb"]),
        "disk": thinned(system["disk_read"] + system["disk_write"]),
        "net": thinned(system["net_in"] + system["net_out"]),
    }
    if profile.gpus:
        series["gpu"] = thinned(profile.gpu("busy").mean(0))
        series["gpu_mb"] = thinned(profile.gpu("used_mb").sum(0))
    cores = [name for name in system if name.startswith("core")]
    return {**series, "cores": [round(float(system[name].mean()), 1) for name in cores], "gpus": profile.gpus}


def _flow(debug: Path) -> Record | None:
    """Gradients and updates of each layer over the saved steps, as powers of ten, if they can be read."""
    names = read_record(debug / "names.json")
    if names is None or not (debug / "tensors" / "index").is_dir():
        return None
    try:
        return _flow_of(debug, names)
    except Exception as error:  # whatever smdebug makes of files that a full disk or a crash cut off
        print(
            f"warning: the report has no gradient flow, the saved tensors cannot be read: {error}", flush=True
        )
        return None


def _flow_of(debug: Path, names: Record) -> Record | None:
    from training_code.debugging.smdebug_adapter import open_trial

    trial = open_trial(debug / "tensors")
    weights = [place for place, each in enumerate(names["is_weight"]) if each]
    flow: Record = {"layers": [names["parameters"][place].removesuffix(".weight") for place in weights]}
    for name, tensor in (("gradient", "gradient/rms"), ("update", "update/ratio")):
        if not trial.has_tensor(tensor):
            continue
        saved = trial.tensor(tensor).steps()
        places = np.linspace(0, len(saved) - 1, min(_FLOW_STEPS, len(saved)))
        steps = [saved[round(place)] for place in places]
        flow["steps"] = steps
        rows = np.array([trial.tensor(tensor).value(step)[weights] for step in steps]).T
        flow[name] = [[_power(value) for value in row] for row in rows]
    return flow if "steps" in flow else None


def _power(value: float) -> float | None:
    return round(math.log10(value), 2) if math.isfinite(value) and value > 0 else None
