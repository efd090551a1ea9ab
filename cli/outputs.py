"""What a user goes on with: URLs, the key, buckets and functions; read from the stacks, kept in `.local`."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from cli.errors import BadArgument
from cli.files import alone, private_folder, replacing
from cli.stacks import outputs
from cli.target import Target

_FUNCTION_OUTPUTS = {
    "launch-tuning": ("training", "LaunchTuningFunction"),
    "launch-training": ("training", "LaunchTrainingFunction"),
    "launch-doctor": ("training", "LaunchDoctorFunction"),
    "launch-batch": ("training", "LaunchBatchFunction"),
    "register-model": ("training", "RegisterModelFunction"),
    "promote-model": ("training", "PromoteModelFunction"),
    "classify": ("api", "ClassifyFunction"),
    "feedback": ("api", "FeedbackFunction"),
}
_AWS_API = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.[^/]+/(?P<rest>.*)")


def read(target: Target) -> dict[str, Any]:
    """The addresses of everything deployed, the API key too. Raises NotDeployed where a stack is missing."""
    storage, training, api = (outputs(target, stack) for stack in ("storage", "training", "api"))
    found = {"storage": storage, "training": training, "api": api}
    key = target.client("apigateway").get_api_key(apiKey=api["ApiKeyId"], includeValue=True)["value"]
    return {
        "endpoint_url": target.endpoint_url if target.is_local else "",
        "credentials": target.root_key if target.is_local else {},
        "api_url": reachable(target, api["ApiUrl"]),
        "api_key": key,
        # Where callers have to sign there is no page: a browser cannot.
        "page_url": reachable(target, api["PageUrl"]) if "PageUrl" in api else "",
        "api_signed": "signature" in api.get("ApiAuth", ""),
        "data_bucket": storage["DataBucket"],
        "artifacts_bucket": storage["ArtifactsBucket"],
        # Settings leave some out, and one that is deployed from an older checkout has none of a newer kind.
        "functions": {
            name: found[stack][output]
            for name, (stack, output) in _FUNCTION_OUTPUTS.items()
            if output in found[stack]
        },
    }


def exports(target: Target) -> list[str]:
    """Lines for a shell in which AWS clients work on the local AWS. Raises BadArgument for an account."""
    if not target.is_local:
        raise BadArgument(
            "--export is for the local AWS: for an account, the AWS CLI has what you configured."
        )
    variables = {
        "AWS_ENDPOINT_URL": target.endpoint_url,
        **target.root_key,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
    }
    return [
        "unset AWS_PROFILE AWS_SESSION_TOKEN",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
    ]


def reachable(target: Target, url: str) -> str:
    """An API Gateway URL as this machine can reach it: no host has the local AWS's API names."""
    match = _AWS_API.fullmatch(url)
    if not target.is_local or match is None:
        return url
    return f"{target.endpoint_url}/_aws/execute-api/{match['api']}/{match['rest']}"


def save(target: Target, news: dict[str, Any]) -> dict[str, Any]:
    """Merges `news` into the outputs file and returns the whole. `seconds` is merged key by key."""
    with alone(private_folder(target.home) / "outputs.turn"):  # what another command saves meanwhile stays
        merged = load(target)
        seconds = {**merged.get("seconds", {}), **news.get("seconds", {})}
        merged |= news
        if seconds:
            merged["seconds"] = seconds
        with replacing(target.outputs_path, private=True) as part:  # it holds the key
            part.write_text(f"{json.dumps(merged, indent=2)}\n")
    return merged


def load(target: Target) -> dict[str, Any]:
    """What the outputs file holds; empty if there is none or it is no JSON object."""
    try:
        saved = json.loads(target.outputs_path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) else {}


def address_lines(outputs: dict[str, Any]) -> list[str]:
    """The addresses to go on with, one per line."""
    rows = [
        ("page", outputs["page_url"] or "none: callers of this API sign their requests"),
        ("URL", outputs["api_url"]),
        ("key", outputs["api_key"]),
        ("data", f"s3://{outputs['data_bucket']}"),
        ("artifacts", f"s3://{outputs['artifacts_bucket']}"),
        *((name, function) for name, function in outputs["functions"].items()),
    ]
    return [f"{title:<16} {value}" for title, value in rows]
