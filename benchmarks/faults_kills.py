"""`kill -9` at drawn moments of everything a user does: of the server, a job, an endpoint, the CLI."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults_installation import Installation, NeverHappenedError, kill, until
from benchmarks.faults_judged import Found, Moment, wrong_champion, wrong_job
from benchmarks.faults_searches import Searches, judge
from benchmarks.faults_writers import Writer
from cli.runs.reader import RunReader
from tests.system.releases import Load, Registry

# (phase, victim) -> how many moments, drawn from so many seconds. In all 30.
PLAN: dict[tuple[str, str], tuple[int, float]] = {
    ("serving", "server"): (3, 3.0),
    ("serving", "endpoint"): (3, 3.0),
    ("deploy", "server"): (3, 15.0),
    ("deploy", "CLI"): (3, 15.0),
    ("upload", "server"): (2, 6.0),
    ("upload", "CLI"): (3, 6.0),
    ("tune", "server"): (2, 10.0),
    ("tune", "job"): (3, 6.0),
    ("training", "server"): (2, 12.0),
    ("training", "job"): (2, 8.0),
    ("promotion", "server"): (3, 15.0),
    ("promotion", "endpoint"): (1, 15.0),
}
SETTLE_SECONDS = 240.0
ANSWER_SECONDS = 120.0


@dataclass
class Kills:
    """A deployed installation with a champion, and what happens to it."""

    installation: Installation
    searches: Searches
    writer: Writer
    digits: Path
    chance: random.Random
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def registry(self) -> Registry:
        installation = self.installation
        artifacts = installation.outputs["artifacts_bucket"]
        return Registry(installation.client, installation.target.project, artifacts)

    @property
    def picture(self) -> bytes:
        return next((self.digits / "test" / "3").iterdir()).read_bytes()

    def first_champion(self) -> None:
        """Train a model and let it serve, whatever the quality gate thinks of so small a one."""
        run, _job = self.searches.train(self.searches.fresh_data("first"))
        reader = RunReader(self.installation.target, run)
        package = until(lambda: reader.read().package, 300, "the first model package")
        if package.approval != "Approved":
            self.registry.decide(package.arn, "Approved")
        until(lambda: self.registry.agreement() == package.arn, 300, "the first champion")
        until(self._answer, ANSWER_SECONDS, "the first answer")

    def at(self, moment: Moment) -> dict[str, Any]:
        """Kill somebody at a moment, let everything go on, and look: a row."""
        print(f"{moment.phase}: the {moment.victim} after {moment.seconds} s", flush=True)
        began, found = time.monotonic(), Found()
        phase: Callable[[Moment, Found], None] = getattr(self, f"_{moment.phase}")
        try:
            with self.writer:
                phase(moment, found)
                found.add("stuck", self.installation.settled(SETTLE_SECONDS))
            self._same_story(found)
            found.add("lost_writes", self.writer.lost())
        except NeverHappenedError as error:
            found.add("stuck", [str(error)])
        for line in found.lines:
            print(f"  {line}", flush=True)
        took = round(time.monotonic() - began, 1)
        drawn = {"system": moment.victim, "phase": moment.phase, "after_s": moment.seconds}
        return {**drawn, "seconds": took, **found.counts}

    def _serving(self, moment: Moment, found: Found) -> None:
        outputs = self.installation.outputs
        with Load(outputs["api_url"], outputs["api_key"], self.picture, callers=2) as load:
            time.sleep(moment.seconds)
            self._kill(moment.victim)
            until(self._answer, ANSWER_SECONDS, "an answer after the kill")
        champion = self.registry.champion().rpartition("/")[2]
        found.add("wrong_outcomes", [f"version {v} answered" for v in load.versions if v != champion])

    def _deploy(self, moment: Moment, found: Found) -> None:
        number = next(self._names)
        self.installation.configure(alarm_minutes=1 + number % 3, bake_seconds=5)
        process = self.installation.begin("up", "--yes")
        time.sleep(moment.seconds)
        if moment.victim == "CLI":
            kill(process.pid)
        else:
            self._kill(moment.victim)
        process.wait(SETTLE_SECONDS)
        until(lambda: self.installation.cli("up", "--yes") == 0, 2 * SETTLE_SECONDS, "an `up` that succeeds")
        stacks = self.installation.client("cloudformation").describe_stacks()["Stacks"]
        bad = [
            stack for stack in stacks if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        ]
        found.add("wrong_outcomes", [f"{each['StackName']} is {each['StackStatus']}" for each in bad])

    def _upload(self, moment: Moment, found: Found) -> None:
        dataset = f"upload-{next(self._names)}"
        command = ("upload", str(self.digits), "--dataset", dataset)
        process = self.installation.begin(*command)
        time.sleep(moment.seconds)
        if moment.victim == "CLI":
            kill(process.pid)
        else:
            self._kill(moment.victim)
        process.wait(SETTLE_SECONDS)
        until(lambda: self.installation.cli(*command) == 0, SETTLE_SECONDS, "an upload that succeeds")
        found.add("lost_writes", self._not_in(dataset))

    def _tune(self, moment: Moment, found: Found) -> None:
        run = self.searches.begin(self.searches.fresh_data(f"tune-{next(self._names)}"))
        time.sleep(moment.seconds)
        killed = self._kill(moment.victim)
        status = self.searches.ended(run)
        trials = self.searches.trials(run)
        judge(status, trials, found, server_killed=moment.victim == "server")
        found.add("wrong_outcomes", [f"{t.name} was killed and is {t.status}" for t in trials
                                     if t.name == killed and t.status != "Failed"])  # fmt: skip

    def _training(self, moment: Moment, found: Found) -> None:
        run, name = self.searches.train(self.searches.fresh_data(f"train-{next(self._names)}"))
        time.sleep(moment.seconds)
        killed = self._kill(moment.victim)
        job = until(lambda: self._ended(name), SETTLE_SECONDS, f"the end of {name}")
        found.add("wrong_outcomes", [wrong_job(job, killed=True)])
        if killed == name and job.status != "Failed":
            found.add("wrong_outcomes", [f"{name} was killed and is {job.status}"])
        found.add("stuck", self.installation.settled(SETTLE_SECONDS))
        outcome = RunReader(self.installation.target, run).read().outcome
        if (outcome == "failed") != (job.status == "Failed"):
            found.add("wrong_outcomes", [f"{name} is {job.status}, and `status` says {outcome}"])

    def _promotion(self, moment: Moment, found: Found) -> None:
        before = self.registry.champion()
        package = self.registry.again(before)
        self.registry.decide(package, "Approved")
        time.sleep(moment.seconds)
        self._kill(moment.victim)
        until(lambda: self.registry.agreed() and self._decided(package), 2 * SETTLE_SECONDS, "an agreement")
        champion = self.registry.champion()
        if champion not in (before, package):
            found.add("wrong_outcomes", [f"{champion} serves, and nobody asked for it"])

    def _decided(self, package: str) -> bool:
        """Whether the package serves, or was refused."""
        return self.registry.champion() == package or self.registry.status(package)[0] == "Rejected"

    def _same_story(self, found: Found) -> None:
        registry = self.registry
        champion = registry.champion()
        version = champion.rpartition("/")[2]
        with suppress(NeverHappenedError):  # which version answers instead, the story tells
            until(lambda: self._answer() == version, ANSWER_SECONDS, f"an answer of version {version}")
        story = wrong_champion(champion, registry.status(champion)[0], registry.stack()[1], self._answer())
        found.add("wrong_outcomes", [story])

    def _answer(self) -> str:
        return self.installation.answers(self.picture)

    def _kill(self, victim: str) -> str:
        """Kill the server (and start it again), or a process of a job or an endpoint; which job it was."""
        if victim == "server":
            self.installation.kill_server()
            self.installation.start()
            return ""
        part = {"job": "training-jobs", "endpoint": "endpoints"}[victim]
        pid, base = until(lambda: self._one_of(part), 60, f"a process of the {part}")
        return base.parent.name if kill(pid) and victim == "job" else ""

    def _one_of(self, part: str) -> tuple[int, Path] | None:
        found = self.installation.containers(part)
        return self.chance.choice(found) if found else None

    def _ended(self, name: str) -> Any:
        job = self.searches.job(name)
        return job if job.status in ("Completed", "Failed", "Stopped") else None

    def _not_in(self, dataset: str) -> list[str]:
        """The folder's pictures that are not in the bucket with their bytes."""
        s3, bucket = self.installation.client("s3"), self.installation.outputs["data_bucket"]
        missing = []
        for path in self.digits.rglob("*.png"):
            key = f"{dataset}/{path.relative_to(self.digits).as_posix()}"
            try:
                same = s3.get_object(Bucket=bucket, Key=key)["Body"].read() == path.read_bytes()
            except s3.exceptions.ClientError:
                same = False
            if not same:
                missing.append(key)
        return missing
