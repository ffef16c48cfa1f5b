"""The brokers of the bed, with their ordinary clients: a double that lets mistakes pass would prove nothing."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time

import kafka as kafka_library
import pika
import pytest
import redis as redis_library

from bed import ecs, http1, kafka, rabbitmq, redis, s3, servers

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


# -- Kafka


def produced(server, topic, value=b"v", **how):
    producer = server.producer(**how)
    try:
        return producer.send(topic, value, key=b"log", headers=[("id", b"1")]).get(15)
    finally:
        producer.close(0)


def test_kafka_keeps_what_is_produced_in_order(kafka_server):
    topic = kafka_server.topic()
    for number, mechanism in enumerate(kafka.MECHANISMS):
        produced(kafka_server, topic.name, str(number).encode(), mechanism=mechanism)
    found = topic.wait(3)
    assert [(record.key, record.text(), record.headers) for record in found] == [
        ("log", "0", {"id": b"1"}), ("log", "1", {"id": b"1"}), ("log", "2", {"id": b"1"})]
    later = kafka_server.topic(topic.name)
    produced(kafka_server, topic.name, b"new")
    assert [record.text() for record in later.wait(1)] == ["new"]
    assert [record.text() for record in topic.read(lambda record: record.value == b"1")] == ["1"]


def test_kafka_refuses(kafka_server, stranger):
    topic = kafka_server.topic()
    for how in ({"password": "no"}, {"password": "no", "mechanism": "SCRAM-SHA-512"}, {"trust": stranger.bundle}):
        with pytest.raises(kafka_library.errors.KafkaTimeoutError):
            produced(kafka_server, topic.name, limit_s=3, **how)
    denied = kafka_server.topic(denied=True)
    with pytest.raises(kafka_library.errors.TopicAuthorizationFailedError):
        produced(kafka_server, denied.name)
    small = kafka_server.topic(max_message_bytes=2000)
    produced(kafka_server, small.name, b"x" * 1000)
    with pytest.raises(kafka_library.errors.MessageSizeTooLargeError):
        produced(kafka_server, small.name, b"x" * 3000)
    with pytest.raises(kafka_library.errors.KafkaError):
        produced(kafka_server, "t-nobody-made", limit_s=3)
    assert topic.read() == [] == denied.read() and len(small.read()) == 1


@pytest.mark.alone
@pytest.mark.rare
def test_kafka_is_killed_and_is_back_with_what_it_confirmed(kafka_server):
    topic = kafka_server.topic()
    for number in range(10):
        produced(kafka_server, topic.name, str(number).encode())
    kafka_server.kill()
    with pytest.raises(ConnectionRefusedError):
        servers.answers(kafka_server.kept["port"])
    kafka_server.start()
    assert [record.text() for record in topic.wait(10)] == [str(number) for number in range(10)]


@pytest.mark.alone
@pytest.mark.rare
def test_kafka_pauses(kafka_server, run_authority):
    topic = kafka_server.topic()
    kafka_server.pause()
    with socket.create_connection(("localhost", kafka_server.kept["tls_port"]), timeout=0.5) as raw:
        with pytest.raises(TimeoutError):
            ssl.create_default_context(cafile=run_authority.bundle).wrap_socket(raw, server_hostname="localhost")
    kafka_server.resume()
    produced(kafka_server, topic.name)
    assert len(topic.wait(1)) == 1


@pytest.mark.rare
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library, of what it did not send
@pytest.mark.skipif(os.getuid() != 0, reason="a small disk is mounted by root")
def test_kafka_ends_where_its_disk_is_full(tmp_path, run_authority):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=True)
    try:
        with kafka.Kafka(str(tmp_path / "kafka"), run_authority, data=str(disk / "data")) as server:
            topic = server.topic()
            producer = server.producer(limit_s=5)
            deadline = time.monotonic() + 60
            while server.alive():
                assert time.monotonic() < deadline
                with contextlib.suppress(kafka_library.errors.KafkaError):
                    producer.send(topic.name, os.urandom(900_000)).get(2)
            with contextlib.suppress(kafka_library.errors.KafkaError):
                producer.close(0)
            assert "No space left on device" in server.words()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


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


# -- in a task's network

SPEAK = """
import json, ssl, sys
import kafka, pika, redis
ca, redis_url, amqp_url, topic, password = sys.argv[1:]
context = lambda: ssl.create_default_context(cafile=ca)
print(redis.Redis.from_url(redis_url, ssl_ca_certs=ca, protocol=2).publish("logs:a", "from a task"))
options = pika.URLParameters(amqp_url)
options.ssl_options = pika.SSLOptions(context(), "rabbitmq.test")
channel = pika.BlockingConnection(options).channel()
channel.confirm_delivery()
channel.basic_publish("blacktree.direct", "api.result", b"from a task", mandatory=True)
producer = kafka.KafkaProducer(bootstrap_servers="kafka.test:9093", security_protocol="SASL_SSL", ssl_context=context(),
                               sasl_mechanism="SCRAM-SHA-512", sasl_plain_username="caisson", sasl_plain_password=password)
print(producer.send(topic, b"from a task").get(20).offset)
"""


@pytest.mark.rare
def test_brokers_are_found_in_a_tasks_network(bed, redis_server, rabbitmq_server, results, kafka_server):
    services = redis_server.services() + rabbitmq_server.services() + kafka_server.services()
    network = bed.network(ecs.TaskEndpoint(s3.REGION, None), services)
    hosts = os.path.join(bed.world.layers[0], "etc", "hosts")
    seen, topic = redis_server.collect("logs:*"), kafka_server.topic()
    subprocess.run(
        ["nsenter", f"--net={network.path}", "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts; exec "$@"',
         hosts, sys.executable, "-c", SPEAK, bed.world.authority.bundle, redis_server.url(), results.url(), topic.name,
         kafka_server.kept["password"]], check=True, timeout=100)
    assert seen.wait(len) == ["from a task"]
    assert results.wait("api.result.queue", 1)[0].body == b"from a task"
    assert topic.wait(1)[0].text() == "from a task"
    assert [server.links[port].connections > 0 for server, port in (
        (redis_server, redis.TLS), (rabbitmq_server, rabbitmq.TLS), (kafka_server, kafka.TLS))] == [True] * 3
