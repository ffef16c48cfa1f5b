"""A request to cancel that others leave for a job: an object of S3, or what an https server says."""

import hashlib
import json
import threading
import time

import pytest

from bed import http1, images, s3
from bed.world import BUCKET, JOBS_BUCKET

CA = {"CAISSON_CA_BUNDLE": "/etc/test-ca.pem"}
ALICE = {"action": "cancel", "by": "alice", "reason": "wrong branch"}
SAID = "cancelled by alice: wrong branch"
WAITING = "echo build-runs; while :; do sleep 0.2; done"
URL = "https://spec.test/control?signature=s3cretOfThePresignedUrl"


class Control:
    """The object that a job's spec names."""

    def __init__(self, bed, *commands, **changes):
        self.bed = bed
        spec = bed.commands(*commands) if commands else bed.spec(**changes)
        self.key = f"{spec['id']}/control"
        self.spec = {**spec, "control": f"s3://{JOBS_BUCKET}/${{id}}/control"}

    def put(self, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.bed.storage.put(JOBS_BUCKET, self.key, body)

    def polls(self):
        return [seen for seen in self.bed.gate.seen(bucket=JOBS_BUCKET, key=self.key) if seen.status]

    def await_polls(self, count, limit_s=30):
        before, end = len(self.polls()), time.monotonic() + limit_s
        while len(self.polls()) < before + count:
            assert time.monotonic() < end, [str(seen) for seen in self.bed.gate.requests]
            time.sleep(0.1)


def cancelled(ended, said=SAID, left="nothing was published"):
    assert ended.code == 130, ended
    result = ended.result
    assert result["status"] == "cancelled" and result["class"] == "cancelled" and result["reason"] == "cancelled", ended
    assert result["retryable"] is False and result["message"] == f"{said}; {left}", ended


def test_during_the_build(bed):
    control = Control(bed, WAITING)
    task = bed.start(control.spec)
    task.wait_for("| build-runs")
    control.put(ALICE)
    at = time.monotonic()
    ended = bed.finish(task)
    cancelled(ended)
    assert time.monotonic() - at < 12 and ended.result["step"] == "build", ended
    assert bed.published(control.spec) == {}
    assert "warning: cancel requested by alice: wrong branch" in ended.text
    polls = control.polls()
    assert [poll.method for poll in polls] == ["GET"] * len(polls) and polls[-1].status == 200
    assert {poll.status for poll in polls[:-1]} <= {404} and not any("if-none-match" in p.headers for p in polls), polls


@pytest.mark.parametrize("document, said", [
    ({"action": "cancel"}, "cancelled on request"),
    ({"action": "cancel", "by": "bob"}, "cancelled by bob"),
    ({"action": "cancel", "reason": "no\nmore"}, "cancelled: no more"),
])
def test_before_the_checkout(bed, document, said):
    """It was there first: whatever the job is at, it gets no further."""
    reached, free = threading.Event(), threading.Event()
    bed.git.before = lambda request: (reached.set(), free.wait(30))
    control = Control(bed, "mkdir dist; echo x >dist/index.html")
    control.put(document)
    ended = bed.run(control.spec)
    free.set()
    cancelled(ended, said)
    assert ended.result.get("step") in (None, "checkout") and ended.seconds < 20, ended


def test_etag_and_what_is_no_request(bed):
    """Something else is said of once, is not fetched again, and a request in its place counts."""
    control = Control(bed, WAITING)
    body = b'{"action": "restart", "token": "s3cret-of-somebody"}'
    control.put(body)
    task = bed.start(control.spec)
    task.wait_for("| build-runs")
    control.await_polls(2)
    polls = control.polls()
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert polls[0].status == 200 and {poll.status for poll in polls[1:]} == {304}, [str(poll) for poll in polls]
    assert {poll.headers["if-none-match"] for poll in polls[1:]} == {etag}
    control.put(ALICE)
    ended = bed.finish(task)
    cancelled(ended)
    assert ended.text.count("is no request that is known") == 2, ended  # in the log, and among the result's warnings
    assert 'its "action" is not "cancel"' in ended.text and "s3cret-of-somebody" not in ended.text


def test_request_that_cannot_be_read(bed):
    """A role that may not read it: one warning that names the rights, and the job runs on."""
    control = Control(bed, "sleep 7; mkdir dist; echo x >dist/index.html")
    control.put(ALICE)
    bed.gate.allow = lambda seen: seen.key != control.key
    ended = bed.run(control.spec)
    assert ended.code == 0, ended
    assert len(control.polls()) >= 2
    assert [warning for warning in ended.result["warnings"] if "s3:GetObject" in warning] == ended.result["warnings"]
    assert len(ended.result["warnings"]) == 1, ended


@pytest.mark.rare
def test_request_of_a_megabyte(bed):
    control = Control(bed, "sleep 7; mkdir dist; echo x >dist/index.html")
    control.put(json.dumps({**ALICE, "padding": "x" * 1_000_000}).encode())
    ended = bed.run(control.spec)
    assert ended.code == 0, ended
    assert len(ended.result["warnings"]) == 1 and "cannot be read" in ended.result["warnings"][0], ended


@pytest.mark.rare
def test_storage_that_fails_for_a_while(bed):
    """It is asked less often, nobody is alarmed at once, and what is there in the end counts."""
    control = Control(bed, WAITING)
    outage = bed.gate.add(s3.Refuse(lambda seen: seen.key == control.key, 503, "ServiceUnavailable", times=2))
    task = bed.start(control.spec)
    task.wait_for("| build-runs")
    control.put(ALICE)
    ended = bed.finish(task)
    cancelled(ended)
    assert outage.left == 0 and "cannot be read" not in ended.text
    at = [poll.at for poll in control.polls()]
    assert at[1] - at[0] > 4.5 and at[2] - at[1] > 9, at


class Server:
    """spec.test, in the place of its documents."""

    def __init__(self, documents):
        self.answers, self.requests, self.served = [], [], documents
        documents.handle = self.handle

    def handle(self, request):
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server(bed):
    server = Server(bed.world.documents)
    yield server
    del server.served.handle


def test_from_a_server(bed, server):
    server.answers = [http1.Response(404, b"none"), http1.Response(200, b"{}", [("ETag", 'W/"7"')]),
                      http1.Response(304, b""), http1.Response(200, json.dumps(ALICE).encode())]
    task = bed.start({**bed.commands(WAITING), "control": URL}, environment=CA)
    ended = bed.finish(task)
    cancelled(ended)
    assert [request.header("if-none-match") for request in server.requests] == ["", "", 'W/"7"', 'W/"7"']
    assert {(request.method, request.target) for request in server.requests} == {
        ("GET", URL.removeprefix("https://spec.test"))}
    assert not any(request.has("authorization") for request in server.requests)
    assert "https://spec.test/control is no request that is known" in ended.text
    assert "s3cretOfThePresignedUrl" not in ended.text + json.dumps(ended.result)


@pytest.mark.parametrize("answer, words", [
    (http1.Response(403, b"no"), "the server answers 403"),
    pytest.param(http1.Response(302, b"", [("Location", "https://trap.test/")]), "the server answers 302",
                 marks=pytest.mark.rare),
    (http1.Response(200, b"<html>not found</html>"), "it is no JSON object"),
    pytest.param(http1.Response(200, b"x" * 1_000_000), "cannot be read", marks=pytest.mark.rare),
])
def test_server_that_says_something_else(bed, server, answer, words):
    server.answers = [answer]
    ended = bed.run({**bed.commands("sleep 6; mkdir dist; echo x >dist/index.html"), "control": URL}, environment=CA)
    assert ended.code == 0 and len(server.requests) >= 2, ended
    assert len(ended.result["warnings"]) == 1 and words in ended.result["warnings"][0], ended
    assert "s3cretOfThePresignedUrl" not in ended.text + json.dumps(ended.result)
    assert bed.world.trap.visitors == []


def test_a_signal_is_no_cancel(bed):
    control = Control(bed, WAITING)
    task = bed.start(control.spec)
    task.wait_for("| build-runs")
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and ended.result["reason"] == "interrupted", ended


# -- the point of no return, from both sides

OLD = {"index.html": "old\n", "b.css": "old\n", "gone.js": "old\n"}
NEW = {"index.html": "new\n", "a.js": "a\n", "b.css": "b\n"}


class Site:
    def __init__(self, bed):
        self.bed = bed
        self.repositories = [bed.repository({f"public/{path}": text for path, text in files.items()})
                             for files in (OLD, NEW)]

    def begin(self):
        """A prefix with the old files, and the job that would publish the new ones."""
        build = {"builder": "none", "output": "public"}
        base = self.bed.spec(self.repositories[0], build=build, created_at="2026-01-01T00:00:00Z")
        assert self.bed.run(base).code == 0
        return Control(self.bed, repository=self.repositories[1], build=build, created_at="2026-01-02T00:00:00Z",
                       artifacts=base["artifacts"])

    def race(self, control, match):
        """(how the job ended, what the hold saw, None: nothing) with its first request that matches held until it knows."""
        bed = self.bed
        hold = s3.Hold(match)
        bed.gate.faults = [hold]
        task = bed.start(control.spec)
        while not hold.reached.wait(0.05) and task.process.poll() is None:
            pass
        if hold.reached.is_set():
            control.put(ALICE)
            task.wait_for("cancel requested by alice")
            time.sleep(0.3)  # until the publisher has heard of it too
            hold.release()
        ended = bed.finish(task)
        bed.gate.faults = []
        return ended, hold.seen if hold.reached.is_set() else None

    def judge(self, control, ended, seen):
        """Whether the new files are there: all of them, or nothing that anybody sees."""
        tree = {path: body.decode() for path, body in self.bed.published(control.spec).items()}
        if ended.code == 0:
            assert ended.result["status"] == "succeeded" and tree == NEW, (seen, ended)
            return True
        cancelled(ended)
        assert {path: tree.get(path) for path in OLD} == OLD, (seen, ended)
        return False


def of_site(seen):
    return seen.bucket == BUCKET and seen.method in ("PUT", "DELETE") and not seen.key.startswith(".caisson/")


def test_before_the_point_of_no_return(bed):
    site = Site(bed)
    control = site.begin()
    ended, seen = site.race(control, lambda seen: of_site(seen) and seen.key.endswith("/a.js"))
    assert seen is not None and site.judge(control, ended, seen) is False
    assert "too late" not in ended.text


def test_after_the_point_of_no_return(bed):
    site = Site(bed)
    control = site.begin()
    ended, seen = site.race(control, lambda seen: of_site(seen) and seen.key.endswith("/index.html"))
    assert seen is not None and site.judge(control, ended, seen) is True
    assert "the request comes too late" in ended.text
    polls = len(control.polls())
    time.sleep(0.5)
    assert len(control.polls()) == polls


@pytest.mark.usefixtures("kaniko")
def test_after_an_image_was_published(bed):
    """What follows is for later builds alone: it is done, and the job has succeeded."""
    files = {"Dockerfile": "FROM busybox\nRUN echo x >/x\n"}
    spec = images.spec(bed, files, to="oci:/var/lib/caisson/out",
                       cache=[{"to": f"s3://{BUCKET}/layers-of-a-cancelled-job/"}])
    key = f"{spec['id']}/control"
    hold = bed.gate.add(s3.Hold(lambda seen: seen.method == "PUT" and "/blobs/" in seen.key))
    task = images.start(bed, {**spec, "control": f"s3://{JOBS_BUCKET}/{key}"}, "sandbox")
    assert hold.reached.wait(90), task.text()
    bed.storage.put(JOBS_BUCKET, key, json.dumps(ALICE).encode())
    task.wait_for("the request comes too late")
    hold.release()
    ended = bed.finish(task)
    assert ended.code == 0 and ended.result["image"]["published"], ended
    assert [step["status"] for step in ended.result["steps"] if step["name"] == "save"] == ["succeeded"], ended


@pytest.mark.rare
def test_at_every_request_of_publishing(bed):
    site, outcomes, number = Site(bed), [], 0
    while True:
        number += 1
        control = site.begin()
        counter = iter(range(1, 10000))
        ended, seen = site.race(control, lambda seen: seen.bucket == BUCKET and next(counter) == number)
        if seen is None:
            assert ended.code == 0
            break
        outcomes.append(site.judge(control, ended, seen))
    assert outcomes == sorted(outcomes) and True in outcomes and False in outcomes, outcomes
