"""Kafka 4 (KRaft, one node), one for all workers of a run: about 7 seconds and 320 MB.

    topic = kafka_server.topic()                # a Topic of the test's own, with one partition
    kafka_server.topic("container-logs")        # of that name, which other tests may use at the same time
    topic.read(), topic.wait(3)                 # Records since the Topic was made, in order; where=… chooses
    kafka_server.topic(max_message_bytes=2000)  # larger ones are refused; denied=True: USER may not write

In a task: kafka.test:9093 SASL over TLS (USER; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), :9092 plain and open, :9099 TLS by a
stranger. On the host: kept["tls_port"] at "localhost", kept["port"] at 127.0.0.1. Topics are not made by writing to them.
"""

import base64
import contextlib
import os
import secrets
import shlex
import ssl
import time
import uuid
from dataclasses import dataclass

import kafka as library
from kafka.admin import (ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, NewTopic, ResourcePattern,
                         ResourceType)

from . import http1, servers

NAME = "kafka.test"
PLAIN, TLS, STRANGER = 9092, 9093, 9099  # in a task
USER, OTHER = "caisson", "somebody-else"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
JAVA = ["java", "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
SECURITY = "org.apache.kafka.common.security"


class Kafka(servers.Server):
    name, what = NAME, "Kafka"

    def __init__(self, folder, authority, stranger=None, data=None, settings=()):
        """data: where its logs are, say on a small disk. settings: more of server.properties, as [(name, value)]."""
        self.authority, self.data, self.settings = authority, data or os.path.join(folder, "data"), settings
        super().__init__(folder)
        self.link(PLAIN, self.kept["task_port"])
        self.link(TLS, self.kept["task_tls_port"])
        if stranger:
            self.link(STRANGER, self.kept["task_port"], stranger)

    def setup(self):
        from .world import tool

        kept = {name: http1.free_port() for name in ("port", "tls_port", "task_port", "task_tls_port", "control_port")}
        kept.update(jars=tool("ensure-kafka"), password=servers.password(),
                    id=base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
        with open(os.path.join(self.folder, "server.properties"), "w") as file:
            file.write("".join(f"{name}={value}\n" for name, value in self._properties(kept)))
        return kept

    def _properties(self, kept):
        keys = os.path.join(self.folder, "keys.pem")
        with open(keys, "w") as file:
            for path in (self.authority.key, self.authority.certificate):
                with open(path) as part:
                    file.write(part.read())
        listeners = [("HOST", "PLAINTEXT", kept["port"], f"127.0.0.1:{kept['port']}"),
                     ("HOSTTLS", "SASL_SSL", kept["tls_port"], f"localhost:{kept['tls_port']}"),
                     ("TASK", "PLAINTEXT", kept["task_port"], f"{NAME}:{PLAIN}"),
                     ("TASKTLS", "SASL_SSL", kept["task_tls_port"], f"{NAME}:{TLS}"),
                     ("CONTROLLER", "PLAINTEXT", kept["control_port"], None)]
        yield from {
            "process.roles": "broker,controller", "node.id": 1, "log.dirs": self.data,
            "controller.quorum.voters": f"1@127.0.0.1:{kept['control_port']}",
            "controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "HOST",
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, _, port, _ in listeners),
            "advertised.listeners": ",".join(f"{name}://{where}" for name, _, _, where in listeners if where),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind, _, _ in listeners),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM", "ssl.keystore.location": keys,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS", "allow.everyone.if.no.acl.found": "true",
            "auto.create.topics.enable": "false", "num.partitions": 1, "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "group.initial.rebalance.delay.ms": 0,
            "group.coordinator.rebalance.protocols": "classic", "log.cleaner.enable": "false",
        }.items()
        for listener in ("hosttls", "tasktls"):
            name = f"listener.name.{listener}"
            yield (f"{name}.plain.sasl.jaas.config",
                   f'{SECURITY}.plain.PlainLoginModule required user_{USER}="{kept["password"]}";')
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                yield f"{name}.{mechanism}.sasl.jaas.config", f"{SECURITY}.scram.ScramLoginModule required;"
        yield from self.settings

    def command(self):
        java = [*JAVA, "-cp", os.path.join(self.kept["jars"], "*")]
        settings = os.path.join(self.folder, "server.properties")
        scram = [word for mechanism in MECHANISMS[1:] for word in (
            "--add-scram", f"{mechanism}=[name={USER},iterations=4096,password={self.kept['password']}]")]
        prepare = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={self.kept['id']}", "--config", settings,
                   "--ignore-formatted", *scram]
        run = shlex.join([*java, "kafka.Kafka", settings])
        if os.path.exists(os.path.join(self.data, "meta.properties")):
            return ["/bin/sh", "-c", f"exec {run}"]
        return ["/bin/sh", "-c", f"{shlex.join(prepare)} && exec {run}"]

    def is_ready(self):
        if not servers.answers(self.kept["port"]):
            return False
        try:
            with self.admin() as admin:
                admin.list_topics()
            return True
        except library.errors.KafkaError:
            return False

    # -- clients on the host

    def _at(self):
        return {"bootstrap_servers": f"127.0.0.1:{self.kept['port']}"}

    def admin(self):
        return KafkaAdminClient(**self._at(), request_timeout_ms=20000)

    def producer(self, mechanism="PLAIN", user=USER, password=None, trust=None, limit_s=20, **options):
        """As careful as clients are: SASL over TLS, every write confirmed. trust: another authority's bundle. This
        library goes on trying where it is refused, until limit_s has passed."""
        context = ssl.create_default_context(cafile=trust or self.authority.bundle)
        return library.KafkaProducer(
            bootstrap_servers=f"localhost:{self.kept['tls_port']}", security_protocol="SASL_SSL", ssl_context=context,
            sasl_mechanism=mechanism, sasl_plain_username=user, sasl_plain_password=password or self.kept["password"],
            acks="all", max_block_ms=limit_s * 1000, bootstrap_timeout_ms=limit_s * 1000, **options)

    def topic(self, name=None, partitions=1, denied=False, **configuration):
        """configuration: of the topic, max_message_bytes=… and so on."""
        wanted = name or f"t-{secrets.token_hex(6)}"
        with self.admin() as admin:
            settings = {key.replace("_", "."): str(value) for key, value in configuration.items()}
            if "max.message.bytes" not in settings:
                settings["max.message.bytes"] = str(1 << 20)
            with contextlib.suppress(library.errors.TopicAlreadyExistsError):
                admin.create_topics([NewTopic(wanted, partitions, 1, topic_configs=settings)], timeout_ms=20000)
            admin.wait_for_topics([wanted])
            if denied:
                admin.create_acls([ACL(f"User:{OTHER}", "*", ACLOperation.ALL, ACLPermissionType.ALLOW,
                                       ResourcePattern(ResourceType.TOPIC, wanted))])
        return Topic(self, wanted)

    def urls(self, tls=True):
        """Where a job finds it."""
        return f"{NAME}:{TLS if tls else PLAIN}"


