"""One training job from its place on the machine to its artifacts in S3: the story SageMaker tells.

A run waits for a place, lays out a base folder, brings the channels, starts the image with ``train``, reads
its output, syncs checkpoints, and uploads what it left. Whatever touches S3 does so with the job's role.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.core.logs import LogWriter
from local_aws.core.process import ContainerProcess
from local_aws.images.store import Image, below
from local_aws.sagemaker import s3_files
from local_aws.sagemaker.s3_files import FolderSync, S3Uri
from local_aws.sagemaker.training import base_folder, definition, hosts, instances
from local_aws.sagemaker.training.channels import ChannelCache, ChannelError
from local_aws.sagemaker.training.hosts import Containers, Host
from local_aws.sagemaker.training.job_state import JobState
from local_aws.sagemaker.training.machine import Machine, thread_limits
from local_aws.sagemaker.training.metrics import JobMetrics

log = logging.getLogger(__name__)

Document = dict[str, Any]
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
# From StopTrainingJob's documentation: SIGTERM, which delays the end by 120 seconds.
GRACE_SECONDS = 120.0
# How often a running job's metrics are published and its checkpoints uploaded.
TICK_SECONDS = 1.0


class JobError(Exception):
    """The job fails for this reason, worded as its FailureReason."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the status, the secondary status and, of a failure, the reason."""

    status: str
    secondary: str
    reason: str = ""


COMPLETED = Outcome("Completed", "Completed")
STOPPED = Outcome("Stopped", "Stopped")
OUT_OF_TIME = Outcome("Stopped", "MaxRuntimeExceeded")


