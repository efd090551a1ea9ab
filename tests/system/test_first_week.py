"""The tasks of docs/first-week.md on one deployment, in their order: the page shows what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.conftest import LOCAL_SETTINGS, REPOSITORY, Deployment, deploying
from tools.pages import Code, Page

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

PAGE = Page(REPOSITORY / "docs" / "first-week.md")
TASKS = 40
TITLE = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """One of the page's, with its block."""

    number: int
    title: str
    block: Code


def tasks() -> list[Task]:
    titles = [(int(found[1]), found[2]) for found in TITLE.finditer(PAGE.prose)]
    blocks = [block for block in PAGE.code() if block.language == "console"]
    return [Task(*title, block) for title, block in zip(titles, blocks, strict=True)]


def missing(shown: list[str], printed: str) -> Iterator[str]:
    """The shown lines that what was printed lacks, in their order; `...` stands for anything."""
    lines = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown:
        wanted = re.compile(".*".join(map(re.escape, line.rstrip().split("..."))))
        if not any(wanted.fullmatch(each) for each in lines):
            yield line
            return


@dataclass
class Shell:
    """A reader's terminal: one folder, one environment, and the exit code of what ran last.

    `classifier` is this checkout's.
    """

    folder: Path
    environment: dict[str, str]
    code: int = 0

    def run(self, command: str) -> str:
        """What the command prints, errors too."""
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.code})\n{command}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=900,
            check=False,
        )
        self.code = done.returncode
        return done.stdout


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deploying("local", tmp_path_factory.mktemp("week"), LOCAL_SETTINGS) as deployed:
        yield deployed


@pytest.fixture
def shell(deployment: Deployment, tmp_path: Path) -> Shell:
    where = {
        "PATH": f"{Path(sys.executable).parent}:{deployment.environment['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "NO_PROXY": "127.0.0.1",
        "URL": deployment.outputs["api_url"],
        "KEY": deployment.outputs["api_key"],
    }
    return Shell(tmp_path, deployment.environment | where)


@pytest.mark.parametrize(
    ("shown", "lacks"),
    [
        (["a 1 (...)", "c"], []),
        (["a ...", "b  2"], []),
        (["a"], ["a"]),  # the whole line
        (["c", "b  2"], ["b  2"]),  # in their order
        (["b 2"], ["b 2"]),
        (["a 1 (.*)"], ["a 1 (.*)"]),
    ],
)
def test_a_line_that_was_not_printed_is_found(shown: list[str], lacks: list[str]) -> None:
    assert list(missing(shown, "a 1 (x y)\nb  2   \nc\n")) == lacks


def test_the_page_tells_no_lie(shell: Shell) -> None:
    found = tasks()
    assert [task.number for task in found] == list(range(1, TASKS + 1))
    wrong = []
    for task in found:
        for command, shown in task.block.typed():
            printed = shell.run(command)
            wrong += [
                f"{task.number}. {task.title} ({PAGE.name}:{task.block.line})\n"
                f"$ {command}\nhas no line: {line}\nbut printed:\n{printed}[exit code {shell.code}]\n"
                for line in missing(shown, printed)
            ]
    assert not wrong, "\n".join(wrong)
