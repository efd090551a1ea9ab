"""Errors from below (botocore, the operating system) as a sentence for the user."""

from __future__ import annotations

import errno

from cli.choice import command
from cli.target import Target


def explain(error: BaseException, target: Target | None) -> str | None:
    """The plain sentence for an error from botocore or the operating system, or None if it is not known."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" ({error.filename})" if error.filename else ""
        return f"No disk space is left{where}. Free some and run the command again."
    if isinstance(error, PermissionError):
        return f"Permission denied: {error.filename}. Make it readable and writable for you and run again."
    if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
        return None
    return _explain_botocore(error, target)


def _explain_botocore(error: BaseException, target: Target | None) -> str:
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _explain_client_error(error, target)
    connection = (
        exceptions.EndpointConnectionError,
        exceptions.ConnectionClosedError,
        exceptions.HTTPClientError,
    )
    if isinstance(error, connection):
        if target is not None and target.is_local:
            return (
                f"The local AWS does not answer at {target.endpoint_url}. Run `make up` (or "
                f"`{target.command('up')}`)."
            )
        return f"AWS did not answer: {error}. Check the network and run again."
    credentials = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
    )
    if isinstance(error, credentials):
        return (
            f"No usable AWS credentials: {error}. Run `aws configure` or `aws sso login`, or set AWS_PROFILE."
        )
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. Give --profile, or set AWS_PROFILE, as ~/.aws/config has it."
    return f"AWS: {error}"


def _explain_client_error(error: BaseException, target: Target | None) -> str:
    response = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code", "")
    message = response.get("Error", {}).get("Message", "") or str(error)
    if code in (
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    ):
        if target is not None and target.is_local:
            return (
                f"At {target.endpoint_url} is not the local AWS of {target.home}: it refused its "
                "key. Set CLASSIFIER_PORT to the port yours has, or choose another port and run `make up`."
            )
        return f"AWS refused the credentials ({code}). Run `aws sso login` or `aws configure` and try again."
    if _no_such_stack(code, message):
        return f"{message}. Deploy first: `{_command('up', target)}`."
    if code == "NoSuchBucket":
        return bucket_gone(response["Error"].get("BucketName", ""), target)
    return f"{getattr(error, 'operation_name', 'AWS')}: {message} ({code})"


def _no_such_stack(code: str, message: str) -> bool:
    """CloudFormation has one code for every request it refuses, so a missing stack is told by its words only:
    "Stack with id … does not exist".

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """
    return code == "ValidationError" and "Stack" in message and "does not exist" in message


def bucket_gone(name: str, target: Target | None) -> str:
    """What to do when a bucket was deleted past its stack, which CloudFormation does not notice."""
    make = f"aws s3 mb s3://{name or 'NAME'}"
    return (
        f"The bucket {name or 'of a stack'} does not exist any more: somebody deleted it past its stack. To "
        f"keep the rest, make one of the same name ({make}) and upload again; its policies come back only "
        f"with `{_command('destroy', target)}` and `{_command('up', target)}`."
    )


def _command(words: str, target: Target | None) -> str:
    return command(words, target.option if target else "")
