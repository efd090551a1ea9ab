"""A training job, from SageMaker's folders to a model artifact. Run as `python -m training_code`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext

from training_code.config import Config, parse
from training_code.data.batches import Batches, of_dataset
from training_code.data.dataset import announce, find, load
from training_code.data.feature_cache import FeatureCache
from training_code.debugging.settings import DebugSettings
from training_code.distributed import launcher
from training_code.distributed.process_group import ProcessGroup
from training_code.errors import TrainingError
from training_code.evaluation import (
    answers,
    champion,
    explanation,
    label_check,
    serving_form,
    size_limit,
)
from training_code.evaluation.outputs import Outputs
from training_code.evaluation.scores import Evaluation, evaluate
from training_code.hardware import driver
from training_code.hardware.cores import CoreWatch
from training_code.hardware.machine import Machine
from training_code.hardware.memory import memory_explained, why_killed
from training_code.job import Job
from training_code.log import say
from training_code.network import model
from training_code.output import artifact
from training_code.stopping import Stopped, StopSignal
from training_code.training import loop
from training_code.training.checkpoints import Checkpoints
from training_code.training.loss import class_weights
from training_code.training.progress import Trained
from training_code.watching.door import watching


def run(job: Job, config: Config, group: ProcessGroup, stop: StopSignal) -> None:
    """Do the whole job, as one process of `group`.

    Raises:
        TrainingError: it cannot be done, for a reason its owner can mend.
        Stopped: the job was told to stop before there was anything to keep.
    """
    start = time.perf_counter()
    watch = CoreWatch()
    settings = DebugSettings.of(config)
    found = find(job.splits(), config, job.lists)
    size_limit.check(found)
    # Sums split among other numbers of threads round otherwise: all take as many.
    threads = min(group.all_gather(watch.free_cores()))
    machine = Machine.prepare(threads, config, group.local_rank)
    print(f"job {job.name} on {machine}", flush=True)

    network = model.build(config, len(found.classes), job.pretrained, machine)
    cache = FeatureCache.of(network, config, machine, group, job)
    dataset = load(found, config, stop, group, cache.complete(found, stop) if cache else None)
    announce(dataset)
    train, valid, test = of_dataset(dataset, config, machine, group, cache, stop)

    checkpoints = Checkpoints(job.checkpoints, loop.identity(config, dataset))
    with watching(job.output_data, settings if group.is_main else settings.off(), dataset.classes) as watched:
        trained = loop.train(network, train, valid, config, checkpoints, stop, watched.callback)

    # A rule that ended it leaves the time to test what it kept; the first process is the one that is watched.
    told_to_stop = group.all_gather(trained.stopped and not watched.stopped_by)[0]
    evaluations = {} if told_to_stop else _evaluate_best(valid, test, trained, stop)
    if not group.is_main:
        return
    champion_score, labels, calibration, explained = None, None, None, None
    if evaluations:
        champion_score = champion.score(job.champion, found, dataset, config, machine, stop)
    if evaluations and not job.is_trial:
        parts, epochs = (train, valid, test), len(trained.history)
        labels = label_check.check(trained.network, parts, epochs, config.seed, stop)
        said = Outputs()
        serving = serving_form.write(
            job.model, trained.network, train, valid, evaluations["valid"], stop, said
        )
        weights = class_weights(config, train.split.labels, len(dataset.classes))
        calibration = answers.measure(
            job.model, trained.network, parts, said, None if weights is None else weights.numpy(), stop
        )
        explained = explanation.explain(trained.network, test, evaluations["test"], stop)
    else:
        serving = serving_form.none_written(
            "the job was stopped" if trained.stopped else "a trial is not served"
        )
    facts = artifact.Facts(
        job=job.name,
        config=config,
        dataset=dataset,
        machine=machine,
        trained=trained,
        evaluations=evaluations,
        serving=serving,
        champion=champion_score,
        calibration=calibration,
        labels=labels,
        explained=explained,
        seconds=time.perf_counter() - start,
    )
    artifact.write(job, facts, watched.findings)
    print(f"model of epoch {trained.best.epoch} written, {facts.seconds:.1f} s in all", flush=True)


def _evaluate_best(
    valid: Batches, test: Batches, trained: Trained, stop: StopSignal
) -> dict[str, Evaluation]:
    """The best epoch's network on valid and test; nothing if the job is stopped on the way."""
    classes = trained.network.classes
    try:
        validated = trained.validated or evaluate(trained.network, valid, classes, stop)
        tested = evaluate(trained.network, test, classes, stop)
    except Stopped:
        return {}
    count = len(tested.labels)
    say(f"test_loss={tested.loss:.6f} test_accuracy={tested.accuracy:.6f} ({count} test pictures)")
    return {"valid": validated, "test": tested}


def main() -> int:
    """Run the job this process was started for; the exit code says how it ended."""
    stop = StopSignal()
    stop.listen()
    job = Job.from_environment()
    if not launcher.is_one_of_several():
        job.begin()
    try:
        config = parse(job.hyperparameters())
        cluster = job.cluster()
        driver.check(cluster.instance_type, allow_cpu=config.allow_cpu == "yes")
        if launcher.needed(config, cluster):
            return launcher.start(config, job, stop)
        group = ProcessGroup.join()
        if not group.is_main:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (one process speaks for all)
        # Of several processes, the one that started them tells how they ended.
        killed = nullcontext() if group.size > 1 else job.telling_if_killed(why_killed(config))
        with killed, memory_explained(config):
            run(job, config, group, stop)
        group.leave()
    except Stopped:
        print("stopped before the first epoch was done: there is no model", flush=True)
    except TrainingError as error:
        if job.fail(f"{type(error).__name__}: {error}"):
            say(f"error: {error}", sys.stderr)
        return 1
    except Exception as error:
        if launcher.is_one_of_several() and ProcessGroup.is_lost(error):
            return launcher.BEREAVED
        if job.fail(f"the training code failed: {type(error).__name__}: {error} (its log has the traceback)"):
            raise
        return 1
    return 0


if __name__ == "__main__":
    ProcessGroup.end(main())
