"""The brokers of the bed, with their ordinary clients: a double that lets mistakes pass would prove nothing."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import time

import pika
import pytest
import redis as redis_library
import standardwebhooks

from bed import github, http1, rabbitmq, redis, servers, webhook

# -- Redis


def test_redis_takes_who_may_and_what(redis_server):
    client = redis_server.client(redis.USER, tls=True)
    seen = redis_server.collect("logs:*")
    assert client.publish("logs:shop", "one") == 1
    assert client.xadd("logs:shop:lines", {"line": "two"}) and client.publish("logs:shop", "three") == 1
    assert seen.wait(lambda texts: len(texts) == 2) == ["one", "three"]
    assert redis_server.stream("logs:shop:lines") == [{"line": "two"}]


REFUSED_BY_REDIS = {
    "wrong password": (redis_library.AuthenticationError, {"user": redis.USER, "password": "no"},
                       lambda client: client.publish("logs:a", "x")),
    "no password": (redis_library.AuthenticationError, {"user": None}, lambda client: client.publish("logs:a", "x")),
    "other channel": (redis_library.exceptions.NoPermissionError, {"user": redis.USER},
                      lambda client: client.publish("secrets", "x")),
    "other key": (redis_library.exceptions.NoPermissionError, {"user": redis.USER},
                  lambda client: client.xadd("secrets", {"a": "b"})),
    "other command": (redis_library.exceptions.NoPermissionError, {"user": redis.USER},
                      lambda client: client.flushall()),
    "reader writes": (redis_library.exceptions.NoPermissionError, {"user": redis.READER},
                      lambda client: client.publish("logs:a", "x")),
}


@pytest.mark.parametrize("tls", [False, True])
def test_redis_refuses(redis_server, tls):
    for name, (kind, how, act) in REFUSED_BY_REDIS.items():
        with pytest.raises(kind):
            act(redis_server.client(tls=tls, **how))
            print(name, "is not refused")


def test_redis_has_a_certificate_that_is_checked(redis_server, stranger):
    with pytest.raises(redis_library.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        redis_server.client(tls=True, ssl_ca_certs=stranger.bundle).ping()


@pytest.mark.parametrize("redis_server", [{"open_to_all": True}], indirect=True)
def test_redis_may_be_open_to_all(redis_server):
    assert redis_server.client(user=None).publish("anything", "x") == 0


def test_redis_is_killed_and_is_back_with_what_it_answered(redis_server):
    client = redis_server.client(redis.USER)
    for number in range(50):
        client.xadd("logs:a", {"n": number})
    redis_server.kill()
    with pytest.raises(redis_library.ConnectionError):
        client.xadd("logs:a", {"n": "lost"})
    redis_server.start()
    assert [int(entry["n"]) for entry in redis_server.stream("logs:a")] == list(range(50))


def test_redis_pauses(redis_server):
    client = redis_server.client(redis.USER, socket_timeout=0.3)
    redis_server.pause()
    with pytest.raises(redis_library.TimeoutError):
        client.publish("logs:a", "x")
    redis_server.resume()
    assert redis_server.client(redis.USER).publish("logs:a", "x") == 0


def test_redis_without_room(redis_server):
    client = redis_server.client(redis.USER)
    redis_server.fill()
    with pytest.raises(redis_library.RedisError, match="OOM|used memory"):
        client.xadd("logs:a", {"a": "b"})
    redis_server.make_room()
    client.xadd("logs:a", {"a": "b"})
    redis_server.refuse_writes()
    with pytest.raises(redis_library.RedisError, match="MISCONF"):
        client.xadd("logs:a", {"a": "b"})
    redis_server.make_room()
    client.xadd("logs:a", {"a": "c"})
    assert len(redis_server.stream("logs:a")) == 2


def test_a_server_that_nobody_uses_any_more_ends(tmp_path, run_authority):
    made = redis.Redis(str(tmp_path / "one"), run_authority).start()
    port = made.port
    made.users.close()  # as when its user was killed
    deadline = time.monotonic() + 5
    while made.alive():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(OSError):
        servers.answers(port)


# -- RabbitMQ


PERSISTENT = pika.BasicProperties(delivery_mode=2, message_id="1", content_type="application/json")


@pytest.fixture
def results(rabbitmq_place):
    rabbitmq_place.exchange("blacktree.direct")
    rabbitmq_place.queue("api.result.queue", "blacktree.direct", "api.result")
    return rabbitmq_place


def published(place, body=b"{}", key="api.result", user=rabbitmq.USER, exchange="blacktree.direct", mandatory=True, **how):
    """With confirms, as a careful publisher does."""
    connection = place.connect(user, **how)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, body, PERSISTENT, mandatory=mandatory)
    finally:
        if connection.is_open:
            connection.close()


def test_rabbitmq_keeps_what_is_published(results):
    published(results, b'{"a": 1}')
    published(results, b'{"a": 2}', tls=True)
    found = results.wait("api.result.queue", 2)
    assert [message.document() for message in found] == [{"a": 1}, {"a": 2}]
    assert found[0].properties.delivery_mode == 2 and found[0].properties.message_id == "1"
    assert (found[0].exchange, found[0].key, found[0].redelivered) == ("blacktree.direct", "api.result", False)


def test_rabbitmq_refuses(results, stranger):
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        published(results, password="no")
    with pytest.raises(ssl.SSLCertVerificationError):
        published(results, tls=True, trust=stranger.bundle)
    with pytest.raises(pika.exceptions.UnroutableError):
        published(results, key="nobody.listens")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
        published(results, exchange="not.there")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="403"):
        published(results, user=rabbitmq.READER)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="message size"):
        published(results, b"x" * (rabbitmq.MESSAGE_MAX + 1))
    results.queue("full.queue", "blacktree.direct", "full", max_length=1, overflow="reject-publish")
    published(results, b"fits", key="full")
    with pytest.raises(pika.exceptions.NackError):
        published(results, b"does not", key="full")
    connection = results.connect(rabbitmq.USER)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="403"):
        connection.channel().exchange_declare("elsewhere", durable=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="403"):
        connection.channel().basic_get("api.result.queue")
    connection.close()
    assert results.messages("api.result.queue") == []


@pytest.mark.alone
def test_rabbitmq_blocks_publishers_while_its_disk_is_full(rabbitmq_server, results):
    said = []
    connection = results.connect(rabbitmq.USER)
    connection.add_on_connection_blocked_callback(lambda _, method: said.append(method.method.reason))
    connection.add_on_connection_unblocked_callback(lambda *_: said.append("unblocked"))
    channel = connection.channel()
    with rabbitmq_server.full_disk():
        channel.basic_publish("blacktree.direct", "api.result", b"{}", PERSISTENT)
        connection.process_data_events(2)
        assert said == ["low on disk"] and results.messages("api.result.queue") == []
    deadline = time.monotonic() + 10
    while len(said) < 2 and time.monotonic() < deadline:
        connection.process_data_events(0.2)
    assert said == ["low on disk", "unblocked"]
    connection.close()
    assert len(results.wait("api.result.queue", 1)) == 1


@pytest.mark.alone
@pytest.mark.rare
def test_rabbitmq_is_killed_and_is_back_with_what_it_confirmed(rabbitmq_server, results):
    for number in range(20):
        published(results, str(number).encode())
    rabbitmq_server.kill()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        published(results)
    rabbitmq_server.start()
    assert [int(message.body) for message in results.wait("api.result.queue", 20)] == list(range(20))


def test_rabbitmq_drops_connections(results):
    connection = results.connect(rabbitmq.USER)
    deadline = time.monotonic() + 20
    while not results.connections():
        assert time.monotonic() < deadline
        connection.process_data_events(0.1)
    results.drop_connections()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="320"):
        connection.process_data_events(10)


# -- what stands between


@pytest.fixture
def through(redis_server):
    """A port of the host that leads through the link of Redis' plain port."""
    link = redis_server.links[redis.PLAIN]
    sock = http1.listen("127.0.0.1")
    http1.accept_on(sock, link.on_connection)
    yield link, sock.getsockname()
    http1.close_listener(sock)
    link.cut()


