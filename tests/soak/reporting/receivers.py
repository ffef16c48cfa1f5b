"""Who is told: a webhook, a stream of Redis, a queue of RabbitMQ, a file; and where log and result document go, a
strict S3 (soak/world.py)."""

import contextlib
import itertools
import json
import os
import socket
import struct
import subprocess
import threading
import time

from bed import http1, rabbitmq, redis, tls, webhook
from bed.link import Link
from soak.world import BUCKET, World

STREAM = "logs:job"
EXCHANGE, QUEUE, KEY = "ci.direct", "ci.events", "build.done"
CLOCK_TOLERANCE_S = 300  # of Standard Webhooks' verifiers
SLOW_NAME = "hooks.test"
FILLER = "filler"


def start_rabbitmq(folder):
    """One for all lanes: it takes seconds, and memory. Nothing happens to it, but much on the way to it."""
    os.mkdir(folder)
    return rabbitmq.RabbitMQ(folder, tls.Authority(folder, ["localhost"])).start()


def end(server):
    """At once: its folder goes next."""
    if server.alive():
        server.kill()
    server.stop()


class Receivers:
    """Of one lane."""

    def __init__(self, folder, caisson, versitygw, rabbitmq_server=None):
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        self.folder = folder
        self.operator = os.path.join(folder, "operator.yaml")
        with open(self.operator, "w") as file:
            file.write("allow: [private-http, plain-brokers]\n")
        self.world = World(self._make("world"), caisson, versitygw)
        authority = tls.Authority(self._make("tls"), ["localhost"])
        self.redis = redis.Redis(self._make("redis"), authority)
        self.redis.start()
        self.links = {"Redis": self.redis.links[redis.PLAIN]}
        if rabbitmq_server:
            self.place = rabbitmq_server.place()
            self.place.exchange(EXCHANGE)
            self.place.queue(QUEUE, EXCHANGE, KEY)
            self.links["RabbitMQ"] = Link(("127.0.0.1", rabbitmq_server.kept["port"]))
        self.ports = {name: self._listen(link.on_connection) for name, link in self.links.items()}
        self.hook = webhook.Webhook(authority)
        self.hook_port = self._listen(lambda client: self.hook._on(None)(client))
        self.credentials_url = self._serve_credentials()
        self.names = None  # a SlowNames, where one was needed
        self.mounted = []
        self.file_disk = self._disk("told", "1m", 0o777)
        self.file = os.path.join(self.file_disk, "events.ndjson")
        self.workspaces = self._disk("workspaces", "24m", 0o755)
        self.clock = os.path.join(folder, "clock")

    def _disk(self, name, size, mode):
        """A small one, where we may mount it."""
        path = self._make(name)
        os.chmod(path, mode)
        if os.geteuid() == 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode={mode:o}", "tmpfs", path], check=True)
            self.mounted.append(path)
        return path

    def _make(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        os.chmod(path, 0o755)
        return path

    def _listen(self, on_connection):
        listener = http1.listen("127.0.0.1")
        http1.accept_on(listener, on_connection)
        return listener.getsockname()[1]

    def _serve_credentials(self):
        """As ECS does for a task's role."""
        listener = http1.listen("127.0.0.1")
        http1.serve(listener, Credentials(self.world.keys))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v2/credentials/task"

    def reset(self, careful=False):
        """As if nothing had happened, for the next job. Careful: the webhook refuses whose clock is wrong."""
        self.hook.answers, self.hook.by_path = [], {"/events": [_if_timely]} if careful else {}
        self.hook.requests, self.hook.received, self.hook.mistakes, self.hook.ids = [], [], [], {}
        if not self.redis.alive():
            self.redis.start()
        self.redis.make_room()
        self.redis.client().flushall()
        for link in self.links.values():
            link.reset()
        if "RabbitMQ" in self.links:
            self.place.messages(QUEUE)
        self.world.gate.reset()
        self.step_clock(0)
        for disk in (self.file_disk, self.workspaces):
            self.free(disk)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.file)

    def entries(self, host="127.0.0.1", path="/events"):
        events = ["status", "log"]
        entries = [
            {"http": f"http://{host}:{self.hook_port}{path}", "secret": {"env": "HOOK_SECRET"}, "events": events},
            {"redis": f"redis://127.0.0.1:{self.ports['Redis']}", "stream": STREAM, "username": redis.USER,
             "password": {"env": "REDIS_PASSWORD"}, "events": events},
            {"file": self.file, "format": "cloudevents", "events": events}]
        if "RabbitMQ" in self.links:
            entries.append({
                "amqp": f"amqp://127.0.0.1:{self.ports['RabbitMQ']}/{self.place.path}", "exchange": EXCHANGE,
                "routing_key": KEY, "username": self.place.users[rabbitmq.USER], "password": {"env": "AMQP_PASSWORD"},
                "events": events})
        return entries

    def environment(self):
        amqp = {"AMQP_PASSWORD": self.place.passwords[rabbitmq.USER]} if "RabbitMQ" in self.links else {}
        return {**amqp, "PATH": os.environ["PATH"], "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.credentials_url,
                "AWS_REGION": "eu-central-1", "HOOK_SECRET": self.hook.secret,
                "REDIS_PASSWORD": self.redis.passwords[redis.USER]}

    def told(self):
        """{receiver: its events}, as they came."""
        if not self.redis.alive():
            self.redis.start()  # with all that it had answered
        found = {"http": [webhook.cloudevent(request) for request in list(self.hook.received)], "file": [],
                 "redis": [json.loads(entry["event"]) for entry in self.redis.stream(STREAM)]}
        if os.path.exists(self.file):
            with open(self.file) as file:
                found["file"] = [json.loads(line) for line in file]
        if "RabbitMQ" in self.links:
            found["amqp"] = [message.document() for message in self.place.messages(QUEUE)]
        return found

    def result(self, job_id):
        answer = self.world.client.request("GET", f"/{BUCKET}/results/{job_id}.json")
        return json.loads(answer.body) if answer.status == 200 else None

    def published(self, job_id):
        return self.world.client.tree(BUCKET, f"{job_id}/")

    def claim(self, job_id):
        """Its place among the publishes to this prefix."""
        return json.loads(self.world.client.get(BUCKET, f".caisson/{job_id}/manifest.json"))["claim"]

    def stored_log(self, job_id):
        return self.world.client.get(BUCKET, f"logs/{job_id}.gz")

    def fill(self, disk):
        with open(os.path.join(disk, FILLER), "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self, disk):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(disk, FILLER))

    def step_clock(self, ahead_s):
        """The job's wall clock (clock_step.c)."""
        descriptor = os.open(self.clock, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(descriptor, struct.pack("q", ahead_s))  # at once, for who has it mapped
        os.close(descriptor)

    def name_server(self):
        """A slow one, and where a job finds it."""
        self.names = self.names or SlowNames()
        with open(os.path.join(self.folder, "resolv.conf"), "w") as file:
            file.write(f"nameserver {self.names.address}\noptions timeout:3 attempts:2\n")
        return self.names

    def stop(self):
        end(self.redis)
        self.world.stop()
        for path in self.mounted:
            subprocess.run(["umount", "--lazy", path], check=True)


class Credentials:
    """They last six hours from when they are asked for."""

    def __init__(self, keys):
        self.document = {"AccessKeyId": keys.access, "SecretAccessKey": keys.secret, "Token": keys.token}

    def handle(self, request):
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
        return http1.Response(200, json.dumps({**self.document, "Expiration": until}).encode(),
                              [("Content-Type", "application/json")])


def _if_timely(request, client):
    late = abs(int(request.header("webhook-timestamp")) - time.time()) > CLOCK_TOLERANCE_S
    return http1.Response(401 if late else 204)


class SlowNames:
    """A name server that knows one name, late. Bound where /etc/resolv.conf of a job leads to."""

    def __init__(self):
        self.delay_s = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = self._bind()
        threading.Thread(target=self._serve, daemon=True).start()

    def _bind(self):
        """Lanes have one each, and so have other soaks."""
        for third, fourth in itertools.product(range(1, 255), range(1, 255)):
            with contextlib.suppress(OSError):
                self.sock.bind((f"127.61.{third}.{fourth}", 53))
                return f"127.61.{third}.{fourth}"
        raise OSError("no address is free")

    def _serve(self):
        while True:
            query, client = self.sock.recvfrom(2048)
            threading.Thread(target=self._answer, args=(query, client), daemon=True).start()

    def _answer(self, query, client):
        time.sleep(self.delay_s)
        end = query.index(b"\0", 12) + 5
        is_address = query[end - 4:end - 2] == b"\0\1"
        head = query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, is_address, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton("127.0.0.1")
        self.sock.sendto(head + query[12:end] + (record if is_address else b""), client)