@dataclass
class Record:
    partition: int
    offset: int
    key: str  # None: none
    value: bytes
    headers: dict
    timestamp: int  # ms

    def text(self):
        return self.value.decode()


class Topic:
    """A topic from now on: what was in it before is not read."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        with self._consumer() as consumer:
            self.start = consumer.end_offsets(self._partitions(consumer))

    @contextlib.contextmanager
    def _consumer(self):
        made = library.KafkaConsumer(**self.server._at(), group_id=None, enable_auto_commit=False,
                                     max_partition_fetch_bytes=8 << 20)
        try:
            yield made
        finally:
            made.close()

    def _partitions(self, consumer):
        numbers = consumer.partitions_for_topic(self.name)
        return [library.TopicPartition(self.name, number) for number in sorted(numbers)]

    def read(self, where=lambda record: True, limit_s=30):
        """Everything that is there, by partition and offset."""
        found = []
        with self._consumer() as consumer:
            partitions = self._partitions(consumer)
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            for partition in partitions:
                consumer.seek(partition, self.start.get(partition, 0))
            deadline = time.monotonic() + limit_s
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                assert time.monotonic() < deadline, f"{self.name} cannot be read within {limit_s} s"
                for records in consumer.poll(500).values():
                    found += [_record(record) for record in records]
        return sorted(filter(where, found), key=lambda record: (record.partition, record.offset))

    def wait(self, count, where=lambda record: True, limit_s=30):
        deadline = time.monotonic() + limit_s
        while len(found := self.read(where)) < count:
            assert time.monotonic() < deadline, f"only {len(found)} records in {self.name}: {found[-5:]}"
            time.sleep(0.1)
        return found


def _record(record):
    key = None if record.key is None else record.key.decode()
    return Record(record.partition, record.offset, key, record.value, dict(record.headers or ()), record.timestamp)
