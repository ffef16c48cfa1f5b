"""Whom a job tells, each behind links (link.py) of its own: it can be slow, silent, dead or away for a while, whatever it
speaks.

    receiver = told.KINDS["sqs"].of(request)    # the servers come from the fixtures of brokers.py
    bed.commands(…, notify=[receiver.entry]); bed.start(…, services=receiver.services, environment=receiver.environment)
    with receiver.trouble("dead"): …            # slow, silent, dead, flapping; gone: it was there before
    receiver.assert_told(ended, schema, lines)  # everything, in order, known again by its id
"""

import contextlib
import json
import threading

from . import http1, kafka, link, rabbitmq, redis, story

NEVER = 1 << 30  # connections that are refused
SLOW = 20_000  # bytes a second
EVENTS = ["status", "log"]


class Receiver:
    most_mib = 16  # of memory that PID 1 may have with it
    is_told_lines = True

    def __init__(self, entry, services, links, environment=None):
        self.entry, self.services, self.links, self.environment = entry, services, links, environment or {}
        self.listeners = []

    @classmethod
    def of(cls, request):
        raise NotImplementedError

    @classmethod
    def behind(cls, services, **more):
        """The services of a double of ours, which listen on the host's loopback."""
        behind, links, listeners = [], [], []
        for address, port, on_connection in services:
            listener = http1.listen("127.0.0.1")
            http1.accept_on(listener, on_connection)
            listeners.append(listener)
            links.append(link.Link(listener.getsockname()))
            behind.append((address, port, links[-1].on_connection))
        made = cls(services=behind, links=links, **more)
        made.listeners = listeners
        return made

    def close(self):
        for one in self.links:
            one.reset()
        for listener in self.listeners:
            http1.close_listener(listener)

    def begin(self, commit):
        """What is there before the job."""

    # -- what may happen

    @contextlib.contextmanager
    def trouble(self, kind):
        end = getattr(self, "_" + kind)()
        try:
            yield
        finally:
            end()

    def _set(self, **fields):
        for one in self.links:
            for name, value in fields.items():
                setattr(one, name, value)

    def _slow(self):
        self._set(rate=SLOW)
        return lambda: self._set(rate=None)

    def _silent(self):
        """Connections stand, and nothing passes."""
        for one in self.links:
            one.hold()
        return lambda: [one.flow() for one in self.links]

    def _dead(self):
        self._set(refuse=NEVER)
        for one in self.links:
            one.cut()
        return lambda: self._set(refuse=0)

    _gone = _dead

    def _flapping(self):
        ended = threading.Event()

        def flap():
            while not ended.wait(0.3):
                for one in self.links:
                    one.refuse = 1
                    one.cut()

        thread = threading.Thread(target=flap, daemon=True)
        thread.start()

        def end():
            ended.set()
            thread.join()
            self._set(refuse=0)

        return end

    def arrived(self):
        """Bytes."""
        return sum(one.to_server for one in self.links)

    # -- what it was told

    def events(self):
        """Those that came, once by their id."""
        raise NotImplementedError

    def assert_told(self, ended, schema, lines):
        assert "undelivered" not in ended.result, ended
        assert story.output_of(story.assert_whole(self.events(), ended, schema)) == lines


class Http(Receiver):
    @classmethod
    def of(cls, request):
        hook = request.getfixturevalue("hook")
        made = cls.behind(hook.services(), entry={
            "http": "https://hooks.test/events", "secret": {"env": "HOOK_SECRET"}, "events": EVENTS},
            environment={"HOOK_SECRET": hook.secret})
        made.hook = hook
        return made

    def events(self):
        assert self.hook.mistakes == [], self.hook.evidence()
        return self.hook.events()


class Redis(Receiver):
    STREAM = "logs:job"

    @classmethod
    def of(cls, request):
        server = request.getfixturevalue("redis_server")
        made = cls({"redis": f"rediss://{redis.NAME}:{redis.TLS}", "stream": cls.STREAM, "username": redis.USER,
                    "password": {"env": "PASSWORD"}, "events": EVENTS}, server.services(), [server.links[redis.TLS]],
                   {"PASSWORD": server.passwords[redis.USER]})
        made.server = server
        return made

    def events(self):
        return story.told([json.loads(fields["event"]) for fields in self.server.stream(self.STREAM)])


