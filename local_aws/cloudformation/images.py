"""Custom::CDKContainerImageBuild (package deploy-time-build) and the images of AWS::ECR::Repository.

On AWS a Lambda starts a CodeBuild project which unpacks the asset, runs `docker buildx build` and pushes
the image; here the image store builds the same folder by the same command line, reading the asset with the
project's role. Source: deploy-time-build `container-image-build.ts` and
`lambda/trigger-codebuild/index.ts`.
"""

from __future__ import annotations

import io
import json
import secrets
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.cloudformation.stack import SESSION, Properties, Provisioned, Register, Stack
from local_aws.core.archives import UnsafeArchiveError, unpack_zip
from local_aws.core.context import LocalAws
from local_aws.images import DOCKER_MANIFEST, Image


class BuildCommandError(ValueError):
    """The docker command of an image build holds something the local AWS cannot do."""


@dataclass
class BuildCommand:
    """What a `docker buildx build` line asks for."""

    dockerfile: str = "Dockerfile"
    target: str = ""
    build_args: dict[str, str] = field(default_factory=dict)
    folder: str = "."
    output: str = ""
    provenance: bool = True

    def take(self, flag: str, value: str) -> None:
        """Note a flag that has a value; those that change nothing here are forgotten."""
        if flag == "--build-arg":
            name, _, content = value.partition("=")
            self.build_args[name] = content
        elif flag in _NOTED:
            setattr(self, _NOTED[flag], value)

    @property
    def media_type(self) -> str:
        """Of the manifest that is pushed: buildx makes OCI's, and with provenance an index around it.

        https://docs.docker.com/build/exporters/image-registry/
        https://docs.docker.com/build/metadata/attestations/
        """
        if "type=docker" in self.output.split(","):
            return DOCKER_MANIFEST
        return OCI_INDEX if self.provenance else OCI_MANIFEST


OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
# Flags with a value which change how an image is made or stored, but not what is in it.
_IGNORED = {
    "--platform",
    "--cache-from",
    "--cache-to",
    "--network",
    "--secret",
    "--ssh",
    "--progress",
}


_NOTED = {"--file": "dockerfile", "--output": "output", "--target": "target"}
_TAKES_VALUE = {"--build-arg", *_NOTED, *_IGNORED}


def install(aws: LocalAws, stack: Stack, register: Register) -> None:
    """Register the custom resource."""

    def build(properties: Properties) -> Provisioned:
        if properties.get("type") != "ContainerImageBuild":
            raise BuildCommandError(
                f"deploy-time-build type {properties.get('type')!r} is not supported here"
            )
        tag = properties.get("imageTag") or f"{properties.get('tagPrefix') or ''}{secrets.token_hex(16)}"
        repository = properties["repositoryUri"]
        role = _project_role(aws, properties["codeBuildProjectName"])
        command = parse_build_command(properties["buildCommand"])
        with tempfile.TemporaryDirectory(dir=aws.root) as folder:
            asset = Path(folder) / "asset"
            _unpack(aws.client("s3", role, SESSION, _CODEBUILD), properties["sourceS3Url"], asset)
            source = asset / command.folder
            image = aws.images.build(
                source,
                command.dockerfile,
                f"{repository}:{tag}",
                command.build_args,
                command.target,
                command.media_type,
            )
        _push(aws.client("ecr", role, SESSION, _CODEBUILD), repository, tag, image)
        return tag, {"ImageTag": tag}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return build(properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        return build(new)

    def delete(physical_id: str, properties: Properties) -> None:
        """Nothing, as there: the images go with their repository."""

    register("Custom::CDKContainerImageBuild", {"create": create, "update": update, "delete": delete})


_CODEBUILD = "codebuild.amazonaws.com"


def parse_build_command(command: str) -> BuildCommand:
    """Read a `docker buildx build` line. Raises BuildCommandError for a flag that would change the image."""
    words = shlex.split(command)
    if words[:3] != ["docker", "buildx", "build"]:
        raise BuildCommandError(f"not a docker build: {command}")
    found = BuildCommand()
    rest = iter(words[3:])
    for word in rest:
        flag, equals, value = word.partition("=")
        if not flag.startswith("-"):
            found.folder = word
        elif flag == "--provenance":
            found.provenance = value != "false"
        elif flag in ("--no-cache", "--pull"):
            continue
        elif flag in _TAKES_VALUE:
            found.take(flag, value if equals else next(rest, ""))
        else:
            raise BuildCommandError(f"the docker flag {flag} is not supported by the local AWS: {command}")
    return found


def _project_role(aws: LocalAws, project: str) -> str:
    found = aws.client("codebuild").batch_get_projects(names=[project])["projects"]
    if not found:
        raise BuildCommandError(f"the CodeBuild project {project} does not exist")
    return str(found[0]["serviceRole"])


def _unpack(s3: Any, url: str, folder: Path) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        unpack_zip(io.BytesIO(body), folder)
    except UnsafeArchiveError as error:
        raise BuildCommandError(f"{url} cannot be unpacked: {error}") from None


def _push(ecr: Any, repository_uri: str, tag: str, image: Image) -> None:
    """Put the image into ECR's list; its manifest says where it really is."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": image.media_type,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 0,
            "digest": f"sha256:{image.digest}",
        },
        "layers": [],
    }
    ecr.put_image(
        repositoryName=repository_uri.partition("/")[2],
        imageManifest=json.dumps(manifest),
        imageManifestMediaType=manifest["mediaType"],
        imageTag=tag,
    )
