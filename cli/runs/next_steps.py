"""What a person can do about a model that was refused, in a line or two."""

from __future__ import annotations

from cli.choice import command
from cli.runs.pipeline_run import PipelineRun
from contract.decisions import Outcome


def of(run: PipelineRun) -> list[str]:
    """The commands and settings that lead on from a refusal; nothing for any other run."""
    package = run.package
    if package is None or run.outcome != "refused":
        return []
    anyway = command(f"approve {package.version} --anyway", run.option)
    steps = [f"To let it serve all the same: {anyway}"]
    match package.decided:
        case Outcome.GATE:
            steps.append(
                f"For a better one: more pictures, or another recipe ({command('recipes', run.option)}). "
                f"Where a setting is named, a lower bound counts for runs after {command('up', run.option)}."
            )
        case Outcome.LEAKED:
            steps.append(
                "For one whose accuracy means something: leave those pictures in one split, "
                f"{command('upload', run.option)} again, and run again."
            )
        case _:  # a person refused it, and knows why
            pass
    return steps
