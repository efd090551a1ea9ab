"""Words that people type: aliases, near misses, completion, and --version."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import choice
from cli.__main__ import COMMANDS, cli
from cli.choice import Choice
from cli.commands import completion
from cli.errors import NotUp
from cli.synonyms import ALIASES, MEANT
from cli.target import ROOT, Target
from cli.version import version
from tests.unit.cli.runs.pipeline_runs import PACKAGE, pipeline_run


def completed(*words: str) -> list[str]:
    """What bash is told for the last of the words."""
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    environment = os.environ | asked | {"_CLASSIFIER_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "cli"], capture_output=True, text=True, env=environment, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_shell_completes_commands_options_and_recipes() -> None:
    assert completed("classifier", "st") == ["status", "stop"]
    assert "--version" in completed("classifier", "--")
    assert completed("classifier", "tune", "--recipe", "dig") == ["digits"]
    assert "--watch" in completed("classifier", "status", "--w")


def test_completing_a_command_loads_none_of_them() -> None:
    code = (
        "import atexit, sys, cli.__main__; "
        "atexit.register(lambda: print([m for m in sys.modules if m.startswith('cli.commands.')])); "
        "cli.__main__.main()"
    )
    asked = {"COMP_WORDS": "classifier s", "COMP_CWORD": "1", "_CLASSIFIER_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | asked, check=True
    )
    assert done.stdout.splitlines()[-1] == "['cli.commands.options']"


def test_runs_are_completed_where_they_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, target: Callable[..., Target]
) -> None:
    context = click.Context(cli)
    parameter = click.Argument(["run"])
    monkeypatch.setattr(completion, "target_of", lambda *_: target())
    monkeypatch.setattr("cli.runs.history.names_of_runs", lambda _: ["classifier-d-1", "classifier-e-2"])
    assert [item.value for item in completion.runs(context, parameter, "d-")] == ["classifier-d-1"]

    def down(*_: object) -> None:
        raise NotUp("down")

    monkeypatch.setattr(completion, "target_of", down)
    assert completion.runs(context, parameter, "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell]).stdout
    assert f"_CLASSIFIER_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_an_alias_is_the_command(alias: str, name: str) -> None:
    by_alias, by_name = (CliRunner().invoke(cli, [word, "--help"]).stdout for word in (alias, name))
    assert by_alias.partition("\n")[2] == by_name.partition("\n")[2]
    assert alias in COMMANDS[name]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("stats", "status"), ("uplod", "upload"), ("ls", "runs"), ("rm", "destroy"), ("kill", "stop")],
)
def test_a_word_that_is_no_command_is_answered_with_the_one_meant(typed: str, meant: str) -> None:
    done = CliRunner().invoke(cli, [typed])
    assert done.exit_code == 2
    assert f'Did you mean "{meant}"?' in done.stderr


def test_a_word_like_no_command_gets_no_suggestion() -> None:
    assert "Did you mean" not in CliRunner().invoke(cli, ["xyzzy"]).stderr


def test_every_suggestion_and_alias_is_a_command_and_no_command_is_hidden_by_one() -> None:
    assert {*MEANT.values(), *ALIASES.values()} <= set(COMMANDS)
    assert not {*MEANT, *ALIASES} & set(COMMANDS)


def test_the_version_of_a_checkout_tells_its_commit(tmp_path: Path) -> None:
    assert re.match(r"classifier \d+\.\d+\.\d+", CliRunner().invoke(cli, ["--version"]).stdout)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    plain = version(tmp_path)
    assert re.fullmatch(r"classifier \d+\.\d+\.\d+", plain)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert version(tmp_path) == f"{plain} (commit {commit})"
    (tmp_path / "pyproject.toml").write_text("")
    assert version(tmp_path).endswith(f"(commit {commit}, with changes)")


def of_no_hint(tree: ast.Module) -> set[int]:
    """The texts of a module that are no hints: what documents the code, and the help of options."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg == "help":
            found |= {id(each) for each in ast.walk(node.value)}
    return found


ONLY_LOOK = {
    *("check", "classify", "compare", "completion", "cost", "datasets", "demo-data", "export", "logs"),
    *("models", "outputs", "race-report", "recipes", "report", "runs", "status", "tuning-report"),
}
"""Commands that change nothing but files that they write."""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_that_changes_something_takes_yes(name: str) -> None:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    takes = any("--yes" in parameter.opts for parameter in found.params)
    assert takes == (name not in ONLY_LOOK)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_hint_is_written_out_past_what_makes_it_reach_the_same_place(path: Path) -> None:
    """`Target.command` adds --env, --profile and their like, which a command line in a text would lack."""
    written = re.compile(rf"classifier ({'|'.join(COMMANDS)})\b(?! completion)")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    spared = of_no_hint(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spared:
            found = written.search(node.value.replace("asked for with classifier", ""))
            assert found is None or found[1] == "completion", f"{path}:{node.lineno}: {node.value}"


def test_a_suggested_command_reaches_the_same_place(tmp_path: Path) -> None:
    place = Choice(option=" --env prod --profile p")
    target = Target(kind="aws", project="demo", root=tmp_path, home=tmp_path, port=1, choice=place)
    assert target.command("approve 3") == "classifier approve 3 --env prod --profile p"
    waiting = replace(PACKAGE, approval="PendingManualApproval")
    run = pipeline_run(package=waiting, option=target.option)
    assert "classifier approve 3 --env prod --profile p, or" in run.reason


@pytest.mark.parametrize(
    ("on_path", "by_make", "here", "said"),
    [
        (True, False, "checkout", "classifier"),
        (False, False, "checkout", ".venv/bin/classifier"),
        (False, False, "elsewhere", "{venv}/classifier"),
        (True, True, "checkout", ".venv/bin/classifier"),
    ],
)
def test_a_suggested_command_is_one_that_the_user_s_shell_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: bool, by_make: bool, here: str, said: str
) -> None:
    venv = tmp_path / "checkout" / ".venv" / "bin"
    for folder in (venv, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (venv / "classifier").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(venv / "python"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(venv)] * on_path + ["/usr/bin"]))
    if by_make:
        monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(tmp_path / here)
    assert choice.command("up", " --env prod") == f"{said.format(venv=venv)} up --env prod"


def test_a_hint_of_click_names_the_command_that_was_found(tmp_path: Path) -> None:
    """As a process of its own, that finds no `classifier` on its PATH."""
    environment = os.environ | {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "status", "--nonsense"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"Try '{Path(sys.executable).with_name('classifier')} status --help'" in done.stderr
