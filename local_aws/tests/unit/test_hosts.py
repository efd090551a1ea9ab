"""A training job of several instances: one process each, which find one another, and end together."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core import process
from local_aws.core.errors import AwsError
from unit.jobs_side import JobsSide, make_jobs_side

TWO = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}}

# Both meet at the first host's port, as torch's rendezvous does; the first says what the second sent.
MEET = """
import json, os, pathlib, socket, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
config = json.loads((base / "input/config/resourceconfig.json").read_text())
hosts, me, port = config["hosts"], config["current_host"], int(os.environ["MASTER_PORT"])
rank = hosts.index(me)
(base / "model" / f"rank{rank}").write_text(me)
(base / "model" / "shared").write_text(str(rank))
if rank == 0:
    with socket.create_server((hosts[0], port)) as server:
        server.settimeout(120)
        peer, _ = server.accept()
        print("score=0.5", json.dumps([hosts, peer.recv(100).decode()]))
else:
    for _ in range(1200):
        try:
            with socket.create_connection((hosts[0], port)) as peer:
                peer.sendall(me.encode())
            break
        except OSError:
            time.sleep(0.1)
"""

FAIL = """
import json, os, pathlib, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
config = json.loads((base / "input/config/resourceconfig.json").read_text())
if config["current_host"] != config["hosts"][0]:
    (base / "output" / "failure").write_text("the second host broke")
    sys.exit(7)
time.sleep(600)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobsSide]:
    yield make_jobs_side(tmp_path)
    process.begin(tmp_path / "state" / "processes")  # ends what still runs


def run(jobs: JobsSide, program: str, **members: Any) -> dict[str, Any]:
    jobs.images.programs["program"] = program
    return jobs.trained("two", **TWO, **members)


def test_two_hosts_meet_and_leave_one_model_together(jobs: JobsSide) -> None:
    assert run(jobs, MEET)["TrainingJobStatus"] == "Completed"
    said = next(line for line in jobs.heard.log if line.startswith("score="))
    hosts, heard = json.loads(said.removeprefix("score=0.5 "))
    assert hosts == ["127.0.0.1", "127.0.0.2"]
    assert heard == "127.0.0.2"
    archive = jobs.s3.get("s3://artifacts/jobs/two/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert set(tar.getnames()) == {"rank0", "rank1", "shared"}
        shared = tar.extractfile("shared")
        assert shared is not None
        assert shared.read() == b"0"  # the first host's wins


def test_each_host_has_a_log_stream_of_its_own(jobs: JobsSide) -> None:
    run(jobs, MEET)
    streams = [line for line in jobs.heard.log if line.startswith("/aws/sagemaker/TrainingJobs")]
    assert streams == [f"/aws/sagemaker/TrainingJobs two/algo-{number}" for number in (1, 2)]


def test_a_host_that_fails_ends_the_others_and_its_reason_is_the_jobs(jobs: JobsSide) -> None:
    job = run(jobs, FAIL)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: the second host broke, exit code: 7"


def test_more_hosts_than_this_machine_should_run_are_refused(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = MEET
    many = {**TWO["ResourceConfig"], "InstanceCount": 9}
    with pytest.raises(AwsError, match="Set InstanceCount to 8 at most"):
        jobs.trained("two", ResourceConfig=many)
