"""A broker of tests/e2e/bed for a unit test: broker.py redis|redis-open|rabbitmq|kafka FOLDER

Prints a line when it is ready, as JSON: {port, tls_port, user, password, ca, place}. Then takes orders, one a line,
words parted by blanks, and answers each with a line of JSON: null, a list of texts, or {"error": …}. Ends when standard
input does.

    kill   start   pause   resume   drop                          of all; drop: the broker ends its connections
    collect PATTERN   seen   stream KEY   fill   room             of Redis: seen is what collect has collected; what
    publish CHANNEL TEXT                                          stream says is JSON of each entry
    exchange NAME   queue NAME EXCHANGE KEY   messages NAME       of RabbitMQ, with everything in a place (virtual host) of
    connections   full   room                                     this test; full: its disk
    topic NAME   small NAME BYTES   denied NAME   records NAME    of Kafka: small has a limit to its messages; what
                                                                  records says is JSON of each
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))

from bed import kafka, rabbitmq, redis, tls  # noqa: E402


def redis_orders(broker):
    def seen():
        return broker.collectors[-1].texts()

    return {"collect": lambda pattern: broker.collect(pattern) and None, "seen": seen, "drop": broker.drop_clients,
            "stream": lambda key: [json.dumps(entry) for entry in broker.stream(key)], "fill": broker.fill,
            "room": broker.make_room, "publish": lambda channel, text: broker.client().publish(channel, text) and None}


def rabbitmq_orders(broker, place):
    alarm = broker.full_disk()
    return {"exchange": place.exchange, "queue": place.queue, "drop": place.drop_connections,
            "connections": lambda: [connection["name"] for connection in place.connections()],
            "messages": lambda name: [message.body.decode() for message in place.messages(name)],
            "full": alarm.__enter__, "room": lambda: alarm.__exit__(None, None, None) and None}


def kafka_orders(broker):
    topics = {}

    def make(name, **options):
        topics[name] = broker.topic(name, **options)

    def records(name):
        return [json.dumps({"key": record.key, "value": record.text(), "headers": {
            key: value.decode() for key, value in record.headers.items()}}) for record in topics[name].read()]

    return {"topic": make, "small": lambda name, size: make(name, max_message_bytes=int(size)),
            "denied": lambda name: make(name, denied=True), "records": records}


def serve(reports, broker, words, orders):
    orders.update(kill=broker.kill, start=lambda: broker.start() and None, pause=broker.pause, resume=broker.resume)
    print(json.dumps(words), file=reports, flush=True)
    for line in sys.stdin:
        order, *arguments = line.split()
        try:
            answer = orders[order](*arguments)
        except Exception as error:  # the test shall hear of it
            answer = {"error": f"{order}: {error!r}"}
        print(json.dumps(answer), file=reports, flush=True)


def main(kind, folder):
    reports, sys.stdout = sys.stdout, sys.stderr  # what the bed says belongs to no answer
    os.makedirs(os.path.join(folder, "tls"))
    authority = tls.Authority(os.path.join(folder, "tls"), ["localhost"])
    words = {"ca": authority.bundle, "place": ""}
    if kind == "rabbitmq":
        with rabbitmq.RabbitMQ(os.path.join(folder, "broker"), authority) as broker:
            place = broker.place()
            user = rabbitmq.USER
            words.update(port=broker.kept["port"], tls_port=broker.kept["tls_port"], user=place.users[user],
                         password=place.passwords[user], place=place.name)
            serve(reports, broker, words, rabbitmq_orders(broker, place))
    elif kind == "kafka":
        with kafka.Kafka(os.path.join(folder, "broker"), authority) as broker:
            words.update(port=broker.kept["port"], tls_port=broker.kept["tls_port"], user=kafka.USER,
                         password=broker.kept["password"])
            serve(reports, broker, words, kafka_orders(broker))
    else:
        with redis.Redis(os.path.join(folder, "broker"), authority, open_to_all=kind == "redis-open") as broker:
            words.update(port=broker.port, tls_port=broker.tls_port, user=redis.USER, password=broker.passwords[redis.USER])
            serve(reports, broker, words, redis_orders(broker))


main(*sys.argv[1:])
