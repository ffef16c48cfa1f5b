"""Sinks: what it takes to tell a log to somebody, beside a bare client of the same library that sends the same messages.

Ours is what a job with the sink takes more than the same job without one: reading the spool, making the events, sending
them. The client reads them from a file. Both wait for each batch's confirmation; servers are real, and of the loopback.

Servers of AWS's services are slow, so they are told less: their figures are scaled to the same GiB. GitHub has no row: it
gets statuses alone, a few of them a job, and no log."""

import contextlib
import json
import os
from dataclasses import dataclass, field

from bed import http1

from . import aws_services, generate
from .measure import Failed, in_turn, median
from .servers import use
from .table import Row

MIB, AWS_MIB = 32, 4
LINE = "transformed src/components/Button.tsx, a line as a build has them, which says what was done and how long it took"
STREAM, EXCHANGE, QUEUE = "logs:bench", "ci.direct", "ci.bench"


@dataclass
class Place:
    """A sink's server, and how it is reached."""

    entry: dict  # of `notify`
    words: list  # for tell
    library: str  # of the bare client
    password: str = ""
    mib: int = MIB
    service: aws_services.Service = None
    environment: dict = field(default_factory=dict)

    @property
    def lines(self):
        return lines_of(self.mib)


def lines_of(mib):
    return (mib << 20) // (len(f"{LINE} 000000000") + 1)


class Receiver:
    """Takes everything."""

    def handle(self, request):
        return http1.Response(204)


