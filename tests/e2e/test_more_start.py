"""Before a job begins: waiting for its spec ends when it is told to, and what cannot begin has a result too."""

import json
import signal
import subprocess
import threading
import time

import pytest

from bed import http1, s3
from bed.world import JOBS_BUCKET

CA = {"SSL_CERT_FILE": "/etc/test-ca.pem"}
BUILDS = ("mkdir dist", "echo x >dist/index.html")


def last_result(text):
    """The result that the last line holds."""
    _, _, document = text.strip().split("\n")[-1].partition(" result ")
    return json.loads(document)


@pytest.mark.parametrize("name, code, status", [
    ("SIGTERM", 143, "interrupted"), ("SIGHUP", 143, "interrupted"), ("SIGINT", 130, "cancelled"),
])
def test_stop_while_standard_input_is_awaited(program, name, code, status):
    with subprocess.Popen([program, "run", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as process:
        process.stdin.write(b"version: 1\n")
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(getattr(signal, name))
        at = time.monotonic()
        text = process.stdout.read().decode()
        assert process.wait(10) == code, text
    assert time.monotonic() - at < 3
    assert last_result(text)["status"] == status, text


def test_spec_that_is_too_large(caisson, tmp_path):
    text = "version: 1\n" + "# all a comment\n" * 70000
    (tmp_path / "large.yaml").write_text(text)
    for ran in (caisson("run", "-", input=text), caisson("run", str(tmp_path / "large.yaml"))):
        assert ran.returncode == 10, ran
        assert last_result(ran.stdout)["reason"] == "spec-too-large", ran


def test_too_large_from_afar(bed):
    bed.world.documents.documents["/large.yaml"] = b"# all a comment\n" * 70000
    bed.storage.put(JOBS_BUCKET, "specs/large.yaml", b"# all a comment\n" * 70000)
    for where in ("https://spec.test/large.yaml?signature=s3cretOfThePresignedUrl", f"s3://{JOBS_BUCKET}/specs/large.yaml"):
        ended = bed.run(where, environment=CA)
        assert ended.code == 10 and last_result(ended.text)["reason"] == "spec-too-large", ended
        assert "s3cretOfThePresignedUrl" not in ended.text


def test_failures_of_the_place_are_waited_out(bed, monkeypatch):
    spec = bed.commands(*BUILDS)
    answers = [http1.Response(503, b"busy"), http1.Response(429, b"slow down"),
               http1.Response(200, json.dumps(spec).encode())]
    monkeypatch.setattr(bed.world.documents, "handle", lambda request: answers.pop(0))
    ended = bed.run("https://spec.test/job.json", environment=CA)
    assert ended.code == 0, ended
    assert answers == []


@pytest.mark.parametrize("place", ["https", "s3"])
def test_stop_while_the_spec_is_fetched(bed, monkeypatch, place):
    if place == "https":
        where, reached, free = "https://spec.test/job.json", threading.Event(), threading.Event()

        def handle(_):
            reached.set()
            free.wait(60)
            return http1.Response(200, b"{}")

        monkeypatch.setattr(bed.world.documents, "handle", handle)
        release = free.set
    else:
        hold = bed.gate.add(s3.Hold(lambda seen: seen.bucket == JOBS_BUCKET))
        where, reached, release = f"s3://{JOBS_BUCKET}/specs/any.yaml", hold.reached, hold.release
    task = bed.start(where, environment=CA)
    assert reached.wait(20), task.text()
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task)
    release()
    assert time.monotonic() - at < 5, ended
    assert ended.code == 143, ended
    result = last_result(ended.text)
    assert result["status"] == "interrupted" and result["retryable"] is True, ended


@pytest.mark.parametrize("arguments, operator, word", [
    (["--profile", "veren-frontend"], None, "PROJECT_ID"),
    ([], "allow: [file-target]\n", "file-targets"),
    ([], "pins: {bucket: a}\ndefaults: {nothing: 1}\n", "nothing"),
], ids=["profile", "operator", "two mistakes"])
def test_what_cannot_begin_has_a_result(bed, arguments, operator, word):
    task = bed.start(arguments=arguments, operator=operator)
    ended = bed.finish(task)
    assert ended.code == 10, ended
    result = last_result(ended.text)
    bed.schema.validate(result)
    assert result["exit_code"] == 10 and result["step"] == "load" and word in ended.text, ended
    assert result["id"] in task.endpoint.environment()["ECS_CONTAINER_METADATA_URI_V4"], ended


def test_each_mistake_is_said_once(caisson):
    ran = caisson("run", "-", input="version: 1\nsource: {repositry: x}\n")
    assert ran.returncode == 10, ran
    lines = [line for line in ran.stdout.split("\n") if "repositry" in line and " result " not in line]
    assert len(lines) == 1 and "repository" in lines[0], ran.stdout


def test_operator_bounds_the_log(bed):
    spec = bed.commands(*BUILDS, "seq 20000", log=f"s3://{JOBS_BUCKET}/bounded/log.txt")
    ended = bed.run(spec, operator="max: {limits: {log: 16KiB}}\n")
    assert ended.code == 0, ended
    stored = bed.storage.get(JOBS_BUCKET, "bounded/log.txt").decode()
    for text in (ended.text, stored):
        assert "reached its limit of 16 KiB" in text and "| 20000" not in text, ended
        assert len(text) < 200 * 1024, len(text)
    assert " result " in ended.text.strip().split("\n")[-1], ended
