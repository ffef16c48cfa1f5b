"""Sinks: what it takes to tell a log to somebody, beside a bare client of the same library that sends the same messages.

Ours is what a job with the sink takes more than the same job without one: reading the spool, making the events, sending
them. The client reads them from a file. Both wait for each batch's confirmation; servers are real, and of the loopback."""

import contextlib
import json
import os

from bed import http1

from . import generate
from .measure import Failed, in_turn, median
from .table import Row

MIB = 32
LINE = "transformed src/components/Button.tsx, a line as a build has them, which says what was done and how long it took"
LINES = (MIB << 20) // (len(f"{LINE} 000000000") + 1)
COMMAND = f"mkdir dist; seq -f '{LINE} %09.0f' {LINES}; echo x >dist/index.html"
STREAM, EXCHANGE, QUEUE = "logs:bench", "ci.direct", "ci.bench"


class Receiver:
    """Takes everything."""

    def handle(self, request):
        return http1.Response(204)


class Places:
    """{sink: (`notify` entry, arguments of tell, environment)} of the servers that are there."""

    def __init__(self, bench, stack):
        self.stack, self.folder, self.found = stack, bench.folder("sinks"), {}
        listener = http1.listen("127.0.0.1")
        http1.serve(listener, Receiver())
        stack.callback(http1.close_listener, listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/events"
        self.told = os.path.join(self.folder, "events")
        self.found["file"] = {"file": f"{self.told}.ours"}, ["file", f"{self.told}.theirs"], ""
        self.found["http"] = {"http": url}, ["http", url], ""
        for add in (self._redis, self._amqp, self._kafka):
            add()

    def _server(self, module, name):
        from bed import tls  # what they are imported with needs the tests' own libraries

        folder = os.path.join(self.folder, name.lower())
        authority = tls.Authority(self._made(f"{name.lower()}-tls"), ["localhost"])
        return self.stack.enter_context(getattr(module, name)(folder, authority))

    def _made(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        return path

    def _redis(self):
        from bed import redis

        server = self._server(redis, "Redis")
        server.client().config_set("appendonly", "no")  # the disk's pace is not ours
        password = server.passwords[redis.USER]
        self.found["redis"] = ({"redis": f"redis://127.0.0.1:{server.port}", "stream": STREAM, "username": redis.USER},
                               ["redis", str(server.port), redis.USER, STREAM], password)

    def _amqp(self):
        from bed import rabbitmq

        place = self._server(rabbitmq, "RabbitMQ").place()
        self.stack.callback(place.close)
        place.exchange(EXCHANGE)
        place.queue(QUEUE, EXCHANGE, "all", max_length=100)
        port, user = place.server.kept["port"], place.users[rabbitmq.USER]
        self.found["amqp"] = ({"amqp": f"amqp://127.0.0.1:{port}/{place.path}", "exchange": EXCHANGE,
                               "routing_key": "all", "username": user},
                              ["amqp", str(port), user, place.name, EXCHANGE, "all"], place.passwords[rabbitmq.USER])

    def _kafka(self):
        from bed import kafka

        server = self._server(kafka, "Kafka")
        topic = server.topic()
        brokers = f"127.0.0.1:{server.kept['port']}"
        self.found["kafka"] = {"kafka": f"kafka://{brokers}", "topic": topic.name}, ["kafka", brokers, topic.name], ""


class Jobs:
    def __init__(self, bench):
        self.bench, self.result = bench, os.path.join(bench.work, "sinks.json")
        self.repository = generate.small_repository(bench.folder("sinks-repositories"), {"README.md": b"x\n"})
        self.operator = os.path.join(bench.work, "sinks-operator.yaml")
        with open(self.operator, "w", encoding="ascii") as file:
            file.write("allow: [plain-brokers, private-http, file-targets]\n")

    def run(self, entry=None, password=""):
        spec = {"version": 1, "id": "bench", "source": {"repository": f"file://{self.repository}"},
                "build": {"builder": "commands", "commands": [COMMAND], "output": "dist"}, "limits": {"log": "1GiB"},
                "artifacts": [{"to": f"file:{self.bench.work}/published/"}], "result": f"file:{self.result}"}
        if entry:
            login = {"password": {"env": "BENCH_PASSWORD"}} if password else {}
            spec["notify"] = [{"format": "cloudevents", "events": ["status", "log"], **entry, **login}]
        cost, _ = self.bench.launcher.run(
            [self.bench.caisson, "run", "--operator", self.operator, "-"], json.dumps(spec).encode(), cwd=self.bench.work,
            env={"PATH": os.environ["PATH"], "BENCH_PASSWORD": password})
        with open(self.result, encoding="utf-8") as document:
            if undelivered := json.load(document).get("undelivered"):
                raise Failed(f"not told: {undelivered}")
        return cost


def rows_of(name, ours, theirs, without):
    gib = MIB / 1024
    cpu = max(0.0, median(ours, "cpu_s") - median(without, "cpu_s")) / gib
    bare = median(theirs, "cpu_s") / gib
    library = {"file": "write", "http": "libcurl", "redis": "hiredis", "amqp": "rabbitmq-c", "kafka": "librdkafka"}[name]
    return [Row(f"{name}: CPU for a GiB of log", cpu, "s", library, bare),
            Row(f"  lines told a second, {library} alone {LINES / median(theirs, 'wall_s'):.0f}",
                LINES / median(ours, "wall_s"), "lines/s")]


def run(bench):
    jobs, rows, rounds = Jobs(bench), [], min(bench.rounds, 3)
    with contextlib.ExitStack() as stack:
        places = Places(bench, stack)
        entry, _, _ = places.found["file"]
        jobs.run(entry)
        messages = f"{places.told}.messages"
        os.rename(entry["file"], messages)
        for name, (entry, words, password) in places.found.items():
            def tell(words=words, password=password):
                with open(messages, "rb") as file:
                    return bench.launcher.run([os.environ["TELL"], *words], file.read(),
                                              env={"BENCH_PASSWORD": password})[0]

            costs = in_turn(rounds, ours=lambda entry=entry, password=password: jobs.run(entry, password), theirs=tell,
                            without=jobs.run)
            rows += rows_of(name, **costs)
    return rows
