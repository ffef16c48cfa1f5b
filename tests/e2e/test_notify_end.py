"""The end of a job: its result is written and told, once by its id, whatever happens meanwhile; and files."""

import contextlib
import json
import os
import subprocess
import time

import pytest

from bed import s3, story, webhook
from bed.world import JOBS_BUCKET

BUDGET = ["--stop-budget", "6s"]
FILE = "/told/events.ndjson"


@pytest.fixture
def folder(bed):
    """On the host, of what a task has at /told."""
    return bed.results_folder()


def told(folder):
    with open(os.path.join(folder, "events.ndjson")) as file:
        return [json.loads(line) for line in file]


def start(bed, folder, *commands, entry=None, more=(), hook=None, **options):
    notify = [{"file": FILE, "format": "cloudevents", "events": ["status", "log"], **(entry or {})}, *more]
    changes = options.pop("changes", {})
    spec = bed.commands(*(commands or story.COMMANDS), notify=notify, **changes)
    return bed.start(spec, volumes={"/told": folder, **options.pop("volumes", {})}, services=hook.services() if hook else (),
                     environment={**story.CA, **options.pop("environment", {})}, **options)


def run(bed, folder, *commands, **options):
    return bed.finish(start(bed, folder, *commands, **options))


def of_result(seen):
    return seen.method == "PUT" and seen.bucket == JOBS_BUCKET and seen.key.endswith("result.json")


# -- files


def test_a_file_has_every_event(bed, folder, event_schema):
    ended = run(bed, folder)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert "built" in story.output_of(story.assert_whole(told(folder), ended, event_schema))


def test_a_file_in_plain_text(bed, folder):
    ended = run(bed, folder, entry={"format": "plain"})
    with open(os.path.join(folder, "events.ndjson")) as file:
        lines = file.read().splitlines()
    assert lines[-1] == f"job {ended.result['id']} succeeded" and any("| built" in line for line in lines), lines


def test_a_file_needs_the_operators_word(bed, folder):
    ended = run(bed, folder, operator="allow: [private-http]\n")
    assert ended.code == 10 and "file-targets" in ended.text and os.listdir(folder) == [], ended


def test_a_build_cannot_lead_us_elsewhere(bed, folder):
    """A link where the file shall be, and a pipe that nobody reads."""
    os.symlink("/etc/passwd", os.path.join(folder, "events.ndjson"))
    os.mkfifo(os.path.join(folder, "pipe"))
    ended = run(bed, folder, more=[{"file": "/told/pipe"}], arguments=BUDGET)
    assert ended.code == 0 and len(ended.result["undelivered"]) == 2, ended
    assert os.path.islink(os.path.join(folder, "events.ndjson"))


