"""What pages show can be typed: settings load, recipes parse, commands and their options exist."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest

from cli import environments
from cli.__main__ import COMMANDS, cli
from functions.common.recipes.recipe import Recipe, parse
from stacks.settings.load import load
from stacks.settings.rules import Rule
from stacks.settings.schema import Settings
from tools.pages import Code, Page, pages
from tools.pins import ROOT

SHELL = ("", "bash", "sh", "console")
OTHERS = {
    *("--all", "--binary-files", "--cli-binary-format", "--data-binary", "--json", "--no-deps", "--payload"),
    *("--build-arg", "--build-arg WITH_TORCH=1", "--platform", "--tag", "--file", "--target", "--runtime"),
}
"""Options of other programs that pages name."""


def blocks(*languages: str) -> list[Any]:
    """The blocks of code in one of the languages, as parameters of a test."""
    return [
        pytest.param(block, id=f"{page.name}:{block.line}")
        for page in pages()
        for block in page.code()
        if block.language in languages
    ]


def json_of(block: str) -> list[Any]:
    """What a block of JSON holds: one value, members of an object without its braces, or a value a line."""
    text = re.sub(r",?\s*(…|\.\.\.)(?=\s*[\]}])", "", block).strip()
    for whole in (text, f"{{{text}}}"):
        try:
            return [json.loads(whole)]
        except ValueError:
            continue
    return [json.loads(line) for line in text.splitlines()]


def rules(kind: type[Any]) -> Iterator[tuple[str, Rule]]:
    """Every setting's name with its rule."""
    for each in fields(kind):
        hint = get_type_hints(kind)[each.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from rules(hint)
        else:
            yield each.name, each.metadata["rule"]


def settings_in(value: Any) -> Any:
    """The settings that an example is of; None where it is of something else."""
    if not isinstance(value, dict):
        return None
    inner = value.get("context", value).get("classifier", value)
    known = {each.name for each in fields(Settings)}
    if not isinstance(inner, dict) or "recipe" in inner:  # a launcher's payload has tables of the same names
        return None
    return inner if set(inner) & known - {"project"} else None


@pytest.mark.parametrize("block", blocks("json"))
def test_an_example_in_json_is_json_and_settings_load(block: Code) -> None:
    for value in json_of(block.text):
        settings = settings_in(value)
        if settings is not None:
            load(settings, "the page")


def test_examples_of_settings_are_found() -> None:
    found = [block.values[0] for block in blocks("json")]
    assert sum(any(map(settings_in, json_of(block.text))) for block in found) >= 3
    assert settings_in({"serving": {"shadow": {}}})
    assert settings_in({"context": {"classifier": {"tags": {}}}}) == {"tags": {}}
    assert settings_in({"recipe": "digits", "dataset": "digits"}) is None


def spans_of_settings() -> list[Any]:
    """Code such as `"approval": "manual"` within a line."""
    names = {name for name, _ in rules(Settings)}
    found = []
    for page in pages():
        for span in page.spans():
            member = re.fullmatch(r'"(\w+)": (\S.*)', span)
            if member and member[1] in names:
                found.append(pytest.param(member[1], member[2], id=f"{page.name}: {span}"))
    return found


@pytest.mark.parametrize(("name", "value"), spans_of_settings())
def test_a_setting_within_a_line_is_allowed(name: str, value: str) -> None:
    read = json.loads(value)
    assert any(rule.accepts(read) for each, rule in rules(Settings) if each == name)


@pytest.mark.parametrize("block", blocks("toml"))
def test_an_example_in_toml_is_a_recipe_or_part_of_one_or_environments(block: Code, tmp_path: Path) -> None:
    tables = tomllib.loads(block.text)
    if "environments" in tables:
        (tmp_path / environments.FILE).write_text(block.text)
        assert all(environments.read(tmp_path, name) for name in tables["environments"])
    elif "model" in tables:
        parse("example", block.text, "the page")
    else:
        finetune().with_overrides(tables)


def finetune() -> Recipe:
    return parse("finetune", (ROOT / "recipes" / "finetune.toml").read_text(encoding="utf-8"), "finetune")


@pytest.mark.parametrize("block", blocks("python"))
def test_an_example_in_python_compiles(block: Code) -> None:
    compile(block.text, "page", "exec")


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `classifier` of every such command in some lines of shell."""
    plain = re.sub(r"(?<=\w)…|(?<=\s)(\.\.\.|…|\[[A-Z]+\])", "", text).replace("\\\n", " ")
    for line in plain.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        for ends, words in itertools.groupby(lexer, key=lambda word: set(word) <= set("|&;<>()")):
            command = list(itertools.dropwhile(re.compile(r"[A-Z_]+=|\$$").match, words))
            if not ends and command and Path(command[0]).name == "classifier":
                yield command[1:]


def typed(block: Code) -> list[str]:
    """What somebody types of a block: of a `console` one not what is answered."""
    if block.language == "console":
        return [command for command, _ in block.typed()]
    return [block.text]


def shell_lines() -> list[Any]:
    """Every command of `classifier` that a page shows."""
    found = {}
    for page in pages():
        texts = [text for block in page.code() if block.language in SHELL for text in typed(block)]
        texts += [span for span in page.spans() if re.match(r"(\S*/|[A-Z_]+=\S+ )*classifier [a-z-]", span)]
        for text in texts:
            for words in command_lines(text):
                found[f"{page.name}: {' '.join(words)}"] = words
    return [pytest.param(words, id=name) for name, words in found.items()]


def understood(group: click.Command, words: list[str]) -> None:
    """Raises a UsageError for what Click would not take; a command without its arguments passes."""
    context = click.Context(group)
    options, rest, _ = group.make_parser(context).parse_args(list(words))
    for parameter in group.params:
        value = options.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)
    if isinstance(group, click.Group):
        if rest:
            _, command, rest = group.resolve_command(context, rest)
            assert command is not None
            understood(command, rest)
    elif rest:
        raise click.UsageError(f"got unexpected words: {rest}")


@pytest.mark.parametrize("words", shell_lines())
def test_a_command_and_its_options_exist(words: list[str]) -> None:
    names_an_option = words and words[-1].startswith("--")
    try:
        understood(cli, words)
    except click.BadOptionUsage:
        if not names_an_option:
            raise
        understood(cli, [*words, "its value"])  # as in "`classifier doctor --dataset` does the same"


@pytest.mark.parametrize(
    "words", ["tune --recipee digits", "tun", "status a b", "runs --sort size", "--targt aws up"]
)
def test_a_command_that_does_not_exist_is_found(words: str) -> None:
    with pytest.raises(click.UsageError):
        understood(cli, words.split())


def test_commands_are_found_wherever_they_stand() -> None:
    line = "A=1 classifier up && .venv/bin/classifier --target aws tune --watch | head  # classifier no"
    assert list(command_lines(line)) == [["up"], ["--target", "aws", "tune", "--watch"]]
    lines = "echo classifier\n$ classifier compare JOB JOB… > page\nclassifier status [RUN] ..."
    assert list(command_lines(lines)) == [["compare", "JOB", "JOB"], ["status"]]
    assert len(shell_lines()) > 100


def test_what_a_console_block_shows_below_a_command_is_no_command() -> None:
    text = "$ classifier up\nclassifier: it's there\n$ python - <<'END'\n> print(3)\n> END\n3\n"
    block = Code("console", text, 1)
    script = "python - <<'END'\nprint(3)\nEND"
    assert list(block.typed()) == [("classifier up", ["classifier: it's there"]), (script, ["3"])]
    assert typed(block) == ["classifier up", script]


def known_options() -> set[str]:
    commands = [cli, *(cli.get_command(click.Context(cli), name) for name in COMMANDS)]
    parameters = [parameter for command in commands if command for parameter in command.params]
    return {name for each in parameters for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}


def test_an_option_that_a_page_names_exists() -> None:
    known = known_options() | OTHERS
    named = {
        (page.name, span.split()[0].partition("=")[0])
        for page in pages()
        if page.name.startswith(("README", "docs/"))
        for span in page.spans()
        if span.startswith("--")
    }
    assert sorted(each for each in named if each[1] not in known) == []


def test_what_make_is_asked_for_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in pages():
        shell = [block for block in page.code() if block.language in SHELL]
        texts = [*page.spans(), *(text for block in shell for text in typed(block))]
        named = {word for text in texts for word in re.findall(r"(?:^|\s|=\S+ )make ([a-z][a-z-]+)", text)}
        assert named <= targets, page.name


def test_pages_are_found() -> None:
    assert {"README.md", "docs/api.md", "docs/settings.md"} <= {page.name for page in pages()}


@pytest.mark.parametrize("language", ["python", "javascript", ""])
def test_the_readmes_calls_are_those_of_the_apis_page(language: str) -> None:
    """tests/system/test_chain.py runs those."""
    readme, api = (
        [block.text for block in Page(ROOT / name).code() if block.language == language]
        for name in ("README.md", "docs/api.md")
    )
    calls = [block for block in readme if "dog.jpg" in block]
    assert len(calls) == 1
    assert calls[0] in api
