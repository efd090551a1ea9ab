"""The one build specification that is carried out here: deploy-time-build's, which makes an image.

On AWS its commands unpack the asset, run `docker buildx build` and push the image; here the image store
builds the same folder by the same command line, reading the asset with the project's role. Source:
deploy-time-build `container-image-build.ts`.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.core.archives import UnsafeArchiveError, unpack_zip
from local_aws.core.context import LocalAws
from local_aws.images.store import DOCKER_MANIFEST, Image

SERVICE, SESSION = "codebuild.amazonaws.com", "AWSCodeBuild"


class BuildCommandError(ValueError):
    """The docker command of an image build holds something the local AWS cannot do."""


OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
# Flags with a value which change how an image is made or stored, but not what is in it.
_IGNORED = ("--platform", "--cache-from", "--cache-to", "--network", "--secret", "--ssh", "--progress")


@dataclass
class BuildCommand:
    """What a `docker buildx build` line asks for."""

    dockerfile: str = "Dockerfile"
    target: str = ""
    build_args: dict[str, str] = field(default_factory=dict)
    folder: str = "."
    output: str = ""
    provenance: bool = True

    @property
    def media_type(self) -> str:
        """Of the manifest that is pushed: buildx makes OCI's, and with provenance an index around it.

        https://docs.docker.com/build/exporters/image-registry/
        https://docs.docker.com/build/metadata/attestations/
        """
        if "type=docker" in self.output.split(","):
            return DOCKER_MANIFEST
        return OCI_INDEX if self.provenance else OCI_MANIFEST


@dataclass(frozen=True)
class ImageBuild:
    """What deploy-time-build's project is told by a build's environment variables."""

    role: str
    """The project's, with which its commands act."""
    command: str
    source: str
    repository: str
    tag: str

    def run(self, aws: LocalAws) -> None:
        """Build the image and push it. Raises BuildCommandError for what the local AWS cannot do."""
        command = parse_build_command(self.command)
        with tempfile.TemporaryDirectory(dir=aws.root) as folder:
            asset = Path(folder) / "asset"
            _unpack(aws.client("s3", self.role, SESSION, SERVICE), self.source, asset)
            image = aws.images.build(
                asset / command.folder,
                command.dockerfile,
                f"{self.repository}:{self.tag}",
                command.build_args,
                command.target,
                command.media_type,
            )
        _push(aws.client("ecr", self.role, SESSION, SERVICE), self.repository, self.tag, image)


def parse_build_command(command: str) -> BuildCommand:
    """Read a `docker buildx build` line. Raises BuildCommandError for a flag that would change the image."""
    words = shlex.split(command)
    if words[:3] != ["docker", "buildx", "build"]:
        raise BuildCommandError(f"not a docker build: {command}")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--file", "--output", "--target", "--provenance", *_IGNORED):
        parser.add_argument(flag, default="")
    for flag in ("--no-cache", "--pull"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--build-arg", action="append", default=[])
    options, rest = parser.parse_known_args(words[3:])
    unknown = next((word for word in rest if word.startswith("-")), None)
    if unknown is not None:
        flag = unknown.partition("=")[0]
        raise BuildCommandError(f"the docker flag {flag} is not supported by the local AWS: {command}")
    pairs = (pair.partition("=") for pair in options.build_arg)
    return BuildCommand(
        dockerfile=options.file or BuildCommand.dockerfile,
        target=options.target,
        build_args={name: value for name, _, value in pairs},
        folder=rest[-1] if rest else BuildCommand.folder,
        output=options.output,
        provenance=options.provenance != "false",
    )


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
