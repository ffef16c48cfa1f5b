"""`notify` to Redis: channels and streams of a real one, and what becomes of it while a job tells."""

import json
import time

import pytest

from bed import redis, story

CHANNEL, STREAM = "status:job", "logs:job"
BUDGET = ["--stop-budget", "5s"]


def entry(user=redis.USER, port=redis.TLS, **changes):
    made = {"redis": f"redis{'' if port == redis.PLAIN else 's'}://redis.test:{port}", "stream": STREAM,
            "events": ["status", "log"]}
    if user:
        made.update(username=user, password={"env": "REDIS_PASSWORD"})
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def start(bed, server, *commands, notify=None, password=None, **options):
    spec = bed.commands(*(commands or story.COMMANDS), notify=[notify or entry()])
    user = spec["notify"][0].get("username")
    return bed.start(spec, services=server.services(), environment={
        **story.CA, "REDIS_PASSWORD": password or server.passwords.get(user, "")}, **options)


def run(bed, server, *commands, **options):
    return bed.finish(start(bed, server, *commands, **options))


def told(server):
    """By the stream, whose entries name the event's id beside it."""
    entries = server.stream(STREAM)
    events = [json.loads(fields["event"]) for fields in entries]
    assert [fields["id"] for fields in entries] == [event["id"] for event in events]
    return events


def await_story(server, text, limit_s=20):
    deadline = time.monotonic() + limit_s
    while text not in str(server.client().xrange(STREAM)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_channel_and_stream(bed, redis_server, event_schema):
    seen = redis_server.collect("status:*")
    ended = run(bed, redis_server, notify=entry(channel=CHANNEL))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(redis_server), ended, event_schema)
    assert [json.loads(text) for text in seen.wait(lambda texts: len(texts) >= len(events))] == events
    assert "built" in story.output_of(events)
    assert redis_server.passwords[redis.USER] not in ended.text + str(events)


def test_without_tls_where_the_operator_allows_it(bed, redis_server, event_schema):
    plain = entry(port=redis.PLAIN, events=["finished"])
    refused = run(bed, redis_server, notify=plain)
    assert refused.code == 10 and "plain-brokers" in refused.text, refused
    ended = run(bed, redis_server, notify=plain, operator="allow: [file-targets, plain-brokers]\n")
    assert ended.code == 0 and story.kinds(told(redis_server)) == ["finished"], ended
    assert ended.text.count("warning: redis redis://redis.test:6379 is spoken to without TLS") == 1, ended


@pytest.mark.parametrize("case, words", [
    ("password", ["password"]), ("rights", ["NOPERM"]), ("stranger", ["certificate", "CA bundle"])])
def test_who_is_refused_says_why_and_fails_no_job(bed, redis_server, case, words):
    options = {"password": {"password": "not-the-password"}, "rights": {"notify": entry(redis.READER)},
               "stranger": {"notify": entry(port=redis.STRANGER)}}[case]
    ended = run(bed, redis_server, arguments=BUDGET, **options)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert "redis rediss://redis.test" in story.undelivered(ended)
    assert any(word in ended.text for word in words), ended
    assert redis_server.stream(STREAM) == [] and "not-the-password" not in ended.text


def test_down_at_the_start(bed, redis_server, event_schema):
    redis_server.links[redis.TLS].refuse = 3
    ended = run(bed, redis_server, *story.long_build())
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(redis_server), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


def test_killed_in_the_middle_and_back(bed, redis_server, event_schema):
    task = start(bed, redis_server, *story.long_build(seconds=4))
    await_story(redis_server, "line 2000")
    redis_server.kill()
    time.sleep(1)
    redis_server.start()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(redis_server)), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


def test_answers_that_are_lost(bed, redis_server, event_schema):
    """What is not known to have arrived comes again, with the id that it had."""
    link = redis_server.links[redis.TLS]
    task = start(bed, redis_server, *story.long_build(seconds=3))
    await_story(redis_server, "started")
    link.lose_answers = True
    task.wait_for("line 2000")
    time.sleep(1)
    link.lose_answers = False
    link.cut()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    everything = told(redis_server)
    events = story.assert_whole(story.told(everything), ended, event_schema)
    assert story.output_of(events) == story.long_lines() and len(everything) > len(events)


@pytest.mark.parametrize("trouble", ["fill", "refuse_writes"])
def test_without_room_for_a_while(bed, redis_server, event_schema, trouble):
    getattr(redis_server, trouble)()
    task = start(bed, redis_server, *story.long_build(seconds=3))
    task.wait_for("it is tried again")
    redis_server.make_room()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(redis_server), ended, event_schema)
    assert [text for text in story.output_of(events)] == story.long_lines()


def test_no_entry_is_large_however_long_the_lines(bed, redis_server, event_schema):
    """Redis itself takes 512 MiB: what is told goes in parts all the same."""
    ended = run(bed, redis_server, "mkdir dist; for i in $(seq 200); do head -c 20000 /dev/zero | tr '\\0' '\"'; echo; done; "
                "echo x >dist/index.html")
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(redis_server), ended, event_schema)
    assert "".join(story.output_of(events)) == '"' * 20000 * 200
    assert max(len(json.dumps(event, separators=(",", ":"))) for event in events) < 128 << 10


def test_a_slow_one_does_not_slow_the_job(bed, redis_server, event_schema):
    redis_server.links[redis.TLS].rate = 400_000
    ended = run(bed, redis_server, *story.long_build(6000, 0))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(redis_server), ended, event_schema)
    assert story.output_of(events) == story.long_lines(6000)
    assert next(step for step in ended.result["steps"] if step["name"] == "build")["seconds"] < 10


def test_one_that_hangs_does_not_keep_a_stopped_job(bed, redis_server):
    task = start(bed, redis_server, "mkdir dist; sleep 60", arguments=BUDGET)
    await_story(redis_server, "build")
    redis_server.links[redis.TLS].hold()
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 8, ended
    assert "redis.test" in story.undelivered(ended)
