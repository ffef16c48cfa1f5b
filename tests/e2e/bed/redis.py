"""Redis 7, a server of each test's own: it starts in a tenth of a second.

    with redis.Redis(folder, authority) as broker:
        broker.client(ADMIN)                    # a client of pip's redis; also tls=True, password=…
        seen = broker.collect("logs:*")         # what is published, from now on: seen.messages, seen.wait(lambda)
        broker.stream("logs:job-1")             # [{field: value}] of a stream, oldest first
        broker.fill(); broker.make_room()       # what adds data is refused: OOM
        broker.refuse_writes()                  # MISCONF, as with a full disk

In a task: redis.test:6379 plain, :6380 TLS, :6389 TLS by a stranger. Both want a password, the user "caisson" may write to
logs:*, status:* and builder:* only, "reader" may not write; `open_to_all` has Redis as it comes: a default user with every
right and no password. Data are written before a command is answered, so a kill loses nothing that was answered.
"""

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field

import redis as library

from . import http1, servers

NAME = "redis.test"
PLAIN, TLS, STRANGER = 6379, 6380, 6389  # in a task
USER, READER, ADMIN = "caisson", "reader", "admin"
COMMANDS = "+publish +spublish +subscribe +psubscribe +unsubscribe +punsubscribe +xadd +xtrim +xlen +ping +hello " \
           "+auth +select +echo +quit +reset +client|setname +client|id"


class Redis(servers.Server):
    name, what = NAME, "Redis"

    def __init__(self, folder, authority, stranger=None, open_to_all=False, limits=()):
        """stranger: an authority that nobody knows. limits: more of redis.conf, as [(name, value)]."""
        super().__init__(folder)
        self.authority, self.open_to_all, self.limits = authority, open_to_all, limits
        self.passwords = {name: servers.password() for name in (USER, READER, ADMIN)}
        self.port, self.tls_port = http1.free_port(), http1.free_port()
        self._configure()
        self.link(PLAIN, self.port)
        self.link(TLS, self.tls_port)
        if stranger:
            self.link(STRANGER, self.port, stranger)
        self.collectors = []

    def _configure(self):
        users = [
            "user default on nopass allchannels allkeys +@all" if self.open_to_all else "user default off",
            f"user {ADMIN} on >{self.passwords[ADMIN]} allchannels allkeys +@all",
            f"user {USER} on >{self.passwords[USER]} resetchannels resetkeys -@all "
            + " ".join(f"&{pattern} ~{pattern}" for pattern in ("logs:*", "status:*", "builder:*")) + " " + COMMANDS,
            f"user {READER} on >{self.passwords[READER]} allchannels allkeys -@all +@read +@connection +subscribe "
            "+psubscribe",
        ]
        with open(os.path.join(self.folder, "users.acl"), "w") as file:
            file.write("\n".join(users) + "\n")
        settings = [
            ("bind", "127.0.0.1"), ("port", self.port), ("tls-port", self.tls_port),
            ("tls-cert-file", self.authority.certificate), ("tls-key-file", self.authority.key),
            ("tls-ca-cert-file", self.authority.bundle), ("tls-auth-clients", "no"),
            ("aclfile", os.path.join(self.folder, "users.acl")), ("dir", self.folder), ("save", '""'),
            ("appendonly", "yes"), ("appendfsync", "always"), ("daemonize", "no"), ("loglevel", "notice"), *self.limits]
        with open(os.path.join(self.folder, "redis.conf"), "w") as file:
            file.write("".join(f"{name} {value}\n" for name, value in settings))

    def command(self):
        from .world import tool

        return [tool("ensure-redis"), os.path.join(self.folder, "redis.conf")]

    def is_ready(self):
        try:
            return self.client().ping()
        except library.RedisError:
            return False

    def stop(self):
        for collector in self.collectors:
            collector.stop()
        super().stop()

    # -- what tests do with it

    def client(self, user=ADMIN, password=None, tls=False, **options):
        """A client on the host, as careful as clients are: with TLS it checks the certificate."""
        options.setdefault("socket_timeout", 10)
        if tls:
            options.setdefault("ssl_ca_certs", self.authority.bundle)
        return library.Redis("localhost" if tls else "127.0.0.1", self.tls_port if tls else self.port, username=user,
                             password=password or self.passwords.get(user), ssl=tls, decode_responses=True,
                             retry=None, protocol=2, **options)

    def url(self, user=USER, tls=True, password=None):
        """For a job's environment or spec."""
        login = "" if user is None else f"{user}:{password or self.passwords[user]}@"
        return f"redis{'s' if tls else ''}://{login}{NAME}:{TLS if tls else PLAIN}"

    def collect(self, *patterns):
        collector = Collector(self.client(socket_timeout=None), patterns)
        self.collectors.append(collector)
        return collector

    def stream(self, key):
        return [fields for _, fields in self.client().xrange(key)]

    def drop_clients(self):
        """Every connection but this one's ends."""
        self.client().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def fill(self):
        """What adds to the data is refused (OOM). To publish adds nothing."""
        admin = self.client()
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", 1)

    def refuse_writes(self):
        """As Redis does where its disk is full: it says MISCONF to what writes, until make_room()."""
        admin = self.client()
        admin.config_set("stop-writes-on-bgsave-error", "yes")
        admin.config_set("save", "3600 1")
        os.mkdir(os.path.join(self.folder, "dump.rdb"))  # that no file can be put over
        with contextlib.suppress(library.RedisError):
            admin.bgsave()
        deadline = time.monotonic() + 10
        while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def make_room(self):
        admin = self.client()
        admin.config_set("maxmemory", 0)
        admin.config_set("save", "")
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(os.path.join(self.folder, "dump.rdb"))

    def evidence(self):
        said = "\n".join(f"{message.channel}: {message.text[:200]}" for collector in self.collectors
                         for message in collector.messages[-20:])
        return "Redis", f"{super().evidence()[1]}\nlast published:\n{said}"


@dataclass
class Message:
    channel: str
    text: str
    at: float = field(default_factory=time.monotonic)


class Collector:
    """Keeps what is published, in a thread of its own. It is subscribed when it exists; it survives no restart."""

    def __init__(self, client, patterns):
        self.messages, self.client = [], client
        self.subscription = client.pubsub()
        self.subscription.psubscribe(*patterns)
        for _ in patterns:  # the answers: from here on nothing is missed
            assert self.subscription.get_message(timeout=10)["type"] == "psubscribe"
        self.ended = False
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        try:
            for message in self.subscription.listen():
                if message["type"] == "pmessage":
                    self.messages.append(Message(message["channel"], message["data"]))
        except (library.RedisError, OSError, ValueError, AttributeError):
            pass  # the server or the test has ended it
        self.ended = True

    def texts(self, channel=None):
        return [message.text for message in list(self.messages) if channel in (None, message.channel)]

    def wait(self, condition, limit_s=20):
        """Until condition(texts)."""
        deadline = time.monotonic() + limit_s
        while not condition(self.texts()):
            assert time.monotonic() < deadline, f"not published within {limit_s} s; seen: {self.texts()[-10:]}"
            time.sleep(0.02)
        return self.texts()

    def stop(self):
        with contextlib.suppress(library.RedisError, OSError):
            self.client.connection_pool.disconnect()
