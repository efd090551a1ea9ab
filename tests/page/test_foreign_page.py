"""A page of somebody else's, in a real browser beside a real local AWS: what it tries reaches nothing.

Every attempt here worked before the door was there: the page needed no more than the port, and the key that
everybody knew.
"""

from __future__ import annotations

import base64
import html
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.testing.local_server import LocalServer
from system.test_server import LAMBDA_TRUST
from tests.page.browser import Browser, Page, wait_for

EVIL = "evil.test"
OPEN_TO_ALL = "http://friend.test"
LET_IN = {
    "method.response.header.Access-Control-Allow-Origin": "'{origin}'",
    "method.response.header.Access-Control-Allow-Methods": "'POST,OPTIONS'",
    "method.response.header.Access-Control-Allow-Headers": "'content-type,x-api-key'",
}
# A signature of the root user's by the words that were his key, as a page would have written it.
CLAIM = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20260101%2Fus-east-1%2F{service}%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
HEADER = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, "
    "Signature=00"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    made = LocalServer(tmp_path_factory.mktemp("aws") / "state").start()
    s3 = made.client("s3")
    s3.create_bucket(Bucket="shelf")
    s3.put_object(Bucket="shelf", Key="book", Body=b"text")
    made.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=LAMBDA_TRUST)
    yield made
    made.end()


@pytest.fixture(scope="module")
def stage(server: LocalServer) -> str:
    """A deployed API: a page at its root, a method that a page of one other site may call too."""
    gateway = server.client("apigateway")
    api = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    asked = gateway.create_resource(restApiId=api, parentId=root, pathPart="ask")["id"]
    mock = {"application/json": '{"statusCode": 200}'}
    for resource, method, said, headers in (
        (root, "GET", "<title>ours</title>", {"method.response.header.Content-Type": "'text/html'"}),
        (asked, "POST", '{"answer": 42}', {}),
        (asked, "OPTIONS", "", {key: value.format(origin=OPEN_TO_ALL) for key, value in LET_IN.items()}),
    ):
        place = {"restApiId": api, "resourceId": resource, "httpMethod": method}
        gateway.put_method(**place, authorizationType="NONE")
        gateway.put_method_response(
            **place, statusCode="200", responseParameters=dict.fromkeys(headers, False)
        )
        gateway.put_integration(**place, type="MOCK", requestTemplates=mock)
        gateway.put_integration_response(
            **place,
            statusCode="200",
            responseTemplates={"application/json": said},
            responseParameters=headers,
        )
    gateway.create_deployment(restApiId=api, stageName="live")
    return f"/_aws/execute-api/{api}/live"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Another server on this machine: an empty page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            return

        def do_GET(self) -> None:
            body = b"<!doctype html><title>theirs</title><body></body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{site.server_address[1]}"
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser to which two names of the internet lead to this machine."""
    names = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1, MAP friend.test 127.0.0.1"
    started = Browser(tmp_path_factory.mktemp("profile"), names)
    yield started
    started.close()


@pytest.fixture(params=["127.0.0.1", "localhost", EVIL])
def theirs(request: pytest.FixtureRequest, chromium: Browser, elsewhere: str) -> Iterator[Page]:
    """A foreign page: of another port, of another name of this machine, of another site."""
    page = Page(chromium)
    page.call("Network.enable")
    page.open(f"http://{request.param}:{elsewhere.rpartition(':')[2]}/")
    yield page
    page.close()


@pytest.fixture
def ours(chromium: Browser, server: LocalServer, stage: str) -> Iterator[Page]:
    page = Page(chromium)
    page.open(f"{server.url}{stage}/")
    yield page
    page.close()


def fetched(page: Page, url: str, **options: Any) -> str:
    """What a page's script reads of an answer: its status and text, or that it may not read it."""
    script = (
        f"fetch({json.dumps(url)}, {json.dumps(options)})"
        ".then(async (answer) => `${answer.status} ${await answer.text()}`).catch((error) => 'refused')"
    )
    return str(page.js(script))


def statuses(page: Page, url: str) -> list[int]:
    """What a URL was answered with."""
    answers = [each["response"] for each in page.events("Network.responseReceived")]
    return [answer["status"] for answer in answers if answer["url"] == url]


