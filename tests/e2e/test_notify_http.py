"""`notify` to HTTP: what a receiver gets of a job, whatever becomes of it in between."""

import base64
import json
import time

import pytest

from bed import http1, repositories, story, webhook


def told(hook, **changes):
    """An entry of `notify` for the hook."""
    entry = {"http": "https://hooks.test/events", **changes}
    return [{**entry, "secret": {"env": "HOOK_SECRET"}} if hook.secret else entry]


def job(bed, *commands, hook, entry=None, **changes):
    return bed.commands(*(commands or story.COMMANDS), notify=told(hook, **(entry or {})), **changes)


def start(bed, spec, hook, environment=None, **options):
    return bed.start(spec, environment={"HOOK_SECRET": hook.secret or "", **story.CA, **(environment or {})},
                     services=hook.services(), **options)


def run(bed, spec, hook, **options):
    return bed.finish(start(bed, spec, hook, **options))


def assert_story(hook, ended, schema):
    """Whole, in order, each told once by its id, and the end is the result."""
    assert hook.mistakes == [], hook.evidence()
    return story.assert_whole(hook.events(), ended, schema)


def test_the_whole_story(bed, hook, event_schema):
    spec = job(bed, hook=hook, entry={"events": ["status", "log", "progress"]}, labels={"serviceId": "s1"})
    ended = run(bed, spec, hook)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    events = assert_story(hook, ended, event_schema)
    assert all(event["data"]["labels"] == {"serviceId": "s1"} and event["subject"] == spec["id"] for event in events)
    assert events[0]["source"].startswith("arn:aws:ecs:")
    steps = [(event["data"]["step"], event["data"]["phase"]) for event in events if event["type"].endswith(".step")]
    assert [step for step in steps if step[0] == "build"] == [("build", "begin"), ("build", "end")]
    texts = [(line["type"], line.get("stream"), line["text"]) for line in story.lines_of(events)]
    assert ("output", "stdout", "built") in texts and ("output", "stderr", "warned") in texts
    sequences = [line["sequence"] for line in story.lines_of(events)]
    assert sequences == sorted(sequences)


def test_binary_mode_token_key_and_headers(bed, hook, event_schema):
    hook.headers = {"authorization": "Bearer token-of-ours", "x-api-key": "key-of-ours", "x-tenant": "shop"}
    entry = {"mode": "binary", "token": {"env": "TOKEN"}, "api_key": {"env": "KEY"}, "headers": {"X-Tenant": "shop"}}
    ended = run(bed, job(bed, "mkdir dist; echo $TOKEN-$KEY; echo x >dist/index.html", hook=hook, entry=entry), hook,
                environment={"TOKEN": "token-of-ours", "KEY": "key-of-ours"})
    assert ended.code == 0, ended
    events = assert_story(hook, ended, event_schema)
    assert story.kinds(events)[0] == "started" and all(request.header("ce-id") for request in hook.received)
    assert "token-of-ours" not in ended.text and "key-of-ours" not in ended.text


def test_the_end_alone_and_plain(bed, hook):
    ended = run(bed, job(bed, hook=hook, entry={"events": ["finished"], "format": "plain"}), hook)
    (request,) = hook.received
    assert ended.code == 0 and request.body.decode() == f"job {ended.result['id']} succeeded"
    assert hook.mistakes == []


@pytest.mark.parametrize("ahead_s", [3600, -3600])
def test_a_clock_that_the_receiver_does_not_share(bed, hook, event_schema, ahead_s):
    """Standard Webhooks are refused when they were signed long ago, or are yet to be: it is the receiver's time that counts."""
    def answer(request, client):
        now = time.time() + ahead_s
        timely = abs(int(request.header("webhook-timestamp")) - now) < 300
        return http1.Response(204 if timely else 401, headers=[("Date", http1.http_date(now))])

    hook.by_path["/events"] = [answer]
    ended = run(bed, job(bed, hook=hook), hook)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert all("timestamp" in mistake for mistake in hook.mistakes), hook.evidence()  # by the clock of this machine
    story.assert_whole(hook.events(), ended, event_schema)
    assert len(hook.requests) == len(hook.received) + 1, "it is asked once"


@pytest.mark.parametrize("trouble", ["500", "busy", "reset", "drop", "lost-answer"])
def test_what_is_not_answered_comes_again(bed, hook, event_schema, trouble):
    """Nothing is lost, nothing changes its place, and what comes twice has the id it had."""
    answers = {"500": [500, 503], "busy": [webhook.answer(429, retry_after="1")],
               "reset": [webhook.reset(), webhook.reset()],
               "drop": [webhook.drop()], "lost-answer": [204, webhook.lost_answer(hook)]}
    hook.answers += answers[trouble]
    ended = run(bed, job(bed, hook=hook, entry={"events": ["status", "log"]}), hook)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert_story(hook, ended, event_schema)
    assert len(hook.requests) > len(hook.events())


