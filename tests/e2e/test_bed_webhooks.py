"""The receivers of webhooks and commit statuses: what they accept, and that they notice what is wrong."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from bed import github, http1, webhook

# -- webhooks


@pytest.fixture
def hook_address(hook):
    sock = http1.listen("127.0.0.1")
    http1.accept_on(sock, hook.services()[0][2])
    yield sock.getsockname()
    http1.close_listener(sock)


def post(address, body, headers, path="/", limit_s=5):
    connection = http1.socket.create_connection(address, timeout=limit_s)
    lines = [f"POST {path} HTTP/1.1", "Host: hooks.test", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head, _, _ = connection.recv(65536).partition(b"\r\n\r\n")
        return head.decode()


def signed(secret, body, name="msg_1", at=None, kind="application/cloudevents+json"):
    """By the words of the specification, not by the library that checks it."""
    at = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": name, "webhook-timestamp": at, "content-type": kind,
            "webhook-signature": "v1," + base64.b64encode(mac).decode()}


EVENT = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "data": {"b": 1}}


def test_webhook_accepts_what_is_signed(hook, hook_address):
    body = json.dumps(EVENT).encode()
    assert post(hook_address, body, signed(hook.secret, body)).startswith("HTTP/1.1 204")
    again = signed(hook.secret, body, at=time.time() + 1)  # a retry: the same id, signed anew
    assert post(hook_address, body, again).startswith("HTTP/1.1 204")
    binary = {**signed(hook.secret, b'{"b": 2}', "msg_2", kind="application/json"), "ce-specversion": "1.0", "ce-id": "2",
              "ce-source": "/a", "ce-type": "t", "ce-subject": "caf%C3%A9"}
    post(hook_address, b'{"b": 2}', binary)
    assert hook.mistakes == [] and len(hook.received) == 3
    assert hook.events() == [EVENT, {"specversion": "1.0", "id": "2", "source": "/a", "type": "t", "subject": "café",
                                     "datacontenttype": "application/json", "data": {"b": 2}}]


SPOILED_WEBHOOKS = {
    "no signature": lambda headers: headers.pop("webhook-signature"),
    "no id": lambda headers: headers.pop("webhook-id"),
    "another id": lambda headers: headers.update({"webhook-id": "msg_9"}),
    "another time": lambda headers: headers.update({"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    "another version": lambda headers: headers.update(
        {"webhook-signature": headers["webhook-signature"].replace("v1", "v2")}),
    "no type": lambda headers: headers.pop("content-type"),
    "credentials without TLS": lambda headers: headers.update({"authorization": "Bearer x"}),
}


@pytest.mark.parametrize("name", SPOILED_WEBHOOKS)
def test_webhook_notices(hook, hook_address, name):
    body = json.dumps(EVENT).encode()
    headers = signed(hook.secret, body)
    SPOILED_WEBHOOKS[name](headers)
    post(hook_address, body, headers)
    assert len(hook.mistakes) == 1, hook.mistakes


def test_webhook_notices_old_signatures_and_other_bodies(hook, hook_address):
    body = json.dumps(EVENT).encode()
    post(hook_address, body, signed(hook.secret, body, at=time.time() - 1000))
    assert "too old" in hook.mistakes[0]
    post(hook_address, body, signed(hook.secret, body, "msg_2"))
    post(hook_address, body + b" ", signed(hook.secret, body + b" ", "msg_2"))
    assert "another body" in hook.mistakes[1] and len(hook.mistakes) == 2


def test_webhook_answers_by_its_script(hook, hook_address):
    body = json.dumps(EVENT).encode()
    send = lambda path="/", limit_s=5: post(hook_address, body, signed(hook.secret, body), path, limit_s)
    hook.answers += [500, webhook.answer(429, retry_after="7"), webhook.redirect("http://169.254.170.2/"), webhook.reset(),
                     webhook.drop(), webhook.slow(0.3), webhook.hang(2), webhook.lost_answer(hook)]
    hook.by_path["/gone"] = [410]
    assert send().startswith("HTTP/1.1 500")
    assert "retry-after: 7" in send() and "location: http://169.254.170.2/" in send()
    with pytest.raises(ConnectionResetError):
        send()
    assert send() == ""
    assert send("/gone").startswith("HTTP/1.1 410") and send("/gone").startswith("HTTP/1.1 410")
    assert len(hook.received) == 0
    began = time.monotonic()
    assert send().startswith("HTTP/1.1 204") and time.monotonic() - began > 0.29
    with pytest.raises(TimeoutError):
        send(limit_s=0.3)
    assert send() == "" and len(hook.received) == 2
    hook.headers = {"x-api-key": "k"}
    assert send().startswith("HTTP/1.1 401")
    assert hook.mistakes == []


# -- GitHub


SHA = "0f3c" * 10


def status_of(api, change=None, body=None, token=None, repository="shop/site", sha=SHA):
    headers = [("host", github.NAME), ("user-agent", "x"), ("authorization", f"Bearer {token or api.token}"),
               ("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")]
    document = {"state": "success", "context": "caisson", "description": "fine", "target_url": "https://logs.test/1"}
    document.update(body or {})
    request = http1.Request("POST", f"/repos/{repository}/statuses/{sha}", headers, json.dumps(document).encode(), True)
    if change:
        change(request)
    return api.handle(request).status


def test_github_takes_a_status(github_api):
    github_api.commit("shop/site", SHA)
    assert status_of(github_api, body={"state": "pending"}) == 201 and status_of(github_api) == 201
    assert github_api.combined("shop/site", SHA) == {"caisson": "success"}
    assert status_of(github_api, body={"description": "ü" * 140}) == 201
    assert github_api.mistakes == []


REFUSED_BY_GITHUB = {
    "no such state": (422, {"body": {"state": "failed"}}),
    "long description": (422, {"body": {"description": "x" * 141}}),
    "no address": (422, {"body": {"target_url": "s3://bucket/log"}}),
    "unknown field": (422, {"body": {"colour": "red"}}),
    "long context": (422, {"body": {"context": "x" * 256}}),
    "wrong token": (401, {"token": "ghp_no"}),
    "other repository": (404, {"repository": "shop/other"}),
    "other commit": (422, {"sha": "1" * 40}),
    "short commit": (404, {"sha": SHA[:7]}),
    "no user agent": (403, {"change": lambda request: request.headers.remove(("user-agent", "x"))}),
    "no JSON": (400, {"change": lambda request: setattr(request, "body", b"state=success")}),
    "no TLS": (400, {"change": lambda request: setattr(request, "tls", False)}),
}


@pytest.mark.parametrize("name", REFUSED_BY_GITHUB)
def test_github_refuses(github_api, name):
    github_api.commit("shop/site", SHA)
    status, how = REFUSED_BY_GITHUB[name]
    assert status_of(github_api, **how) == status
    assert github_api.statuses["shop/site", SHA] == []


def test_github_limits_and_fails(github_api):
    github_api.commit("shop/site", SHA)
    github_api.readers.add("ghp_reader")
    assert status_of(github_api, token="ghp_reader") == 403
    github_api.faults += [github.unavailable(), github.rate_limited(1), github.secondary_limit(1)]
    assert [status_of(github_api) for _ in range(4)] == [502, 403, 429, 201]