def things(server: LocalServer) -> dict[str, list[str]]:
    """All that an attempt below would have changed."""
    iam, s3 = server.client("iam"), server.client("s3")
    return {
        "objects": [each["Key"] for each in s3.list_objects_v2(Bucket="shelf").get("Contents", [])],
        "users": [each["UserName"] for each in iam.list_users()["Users"]],
        "functions": [each["FunctionName"] for each in server.client("lambda").list_functions()["Functions"]],
    }


UNTOUCHED: dict[str, list[str]] = {"objects": ["book"], "users": [], "functions": []}


def function() -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", "def handler(event, context):\n    return 'as you'\n")
    document = {
        "FunctionName": "theirs",
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::000000000000:role/role",
        "Handler": "index.handler",
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
    }
    return json.dumps(document)


def test_a_foreign_page_changes_nothing_and_reads_nothing(
    server: LocalServer, stage: str, theirs: Page
) -> None:
    url, json_type = server.url, {"Content-Type": "application/json"}
    user = f"{url}/?Action=CreateUser&Version=2010-05-08&UserName={{name}}&{CLAIM.format(service='iam')}"
    answers = {
        "preflighted upload": fetched(theirs, f"{url}/shelf/put", method="PUT", body="x"),
        "reading an object": fetched(theirs, f"{url}/shelf/book"),
        "posted with a query's signature": fetched(
            theirs, user.format(name="posted"), method="POST", mode="no-cors", body=""
        ),
        "a function": fetched(
            theirs,
            f"{url}/2015-03-31/functions",
            method="POST",
            body=function(),
            headers={**json_type, "Authorization": HEADER.format(service="lambda")},
        ),
        "reset": fetched(theirs, f"{url}/_ministack/reset", method="POST", mode="no-cors"),
        "reset, preflighted": fetched(theirs, f"{url}/_ministack/reset", method="POST", headers=json_type),
        "health": fetched(theirs, f"{url}/_ministack/health"),
        "the API's page": fetched(theirs, f"{url}{stage}/"),
        "the API": fetched(theirs, f"{url}{stage}/ask", method="POST", headers=json_type, body="{}"),
        "the API, unasked": fetched(theirs, f"{url}{stage}/ask", method="POST", body="{}"),
    }
    theirs.js(f"new Promise((done) => {{ const image = new Image(); image.onload = image.onerror = done;"
              f" image.src = {json.dumps(user.format(name='image'))}; }}).then(() => 0)")  # fmt: skip
    # What cannot be read (no-cors) answers "0 " even if it was refused; what counts there is what it did.
    assert {what: said for what, said in answers.items() if said not in ("refused", "0 ")} == {}
    assert things(server) == UNTOUCHED


def test_a_form_that_a_foreign_page_sends_changes_nothing(server: LocalServer, theirs: Page) -> None:
    action = f"{server.url}/?{CLAIM.format(service='iam')}"
    fields = {"Action": "CreateUser", "Version": "2010-05-08", "UserName": "form"}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="POST" action="{html.escape(action)}">{inputs}</form>'
    theirs.js(f"document.body.innerHTML = {json.dumps(form)}; document.forms[0].submit()")
    theirs.until(f"location.origin === {json.dumps(server.url)} && document.readyState === 'complete'")
    assert "ForbiddenOrigin" in theirs.text("body")
    assert things(server) == UNTOUCHED


def test_a_foreign_page_s_web_socket_never_opens(server: LocalServer, theirs: Page) -> None:
    apis = server.client("apigatewayv2")
    api = apis.create_api(
        Name="socket", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )
    apis.create_stage(ApiId=api["ApiId"], StageName="live")
    address = f"ws://127.0.0.1:{server.port}/_aws/execute-api/{api['ApiId']}/live"
    said = theirs.js(
        f"new Promise((done) => {{ const socket = new WebSocket({json.dumps(address)});"
        " socket.onopen = () => done('open'); socket.onerror = () => done('refused'); })"
    )
    apis.delete_api(ApiId=api["ApiId"])
    assert said == "refused"


