"""`classifier completion`: a shell's own completion of commands, options, recipes and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.commands.options import quiet_option, target_of
from cli.errors import CliError
from cli.target import ROOT

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_WHERE = {
    "bash": 'eval "$(classifier completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(classifier completion zsh)"    # in ~/.zshrc, after compinit',
    "fish": "classifier completion fish | source    # in ~/.config/fish/config.fish",
}


@click.command()
@quiet_option
@click.argument("shell", type=click.Choice(list(_WHERE)))
def completion(shell: str) -> None:
    """Print the lines that let SHELL complete commands, options, recipes and runs.

    \b
    In ~/.bashrc:  eval "$(classifier completion bash)"
    In ~/.zshrc:   eval "$(classifier completion zsh)"
    In fish:       classifier completion fish | source
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise CliError(f"Click knows no completion for {shell}.")
    click.echo(f"# {_WHERE[shell]}")
    whole = click.get_current_context().find_root().command
    click.echo(found(whole, {}, "classifier", "_CLASSIFIER_COMPLETE").source())


def recipes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The checkout's recipes that begin so."""
    from click.shell_completion import CompletionItem

    found = sorted(path.stem for path in (ROOT / "recipes").glob(f"{incomplete}*.toml"))
    return [CompletionItem(name) for name in found]


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The runs with that in their names; none where they cannot be asked for."""
    from click.shell_completion import CompletionItem

    from cli.runs.history import names_of_runs

    given = (context.params.get(key) for key in ("kind", "environment", "profile", "region"))
    try:
        names = names_of_runs(target_of(context, *given))
    except Exception:  # whatever is wrong, the shell waits for words
        return []
    return [CompletionItem(name) for name in names if incomplete in name]