class Places:
    """found: {sink: Place} of the servers that are there."""

    def __init__(self, bench, stack):
        self.stack, self.folder, self.found = stack, bench.folder("sinks"), {}
        listener = http1.listen("127.0.0.1")
        http1.serve(listener, Receiver())
        stack.callback(http1.close_listener, listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/events"
        self.told = os.path.join(self.folder, "events")
        self.found["file"] = Place({"file": f"{self.told}.ours"}, ["file", f"{self.told}.theirs"], "write")
        self.found["http"] = Place({"http": url}, ["http", url], "libcurl")
        for add in (self._redis, self._amqp, self._kafka, self._aws):
            add()

    def _server(self, module, name):
        from bed import tls  # what they are imported with needs the tests' own libraries

        folder = os.path.join(self.folder, name.lower())
        authority = tls.Authority(self._made(f"{name.lower()}-tls"), ["localhost"])
        return use(getattr(module, name)(folder, authority), self.stack)

    def _made(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        return path

    def _redis(self):
        from bed import redis

        server = self._server(redis, "Redis")
        server.client().config_set("appendonly", "no")  # the disk's pace is not ours
        password = server.passwords[redis.USER]
        self.found["redis"] = Place(
            {"redis": f"redis://127.0.0.1:{server.port}", "stream": STREAM, "username": redis.USER},
            ["redis", str(server.port), redis.USER, STREAM], "hiredis", password)

    def _amqp(self):
        from bed import rabbitmq

        place = self._server(rabbitmq, "RabbitMQ").place()
        self.stack.callback(place.close)
        place.exchange(EXCHANGE)
        place.queue(QUEUE, EXCHANGE, "all", max_length=100)
        port, user = place.server.kept["port"], place.users[rabbitmq.USER]
        self.found["amqp"] = Place(
            {"amqp": f"amqp://127.0.0.1:{port}/{place.path}", "exchange": EXCHANGE, "routing_key": "all", "username": user},
            ["amqp", str(port), user, place.name, EXCHANGE, "all"], "rabbitmq-c", place.passwords[rabbitmq.USER])

    def _kafka(self):
        from bed import kafka

        server = self._server(kafka, "Kafka")
        topic = server.topic()
        brokers = f"127.0.0.1:{server.kept['port']}"
        self.found["kafka"] = Place({"kafka": f"kafka://{brokers}", "topic": topic.name}, ["kafka", brokers, topic.name],
                                    "librdkafka")

    def _aws(self):
        for name, service in aws_services.start_all(self._made("aws"), self.stack).items():
            self.found[name] = Place(service.entry, service.words(), "libcurl", mib=AWS_MIB, service=service,
                                     environment=service.environment())


class Jobs:
    def __init__(self, bench):
        self.bench, self.result = bench, os.path.join(bench.work, "sinks.json")
        self.repository = generate.small_repository(bench.folder("sinks-repositories"), {"README.md": b"x\n"})
        self.operator = os.path.join(bench.work, "sinks-operator.yaml")
        with open(self.operator, "w", encoding="ascii") as file:
            file.write("allow: [plain-brokers, private-http, file-targets]\n")

    def run(self, place=None, mib=MIB):
        """To be told to the place, or to nobody."""
        lines = lines_of(place.mib if place else mib)
        command = f"mkdir dist; seq -f '{LINE} %09.0f' {lines}; echo x >dist/index.html"
        spec = {"version": 1, "id": "bench", "source": {"repository": f"file://{self.repository}"},
                "build": {"builder": "commands", "commands": [command], "output": "dist"}, "limits": {"log": "1GiB"},
                "artifacts": [{"to": f"file:{self.bench.work}/published/"}], "result": f"file:{self.result}"}
        env = {"PATH": os.environ["PATH"]}
        if place:
            login = {"password": {"env": "BENCH_PASSWORD"}} if place.password else {}
            spec["notify"] = [{"format": "cloudevents", "events": ["status", "log"], **place.entry, **login}]
            env |= {"BENCH_PASSWORD": place.password, **place.environment}
        cost, _ = self.bench.launcher.run([self.bench.caisson, "run", "--operator", self.operator, "-"],
                                          json.dumps(spec).encode(), cwd=self.bench.work, env=env)
        with open(self.result, encoding="utf-8") as document:
            if undelivered := json.load(document).get("undelivered"):
                raise Failed(f"not told: {undelivered}")
        return cost


class Told:
    """What the bare clients send: of services of AWS the requests of ours, else the events that a file gets."""

    def __init__(self, jobs, places):
        self.jobs, self.path = jobs, f"{places.told}.messages"
        jobs.run(places.found["file"])
        os.rename(places.found["file"].entry["file"], self.path)

    def of(self, place):
        if not place.service:
            with open(self.path, "rb") as file:
                return file.read()
        with place.service.kept():
            self.jobs.run(place)
        return b"".join(request + b"\n" for request in place.service.requests)


def rows_of(name, place, ours, theirs, without):
    gib = place.mib / 1024
    cpu = max(0.0, median(ours, "cpu_s") - median(without, "cpu_s")) / gib
    bare = median(theirs, "cpu_s") / gib
    return [Row(f"{name}: CPU for a GiB of log", cpu, "s", place.library, bare),
            Row(f"  lines told a second, {place.library} alone {place.lines / median(theirs, 'wall_s'):.0f}",
                place.lines / median(ours, "wall_s"), "lines/s")]


def measure(bench, jobs, place, messages, rounds):
    def forget():
        if place.service:
            place.service.forget()

    def ours():
        forget()
        return jobs.run(place)

    def theirs():
        forget()
        return bench.launcher.run([os.environ["TELL"], *place.words], messages,
                                  env={"BENCH_PASSWORD": place.password, **place.environment})[0]

    return in_turn(rounds, ours=ours, theirs=theirs, without=lambda: jobs.run(mib=place.mib))


def run(bench):
    jobs, rows, rounds = Jobs(bench), [], min(bench.rounds, 3)
    with contextlib.ExitStack() as stack:
        places = Places(bench, stack)
        told = Told(jobs, places)
        for name, place in places.found.items():
            rows += rows_of(name, place, **measure(bench, jobs, place, told.of(place), rounds))
            if place.service and place.service.gate.mistakes:
                raise Failed(f"{name}: {place.service.gate.mistakes[:3]}")
    return rows
