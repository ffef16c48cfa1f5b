"""`notify` to Kafka: acknowledged records in the order of the job, and what becomes of them when the broker refuses or
goes away."""

import contextlib
import json
import os
import subprocess
import time

import pytest

from bed import kafka, story

BUDGET = ["--stop-budget", "5s"]


def entry(topic, port=kafka.TLS, sasl=None, **changes):
    made = {"kafka": f"kafka.test:{port}", "topic": topic if isinstance(topic, str) else topic.name, "sasl": sasl,
            "username": kafka.USER, "password": {"env": "KAFKA_PASSWORD"}, "events": ["status", "log"]}
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def start(bed, server, notify, *commands, password=None, **options):
    spec = bed.commands(*(commands or story.COMMANDS), notify=[notify])
    return bed.start(spec, services=server.services(), environment={
        **story.CA, "KAFKA_PASSWORD": password or server.kept["password"]}, **options)


def run(bed, server, notify, *commands, **options):
    return bed.finish(start(bed, server, notify, *commands, **options))


def told(topic, key):
    records = topic.read()
    events = [json.loads(record.value) for record in records]
    assert [record.headers["id"].decode() for record in records] == [event["id"] for event in events]
    assert {record.key for record in records} == {key}
    return events


def test_acknowledged_and_in_order(bed, kafka_server, event_schema):
    topic = kafka_server.topic()
    ended = run(bed, kafka_server, entry(topic, sasl="scram-sha-512"))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(topic, ended.result["id"]), ended, event_schema)
    assert "built" in story.output_of(events)
    assert kafka_server.kept["password"] not in ended.text + str(events)


@pytest.mark.parametrize("case, word", [
    ("password", "password"),
    pytest.param("scram", "password", marks=pytest.mark.rare),
    pytest.param("rights", "authorization failed", marks=pytest.mark.rare),
    pytest.param("stranger", "certificate", marks=pytest.mark.rare),
    pytest.param("topic", "topic", marks=pytest.mark.rare)])
def test_who_is_refused_says_why_and_fails_no_job(bed, kafka_server, case, word):
    topic = kafka_server.topic(denied=case == "rights")
    notify = {"stranger": entry(topic, port=kafka.STRANGER), "topic": entry("t-nobody-made"),
              "scram": entry(topic, sasl="scram-sha-256")}.get(case, entry(topic))
    ended = run(bed, kafka_server, notify, arguments=BUDGET,
                password="not-the-password" if case in ("password", "scram") else None)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert "kafka kafka.test" in story.undelivered(ended)
    assert word in ended.text and "not-the-password" not in ended.text, ended
    assert topic.read() == []


@pytest.mark.rare
@pytest.mark.parametrize("mechanism", kafka.MECHANISMS)
def test_ways_to_log_in(bed, kafka_server, mechanism):
    topic = kafka_server.topic()
    notify = entry(topic, sasl=mechanism.lower(), key="a-key", mode="binary", events=["finished"])
    ended = run(bed, kafka_server, notify)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    (record,) = topic.read()
    assert record.key == "a-key" and record.headers["ce_type"] == b"dev.caisson.job.finished", record.headers


@pytest.mark.rare
def test_down_at_the_start_and_cut_in_the_middle(bed, kafka_server, event_schema):
    topic = kafka_server.topic()
    link = kafka_server.links[kafka.TLS]
    link.refuse = 3
    task = start(bed, kafka_server, entry(topic), *story.long_build(seconds=5))
    topic.wait(3)
    link.cut()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(topic, ended.result["id"]), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.rare
def test_acknowledgements_that_are_lost(bed, kafka_server, event_schema):
    """The producer is idempotent: what was written is not written twice."""
    topic = kafka_server.topic()
    link = kafka_server.links[kafka.TLS]
    task = start(bed, kafka_server, entry(topic), *story.long_build(seconds=6))
    topic.wait(1)
    link.lose_answers = True
    task.wait_for("line 2000")
    time.sleep(1)
    link.lose_answers = False
    link.cut()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(told(topic, ended.result["id"]), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.alone
@pytest.mark.rare
def test_killed_in_the_middle_and_back(bed, kafka_server, event_schema):
    topic = kafka_server.topic()
    task = start(bed, kafka_server, entry(topic), *story.long_build(seconds=30))
    topic.wait(4)
    kafka_server.kill()
    kafka_server.start()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(story.told(told(topic, ended.result["id"])), ended, event_schema)
    assert story.output_of(events) == story.long_lines()


@pytest.mark.rare
def test_what_is_too_large_goes_in_parts(bed, kafka_server, event_schema):
    topic = kafka_server.topic(max_message_bytes=12000)
    ended = run(bed, kafka_server, entry(topic), *story.long_build(seconds=1))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = sorted(story.told(told(topic, ended.result["id"])), key=lambda event: event["sequence"])
    assert story.output_of(story.assert_whole(events, ended, event_schema)) == story.long_lines()


@pytest.mark.rare
def test_a_line_that_is_too_large_is_left_out_and_the_end_is_told(bed, kafka_server):
    topic = kafka_server.topic(max_message_bytes=12000)
    ended = run(bed, kafka_server, entry(topic), "mkdir dist; echo before; head -c 15000 /dev/zero | tr '\\0' x; echo; "
                "echo after; echo x >dist/index.html")
    assert ended.code == 0, ended
    assert ": 1 lines or events were left out" in story.undelivered(ended) and "too large" in ended.text
    events = sorted(story.told(told(topic, ended.result["id"])), key=lambda event: event["sequence"])
    assert story.output_of(events) == ["before", "after"] and story.kinds(events)[-1] == "finished"


@pytest.mark.rare
def test_one_that_hangs_does_not_keep_a_stopped_job(bed, kafka_server):
    topic = kafka_server.topic()
    task = start(bed, kafka_server, entry(topic), "mkdir dist; sleep 60", arguments=BUDGET)
    topic.wait(2)
    kafka_server.links[kafka.TLS].hold()
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 8, ended
    assert "kafka.test" in story.undelivered(ended)


@pytest.mark.rare
@pytest.mark.skipif(os.getuid() != 0, reason="a small disk is mounted by root")
def test_a_full_disk_that_has_room_again(bed, tmp_path, run_authority, event_schema):
    """The broker ends where its disk is full, before the job or in it; the job tells it everything once it is back."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    try:
        with kafka.Kafka(str(tmp_path / "kafka"), run_authority, data=str(disk / "data")) as server:
            topic = server.topic()
            with open(disk / "full", "wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            task = start(bed, server, entry(topic), *story.long_build(seconds=60))
            task.wait_for("line 2000")
            deadline = time.monotonic() + 20
            while server.alive() and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not server.alive(), server.words()[-2000:]
            os.unlink(disk / "full")
            server.start()
            ended = bed.finish(task, 180)
            assert ended.code == 0 and "undelivered" not in ended.result, ended
            events = story.assert_whole(story.told(told(topic, ended.result["id"])), ended, event_schema)
            assert story.output_of(events) == story.long_lines()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
