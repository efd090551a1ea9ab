"""Coverage-guided fuzzing of our own parsers, by atheris.

`python -m benchmarks.hostile_fuzz TARGET SECONDS FOLDER` is the process that fuzzes one of them. Each target
takes bytes, hands them to one parser, and lets through what that parser says it raises. Anything else ends
the run with an error, and leaves the bytes in FOLDER.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import ROOT

ATHERIS: Final = "atheris==3.0.0"
Parser = Callable[[bytes], object]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _recipe() -> Parser:
    errors, recipe = _import("functions.common.errors", "functions.common.recipes.recipe")

    def parse(data: bytes) -> None:
        with contextlib.suppress(errors.InvalidRecipe):
            recipe.parse("x", _text(data), "x.toml")

    return parse


def _payload() -> Parser:
    errors, requests = _import("functions.common.errors", "functions.common.launching.requests")

    def parse(data: bytes) -> None:
        payload = _json(data)
        with contextlib.suppress(errors.UserError):
            requests.parse(payload, with_hyperparameters=True)

    return parse


def _event() -> Parser:
    errors, events = _import("functions.common.errors", "functions.common.events")

    def parse(data: bytes) -> None:
        with contextlib.suppress(errors.UserError):
            events.parse(_json(data))

    return parse


def _evaluation() -> Parser:
    errors, evaluation = _import("functions.common.errors", "functions.register_model.evaluation")

    def parse(data: bytes) -> None:
        with contextlib.suppress(errors.EvaluationInvalid):
            evaluation.parse(data, "here")

    return parse


def _hyperparameters() -> Parser:
    errors, config = _import("training_code.errors", "training_code.config")

    def parse(data: bytes) -> None:
        given = _json(data)
        if isinstance(given, dict):
            with contextlib.suppress(errors.InvalidHyperparameter):
                config.parse({str(key): str(value) for key, value in given.items()})

    return parse


def _api_request() -> Parser:
    picture, rest = _import("functions.classify.picture", "functions.common.rest")

    def parse(data: bytes) -> None:
        event = {
            "body": _text(data),
            "isBase64Encoded": True,
            "headers": {"content-type": _text(data[:60])},
            "queryStringParameters": {"top_k": _text(data[-8:])},
        }
        with contextlib.suppress(rest.ApiError):
            picture.picture(event, 100_000)

    return parse


def _artifact() -> Parser:
    artifact, bad_artifact = _import("inference_code.model.artifact", "inference_code.model.bad_artifact")
    folder = Path(os.environ["FUZZ_SCRATCH"])

    def parse(data: bytes) -> None:
        middle = data.find(b"\n")
        (folder / "model.json").write_bytes(data[:middle])
        (folder / "classes.json").write_bytes(data[middle + 1 :])
        (folder / "model.safetensors").write_bytes(b"")
        with contextlib.suppress(bad_artifact.BadArtifact):
            artifact.read(folder)

    return parse


def _picture() -> Parser:
    picture, errors = _import("inference_code.picture", "inference_code.api_error")

    def parse(data: bytes) -> None:
        with contextlib.suppress(errors.ApiError):
            picture.read(data).decoded(64)

    return parse


def _output() -> Parser:
    (cdk_output,) = _import("cli.deploy.cdk_output")

    def parse(data: bytes) -> None:
        for line in _text(data).splitlines():
            for name in ("parse", "parse_line"):
                if hasattr(cdk_output, name):
                    getattr(cdk_output, name)(line)

    return parse


def _metric_line() -> Parser:
    (epoch_line,) = _import("contract.epoch_line")
    return lambda data: epoch_line.read(_text(data))


TARGETS: Final[dict[str, tuple[Callable[[], Parser], tuple[bytes, ...]]]] = {
    "recipe": (_recipe, (b'[model]\narch = "resnet18"\n[tuning.ranges.lr]\nmin = 1e-4\nmax = 1.0\n',)),
    "payload": (_payload, (b'{"recipe": "digits", "dataset": "d", "tuning": {"max_jobs": 3}}',)),
    "event": (
        _event,
        (b'{"detail-type": "x", "source": "aws.sagemaker", "time": "2026-11-20T12:00:00Z", "detail": {}}',),
    ),
    "evaluation": (
        _evaluation,
        (
            b'{"arch":"resnet18","classes":["a","b"],"test":{"accuracy":0.5,"loss":1,"count":4,"fingerprint":"f",'
            b'"per_class":[{"class":"a","count":2,"recall":0.5},{"class":"b","count":2,"recall":0.5}]}}',
        ),
    ),
    "hyperparameters": (_hyperparameters, (b'{"lr": "0.1", "epochs": "3", "arch": "\\"resnet18\\""}',)),
    "api request": (_api_request, (b"aGVsbG8=", b"image/png")),
    "artifact": (_artifact, (b'{"format": 1, "arch": "resnet18", "num_classes": 2}\n["a", "b"]',)),
    "picture": (_picture, ()),
    "cdk output": (_output, (b"classifier-storage | 3/7 | CREATE_COMPLETE | AWS::S3::Bucket | Data",)),
    "metric line": (_metric_line, (b"epoch=3 train_loss=0.5 valid_loss=0.4 valid_accuracy=0.9",)),
}


def fuzz(target: str, seconds: int, folder: Path) -> tuple[int, str]:
    """Fuzz one target in a process of its own: how many inputs it tried, and its last words if it failed."""
    corpus, scratch = folder / "corpus", folder / "scratch"
    for each in (corpus, scratch):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_seeds(target)):
        (corpus / f"seed{number}").write_bytes(seed)
    path = os.pathsep.join(map(str, (_atheris(), ROOT, ROOT / "lambda")))
    # By way of `timeout`, which forks: libFuzzer bounds its process by the largest size it ever had, and that
    # of a process begun from here would be ours.
    fuzzer = [sys.executable, "-m", "benchmarks.hostile_fuzz", target, str(seconds), str(folder)]
    done = subprocess.run(
        ["timeout", str(seconds + 100), *fuzzer],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "FUZZ_SCRATCH": str(scratch)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 120,
        check=False,
    )
    lines = done.stderr.splitlines()
    tried = next((int(line.split()[1]) for line in reversed(lines) if line.startswith("Done ")), 0)
    if done.returncode == 0:
        return tried, ""
    errors = [line for line in lines if " === " in line or "Error" in line or "Exception" in line]
    return tried, " / ".join(errors[-4:])[:400] or f"it ended with {done.returncode}"


def _seeds(target: str) -> Iterator[bytes]:
    yield from TARGETS[target][1]
    if target == "picture":
        from benchmarks.hostile_pictures import FORMATS, sound

        for kind in FORMATS:
            yield from sound(kind)


def _atheris() -> Path:
    """The folder that atheris is installed to: it is needed here only."""
    folder = ROOT / ".local" / "peers" / "atheris"
    if not (folder / "atheris").is_dir():
        uv = str(Path(sys.executable).with_name("uv"))
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder)]
        subprocess.run([*command, "--no-deps", ATHERIS], check=True)
    return folder


def _import(*names: str) -> list[Any]:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=[name.partition(".")[0] for name in names]):
        return [importlib.import_module(name) for name in names]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def main() -> None:
    """The process that fuzzes; libFuzzer ends it."""
    target, seconds, folder = sys.argv[1:]
    parse = TARGETS[target][0]()
    atheris: Any = importlib.import_module("atheris")
    options = [f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=2048", "-seed=1", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", f"{folder}/corpus"], parse)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
