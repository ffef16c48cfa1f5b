"""What is left out is counted, and said where it is missing: in the log itself, to who is told of it, and in the result."""

import gzip
import re
import socket
import threading
import time

import pytest

from bed import story, told, webhook
from bed.world import ADDRESSES, JOBS_BUCKET

LOG = f"s3://{JOBS_BUCKET}/gaps/log.gz"


@pytest.fixture
def receivers(request):
    """By kind, made when a test asks for it."""
    made = []

    def make(kind):
        made.append(told.KINDS[kind].of(request))
        return made[-1]

    yield make
    for one in made:
        one.close()


def start(bed, receivers, *commands, more=(), environment=None, **options):
    changes = options.pop("changes", {})
    spec = bed.commands(*commands, notify=[*(one.entry for one in receivers), *more], **changes)
    variables = dict(story.CA)
    for one in receivers:
        variables.update(one.environment)
    services = {(address, port): on_connection for one in receivers for address, port, on_connection in one.services}
    return bed.start(spec, services=[(*where, on_connection) for where, on_connection in services.items()],
                     environment={**variables, **(environment or {})}, **options)


def gaps(lines):
    return [line["text"] for line in lines if line["type"] == "gap"]


def number_in(texts, pattern):
    (found,) = [int(match[1]) for text in texts if (match := re.search(pattern, text))]
    return found


def test_where_the_cap_cuts(bed, receivers, event_schema):
    """The stored log and a receiver have the same lines, the same gap, and the number of what is missing."""
    receiver = receivers("http")
    ended = bed.finish(start(bed, [receiver], "mkdir dist; seq -f 'line %.0f' 30000; echo x >dist/index.html",
                             changes={"limits": {"log": "100KiB"}, "log": LOG}))
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(receiver.events(), ended, event_schema)
    output = story.output_of(events)
    assert output == [f"line {number}" for number in range(1, len(output) + 1)] and 1000 < len(output) < 30000
    said = gaps(story.lines_of(events))
    assert "limit of 100 KiB" in said[0] and number_in(said, r"^(\d+) lines .* left out") == 30000 - len(output), said
    stored = gzip.decompress(bed.storage.get(JOBS_BUCKET, "gaps/log.gz")).decode()
    assert all(text in stored and text in ended.text for text in said)
    assert [line.partition("| ")[2] for line in stored.splitlines() if "| line" in line] == output


def test_what_could_not_be_told_in_time(bed, receivers, hook, event_schema):
    """One that takes a second for each message, when the job is stopped with ten left: it has the beginning, how much is
    missing, and the end."""
    receiver = receivers("http")
    hook.by_path["/events"] = [webhook.slow(1)]
    task = start(bed, [receiver], "mkdir dist; seq -f 'line %.0f' 20000; echo the last line; sleep 60",
                 arguments=["--stop-budget", "10s"], changes={"log": LOG})
    task.wait_for("the last line\n")
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 14, ended
    events = receiver.events()
    for event in events:
        event_schema.validate(event)
    assert story.kinds(events)[-1] == "finished" and events[-1]["data"]["result"]["status"] == "interrupted"
    output = story.output_of(events)
    assert output == [f"line {number}" for number in range(1, len(output) + 1)] and len(output) < 20000
    missing = number_in(gaps(story.lines_of(events)), r"^(\d+) lines")
    # those of ours beside the build's are among them
    assert 20000 - len(output) <= missing <= 20000 - len(output) + 50, (missing, len(output))
    assert f"{missing} " in story.undelivered(ended) and "left out" in story.undelivered(ended)
    stored = gzip.decompress(bed.storage.get(JOBS_BUCKET, "gaps/log.gz")).decode()
    assert stored.count("| line ") == 20000  # that one has them


class NoNames:
    """A name server that never answers, at dead.test."""

    FILES = {"/etc/resolv.conf": f"nameserver {ADDRESSES['dead.test']}\noptions timeout:30 attempts:3\n"}

    def __init__(self, network):
        self.asked = threading.Event()
        self.sock = network.inside(self._bind)
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def _bind():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((ADDRESSES["dead.test"], 53))
        return sock

    def _listen(self):
        while True:
            try:
                self.sock.recvfrom(2048)
            except OSError:
                return
            self.asked.set()


def of_result(seen):
    return seen.method == "PUT" and seen.bucket == JOBS_BUCKET and seen.key.endswith("result.json")


def test_a_stop_with_ten_seconds_left(bed, receivers, hook):
    """Nobody answers: not the receivers, not the name server of one of them. The result is written first, who could not
    be told is named, and it is written once more with their names."""
    silent = [receivers(kind) for kind in ("redis", "sqs")]
    hook.by_path["/hang"] = [webhook.hang(60)]
    http = receivers("http")
    nobody = {"http": "https://slow-names.example/events", "events": ["status"]}
    hanging = {**http.entry, "http": "https://hooks.test/hang"}
    task = start(bed, [*silent, http], "mkdir dist; sleep 60", more=[nobody, hanging], files=NoNames.FILES,
                 arguments=["--stop-budget", "10s"])
    names = NoNames(bed.networks[-1])
    task.wait_for("$   mkdir dist; sleep 60")
    assert names.asked.wait(40)
    for one in silent:
        for each in one.links:
            each.hold()
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    took = time.monotonic() - at
    names.sock.close()
    assert ended.code == 143 and took < 13, (took, ended)
    assert http.events()[-1]["data"]["result"]["status"] == "interrupted"
    left = ended.result["undelivered"]
    for place in ("redis rediss://redis.test", "sqs ", "https://slow-names.example", "https://hooks.test"):
        assert any(place in entry for entry in left), (place, left)
        assert any(f"not told: {entry}" in ended.text for entry in left if place in entry)
    assert len(left) == 4, left
    written = [request for request in bed.gate.requests if of_result(request)]
    assert len(written) == 2, written
