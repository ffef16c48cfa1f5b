"""Receivers of very much log, which keep numbers instead of messages.

    all_of_them = volume.Receivers(…)           # one of each kind, in front of the bed's servers
    for one in all_of_them.each: one.lines, one.ends, one.backwards

What is counted is what was accepted: by the broker's own word (what a consumer reads back) where a broker keeps order and
messages, by the gate's where AWS's queues would only have to be emptied again.
"""

import contextlib
import os
import re
import threading

from . import http1, kafka, rabbitmq, redis, webhook

NUMBER = re.compile(rb"line (\d{9}) ")
END = re.compile(rb'"dev\.caisson\.job\.finished"|^job \S+ succeeded$')
EXCHANGE, QUEUE = "ci.direct", "ci.volume"
CHANNEL, STREAM = "status:volume", "logs:volume"


class Counter:
    """Lines of a build that numbers them. backwards: how often a number was smaller than one before."""

    def __init__(self, name):
        self.name, self.place = name, ""  # place: as the job's result names it
        self.lines, self.ends, self.backwards, self.repeated, self.last = 0, 0, 0, 0, 0
        self.lock = threading.Lock()

    def take(self, body):
        body = body.encode() if isinstance(body, str) else body
        numbers = [int(number) for number in NUMBER.findall(body)]
        with self.lock:
            if numbers and numbers[0] <= self.last:
                self.backwards += numbers[-1] < self.last
                self.repeated += sum(number <= self.last for number in numbers)
                numbers = [number for number in numbers if number > self.last]
            self.lines += len(numbers)
            if numbers:
                self.last = numbers[-1]
            if not NUMBER.search(body):
                self.ends += len(END.findall(body.replace(b'\\"', b'"')))


class Hook(webhook.Webhook):
    """Accepts all, checks no signature: at this rate that would be most of the machine's work."""

    def __init__(self, authority):
        super().__init__(authority, signed=False)
        self.counter = Counter("http")

    def answer_to(self, request, client):
        self.counter.take(request.body)
        return http1.Response(204)


def count_calls(gate, name, bodies):
    """bodies(parameters) -> what was accepted with one call. The gate forgets its calls."""
    counter, perform = Counter(name), gate.perform

    def performing(operation, parameters):
        answer = perform(operation, parameters)
        for body in bodies(operation, parameters):
            counter.take(body)
        gate.calls.clear()
        return answer

    gate.perform = performing
    return counter


class Consumer(threading.Thread):
    """Reads a broker until it is told to stop, and then what is left."""

    def __init__(self, counter, rounds):
        super().__init__(daemon=True)
        self.counter, self.rounds, self.over = counter, rounds, threading.Event()
        self.start()

    def run(self):
        last = False
        while not last:
            last = self.over.wait(0.05)
            for body in self.rounds():
                self.counter.take(body)

    def stop(self):
        self.over.set()
        self.join()


def of_channel(server):
    subscription = server.client(socket_timeout=None).pubsub()
    server.client().config_set("client-output-buffer-limit", "pubsub 0 0 0")
    subscription.subscribe(CHANNEL)

    def rounds():
        while message := subscription.get_message(timeout=0.5):
            if message["type"] == "message":
                yield message["data"]

    return rounds


def of_stream(server):
    """As consumers do, who acknowledge by removing: a stream of a gigabyte stays small."""
    client, last = server.client(), "0"

    def rounds():
        nonlocal last
        while found := client.xread({STREAM: last}, count=20):
            for last, fields in found[0][1]:
                yield fields["event"]

    return rounds


def of_queue(place):
    connection = place.connect()
    channel = connection.channel()

    def rounds():
        while (found := channel.basic_get(QUEUE, auto_ack=True))[0]:
            yield found[2]

    return rounds


def of_topic(topic, stack):
    consumer = stack.enter_context(topic._consumer())
    partitions = topic._partitions(consumer)
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, topic.start.get(partition, 0))

    def rounds():
        while found := consumer.poll(500):
            for records in found.values():
                yield from (record.value for record in records)

    return rounds