class TrainingRun:
    """The run of one training job; `run` is the thread's work, the rest may be called from others."""

    def __init__(
        self,
        aws: LocalAws,
        machine: Machine,
        cache: ChannelCache,
        job: Document,
        state: JobState,
        together: int,
    ) -> None:
        self.metrics = JobMetrics(job["AlgorithmSpecification"].get("MetricDefinitions", []))
        self.done = threading.Event()
        self._aws, self._machine, self._cache = aws, machine, cache
        self._job, self._state, self._together = job, state, together
        self._stop = threading.Event()
        self._folder = aws.root / "training-jobs" / job["TrainingJobName"]
        self._hosts = hosts.of(job, self._folder)
        self._checkpoints = [
            _checkpoints(job, host.base) for host in self._hosts if "CheckpointConfig" in job
        ]
        self._listeners: list[Callable[[], object]] = []

    def stop(self) -> None:
        """Ask the run to end; it will be Stopped with what it has so far."""
        self._stop.set()

    def finished(self, listener: Callable[[], object]) -> None:
        """Call ``listener`` when the run is over and its document says so."""
        self._listeners.append(listener)

    def run(self) -> None:
        """Run the job to its end, whatever that is."""
        members: Document = {}
        try:
            outcome = self._in_its_turn(members)
        except JobError as error:
            outcome = Outcome("Failed", "Failed", str(error))
        except Exception as error:
            log.exception("training job %s", self._state.name)
            outcome = Outcome("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        if process.ending():
            return  # the next start of the server reports the job as failed
        shutil.rmtree(self._folder, ignore_errors=True)
        final = self.metrics.final()
        if final:
            members["FinalMetricDataList"] = final
        self._state.end(outcome.status, outcome.secondary, outcome.reason, **members)
        self.done.set()
        for listener in self._listeners:
            listener()

    def _in_its_turn(self, members: Document) -> Outcome:
        if not self._machine.enter(self, self._stop.is_set, self._pending):
            return STOPPED
        try:
            return self._run(members)
        finally:
            self._machine.leave(self)

    def _pending(self, before: int) -> None:
        others = "1 job" if before == 1 else f"{before} jobs"
        self._state.progress("Pending", f"Waiting for a free place on this machine: {others} before it")

    def _run(self, members: Document) -> Outcome:
        if not instances.has(self._job["ResourceConfig"]["InstanceType"]):
            raise JobError(instances.REASON)
        self._state.progress("Starting", "Preparing the instances for training")
        image = self._image()
        shutil.rmtree(self._folder, ignore_errors=True)
        for host in self._hosts:
            base_folder.lay_out(host.base, self._job, host.name, [each.name for each in self._hosts])
        self._state.progress("Downloading", "Downloading input data", TrainingStartTime=self._aws.now())
        self._download()
        if self._stop.is_set():
            return STOPPED
        message = "Training image download completed. Training in progress."
        self._state.progress("Training", message)
        outcome, exit_code = self._train(image)
        self._state.progress("Uploading", "Uploading generated training model")
        self._upload(outcome, exit_code, members)
        return outcome

    def _image(self) -> Image:
        try:
            return self._aws.images.resolve(self._job["AlgorithmSpecification"]["TrainingImage"])
        except AwsError as error:
            raise JobError(f"ClientError: {error.message}") from error

    def _download(self) -> None:
        s3 = self._s3()
        try:
            for host, channel in itertools.product(self._hosts, self._channels):
                folder = host.base / "input/data" / channel["ChannelName"]
                self._cache.fill(s3, channel, folder, self._stop.is_set)
            for checkpoints in self._checkpoints:
                checkpoints.folder.mkdir(parents=True, exist_ok=True)
                checkpoints.download(s3)
        except (ChannelError, ClientError, BotoCoreError) as error:
            raise JobError(f"ClientError: Data download failed: {error}") from error

    def _train(self, image: Image) -> tuple[Outcome, int]:
        shared, now = hosts.rendezvous(self._hosts), int(time.time())
        with ExitStack() as stack:
            streams = [f"{self._state.name}/{host.log_name}-{now}" for host in self._hosts]
            writers = [stack.enter_context(closing(self._aws.log(LOG_GROUP, stream))) for stream in streams]
            containers = Containers()
            stack.callback(containers.kill)  # before the logs are closed
            for host, writer in zip(self._hosts, writers, strict=True):
                containers.add(self._start(image, host, shared, partial(self._read, writer)))
            outcome = self._watch(containers)
        code = containers.exit_code or 0
        return outcome or self._judge(code), code

    def _read(self, writer: LogWriter, line: str) -> None:
        """Every line of the container goes to the log and to the metrics."""
        writer.write(line)
        self.metrics.read(line)

    def _start(
        self, image: Image, host: Host, shared: dict[str, str], output: process.LineWriter
    ) -> ContainerProcess:
        algorithm = self._job["AlgorithmSpecification"]
        entrypoint = algorithm.get("ContainerEntrypoint")
        default = [] if entrypoint else ["train"]
        try:
            return process.start(
                image,
                algorithm.get("ContainerArguments", default),
                {**shared, **self._environment()},
                host.base,
                output,
                entrypoint=entrypoint and [below(word, image.root) for word in entrypoint],
            )
        except OSError as error:
            raise JobError(f"ClientError: the container of {image.uri} cannot be started: {error}") from error

    def _environment(self) -> dict[str, str]:
        variables = {
            "TRAINING_JOB_NAME": self._state.name,
            "TRAINING_JOB_ARN": self._job["TrainingJobArn"],
            "AWS_REGION": self._aws.region,
            **thread_limits(max(1, self._machine.share(self._together) // len(self._hosts))),
            **self._job.get("Environment", {}),
        }
        if self._job["EnableNetworkIsolation"]:
            return variables  # the container can call nobody, so it gets no credentials either
        return {**self._aws.credentials(self._job["RoleArn"], session=self._session), **variables}

    def _watch(self, container: Containers) -> Outcome | None:
        """Accompany the processes to their end; how they were stopped, or None if they ended alone."""
        cloudwatch = self._aws.client("cloudwatch")
        deadline = time.monotonic() + definition.max_runtime(self._job)
        stopped: Outcome | None = None
        while container.wait(TICK_SECONDS) is None:
            self._publish(cloudwatch)
            if stopped is None and (self._stop.is_set() or time.monotonic() >= deadline):
                stopped = STOPPED if self._stop.is_set() else OUT_OF_TIME
                if stopped is OUT_OF_TIME:
                    self._state.stopping("Training job runtime exceeded MaxRuntimeInSeconds provided")
                # In a thread, so that a job which saves itself in its grace is still accompanied.
                threading.Thread(target=container.terminate, args=(GRACE_SECONDS,), daemon=True).start()
        self._publish(cloudwatch)
        return stopped

    def _publish(self, cloudwatch: Any) -> None:
        """Neither lost metrics nor a checkpoint that could not be uploaded break a job."""
        try:
            self.metrics.publish(cloudwatch, self._state.name)
            for checkpoints in self._checkpoints:
                checkpoints.upload(self._s3)
        except (ClientError, BotoCoreError, Boto3Error, AwsError, OSError) as error:
            log.warning("training job %s: %s", self._state.name, error)

    def _judge(self, code: int) -> Outcome:
        if code == 0:
            return COMPLETED
        failures = [host.base / "output" / "failure" for host in self._hosts]
        text = next((path.read_text(errors="replace").strip() for path in failures if path.is_file()), "")
        ending = f", exit code: {code}"
        room = 1024 - len("AlgorithmError: ") - len(ending)
        return Outcome("Failed", "Failed", f"AlgorithmError: {text[:room]}{ending}")

    def _upload(self, outcome: Outcome, exit_code: int, members: Document) -> None:
        """The model of a job that did not fail, and the output data of every job."""
        config = self._job["OutputDataConfig"]
        target = S3Uri.parse(config["S3OutputPath"]) / self._state.name / "output"
        extra = s3_files.encryption(config.get("KmsKeyId"))
        whole = config.get("CompressionType") != "NONE"
        send = s3_files.upload_archive if whole else s3_files.upload_folder
        ending = ".tar.gz" if whole else "/"
        try:
            s3 = self._s3()
            if outcome.status != "Failed":
                send(s3, hosts.gather(self._hosts, "model"), target / f"model{ending}", extra)
                members["ModelArtifacts"] = {"S3ModelArtifacts": str(target / f"model{ending}")}
            data = hosts.gather(self._hosts, "output/data")
            if any(data.iterdir()):
                send(s3, data, target / f"output{ending}", extra)
        except (ClientError, BotoCoreError, Boto3Error, AwsError) as error:
            if exit_code == 0:
                raise JobError(f"ClientError: Artifact upload failed: {error}") from error
            log.warning("training job %s: artifacts were not uploaded: %s", self._state.name, error)

    def _s3(self) -> Any:
        return self._aws.client("s3", self._job["RoleArn"], session=self._session)

    @property
    def _channels(self) -> list[Document]:
        return list(self._job.get("InputDataConfig", []))

    @property
    def _session(self) -> str:
        return self._state.name[:64]  # AssumeRole's longest RoleSessionName


def _checkpoints(job: Document, base: Path) -> FolderSync:
    config = job["CheckpointConfig"]
    return FolderSync(base / definition.checkpoint_folder(config), S3Uri.parse(config["S3Uri"]))
