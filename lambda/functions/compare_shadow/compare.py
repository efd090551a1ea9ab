"""Compare the candidate with the champion, and ask promote-model for one of two things when that is over.

It is over when as many requests were answered by both as the settings ask for, or their hours have passed.
Then the candidate is trusted if it agrees often enough, is not much slower and does not fail more often. If
not, or with too few requests, a person decides. The numbers go into the training's verdict, and with the
decision to where people look for it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contract import names, objects, storage
from contract.candidates import VERDICT_KEY, Candidate
from contract.environment import ShadowEnvironment
from functions.common import asking, candidate, champion, logs
from functions.common.clients import client, describe
from functions.compare_shadow import answers, traffic
from functions.compare_shadow.answers import Agreement
from functions.compare_shadow.traffic import Traffic

MAX_VERDICT_BYTES = 1024 * 1024
MORE_ERRORS = 0.01
"""So much greater a share of errors than the champion's is not held against a candidate."""


@dataclass(frozen=True)
class Comparison:
    """What was measured of both."""

    agreement: Agreement
    champion: Traffic
    candidate: Traffic

    def in_words(self) -> str:
        """In words an approval description takes."""
        ours, theirs = self.candidate, self.champion
        return (
            f"{self.agreement.agreed} of {self.agreement.compared} answers as the champion's; "
            f"{ours.latency_ms:.1f} ms against {theirs.latency_ms:.1f} ms; "
            f"{ours.errors} errors of {ours.requests} against {theirs.errors} of {theirs.requests}"
        )


def compare(env: ShadowEnvironment) -> dict[str, Any]:
    """Look once; returns what was seen, and what promote-model answered when it was asked."""
    now, time = candidate.current(env.candidate_parameter), datetime.now(UTC)
    if not now.shadows:
        return _saw("no model is compared")
    decision = champion.current(env.champion_parameter)
    start = datetime.fromisoformat(now.written)
    found = measure(now, decision.model, start, time, env)
    over = time - start >= timedelta(hours=env.hours)
    if found.agreement.compared < env.requests and not over:
        return _saw(f"{found.agreement.compared} of {env.requests} requests answered by both")
    against = why_not(found, env)
    why = "; ".join([*against, found.in_words()])
    _note(now, decision.model, found, against, env)
    action = "distrust" if against else "trust"
    reply = asking.ask(env.promote_function, {"action": action, "model": now.package, "why": why})
    logs.info("compared", action=action, why=why, candidate=now.package, answer=reply)
    return {"asked": action, "why": why, "answer": reply}


def measure(
    now: Candidate, serving: str, start: datetime, end: datetime, env: ShadowEnvironment
) -> Comparison:
    """Agreement of candidate and champion, and the traffic of both variants."""
    theirs, ours = (
        answers.classes(env.artifacts_bucket, folder, names.version_of(package), start, end)
        for folder, package in ((env.capture_folder, serving), (env.shadow_folder, now.package))
    )
    seen, shadow = (
        traffic.of_variant(env.endpoint_name, folder.rpartition("/")[2], start, end)
        for folder in (env.capture_folder, env.shadow_folder)
    )
    return Comparison(answers.side_by_side(theirs, ours), seen, shadow)


def why_not(found: Comparison, env: ShadowEnvironment) -> list[str]:
    """What speaks against the candidate; nothing if it may take the champion's place."""
    against = []
    if found.agreement.compared < env.requests:
        against.append(f"only {found.agreement.compared} of {env.requests} requests were answered by both")
    elif found.agreement.share < env.min_agreement:
        against.append(f"it agrees in {found.agreement.share:.3f} where {env.min_agreement:g} are asked for")
    most = found.champion.latency_ms * env.max_latency_percent / 100
    if found.champion.latency_ms and found.candidate.latency_ms > most:
        against.append(f"it is slower than {env.max_latency_percent} percent of the champion")
    if found.candidate.error_share > found.champion.error_share + MORE_ERRORS:
        against.append("it fails more often than the champion")
    return against


def _note(
    now: Candidate, serving: str, found: Comparison, against: list[str], env: ShadowEnvironment
) -> None:
    """Put the numbers beside the quality gate's, in the verdict of the training that made the candidate."""
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=now.package) or {}
    job = package.get("CustomerMetadataProperties", {}).get("training_job", "")
    if not job:  # somebody else made it
        return
    key = storage.of_run(job, storage.VERDICT)
    raw = objects.read(client("s3"), env.artifacts_bucket, key, MAX_VERDICT_BYTES)
    verdict = json.loads(raw) if raw else {}
    verdict[VERDICT_KEY] = {
        "champion": names.version_of(serving),
        "trusted": not against,
        "against": against,
        "compared": found.agreement.compared,
        "agreed": found.agreement.agreed,
        "champion_traffic": asdict(found.champion),
        "candidate_traffic": asdict(found.candidate),
        "since": now.written,
    }
    client("s3").put_object(
        Bucket=env.artifacts_bucket,
        Key=key,
        Body=json.dumps(verdict, indent=1).encode(),
        ContentType="application/json",
    )


def _saw(what: str) -> dict[str, Any]:
    logs.info("looked", saw=what)
    return {"saw": what}