class Receivers:
    """`notify` entries, services and secrets of a job that tells everybody, and what came."""

    def __init__(self, folder, authority):
        self.folder, self.hook = folder, Hook(authority)
        self.notify, self.services, self.environment = [], [], {}
        self.each, self.consumers = [], []
        self.stack = contextlib.ExitStack()
        self._add({"http": "https://hooks.test/events"}, self.hook.counter, self.hook.services())
        self._add({"file": "/told/events.ndjson", "format": "cloudevents"}, Counter("file"))

    def _add(self, entry, counter, services=(), rounds=None):
        self.notify.append({"events": ["status", "log"], **entry})
        kind, target = next(iter(entry.items()))
        scheme, mark, rest = target.rpartition("://")
        counter.place = f"{kind} {scheme}{mark}{rest.partition('/')[0] if mark else rest}"
        self.each.append(counter)
        self.services += services
        if rounds:
            self.consumers.append(Consumer(counter, rounds))

    def add_redis(self, server):
        self.environment["REDIS_PASSWORD"] = server.passwords[redis.USER]
        login = {"redis": f"rediss://redis.test:{redis.TLS}", "username": redis.USER,
                 "password": {"env": "REDIS_PASSWORD"}}
        self._add({**login, "channel": CHANNEL, "stream": STREAM}, Counter("redis"), server.services(),
                  of_stream(server))
        self.each.append(channel := Counter("redis channel"))
        channel.place = self.each[-2].place
        self.consumers.append(Consumer(channel, of_channel(server)))

    def add_amqp(self, place):
        place.exchange(EXCHANGE)
        place.queue(QUEUE, EXCHANGE, "all")
        self.environment["AMQP_PASSWORD"] = place.passwords[rabbitmq.USER]
        self._add({"amqp": f"amqps://rabbitmq.test:{rabbitmq.TLS}/{place.path}", "exchange": EXCHANGE,
                   "routing_key": "all", "username": place.users[rabbitmq.USER], "password": {"env": "AMQP_PASSWORD"}},
                  Counter("amqp"), place.server.services(), of_queue(place))

    def add_kafka(self, server):
        topic = server.topic()
        self.environment["KAFKA_PASSWORD"] = server.kept["password"]
        self._add({"kafka": f"kafka.test:{kafka.TLS}", "topic": topic.name, "username": kafka.USER,
                   "password": {"env": "KAFKA_PASSWORD"}}, Counter("kafka"), server.services(), of_topic(topic, self.stack))

    def add_sqs(self, api):
        queue = api.queue(fifo=True)
        self._add({"sqs": queue.url}, count_calls(api, "sqs", lambda operation, parameters: [
            entry["MessageBody"] for entry in parameters.get("Entries", [parameters])]), api.services())
        # a broker in memory: emptied by a consumer that takes no notice
        self.consumers.append(Consumer(Counter(""), lambda: queue.server.call("PurgeQueue", {
            "QueueUrl": queue.own_url}) and ()))

    def add_sns(self, api):
        topic = api.topic(fifo=True)
        self._add({"sns": topic.arn}, count_calls(api, "sns", lambda operation, parameters: [parameters["Message"]]),
                  api.services())
        self._purge(topic)

    def add_eventbridge(self, api):
        bus = api.bus()
        self._add({"eventbridge": bus.name}, count_calls(api, "eventbridge", lambda operation, parameters: [
            entry["Detail"] for entry in parameters["Entries"]]), api.services())
        self._purge(bus)

    def _purge(self, subscribed):
        def empty():
            with contextlib.suppress(Exception):  # moto refuses a second purge within a minute
                subscribed.client.purge_queue(QueueUrl=subscribed.url)
            return ()

        self.consumers.append(Consumer(Counter(""), empty))

    def add_logs(self, api):
        group = api.group("/caisson/volume")

        def bodies(operation, parameters):
            for stream in api.streams.values():
                stream.clear()
            return [event["message"] for event in parameters.get("logEvents", [])]

        self._add({"cloudwatch_logs": group}, count_calls(api, "cloudwatch_logs", bodies), api.services())

    def go(self):
        """The build, which has told all, ends."""
        with open(os.path.join(self.folder, "go"), "w"):
            pass

    def stop(self):
        for consumer in self.consumers:
            consumer.stop()
        self.stack.close()
        with open(os.path.join(self.folder, "events.ndjson"), "rb") as file:
            for line in file:
                self.each[1].take(line)
