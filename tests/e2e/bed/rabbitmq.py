"""RabbitMQ, one for all workers of a run (4 to 8 seconds to start); each test has a virtual host of its own.

    place = rabbitmq_server.place()             # a Place, with users: USER may publish and declare, READER may not
    place.url()                                 # for a job: amqps://caisson:…@rabbitmq.test:5671/VHOST
    place.exchange("blacktree.direct"); place.queue("api.result.queue", "blacktree.direct", "api.result")
    place.messages("api.result.queue")          # takes what is there: [Message]
    place.wait("api.result.queue", 3)           # as soon as there are so many
    with rabbitmq_server.full_disk(): …         # the alarm: publishers are blocked, connection.blocked is said

In a task: rabbitmq.test:5672 plain, :5671 TLS, :5679 TLS by a stranger. A message of more than 1 MiB is refused, and ends
the channel. What is persistent, in durable queues, is there again after a kill if it was confirmed.
Run by the Erlang it is unpacked with; its port mapper (epmd) is its own and ends with it.
"""

import base64
import contextlib
import http.client
import json
import os
import secrets
import ssl
import subprocess
import time
import urllib.parse
from dataclasses import dataclass

import pika

from . import http1, servers

NAME = "rabbitmq.test"
PLAIN, TLS, STRANGER = 5672, 5671, 5679  # in a task
USER, READER, ADMIN = "caisson", "reader", "admin"
MESSAGE_MAX = 1 << 20
DECLARES = "^(blacktree|ci|caisson)[.].*$"  # what USER may declare


