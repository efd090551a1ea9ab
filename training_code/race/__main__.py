"""A race of networks as a training job. Run as `python -m training_code.race`."""

from __future__ import annotations

import sys

from contract.race import FILE
from training_code.config import parse as parse_training
from training_code.data.dataset import find
from training_code.errors import TrainingError
from training_code.job import Job
from training_code.log import say
from training_code.race.run import check_won, race
from training_code.race.settings import parse
from training_code.stopping import Stopped, StopSignal


def main() -> int:
    """Run the job this process was started for; the exit code says how it ended."""
    stop = StopSignal()
    stop.listen()
    job = Job.from_environment()
    job.begin()
    try:
        settings = parse(job.hyperparameters())
        found = find(job.splits(), parse_training({}), job.lists)
        outcome = race(settings, found, job.base / "input" / "data", stop)
        job.output_data.mkdir(parents=True, exist_ok=True)
        (job.output_data / FILE).write_text(outcome.text(), encoding="utf-8")
        check_won(outcome)
        say(f"the winner is {outcome.ranked[0].network}")
    except Stopped:
        say("stopped before every network was judged: there is no winner")
    except TrainingError as error:
        if job.fail(f"{type(error).__name__}: {error}"):
            say(f"error: {error}", sys.stderr)
        return 1
    except Exception as error:
        if job.fail(f"the race failed: {type(error).__name__}: {error} (its log has the traceback)"):
            raise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
