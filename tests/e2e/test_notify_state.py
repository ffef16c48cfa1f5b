"""Who hears of a job late, or loses what was said before the end, knows of it what everybody knows: the state that a
consumer draws from events is the same for every suffix that holds the last one."""

import json
import os
import random

import pytest

from bed import story, told
from bed.world import JOBS_BUCKET

FILE = "/told/events.ndjson"
STAYS = ("type", "created_at", "started_at", "runner_version", "log_url", "source")  # of `started`; the result has them too


def rebuild(events):
    """A consumer as docs/events.md invites one: each event says something new, and the last one knows better."""
    state = {"status": "running", "steps": {}}
    for event in events:
        kind, data = event["type"].rpartition(".")[2], event["data"]
        state.update({"id": data["id"], "project": data.get("project"), "labels": data.get("labels"),
                      "job": event["subject"], "run": event["source"]})
        if kind == "started":
            state.update({key: data[key] for key in (*STAYS, "result_url") if key in data})
        elif kind == "step" and data["phase"] == "begin":
            state["steps"][data["step"]] = {"status": "running"}
        elif kind == "step":
            state["steps"][data["step"]] = {key: data[key] for key in ("status", "attempts", "seconds")}
        elif kind == "finished":
            state = finished(state, data)
    return state


def finished(state, data):
    result = data["result"]
    assert not result.get("shortened")
    steps = {step["name"]: {key: step[key] for key in ("status", "attempts", "seconds")} for step in result["steps"]}
    known = {key: state[key] for key in ("id", "project", "labels", "job", "run")}
    return {**known, "result_url": data["result_url"], "steps": steps, "result": result, "status": result["status"],
            **{key: result[key] for key in STAYS if key in result}}


def start(bed, *commands, **changes):
    spec = bed.commands(*commands, log=f"s3://{JOBS_BUCKET}/told/log.gz", labels={"serviceId": "s1"},
                        created_at="2026-01-09T12:00:00Z", notify=[
                            {"file": FILE, "events": ["status", "log", "progress", "heartbeat"], "format": "cloudevents"}])
    spec = {**spec, **changes, "build": {**spec["build"], **changes.get("build", {})}}
    if "retry" in changes:
        bed.git.flaky = 2
        spec["source"]["repository"] = spec["source"]["repository"].replace("/open/", "/flaky/")
    return bed.start(spec, volumes={"/told": bed.results_folder()}, environment=story.CA)


def events_of(bed):
    with open(os.path.join(bed.results_folder(), "events.ndjson")) as file:
        return [json.loads(line) for line in file]


FINE = ("mkdir dist; seq 3000; sleep 1.2; echo x >dist/index.html",)
ENDS = {
    "succeeded": (FINE, {}),
    "failed": (("seq 3000; exit 3",), {}),
    "tried again": (FINE, {"retry": {"max_attempts": 3, "backoff": "10ms"}}),
    "timed_out": (("mkdir dist; sleep 60",), {"timeout": "3s"}),
    "test failed": (FINE, {"build": {"builder": "commands", "test": "echo no; exit 4"}}),
    "no output": (("true",), {}),
    "no source": (FINE, {"source": {"repository": "http://git.test/open/not-there.git"}}),
    "no secret": (FINE, {"secrets": {"TOKEN": {"env": "NOT_THERE"}}}),
}


@pytest.mark.parametrize("end", [*ENDS, "interrupted", "cancelled"])
def test_any_suffix_tells_the_whole(bed, event_schema, end):
    commands, changes = ENDS.get(end, (("mkdir dist; seq 300; sleep 60",), {}))
    task = start(bed, *commands, **changes)
    if end in ("interrupted", "cancelled"):
        task.wait_for("| 300")
        task.signal("TERM" if end == "interrupted" else "INT")
    ended = bed.finish(task)
    events = story.assert_whole(events_of(bed), ended, event_schema)
    whole = rebuild(events)
    assert whole["status"] == ended.result["status"], ended
    for number in range(len(events)):
        assert rebuild(events[number:]) == whole, events[number]
    for seed in range(20):  # nor does it matter what is lost on the way, or comes twice
        chance = random.Random(seed)
        some = [event for event in events[:-1] for _ in range(chance.choice([0, 1, 1, 2]))]
        assert rebuild([*some, events[-1]]) == whole, seed
    assert_nothing_else_was_said(rebuild(events[:-1]), whole)


def assert_nothing_else_was_said(running, whole):
    """What was known before the end is what the end says, as far as it was known."""
    steps = {name: step for name, step in whole["steps"].items() if step["status"] != "skipped"}
    assert running["steps"].keys() == steps.keys()
    for name, step in steps.items():
        assert running["steps"][name] == {**step, "seconds": pytest.approx(step["seconds"], abs=0.01)}, name
    for key in ("id", "project", "labels", "job", "run", "result_url", *STAYS):
        if key != "source" and key in whole:
            assert running[key] == whole[key], key
    assert running["source"]["repository"] == whole["source"]["repository"]


def test_attempts_are_told(bed):
    commands, changes = ENDS["tried again"]
    ended = bed.finish(start(bed, *commands, **changes))
    assert ended.code == 0, ended
    ends = {event["data"]["step"]: event["data"] for event in events_of(bed)
            if event["type"].endswith(".step") and event["data"]["phase"] == "end"}
    assert (ends["checkout"]["status"], ends["checkout"]["attempts"], ends["build"]["attempts"]) == ("succeeded", 3, 1)


@pytest.mark.parametrize("kind", ["sqs", pytest.param("sns", marks=pytest.mark.rare),
                                  pytest.param("eventbridge", marks=pytest.mark.rare)])
def test_the_end_fits_and_names_the_whole(bed, request, kind, event_schema):
    """With the labels of the event and those of the result it would be more than a message may have."""
    receiver = told.KINDS[kind].of(request)
    spec = bed.commands(*story.COMMANDS, notify=[receiver.entry], labels={f"label-{i}": '"' * 1020 for i in range(64)})
    bed.storage.put(JOBS_BUCKET, "told/spec.json", json.dumps(spec).encode())
    task = bed.start(f"s3://{JOBS_BUCKET}/told/spec.json", services=receiver.services,
                     environment={**story.CA, **receiver.environment})
    task.spec = spec
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = story.assert_whole(receiver.events(), ended, event_schema)
    assert "built" in story.output_of(events) and events[0]["data"]["labels"] == spec["labels"]
    last = events[-1]["data"]
    assert "labels" not in last and last["result"]["labels"] == spec["labels"]
    assert last["result_url"] == spec["result"]
    receiver.close()