class RabbitMQ(servers.Server):
    name, what = NAME, "RabbitMQ"

    def __init__(self, folder, authority, stranger=None):
        self.authority = authority
        super().__init__(folder)
        self.link(PLAIN, self.kept["port"])
        self.link(TLS, self.kept["tls_port"])
        if stranger:
            self.link(STRANGER, self.kept["port"], stranger)

    def setup(self):
        from .world import tool

        kept = {name: http1.free_port() for name in ("port", "tls_port", "api_port", "mapper_port", "node_port")}
        kept.update(root=tool("ensure-rabbitmq"), password=servers.password())
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{kept['port']}", "listeners.ssl.1": f"127.0.0.1:{kept['tls_port']}",
            "management.tcp.ip": "127.0.0.1", "management.tcp.port": kept["api_port"],
            "ssl_options.cacertfile": self.authority.bundle, "ssl_options.certfile": self.authority.certificate,
            "ssl_options.keyfile": self.authority.key, "ssl_options.verify": "verify_none",
            "default_user": ADMIN, "default_pass": kept["password"], "loopback_users.guest": "false",
            "max_message_size": MESSAGE_MAX, "disk_free_limit.absolute": "1MB", "log.console": "true",
            "log.console.level": "info", "log.file": "false"}
        with open(os.path.join(self.folder, "rabbitmq.conf"), "w") as file:
            file.write("".join(f"{name} = {value}\n" for name, value in settings.items()))
        with open(os.path.join(self.folder, "plugins"), "w") as file:
            file.write("[rabbitmq_management].\n")
        return kept

    def environment(self):
        erlang = os.path.join(self.kept["root"], "usr/lib/erlang")
        inside = {name: os.path.join(self.folder, value) for name, value in (
            ("HOME", ""), ("RABBITMQ_MNESIA_BASE", "data"), ("RABBITMQ_LOG_BASE", "logs"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"), ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
            ("RABBITMQ_PID_FILE", "node.pid"), ("RABBITMQ_CONF_ENV_FILE", "none"), ("RABBITMQ_SCHEMA_DIR", "schema"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "generated"), ("RABBITMQ_ADVANCED_CONFIG_FILE", "none"))}
        return {**inside, "PATH": f"{erlang}/bin:{os.environ['PATH']}",
                "ERL_EPMD_PORT": str(self.kept["mapper_port"]), "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODENAME": f"caisson{self.kept['port']}@localhost",
                "RABBITMQ_DIST_PORT": str(self.kept["node_port"]),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"}

    def _program(self, name):
        home = os.path.join(self.kept["root"], "usr/lib/rabbitmq/lib")
        return os.path.join(home, os.listdir(home)[0], "sbin", name)

    def command(self):
        return ["/bin/sh", "-c", 'epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & exec "$0"',
                self._program("rabbitmq-server")]

    def is_ready(self):
        return servers.answers(self.kept["port"]) and self.api("GET", "overview")["node"]

    # -- its interface for people

    def api(self, method, path, document=None):
        """The management interface; an answer of 400 and more is an OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.kept["api_port"], timeout=30)
        login = base64.b64encode(f"{ADMIN}:{self.kept['password']}".encode()).decode()
        body = None if document is None else json.dumps(document)
        with contextlib.closing(connection):
            try:
                connection.request(method, f"/api/{path}", body, {
                    "Authorization": f"Basic {login}", "Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
            except http.client.HTTPException as error:
                raise OSError(f"{self.what}: {error!r}") from None
            if answer.status >= 400:
                raise OSError(f"{self.what}: {method} {path}: {answer.status} {text[:300]!r}")
            return json.loads(text) if text else None

    def control(self, *words):
        return subprocess.run([self._program("rabbitmqctl"), *words], check=True, capture_output=True, text=True,
                              timeout=60, env={"LANG": "C.UTF-8", **self.environment()}).stdout

    @contextlib.contextmanager
    def full_disk(self):
        self.control("set_disk_free_limit", "1000000GB")
        try:
            yield
        finally:
            self.control("set_disk_free_limit", "1MB")

    @contextlib.contextmanager
    def message_limit(self, size):
        """For channels from now on."""
        try:
            self.control("eval", f"application:set_env(rabbit, max_message_size, {size}).")
            yield
        finally:
            self.control("eval", f"application:set_env(rabbit, max_message_size, {MESSAGE_MAX}).")

    def place(self):
        return Place(self)


@dataclass
class Message:
    body: bytes
    key: str
    exchange: str
    properties: pika.BasicProperties
    redelivered: bool

    def document(self):
        return json.loads(self.body)


class Place:
    """A virtual host."""

    def __init__(self, server):
        self.server, self.name = server, f"t-{secrets.token_hex(4)}"
        self.passwords = {USER: servers.password(), READER: servers.password()}
        self.users = {name: f"{name}-{self.name}" for name in self.passwords}
        self.path = urllib.parse.quote(self.name, safe="")
        server.api("PUT", f"vhosts/{self.path}")
        rights = {USER: {"configure": DECLARES, "write": ".*", "read": "^$"},
                  READER: {"configure": "^$", "write": "^$", "read": ".*"}}
        for user, name in self.users.items():
            server.api("PUT", f"users/{name}", {"password": self.passwords[user], "tags": ""})
            server.api("PUT", f"permissions/{self.path}/{name}", rights[user])
        server.api("PUT", f"permissions/{self.path}/{ADMIN}", {"configure": ".*", "write": ".*", "read": ".*"})

    def close(self):
        with contextlib.suppress(OSError):
            self.server.api("DELETE", f"vhosts/{self.path}")
            for name in self.users.values():
                self.server.api("DELETE", f"users/{name}")

    def url(self, user=USER, tls=True, password=None):
        """For a job's environment or spec."""
        return (f"amqp{'s' if tls else ''}://{self.users[user]}:{password or self.passwords[user]}@{NAME}:"
                f"{TLS if tls else PLAIN}/{self.path}")

    def connect(self, user=ADMIN, password=None, tls=False, trust=None, **options):
        """By pika, on the host, as careful as clients are. trust: another authority's bundle."""
        kept = self.server.kept
        if tls:
            context = ssl.create_default_context(cafile=trust or self.server.authority.bundle)
            options["ssl_options"] = pika.SSLOptions(context, "localhost")
        login = pika.PlainCredentials(self.users.get(user, user), password or self.passwords.get(user, kept["password"]))
        return pika.BlockingConnection(pika.ConnectionParameters(
            "localhost" if tls else "127.0.0.1", kept["tls_port"] if tls else kept["port"], self.name, login,
            socket_timeout=10, **options))

    # -- what consumers do

    @contextlib.contextmanager
    def channel(self):
        connection = self.connect()
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()

    def exchange(self, name, kind="direct", durable=True):
        with self.channel() as channel:
            channel.exchange_declare(name, kind, durable=durable)

    def queue(self, name, exchange=None, key="", durable=True, **arguments):
        """arguments: max_length=…, overflow="reject-publish" and so on, as x-…"""
        with self.channel() as channel:
            channel.queue_declare(name, durable=durable, arguments={
                "x-" + argument.replace("_", "-"): value for argument, value in arguments.items()})
            if exchange:
                channel.queue_bind(name, exchange, key)

    def messages(self, queue, limit=None):
        """Takes what is there, in order."""
        found = []
        with self.channel() as channel:
            while limit is None or len(found) < limit:
                frame, properties, body = channel.basic_get(queue, auto_ack=True)
                if frame is None:
                    break
                found.append(Message(body, frame.routing_key, frame.exchange, properties, frame.redelivered))
        return found

    def wait(self, queue, count, limit_s=20):
        found, deadline = [], time.monotonic() + limit_s
        while len(found) < count:
            found += self.messages(queue)
            assert len(found) >= count or time.monotonic() < deadline, f"only {len(found)} messages in {queue}: {found}"
            time.sleep(0.05)
        return found

    def connections(self):
        return self.server.api("GET", f"vhosts/{self.path}/connections")

    def drop_connections(self):
        """The broker closes them: 320, CONNECTION_FORCED."""
        for connection in self.connections():
            with contextlib.suppress(OSError):
                self.server.api("DELETE", "connections/" + urllib.parse.quote(connection["name"], safe=""))