def said(address, text=b"PING\r\n", limit_s=1.0):
    with socket.create_connection(address, timeout=limit_s) as client:
        client.sendall(text)
        return client.recv(1000)


def test_a_link_passes_holds_cuts_and_resets(redis_server, through):
    link, address = through
    assert said(address).startswith(b"-NOAUTH")
    link.hold()
    with pytest.raises(TimeoutError):
        said(address, limit_s=0.3)
    link.flow()
    link.lose_answers = True
    with pytest.raises(TimeoutError):
        said(address, limit_s=0.3)
    link.reset()
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(1000)
        link.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1000)
    link.refuse = 1
    with pytest.raises(ConnectionResetError):
        said(address)
    link.cut_after = 4
    with pytest.raises(ConnectionResetError):
        said(address)
    assert said(address).startswith(b"-NOAUTH")
    link.reset()
    redis_server.kill()
    with pytest.raises(ConnectionResetError):
        said(address)


def test_a_link_is_as_slow_as_it_is_told(through):
    link, address = through
    link.rate = 200
    began = time.monotonic()
    assert said(address, b"PING\r\n" * 20, limit_s=10).startswith(b"-NOAUTH")
    assert time.monotonic() - began > 0.3


def test_a_stranger_is_found_out_by_who_looks(redis_server, run_authority, stranger):
    link = redis_server.links[redis.STRANGER]
    sock = http1.listen("127.0.0.1")
    http1.accept_on(sock, link.on_connection)
    try:
        careful = ssl.create_default_context(cafile=run_authority.bundle)
        with socket.create_connection(sock.getsockname()) as raw, pytest.raises(ssl.SSLCertVerificationError):
            careful.wrap_socket(raw, server_hostname="redis.test")
        assert link.connections == 0
        trusting = ssl.create_default_context(cafile=stranger.bundle)
        with socket.create_connection(sock.getsockname()) as raw:
            with trusting.wrap_socket(raw, server_hostname="redis.test") as client:
                client.sendall(b"PING\r\n")
                assert client.recv(1000).startswith(b"-NOAUTH")
        assert link.connections == 1
    finally:
        http1.close_listener(sock)


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
    assert standardwebhooks.Webhook(hook.secret)


SPOILED_WEBHOOKS = {
    "no signature": lambda headers: headers.pop("webhook-signature"),
    "no id": lambda headers: headers.pop("webhook-id"),
    "another id": lambda headers: headers.update({"webhook-id": "msg_9"}),
    "another time": lambda headers: headers.update({"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    "another version": lambda headers: headers.update({"webhook-signature": headers["webhook-signature"].replace("v1", "v2")}),
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