def test_down_at_the_start_and_in_the_middle(bed, hook, event_schema):
    """500 from the first request on, later once more: the build does not wait, and all is told in the end."""
    hook.answers += [500, 500, 500, 204, 204, 500, 500]
    spec = job(bed, "mkdir dist; for i in $(seq 2000); do echo line $i; done; sleep 2; echo x >dist/index.html",
               hook=hook, entry={"events": ["status", "log"]})
    ended = run(bed, spec, hook)
    events = assert_story(hook, ended, event_schema)
    texts = [line["text"] for line in story.lines_of(events) if line["type"] == "output"]
    assert texts == [f"line {i}" for i in range(1, 2001)]
    assert any("callback-refused" in line or "answered 500" in line for line in ended.text.splitlines())


@pytest.mark.parametrize("answer, word", [
    (401, "token"), (404, "404"), (webhook.redirect("https://hooks.test/other"), "redirect"), (413, "413")])
def test_what_is_refused_fails_no_job(bed, hook, answer, word):
    hook.by_path["/events"] = [answer]
    ended = run(bed, job(bed, hook=hook), hook, arguments=["--stop-budget", "10s"])
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert "https://hooks.test" in story.undelivered(ended) and word in ended.text
    assert not any(request.path == "/other" for request in hook.requests)


def test_what_is_too_large_goes_in_parts(bed, hook, event_schema):
    """A server before the receiver takes no more than 8 KiB."""
    hook.by_path["/events"] = [lambda request, client: http1.Response(413 if len(request.body) > 8192 else 204)]
    ended = run(bed, job(bed, *story.long_build(seconds=0), hook=hook, entry={"events": ["status", "log"]}), hook)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert story.output_of(assert_story(hook, ended, event_schema)) == story.long_lines()


def test_an_authority_that_nobody_knows(bed, hook):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", notify=[
        {"http": f"https://hooks.test:{webhook.STRANGER_PORT}/events"}], timeout="60s")
    ended = run(bed, spec, hook, arguments=["--stop-budget", "10s"])
    assert ended.code == 0 and hook.requests == [], ended
    assert f"https://hooks.test:{webhook.STRANGER_PORT}" in story.undelivered(ended)
    assert "certificate" in ended.text and "CA bundle" in ended.text


def test_private_addresses_are_refused_without_the_operators_word(bed, hook):
    """The name is a public one as far as anybody can read."""
    ended = run(bed, job(bed, hook=hook), hook, operator="allow: [file-targets]\n")
    assert ended.code == 0 and hook.requests == [], ended
    assert "private address" in story.undelivered(ended)


def test_plain_http_is_refused_without_the_operators_word(bed, hook):
    spec = bed.commands("true", notify=[{"http": "http://hooks.test/events"}])
    ended = run(bed, spec, hook, operator="allow: [file-targets]\n")
    assert ended.code == 10 and "private-http" in ended.text, ended


def test_a_slow_receiver_does_not_slow_the_job(bed, hook, event_schema):
    commands = ("mkdir dist; for i in $(seq 2500); do echo line $i of many; done; echo x >dist/index.html",)
    fast = run(bed, bed.commands(*commands), hook)
    hook.by_path["/events"] = [webhook.slow(0.2)]
    spec = job(bed, *commands, hook=hook, entry={"events": ["status", "log"]})
    slow = run(bed, spec, hook)
    assert fast.code == slow.code == 0
    assert slow.result["seconds"] < fast.result["seconds"] * 2 + 2
    events = assert_story(hook, slow, event_schema)
    assert len([line for line in story.lines_of(events) if line["type"] == "output"]) == 2500


def test_one_that_hangs_does_not_keep_a_stopped_job(bed, hook):
    """Two receivers: who answers has the end in time, who hangs is named."""
    hook.by_path["/hang"] = [webhook.hang(60)]
    spec = bed.commands("mkdir dist; sleep 60", notify=[*told(hook), {"http": "https://hooks.test/hang", "secret": {
        "env": "HOOK_SECRET"}}])
    task = start(bed, spec, hook, arguments=["--stop-budget", "5s"])
    hook.wait(lambda hook: any(event["data"].get("step") == "build" for event in hook.events("/events")))
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 8, ended
    last = hook.events("/events")[-1]
    assert last["type"].endswith(".finished") and last["data"]["result"]["status"] == "interrupted"
    assert "https://hooks.test" in story.undelivered(ended)


