"""`classifier tune` and `classifier train`"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from cli import answers
from cli.commands.check import anyway_option, before_launching
from cli.commands.completion import recipes
from cli.commands.options import confirm_cost, json_option, with_target, yes_option
from cli.console import say
from cli.data import sets
from cli.runs import expected
from cli.runs.expected import Expected
from cli.runs.launch import Launched, estimate, full_name, launch, payload
from cli.runs.pipeline_run import PipelineRun
from cli.runs.screen import as_data
from cli.runs.watch import exit_unless_served, follow
from cli.target import Target

JOB_COST = (
    "This starts SageMaker training instances, billed by the second until they end or reach the recipe's\n"
    "maximum run time."
)


def served(target: Target) -> str:
    """What follows from a run, to agree to."""
    end = target.command("destroy")
    return f"A model that passes the gate is then served, billed by the second until `{end}`."


_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--recipe", required=True, shell_complete=recipes, help="A recipe's name, as in recipes/<name>.toml."
    ),
    click.option("--dataset", required=True, help="NAME, or NAME@3: its third version."),
    click.option("--set", "overrides", multiple=True, metavar="TABLE.KEY=VALUE", help="Override the recipe."),
    click.option("--name", help="The run's name (default: one is made). The project's is put before it."),
    click.option(
        "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Start nothing that could cost more."
    ),
    click.option("--dry-run", is_flag=True, help="Check everything and say the cost; start nothing."),
    click.option("--watch", "--wait", is_flag=True, help="Follow the run to its end."),
    anyway_option,
    yes_option,
    json_option,
    with_target,
)


def launch_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options both launchers have."""
    return reduce(lambda made, option: option(made), _OPTIONS, command)


@click.command()
@launch_options
def tune(target: Target, **options: Any) -> None:
    """Search for the best hyperparameters; the rest of the way to the endpoint follows by itself."""
    _launch(target, "launch-tuning", **options)


@click.command()
@launch_options
def train(target: Target, **options: Any) -> None:
    """Train once, without a search. Example: --set hyperparameters.learning_rate=0.01"""
    _launch(target, "launch-training", **options)


def _launch(
    target: Target,
    function: str,
    recipe: str,
    dataset: str,
    overrides: tuple[str, ...],
    name: str | None,
    max_cost: float | None,
    dry_run: bool,
    watch: bool,
    anyway: bool,
    yes: bool,
) -> None:
    whole_name = full_name(target, name) if name else None
    request = payload(recipe, dataset, overrides, whole_name, max_cost)
    request["dataset"] = sets.meant(target, dataset)
    planned = estimate(target, function, request)
    kind = expected.TUNING if function == "launch-tuning" else expected.TRAINING
    likely = expected.before(target, request, kind, planned)
    say(f"{planned.what[:1].upper()}{planned.what[1:]}.\n{cost_line(target, planned, likely)}")
    for note in planned.notes:
        say(f"Note: {note}.")
    if whole_name and whole_name != name:
        say(f"Its name is {whole_name}: all names of a project begin with the project's.")
    before_launching(target, planned, anyway)
    if dry_run:
        answers.wrote(answers.Kind.LAUNCHED, planned)
        return
    confirm_cost(target, served, yes)
    launched = launch(target, function, request).as_planned(planned)
    say(f"Started {launched.job}.")
    if watch:
        exit_unless_served(follow(target, launched.run, then=_tell_run, likely=likely))
        return
    if answers.wrote(answers.Kind.LAUNCHED, launched):
        return
    say(f"Follow it with: {target.command(f'status {launched.run} --watch')}")
    if not target.is_local:
        say(f"In the console: {launched.watch['console']}\nIts log: {launched.watch['log']}")


def _tell_run(run: PipelineRun) -> None:
    answers.wrote(answers.Kind.RUN, as_data(run))


def cost_line(target: Target, planned: Launched, likely: Expected | None = None) -> str:
    """What is expected of a run, and the launcher's bound, to whoever pays."""
    cost = f"at most {planned.most_usd:.2f} USD" if planned.most_usd is not None else "an unknown sum"
    about = f"Expected: {likely.in_words(target)}.\n" if likely else ""
    where = "It costs nothing here; on AWS" if target.is_local else "It costs"
    return f"{about}{where} {cost} ({planned.explained})."
