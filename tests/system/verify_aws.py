"""`make verify-aws`: the system tests against the AWS account of the present credentials.

Says what it will make and cost, asks, runs the tests marked `aws`, and removes everything again, also after a
failure or Ctrl-C.
"""

from __future__ import annotations

import os
import subprocess
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# Estimates, not quotes: EC2's on-demand list price of us-east-1 for c7i.2xlarge and c7i.large plus the fifth
# that SageMaker adds, and a quarter of an hour of CodeBuild for each image. Elsewhere: up to a third more.
TRAINING_USD_PER_HOUR = 0.43
ENDPOINT_USD_PER_HOUR = 0.11
BUILDS_USD = 0.30
JOBS = 5
EXPECTED_USD = JOBS * TRAINING_USD_PER_HOUR / 6 + ENDPOINT_USD_PER_HOUR + BUILDS_USD
MOST_USD = JOBS * TRAINING_USD_PER_HOUR * 2 + 2 * ENDPOINT_USD_PER_HOUR + BUILDS_USD

COST = f"""\
This deploys the five classifier stacks to account {{account}} in {{region}}, builds two container images,
runs a tuning job of four trials and one final training, serves one endpoint for about half an hour, and
then removes everything. It takes about an hour, and AWS bills it to that account: we estimate
{EXPECTED_USD:.2f} US dollars, and {MOST_USD:.2f} if every job ran into its two-hour limit.
"""


def main() -> int:
    session = boto3.Session()
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        print(
            f"verify-aws: no usable AWS credentials ({error}). Log in first, e.g. `aws sso login`.",
            file=sys.stderr,
        )
        return 1
    print(COST.format(account=account, region=session.region_name))
    if input("Go on? Type yes: ").strip() != "yes":
        print("Nothing was started.")
        return 1
    environment = {**os.environ, "CLASSIFIER_TARGET": "aws"}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "aws", "--timeout", "5400", "tests/system"]
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        destroy = [sys.executable, "-m", "cli", "--target", "aws", "destroy", "--yes"]
        subprocess.run(destroy, env=environment, check=False)


if __name__ == "__main__":
    sys.exit(main())
