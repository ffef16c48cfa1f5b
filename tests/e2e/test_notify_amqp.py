"""`notify` to RabbitMQ: confirmed messages, and what becomes of them when the broker refuses, blocks or goes away."""

import json
import threading
import time

import pytest

from bed import rabbitmq, story

EXCHANGE, QUEUE, KEY = "ci.direct", "ci.events", "build.done"
BUDGET = ["--stop-budget", "5s"]


@pytest.fixture
def place(rabbitmq_place):
    rabbitmq_place.exchange(EXCHANGE)
    rabbitmq_place.queue(QUEUE, EXCHANGE, KEY)
    return rabbitmq_place


def entry(place, user=rabbitmq.USER, port=rabbitmq.TLS, **changes):
    made = {"amqp": f"amqp{'' if port == rabbitmq.PLAIN else 's'}://rabbitmq.test:{port}/{place.path}",
            "exchange": EXCHANGE, "routing_key": KEY, "username": place.users[user],
            "password": {"env": "AMQP_PASSWORD"}, "events": ["status", "log"]}
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def start(bed, place, *commands, notify=None, password=None, user=rabbitmq.USER, **options):
    spec = bed.commands(*(commands or story.COMMANDS), notify=[notify or entry(place, user)])
    return bed.start(spec, services=place.server.services(), environment={
        **story.CA, "AMQP_PASSWORD": password or place.passwords[user]}, **options)


def run(bed, place, *commands, **options):
    return bed.finish(start(bed, place, *commands, **options))


def told(place):
    messages = place.messages(QUEUE)
    events = [message.document() for message in messages]
    for message, event in zip(messages, events, strict=True):
        assert (message.exchange, message.key) == (EXCHANGE, KEY)
        assert message.properties.delivery_mode == 2 and message.properties.message_id == event["id"]
        assert message.properties.content_type.startswith("application/cloudevents+json")
    return events


def await_count(place, count, limit_s=20):
    """So many are in the queue, which is not read."""
    deadline = time.monotonic() + limit_s
    while True:
        with place.channel() as channel:
            if channel.queue_declare(QUEUE, passive=True).method.message_count >= count:
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_every_event_is_confirmed(bed, place, event_schema):
    ended = run(bed, place)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(place), ended, event_schema)
    assert "built" in story.output_of(events)
    assert place.passwords[rabbitmq.USER] not in ended.text + str(events)


def test_binary_mode_has_the_attributes_in_headers(bed, place, event_schema):
    ended = run(bed, place, notify=entry(place, mode="binary"))
    assert ended.code == 0, ended
    events = []
    for message in place.messages(QUEUE):
        headers = message.properties.headers
        prefix = next(name[:-2] for name in headers if name.endswith("id"))
        assert prefix == "cloudEvents:"  # the AMQP binding, section 3.1.3.1
        attributes = {name.removeprefix(prefix): value for name, value in headers.items()}
        assert message.properties.content_type == "application/json"
        events.append({**attributes, "datacontenttype": "application/json", "data": message.document()})
    story.assert_whole(events, ended, event_schema)


@pytest.mark.parametrize("case, word", [
    ("password", "password"), ("rights", "ACCESS_REFUSED"), ("stranger", "certificate"), ("exchange", "exchange"),
    ("unroutable", "queue")])
def test_who_is_refused_says_why_and_fails_no_job(bed, place, case, word):
    options = {"password": {"password": "not-the-password"}, "rights": {"user": rabbitmq.READER},
               "stranger": {"notify": entry(place, port=rabbitmq.STRANGER)},
               "exchange": {"notify": entry(place, exchange="not.there")},
               "unroutable": {"notify": entry(place, routing_key="nobody.listens")}}[case]
    ended = run(bed, place, arguments=BUDGET, **options)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert "amqp amqps://rabbitmq.test" in story.undelivered(ended)
    assert word in ended.text, ended
    assert place.messages(QUEUE) == [] and "not-the-password" not in ended.text


def test_a_broker_that_is_full_for_a_while(bed, place, event_schema):
    """Refused by the queue: told again, when it has room."""
    place.queue("full.queue", EXCHANGE, "full", max_length=1, overflow="reject-publish")
    task = start(bed, place, *story.long_build(seconds=3), notify=entry(place, routing_key="full"))
    task.wait_for("it is tried again")
    events, until = [], threading.Event()

    def consume():
        while not until.is_set():
            events.extend(message.document() for message in place.messages("full.queue"))

    consumer = threading.Thread(target=consume)
    consumer.start()
    ended = bed.finish(task)
    until.set()
    consumer.join()
    events += [message.document() for message in place.messages("full.queue")]
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    # none that was taken came before one that had been refused
    assert story.output_of(story.assert_whole(story.told(events), ended, event_schema)) == story.long_lines()


def test_down_at_the_start_and_cut_in_the_middle(bed, place, event_schema):
    link = place.server.links[rabbitmq.TLS]
    link.refuse = 3
    task = start(bed, place, *story.long_build(seconds=3))
    await_count(place, 3)
    link.cut()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(place)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


def test_confirmations_that_are_lost(bed, place, event_schema):
    link = place.server.links[rabbitmq.TLS]
    task = start(bed, place, *story.long_build(seconds=4))
    await_count(place, 1)
    link.lose_answers = True
    task.wait_for("line 2000")
    time.sleep(1)
    link.lose_answers = False
    link.cut()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(place)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.alone
def test_a_full_disk_blocks_publishers_not_the_build(bed, rabbitmq_server, place, event_schema):
    with rabbitmq_server.full_disk():
        task = start(bed, place, *story.long_build(seconds=2))
        task.wait_for("the last line")
        time.sleep(1)
        assert place.messages(QUEUE) == []
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(place)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.alone
@pytest.mark.rare
def test_a_full_disk_that_stays(bed, rabbitmq_server, place):
    with rabbitmq_server.full_disk():
        task = start(bed, place, "mkdir dist; sleep 60", arguments=BUDGET)
        task.wait_for("mkdir dist; sleep 60")
        time.sleep(1)
        at = time.monotonic()
        task.signal("TERM")
        ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 8, ended
    assert "rabbitmq.test" in story.undelivered(ended)


@pytest.mark.alone
@pytest.mark.rare
def test_killed_in_the_middle_and_back(bed, rabbitmq_server, place, event_schema):
    task = start(bed, place, *story.long_build(seconds=20))
    await_count(place, 4)
    rabbitmq_server.kill()
    rabbitmq_server.start()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(place)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.alone
@pytest.mark.rare
def test_what_is_too_large_goes_in_parts(bed, rabbitmq_server, place, event_schema):
    """The broker takes no more than 16 KiB: it ends the channel over more."""
    with rabbitmq_server.message_limit(16384):
        ended = run(bed, place, *story.long_build(seconds=0))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(place)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.rare
def test_a_slow_one_does_not_slow_the_job(bed, place, event_schema):
    place.server.links[rabbitmq.TLS].rate = 400_000
    ended = run(bed, place, *story.long_build(20000, 0))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(place), ended, event_schema)
    assert story.output_of(events) == story.long_lines(20000)