class Amqp(Receiver):
    EXCHANGE, QUEUE, KEY = "ci.direct", "ci.events", "build.done"

    @classmethod
    def of(cls, request):
        place = request.getfixturevalue("rabbitmq_place")
        place.exchange(cls.EXCHANGE)
        place.queue(cls.QUEUE, cls.EXCHANGE, cls.KEY)
        made = cls({"amqp": f"amqps://{rabbitmq.NAME}:{rabbitmq.TLS}/{place.path}", "exchange": cls.EXCHANGE,
                    "routing_key": cls.KEY, "username": place.users[rabbitmq.USER], "password": {"env": "PASSWORD"},
                    "events": EVENTS}, place.server.services(), [place.server.links[rabbitmq.TLS]],
                   {"PASSWORD": place.passwords[rabbitmq.USER]})
        made.place = place
        return made

    def events(self):
        return story.told([message.document() for message in self.place.messages(self.QUEUE)])


class Kafka(Receiver):
    most_mib = 32

    @classmethod
    def of(cls, request):
        server = request.getfixturevalue("kafka_server")
        topic = server.topic()
        made = cls({"kafka": f"{kafka.NAME}:{kafka.TLS}", "topic": topic.name, "username": kafka.USER,
                    "password": {"env": "PASSWORD"}, "events": EVENTS}, server.services(), [server.links[kafka.TLS]],
                   {"PASSWORD": server.kept["password"]})
        made.topic = topic
        return made

    def events(self):
        return story.told([json.loads(record.value) for record in self.topic.read()])


class Aws(Receiver):
    """One of the services behind a gate; take(): the events that its consumer gets."""

    @classmethod
    def at(cls, api, key, target, take):
        made = cls.behind(api.services(), entry={key: target, "events": EVENTS})
        made.api, made.take = api, take
        return made

    def events(self):
        assert self.api.mistakes == []
        return sorted(story.told(self.take()), key=lambda event: event["sequence"])


class Sqs(Aws):
    @classmethod
    def of(cls, request):
        api = request.getfixturevalue("sqs_api")
        queue = api.queue(fifo=True)
        return cls.at(api, "sqs", queue.url, lambda: [message.document() for message in queue.take()])


class Sns(Aws):
    @classmethod
    def of(cls, request):
        api = request.getfixturevalue("sns_api")
        topic = api.topic(fifo=True)
        return cls.at(api, "sns", topic.arn, topic.messages)


class EventBridge(Aws):
    @classmethod
    def of(cls, request):
        api = request.getfixturevalue("events_api")
        bus = api.bus()
        return cls.at(api, "eventbridge", bus.name, lambda: [entry["detail"] for entry in bus.take()])


class CloudWatchLogs(Receiver):
    @classmethod
    def of(cls, request):
        api = request.getfixturevalue("logs_api")
        group = api.group("/caisson/jobs")
        made = cls.behind(api.services(), entry={"cloudwatch_logs": group, "events": EVENTS})
        made.api, made.group = api, group
        return made

    def assert_told(self, ended, schema, lines):
        """What is sent twice is there twice: the service knows nothing of ids. Order is that of the first ones."""
        assert "undelivered" not in ended.result and self.api.mistakes == [], ended
        texts = self.api.texts(self.group, f"caisson/{ended.result['id']}")
        assert texts[-1] == f"job {ended.result['id']} succeeded"
        assert list(dict.fromkeys(text.partition("| ")[2] for text in texts if "| line" in text or "| the last" in text)) == lines


class GitHub(Receiver):
    """Told of the commit's status, not of lines."""

    WHERE = "shop/site"
    is_told_lines = False

    @classmethod
    def of(cls, request):
        api = request.getfixturevalue("github_api")
        made = cls.behind(api.services(), entry={"github": cls.WHERE, "token": {"env": "GITHUB_TOKEN"}},
                          environment={"GITHUB_TOKEN": api.token})
        made.api = api
        return made

    def begin(self, commit):
        self.api.commit(self.WHERE, commit)

    def assert_told(self, ended, schema, lines):
        assert "undelivered" not in ended.result and self.api.mistakes == [], ended
        states = [status["state"] for status in self.api.statuses[self.WHERE, ended.result["source"]["commit"]]]
        assert states[-1] == "success", states


KINDS = {"http": Http, "redis": Redis, "amqp": Amqp, "kafka": Kafka, "sqs": Sqs, "sns": Sns, "eventbridge": EventBridge,
         "cloudwatch_logs": CloudWatchLogs, "github": GitHub}
