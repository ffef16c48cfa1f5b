"""Very much log through every sink at once: what PID 1 takes for it, and that what a receiver has not got is counted.

VOLUME_MIB says how much (4); tests/soak/run-volume takes a gigabyte. The build ends when all have everything, or when
VOLUME_SECONDS (60) have passed: the slow ones then lose what the end has no time for. Memory is VmHWM of PID 1: all that
was resident at once, its program's own pages among it."""

import os
import re
import time

import pytest

from bed import processes, story, volume

MIB = int(os.environ.get("VOLUME_MIB", "4"))
SECONDS = float(os.environ.get("VOLUME_SECONDS", "60"))
LINE = "a line of a build that has very much to say, with a number and some words, as builds have them: " + "0123456789" * 8
LINES = (MIB << 20) // (len(f"line 000000000 {LINE}") + 1)
BUILD = (f"mkdir dist; seq -f 'line %09.0f {LINE}' {LINES}; echo x >dist/index.html; "
         "until test -e /told/go; do sleep 0.1; done")
LIMITS_MIB = {"without kafka": 16, "with kafka": 32}  # librdkafka has threads, each with memory of its own


@pytest.fixture
def receivers(request, bed, run_authority, redis_server, rabbitmq_place, sqs_api, sns_api, events_api, logs_api):
    made = volume.Receivers(bed.results_folder(), run_authority)
    made.add_redis(redis_server)
    made.add_amqp(rabbitmq_place)
    made.add_sqs(sqs_api)
    made.add_sns(sns_api)
    made.add_eventbridge(events_api)
    made.add_logs(logs_api)
    return made


def lost_by(ended, place):
    """As the result says it."""
    (said,) = [entry for entry in ended.get("undelivered", []) if entry.startswith(f"{place}: ")] or [
        "0 lines or events"]
    return int(re.search(r"(\d+) lines or events", said)[1])


@pytest.mark.timeout(3600 if MIB > 64 else 500)
@pytest.mark.parametrize("case", ["without kafka", pytest.param("with kafka", marks=pytest.mark.rare)])
def test_every_sink_at_once(request, bed, receivers, github_api, case):
    if case == "with kafka":
        receivers.add_kafka(request.getfixturevalue("kafka_server"))
    repository = bed.repository({"README.md": "x\n"})
    github_api.commit("shop/site", repository.commit)
    spec = bed.spec(repository, build={"builder": "commands", "commands": [BUILD], "output": "dist"},
                    limits={"log": "4GiB", "disk": "100%"},
                    notify=[*receivers.notify, {"github": "shop/site", "token": {"env": "GITHUB_TOKEN"}}])
    task = bed.start(spec, services=[*receivers.services, *github_api.services()], volumes={"/told": receivers.folder},
                     environment={**story.CA, **receivers.environment, "GITHUB_TOKEN": github_api.token})
    memory = processes.OurMemory(task)
    began = time.monotonic()
    while time.monotonic() - began < SECONDS and not task.has_ended():
        if all(one.last == LINES for one in receivers.each if one.name != "file"):
            break
        time.sleep(0.2)
    receivers.go()
    code = task.wait(900)
    memory.stop()
    receivers.stop()
    ended = bed.result_of(task)
    print(f"{MIB} MiB, {LINES} lines, {case}: PID 1 took {memory.of_pid_1():.1f} MiB at most, "
          f"{time.monotonic() - began:.0f} s")
    for one in receivers.each:
        lost = lost_by(ended, one.place)
        print(f"  {one.name:16} {one.lines:9} lines told, {lost:9} left out and counted, {one.repeated} told twice")
        assert one.ends == 1 and one.backwards == 0, (one.name, vars(one))
        assert one.lines + lost >= LINES, one.name
    assert code == 0 and github_api.combined("shop/site", repository.commit) == {"caisson": "success"}, ended
    assert 0 < memory.of_pid_1() <= LIMITS_MIB[case], memory.peaks
