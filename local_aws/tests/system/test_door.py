"""Nobody but who holds a key does anything here: the real server, asked over raw HTTP and by boto3."""

from __future__ import annotations

import hashlib
import http.client
import json
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.testing.local_server import ACCOUNT, LocalServer
from system.test_server import LAMBDA_TRUST, invoke, make_function, trusting

EVIL = "https://evil.example"
STATEMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    made = LocalServer(tmp_path_factory.mktemp("door") / "state").start()
    made.client("s3").create_bucket(Bucket="shelf")
    made.client("s3").put_object(Bucket="shelf", Key="book", Body=b"text")
    yield made
    made.end()


def ask(
    server: LocalServer, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str, dict[str, str]]:
    """Plain HTTP, as anything on this machine can speak it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    said = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, said, {name.lower(): value for name, value in answer.getheaders()}


def refused(server: LocalServer, service: str, operation: str, keys: dict[str, str], **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        getattr(server.client(service, keys), operation)(**request)
    return str(error.value.response["Error"]["Code"])


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("sts", "get_caller_identity", {}),
    ("s3", "list_buckets", {}),
    ("s3", "put_object", {"Bucket": "shelf", "Key": "x", "Body": b"x"}),
    ("iam", "list_users", {}),
    ("lambda", "list_functions", {}),
    ("ssm", "describe_parameters", {}),
    ("cloudformation", "list_stacks", {}),
    ("cloudwatch", "list_metrics", {}),
    ("sagemaker", "list_models", {}),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "x", "Body": b"x"}),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
]


@pytest.mark.parametrize(("service", "operation", "request_"), CALLS)
def test_a_wrong_secret_is_refused_by_every_service_in_its_own_words(
    server: LocalServer, service: str, operation: str, request_: dict[str, Any]
) -> None:
    forged = {**server.root_key, "SecretAccessKey": "another"}
    code = refused(server, service, operation, forged, **request_)
    assert code in ("SignatureDoesNotMatch", "InvalidSignatureException")


@pytest.mark.parametrize("key", ["test", ACCOUNT, "123456789012", "AKIAIOSFODNN7EXAMPLE"])
@pytest.mark.parametrize(("service", "operation", "request_"), CALLS[:4])
def test_a_key_that_was_never_made_is_nobody_s(
    server: LocalServer, key: str, service: str, operation: str, request_: dict[str, Any]
) -> None:
    code = refused(server, service, operation, {"AccessKeyId": key, "SecretAccessKey": "test"}, **request_)
    assert code in ("InvalidClientTokenId", "InvalidAccessKeyId")


def test_a_key_that_was_taken_back_is_refused(server: LocalServer) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="left")
    key = iam.create_access_key(UserName="left")["AccessKey"]
    server.client("sts", key).get_caller_identity()
    iam.update_access_key(UserName="left", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(server, "sts", "get_caller_identity", key) == "InvalidClientTokenId"


def test_the_credentials_of_a_function_cannot_be_worked_out_from_its_name(server: LocalServer) -> None:
    arn = make_function(server, "guessed", "def handler(event, context):\n    return 'ran'\n")
    assert invoke(server, "guessed") == "ran"
    role = f"arn:aws:iam::{ACCOUNT}:role/guessed-role"
    digest = hashlib.sha256(f"{arn}:{role}".encode()).hexdigest()
    keys = {
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "SessionToken": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    assert refused(server, "sts", "get_caller_identity", keys) == "InvalidClientTokenId"


def test_a_function_works_with_its_role(server: LocalServer) -> None:
    source = (
        "import boto3\ndef handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Arn']\n"
    )
    make_function(server, "named", source)
    assert invoke(server, "named") == f"arn:aws:sts::{ACCOUNT}:assumed-role/named-role/named"


UNSIGNED_REQUESTS = [
    *(
        ("GET", path)
        for path in ("/", "/shelf", "/shelf/book", "/shelf?list-type=2", "/2015-03-31/functions/")
    ),
    *((method, "/shelf/new") for method in ("PUT", "POST", "DELETE", "HEAD", "OPTIONS")),
    *(("POST", path) for path in ("/?Action=ListUsers", "/_aws/execute-api/shelf", "/shelf?delete")),
    ("PUT", "/bucket"),
]


@pytest.mark.parametrize(("method", "path"), UNSIGNED_REQUESTS)
def test_an_unsigned_request_does_nothing(server: LocalServer, method: str, path: str) -> None:
    assert ask(server, method, path)[0] == 403
    s3 = server.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["shelf"]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="shelf")["Contents"]] == ["book"]


def test_an_unsigned_client_hears_what_it_would_from_aws(server: LocalServer) -> None:
    def unsigned(service: str) -> Any:
        nothing = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=server.url, region_name="us-east-1", config=nothing)

    with pytest.raises(ClientError, match="AccessDenied"):
        unsigned("s3").get_object(Bucket="shelf", Key="book")
    sts = unsigned("sts")
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any"}
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        sts.get_caller_identity()
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        sts.assume_role_with_web_identity(**asked, RoleSessionName="xx", WebIdentityToken="x" * 10)
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        sts.assume_role_with_saml(
            **asked, PrincipalArn=f"arn:aws:iam::{ACCOUNT}:saml-provider/x", SAMLAssertion="x" * 10
        )


@pytest.mark.parametrize("query", ["", "?init=1"])
def test_reset_is_closed(server: LocalServer, query: str) -> None:
    for headers in ({}, {"Origin": EVIL}, {"Content-Type": "text/plain"}):
        assert ask(server, "POST", f"/_ministack/reset{query}", headers)[0] == 403
    assert server.client("s3").get_object(Bucket="shelf", Key="book")["Body"].read() == b"text"


def test_health_is_for_programs_of_this_machine(server: LocalServer) -> None:
    status, _, told = ask(server, "GET", "/_ministack/health")
    assert (status, [name for name in told if name.startswith("access-control")]) == (200, [])
    for headers in ({"Host": "evil.example"}, {"Origin": EVIL}, {"Sec-Fetch-Site": "same-site"}):
        assert ask(server, "GET", "/_ministack/health", headers)[0] == 403


def test_a_web_socket_is_refused(server: LocalServer) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for path in ("/", "/_aws/execute-api/abc/live"):
        assert ask(server, "GET", path, upgrade)[0] == 403


def test_a_preflight_is_given_no_leave(server: LocalServer) -> None:
    preflight = {"Origin": EVIL, "Access-Control-Request-Method": "PUT"}
    for path in ("/", "/shelf/book", "/2015-03-31/functions", "/_aws/execute-api/abc/live/"):
        assert "access-control-allow-origin" not in ask(server, "OPTIONS", path, preflight)[2]


def test_a_link_is_good_for_what_it_was_signed_for(server: LocalServer) -> None:
    key = server.root_key
    signer = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    book = {"Bucket": "shelf", "Key": "book"}
    link = signer.generate_presigned_url("get_object", Params=book, ExpiresIn=60)
    assert urllib.request.urlopen(link, timeout=60).read() == b"text"
    for changed in (link.replace("book", "boot"), link.replace("Expires=60", "Expires=600")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(changed, timeout=60)
    asked = urllib.request.Request(
        link, data=b"{}", headers={"X-Amz-Target": "AWSEvents.PutEvents"}, method="GET"
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=60)
    put = signer.generate_presigned_url("put_object", Params={"Bucket": "shelf", "Key": "put"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"new", method="PUT"), timeout=60)
    assert signer.get_object(Bucket="shelf", Key="put")["Body"].read() == b"new"
    signer.delete_object(Bucket="shelf", Key="put")


def test_uploads_of_every_size_go_through(server: LocalServer, tmp_path: Path) -> None:
    path, s3 = tmp_path / "large", server.client("s3")
    path.write_bytes(bytes(range(256)) * 80_000)
    s3.upload_file(str(path), "shelf", "parts")  # in parts, several at once
    with path.open("rb") as file:
        s3.put_object(Bucket="shelf", Key="stream", Body=file, ChecksumAlgorithm="SHA256")
    command = [sys.executable, "-m", "awscli", "s3", "cp", str(path), "s3://shelf/by the cli+ä"]
    subprocess.run(command, env=server.environment, check=True, capture_output=True, timeout=120)
    for key in ("parts", "stream", "by the cli+ä"):
        assert s3.get_object(Bucket="shelf", Key=key)["Body"].read() == path.read_bytes()
        s3.delete_object(Bucket="shelf", Key=key)


def test_a_role_that_only_a_service_may_assume_is_not_root_s(server: LocalServer) -> None:
    iam = server.client("iam")
    service = iam.create_role(RoleName="service", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("sts").assume_role(RoleArn=service, RoleSessionName="xx")
    account = iam.create_role(RoleName="account", AssumeRolePolicyDocument=trusting())["Role"]["Arn"]
    keys = server.client("sts").assume_role(RoleArn=account, RoleSessionName="xx")["Credentials"]
    assert "assumed-role/account/xx" in server.client("sts", keys).get_caller_identity()["Arn"]


def test_who_may_do_everything_still_cannot_assume_a_service_s_role(server: LocalServer) -> None:
    iam = server.client("iam")
    service = iam.create_role(RoleName="service2", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=json.dumps(STATEMENT))
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    assert refused(server, "sts", "assume_role", key, RoleArn=service, RoleSessionName="xx") == "AccessDenied"


def test_the_key_outlives_a_restart_and_nothing_kept_is_for_others_to_read(tmp_path: Path) -> None:
    (tmp_path / "state" / "ministack").mkdir(parents=True)  # of an installation that was made without one
    (tmp_path / "state").chmod(0o755)
    server = LocalServer(tmp_path / "state").start()
    try:
        key = server.root_key
        server.client("s3").create_bucket(Bucket="kept")
        server.client("s3").put_object(Bucket="kept", Key="x", Body=b"x")
        server.client("apigateway").create_api_key(name="k", enabled=True)
        assert server.stop() == 0
        server.start()
        assert server.root_key == key
        assert server.client("s3").get_object(Bucket="kept", Key="x")["Body"].read() == b"x"
    finally:
        server.end()
    open_to_others = [
        path
        for path in (server.state, *server.state.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and path != server.state / "ministack"
    ]
    assert open_to_others == []


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code"),
    [
        ("iam", "get_role", {"RoleName": "a\x00b"}, "ValidationError"),
        ("iam", "list_role_policies", {"RoleName": "a\x01b"}, "ValidationError"),
        ("sns", "create_topic", {"Name": "a\x00b"}, "ValidationError"),
        ("s3", "get_object", {"Bucket": "shelf", "Key": "a\x01b"}, "InvalidArgument"),
        ("s3", "list_objects_v2", {"Bucket": "shelf", "Prefix": "\x0b"}, "InvalidArgument"),
    ],
)
def test_a_value_that_xml_cannot_carry_is_refused_by_an_answer_that_clients_read(
    server: LocalServer, service: str, operation: str, request_: dict[str, Any], code: str
) -> None:
    assert refused(server, service, operation, server.root_key, **request_) == code