@pytest.mark.skipif(os.getuid() != 0, reason="a small disk is mounted by root")
def test_a_full_disk_that_has_room_again(bed, folder, event_schema):
    """No event is written in part; what did not fit comes when there is room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", folder], check=True)
    try:
        full = os.path.join(folder, "full")
        with open(full, "wb") as file, contextlib.suppress(OSError):
            file.write(b"x" * (900 << 10))
        task = start(bed, folder, *story.long_build(4000, 4))
        task.wait_for("No space left on device")
        os.unlink(full)
        ended = bed.finish(task)
        assert ended.code == 0 and "undelivered" not in ended.result, ended
        events = story.assert_whole(told(folder), ended, event_schema)
        assert story.output_of(events) == story.long_lines(4000)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.rare
def test_a_slow_receiver_that_goes_on_is_told_everything(bed, folder, hook, event_schema):
    """It needs longer than a dead one would be given."""
    hook.by_path["/slow"] = [webhook.slow(0.5)]
    ended = run(bed, folder, *story.long_build(20000, 0), hook=hook,
                more=[{"http": "https://hooks.test/slow", "secret": {"env": "HOOK"}, "events": ["status", "log"]}],
                environment={"HOOK": hook.secret})
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(hook.events("/slow"), ended, event_schema)
    assert story.output_of(events) == story.long_lines(20000) and len(events) * 0.5 > 20


def test_a_stop_while_a_slow_receiver_is_told(bed, folder, hook):
    """What it has no time for any more is counted, and the end is told."""
    hook.by_path["/slow"] = [webhook.slow(0.5)]
    task = start(bed, folder, *story.long_build(20000, 0), hook=hook, arguments=BUDGET, environment={"HOOK": hook.secret},
                 more=[{"http": "https://hooks.test/slow", "secret": {"env": "HOOK"}, "events": ["status", "log"]}])
    task.wait_for(" result {")
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert time.monotonic() - at < 9 and "lines or events were left out" in story.undelivered(ended), ended
    assert hook.events("/slow")[-1]["type"].endswith(".finished")


# -- the result


def test_storage_that_is_down_at_first(bed, folder, event_schema):
    """The result goes first and, where that was not possible, last of all."""
    fault = bed.gate.add(s3.Refuse(of_result, 503, "SlowDown", times=8))
    ended = run(bed, folder)
    assert ended.code == 0 and fault.hits == 8, ended
    assert ended.result is not None and "not written" in ended.text
    story.assert_whole(told(folder), ended, event_schema)


def test_storage_that_hangs_does_not_keep_the_end_from_being_told(bed, folder):
    held = bed.gate.add(s3.Hold(of_result, times=1))
    task = start(bed, folder, "mkdir dist; sleep 60", arguments=BUDGET)
    task.wait_for("$   mkdir dist; sleep 60")
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    held.release()
    assert ended.code == 143 and time.monotonic() - at < 9, ended
    assert told(folder)[-1]["data"]["result"]["status"] == "interrupted"
    assert ended.result is not None, ended


def test_a_receiver_that_hangs_does_not_keep_the_result_from_being_written(bed, folder, hook):
    hook.by_path["/hang"] = [webhook.hang(60)]
    task = start(bed, folder, "mkdir dist; sleep 60", more=[{"http": "https://hooks.test/hang"}], hook=hook,
                 arguments=BUDGET)
    task.wait_for("$   mkdir dist; sleep 60")
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and "https://hooks.test" in story.undelivered(ended), ended
    assert told(folder)[-1]["data"]["result"]["status"] == "interrupted"


# -- stops


@pytest.mark.parametrize("signal, code, status", [("TERM", 143, "interrupted"), ("INT", 130, "cancelled"),
                                                  ("HUP", 143, "interrupted")])
def test_each_signal_is_told(bed, folder, event_schema, signal, code, status):
    task = start(bed, folder, "mkdir dist; sleep 60", arguments=BUDGET)
    task.wait_for("$   mkdir dist; sleep 60")
    task.signal(signal)
    ended = bed.finish(task)
    assert (ended.code, ended.result["status"]) == (code, status), ended
    events = story.assert_whole(told(folder), ended, event_schema)
    assert ("build", "end", "failed") in [(event["data"]["step"], event["data"]["phase"], event["data"].get("status"))
                                          for event in events if event["type"].endswith(".step")]


@pytest.mark.parametrize("changes, code, status", [
    ({"timeout": "2s"}, 124, "timed_out"), ({"limits": {"output": "1KiB"}}, 42, "failed"),
    ({"retry": {"max_attempts": 1}}, 0, "succeeded")])
def test_other_ends(bed, folder, event_schema, changes, code, status):
    wait = "sleep 60" if "timeout" in changes else "true"
    ended = run(bed, folder, f"mkdir dist; {wait}; head -c 9000 /dev/zero >dist/index.html", changes=changes)
    assert (ended.code, ended.result["status"]) == (code, status), ended
    story.assert_whole(told(folder), ended, event_schema)


def test_children_that_are_killed(bed, folder, event_schema):
    """The build kills itself and what it can reach."""
    ended = run(bed, folder, "mkdir dist; kill -9 $$")
    assert ended.code == 31 and ended.result["child_signal"] in (9, "SIGKILL", "KILL"), ended
    story.assert_whole(told(folder), ended, event_schema)