def test_a_name_that_was_made_to_point_here_reaches_nothing(
    chromium: Browser, server: LocalServer, stage: str
) -> None:
    page = Page(chromium)
    base = f"http://{EVIL}:{server.port}"
    page.open(f"{base}{stage}/")
    shown = page.js("document.title") + page.text("body")
    answers = [
        fetched(page, f"{base}{stage}/ask", method="POST", body="{}"),
        fetched(page, f"{base}/shelf/book"),
        fetched(page, f"{base}/_ministack/reset", method="POST"),
        fetched(page, f"{base}/shelf/put", method="PUT", body="x"),
    ]
    page.close()
    assert "ForbiddenHost" in shown
    assert all(said.startswith("403 ForbiddenHost") for said in answers), answers
    assert things(server) == UNTOUCHED


def test_a_frame_of_a_foreign_page_does_not_show_the_api_s_page(
    chromium: Browser, server: LocalServer, stage: str, theirs: Page
) -> None:
    frame = f'<iframe src="{server.url}{stage}/"></iframe>'
    theirs.js(f"document.body.innerHTML = {json.dumps(frame)}")
    theirs.js("new Promise((done) => { document.querySelector('iframe').onload = () => done(0) })")
    framed = [each for each in chromium.call("Target.getTargets")["targetInfos"] if each["type"] == "iframe"]
    if framed:  # of another site: a process of its own
        assert [each["title"] for each in framed] != ["ours"]
    else:
        assert statuses(theirs, f"{server.url}{stage}/") == [403]


def test_the_deployed_page_works(server: LocalServer, stage: str, ours: Page) -> None:
    assert ours.js("document.title") == "ours"
    json_type = {"Content-Type": "application/json", "x-api-key": "k"}
    said = fetched(ours, f"{server.url}{stage}/ask", method="POST", headers=json_type, body="{}")
    assert said == '200 {"answer": 42}'


def test_a_click_on_a_link_to_it_elsewhere_opens_it(server: LocalServer, stage: str, theirs: Page) -> None:
    link = f'<a href="{server.url}{stage}/">open</a>'
    theirs.js(f"document.body.innerHTML = {json.dumps(link)}; document.querySelector('a').click()")
    wait_for(lambda: theirs.js("document.title") == "ours", "the page opened")


def test_our_own_page_reaches_no_service(server: LocalServer, ours: Page) -> None:
    assert fetched(ours, f"{server.url}/shelf/book").startswith("403 ForbiddenOrigin")
    assert fetched(ours, f"{server.url}/_ministack/reset", method="POST").startswith("403")
    assert things(server) == UNTOUCHED


def test_the_site_that_an_api_s_own_cors_names_may_call_it(
    chromium: Browser, server: LocalServer, stage: str, elsewhere: str
) -> None:
    gateway = server.client("apigateway")
    api = stage.split("/")[3]
    asked = next(
        each["id"] for each in gateway.get_resources(restApiId=api)["items"] if each["path"] == "/ask"
    )
    friend = f"{OPEN_TO_ALL}:{elsewhere.rpartition(':')[2]}"
    origin = "method.response.header.Access-Control-Allow-Origin"
    for method in ("OPTIONS", "POST"):
        place = {"restApiId": api, "resourceId": asked, "httpMethod": method, "statusCode": "200"}
        if method == "POST":
            gateway.put_method_response(**place, responseParameters={origin: False})
        headers = {**LET_IN, origin: "'{origin}'"} if method == "OPTIONS" else {origin: "'{origin}'"}
        gateway.put_integration_response(
            **place,
            responseTemplates={"application/json": '{"answer": 42}'},
            responseParameters={key: value.format(origin=friend) for key, value in headers.items()},
        )
    gateway.create_deployment(restApiId=api, stageName="live")
    page = Page(chromium)
    page.open(f"{friend}/")
    said = fetched(
        page,
        f"{server.url}{stage}/ask",
        method="POST",
        headers={"Content-Type": "application/json"},
        body="{}",
    )
    unread = fetched(page, f"{server.url}{stage}/")
    page.close()
    assert (said, unread) == ('200 {"answer": 42}', "refused")
