"""CodeBuild's builds at a time: the images are built when the training stack is deployed."""

from __future__ import annotations

from collections.abc import Iterator

from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.quotas import Quotas

# https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-compute-types.html
_ENVIRONMENTS = {
    "BUILD_GENERAL1_SMALL": "Linux/Small",
    "BUILD_GENERAL1_MEDIUM": "Linux/Medium",
    "BUILD_GENERAL1_LARGE": "Linux/Large",
    "BUILD_GENERAL1_XLARGE": "Linux/XLarge",
    "BUILD_GENERAL1_2XLARGE": "Linux/2XLarge",
}


def check(look: Look) -> Iterator[Line]:
    together = look.wanted.templates.builds_together
    if not together:
        yield Line(Code.BUILDS, Status.OK, "no image is built: the settings name images")
        return
    quotas = Quotas.read(look.target, look.who, "codebuild")
    for compute in sorted(look.wanted.templates.compute_types):
        name = f"Concurrently running builds for {_ENVIRONMENTS.get(compute, compute)} environment"
        quota = quotas.get(name)
        if quota is None:
            yield Line(Code.BUILDS, Status.UNKNOWN, f'"{name}"', "AWS lists no quota of that name")
        elif quota.value < together:
            why = (
                f"{together} images are built at a time; CodeBuild refuses the rest and the stack rolls back"
            )
            yield Line(Code.BUILDS, Status.WRONG, quota.shown, why, quotas.more(quota, together))
        else:
            yield Line(Code.BUILDS, Status.OK, f"{quota.shown}; {together} at a time are built")
