"""Who is told: a webhook, a stream of Redis, a file; and where the result document goes, a strict S3 (soak/world.py)."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading
import time

from bed import http1, redis, tls, webhook
from soak.world import BUCKET, World

STREAM = "logs:job"
DNS_ADDRESS = "127.61.7.1"
SLOW_NAME = "hooks.test"


class Receivers:
    def __init__(self, folder, caisson, versitygw):
        self.folder = folder
        self.world = World(self._make("world"), caisson, versitygw)
        authority = tls.Authority(self._make("tls"), ["localhost"])
        self.redis = redis.Redis(self._make("redis"), authority)
        self.redis.start()
        self.link = self.redis.links[redis.PLAIN]
        self.redis_port = self._listen(self.link.on_connection)
        self.hook = webhook.Webhook(authority)
        self.hook_port = self._listen(lambda client: self.hook._on(None)(client))
        self.names = None  # a SlowNames, where one was needed
        self.file = os.path.join(folder, "told", "events.ndjson")
        os.mkdir(os.path.dirname(self.file))
        os.chmod(os.path.dirname(self.file), 0o777)
        self.mounted = os.geteuid() == 0
        if self.mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", os.path.dirname(self.file)],
                           check=True)

    def _make(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        os.chmod(path, 0o755)
        return path

    def _listen(self, on_connection):
        listener = http1.listen("127.0.0.1")
        http1.accept_on(listener, on_connection)
        return listener.getsockname()[1]

    def reset(self):
        """As if nothing had happened, for the next job."""
        self.hook.answers, self.hook.by_path = [], {}
        self.hook.requests, self.hook.received, self.hook.mistakes, self.hook.ids = [], [], [], {}
        if not self.redis.alive():
            self.redis.start()
        self.redis.make_room()
        self.redis.client().flushall()
        self.link.reset()
        self.world.gate.reset()
        for name in os.listdir(os.path.dirname(self.file)):
            os.unlink(os.path.join(os.path.dirname(self.file), name))

    def entries(self, host="127.0.0.1", path="/events"):
        events = ["status", "log"]
        return [
            {"http": f"http://{host}:{self.hook_port}{path}", "secret": {"env": "HOOK_SECRET"}, "events": events},
            {"redis": f"redis://127.0.0.1:{self.redis_port}", "stream": STREAM, "username": redis.USER,
             "password": {"env": "REDIS_PASSWORD"}, "events": events},
            {"file": self.file, "format": "cloudevents", "events": events}]

    def environment(self):
        keys = self.world.keys
        return {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret,
                "AWS_SESSION_TOKEN": keys.token, "AWS_REGION": "eu-central-1", "HOOK_SECRET": self.hook.secret,
                "REDIS_PASSWORD": self.redis.passwords[redis.USER]}

    def told(self):
        """{receiver: its events}, as they came."""
        found = {"http": [webhook.cloudevent(request) for request in list(self.hook.received)], "file": [],
                 "redis": [json.loads(entry["event"]) for entry in self.redis.stream(STREAM)]}
        if os.path.exists(self.file):
            with open(self.file) as file:
                found["file"] = [json.loads(line) for line in file]
        return found

    def result(self, job_id):
        answer = self.world.client.request("GET", f"/{BUCKET}/results/{job_id}.json")
        return json.loads(answer.body) if answer.status == 200 else None

    def fill_disk(self):
        with open(self._filler(), "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free_disk(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._filler())

    def _filler(self):
        return os.path.join(os.path.dirname(self.file), "filler")

    def stop(self):
        self.redis.stop()
        self.world.stop()
        if self.mounted:
            subprocess.run(["umount", "--lazy", os.path.dirname(self.file)], check=True)


class SlowNames:
    """A name server that knows one name, late. Bound where /etc/resolv.conf of a job leads to."""

    def __init__(self):
        self.delay_s = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((DNS_ADDRESS, 53))
        threading.Thread(target=self._serve, daemon=True).start()

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