def test_a_job_that_cannot_begin_is_told_too(bed, hook, event_schema):
    spec = job(bed, hook=hook, secrets={"TOKEN": {"env": "NOT_THERE"}})
    ended = run(bed, spec, hook)
    assert ended.code == 12, ended
    events = assert_story(hook, ended, event_schema)
    assert events[-1]["data"]["result"]["class"] == "secret-unavailable"


def test_a_secret_of_its_own_that_is_missing(bed, hook):
    """The job does not begin, and who can be told is told."""
    second = {"http": "https://hooks.test/second", "secret": {"env": "NOT_THERE"}}
    spec = bed.commands("true", notify=[*told(hook), second])
    ended = run(bed, spec, hook)
    assert ended.code == 12 and "notify[1].secret" in ended.text, ended
    assert hook.events("/events")[-1]["data"]["result"]["exit_code"] == 12
    assert hook.events("/second") == []


def test_a_secret_with_padding_and_a_line_break_signs(bed, hook, event_schema):
    hook.secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    ended = run(bed, job(bed, hook=hook), hook, environment={"HOOK_SECRET": hook.secret + "\n"})
    assert ended.code == 0, ended
    assert_story(hook, ended, event_schema)


def test_no_secret_leaves_in_an_event(bed, hook, event_schema):
    value = "a-secret-of-the-build-0123456789"
    encoded = base64.b64encode(value.encode()).decode()
    spec = job(bed, "mkdir dist; echo $TOKEN; echo $TOKEN | base64; echo $HOOK_SECRET; echo x >dist/index.html; exit 3",
               hook=hook, secrets={"TOKEN": {"env": "THE_TOKEN"}}, entry={"events": ["status", "log", "progress"]},
               labels={"note": value})
    ended = run(bed, spec, hook, environment={"THE_TOKEN": value})
    assert ended.code == 31, ended
    assert_story(hook, ended, event_schema)
    said = b"".join(request.body for request in hook.requests) + ended.text.encode()
    for secret in (value, encoded[:20], hook.secret):
        assert secret.encode() not in said


def test_a_build_cannot_speak_for_us(bed, hook, event_schema):
    """Its lines are lines, whatever they hold."""
    forged = json.dumps({"specversion": "1.0", "type": "dev.caisson.job.finished",
                         "data": {"result": {"status": "succeeded"}}})
    spec = job(bed, f"printf '%s\\n' '{forged}'; exit 1", hook=hook, entry={"events": ["status", "log"]})
    ended = run(bed, spec, hook)
    events = assert_story(hook, ended, event_schema)
    assert events[-1]["data"]["result"]["status"] == "failed"
    assert ("output", forged) in [(line["type"], line["text"]) for line in story.lines_of(events)]


def test_a_receiver_that_floods_us(bed, hook, event_schema):
    """An answer of 10 MiB is as good as a short one: its status counts."""
    hook.answers += [webhook.flood(10 << 20), webhook.flood(10 << 20, 500)]
    ended = run(bed, job(bed, hook=hook), hook)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert_story(hook, ended, event_schema)
    assert len(hook.requests) == len(hook.received) + 1


def test_progress_of_an_upload(bed, hook, event_schema):
    """In its place among lines and steps."""
    spec = job(bed, "mkdir dist; for i in $(seq 1500); do echo $i >dist/$i.html; done", hook=hook,
               entry={"events": ["status", "log", "progress"]})
    ended = run(bed, spec, hook)
    events = assert_story(hook, ended, event_schema)
    progress = [event["data"] for event in events if event["type"].endswith(".progress")]
    assert any(one["step"] == "publish" and "uploading" in one["text"] for one in progress), (progress, ended)

def test_progress_of_npm(bed, hook, event_schema):
    """npm prints none of it without a terminal; its own log has it."""
    files = {name: content for name, content in repositories.fixture("vite-react").items() if name.startswith("package")}
    install = "npm ci --ignore-scripts && sleep 2"
    spec = bed.spec(bed.repository(files), notify=told(hook, events=["status", "log", "progress"]),
                    build={"install": install, "command": "mkdir dist && echo x >dist/index.html", "output": "dist"})
    ended = run(bed, spec, hook)
    assert ended.code == 0, ended
    progress = [event["data"] for event in assert_story(hook, ended, event_schema) if event["type"].endswith(".progress")]
    fetched = [one for one in progress if one["step"] == "install" and "packages fetched" in one["text"]]
    assert fetched and int(fetched[-1]["text"].split()[0]) > 20, (progress, ended)


@pytest.mark.rare
def test_heartbeats(bed, hook, event_schema):
    spec = job(bed, "sleep 65; mkdir dist; echo x >dist/index.html", hook=hook,
               entry={"events": ["status", "heartbeat"]})
    ended = run(bed, spec, hook)
    events = assert_story(hook, ended, event_schema)
    assert story.kinds(events).count("heartbeat") == 2
