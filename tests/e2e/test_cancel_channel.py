"""A request to cancel that is published on a channel of Redis, as Deployra's dashboard does: of a real Redis."""

import json
import threading
import time

import pytest

from bed import redis, s3
from bed.world import BUCKET, JOBS_BUCKET

CA = {"CAISSON_CA_BUNDLE": "/etc/test-ca.pem"}
CHANNEL = "builder:cancel"
WAITING = "echo build-runs; while :; do sleep 0.2; done"
SHORT = "mkdir dist; echo x >dist/index.html"
PLAIN_ALLOWED = "allow: [file-targets, plain-brokers]\n"


def listening(user=redis.USER, port=redis.TLS, **changes):
    made = {"redis": f"redis{'' if port == redis.PLAIN else 's'}://redis.test:{port}", "channel": CHANNEL,
            "member": "deploymentId"}
    if user:
        made.update(username=user, password={"env": "REDIS_PASSWORD"})
    return {**made, **changes}


class Dashboard:
    """Whoever cancels: it publishes and looks at nothing else."""

    def __init__(self, bed, server, **spec):
        self.bed, self.server, self.client = bed, server, server.client()
        self.spec = spec
        self.id = spec["id"]

    def start(self, password=None, **options):
        environment = {**CA, "REDIS_PASSWORD": password or self.server.passwords[redis.USER]}
        return self.bed.start(self.spec, environment=environment, services=self.server.services(), **options)

    def await_listener(self, limit_s=60):
        end = time.monotonic() + limit_s
        while not dict(self.server.client().pubsub_numsub(CHANNEL))[CHANNEL]:
            assert time.monotonic() < end
            time.sleep(0.05)

    def publish(self, message):
        return self.server.client().publish(CHANNEL, message if isinstance(message, (str, bytes)) else json.dumps(message))

    def cancel(self, **more):
        assert self.publish({"deploymentId": self.id, **more}) == 1


def dashboard(bed, server, *commands, channel=None, **changes):
    spec = bed.commands(*commands) if commands else bed.spec(**changes)
    return Dashboard(bed, server, **{**spec, "cancel": [channel or listening()]})


def cancelled(ended, said=f"cancelled by Redis {CHANNEL}"):
    result = ended.result
    assert ended.code == 130 and result["status"] == result["class"] == result["reason"] == "cancelled", ended
    assert result["retryable"] is False and result["message"] == f"{said}; nothing was published", ended


def warnings(ended):
    return [warning for warning in ended.result.get("warnings", []) if warning.startswith("cancel: ")]


@pytest.mark.parametrize("port, operator", [(redis.TLS, "{}\n"), (redis.PLAIN, PLAIN_ALLOWED)])
def test_during_the_build(bed, redis_server, port, operator):
    user = dashboard(bed, redis_server, WAITING, channel=listening(port=port))
    task = user.start(operator=operator)
    task.wait_for("| build-runs")
    user.await_listener()
    at = time.monotonic()
    user.cancel()
    ended = bed.finish(task)
    cancelled(ended)
    assert time.monotonic() - at < 12 and ended.result["step"] == "build", ended
    assert f"warning: cancel requested by Redis {CHANNEL}" in ended.text and bed.published(user.spec) == {}
    assert redis_server.passwords[redis.USER] not in ended.text + json.dumps(ended.result)
    assert ["without TLS" in warning for warning in warnings(ended)] == [True] * (port == redis.PLAIN), ended


def test_before_the_checkout(bed, redis_server):
    """It is listened to while the checkout still waits for its server."""
    reached, free = threading.Event(), threading.Event()
    bed.git.before = lambda request: (reached.set(), free.wait(60))
    user = dashboard(bed, redis_server, SHORT)
    task = user.start()
    assert reached.wait(60)
    user.await_listener()
    user.cancel(by="bob", reason="no\nmore")
    ended = bed.finish(task)
    free.set()
    cancelled(ended, "cancelled by bob: no more")
    assert ended.result["step"] == "checkout", ended


def test_what_is_not_for_this_job(bed, redis_server):
    """Others' requests, garbage, and what is too large: said once, bounded, and the next request counts."""
    user = dashboard(bed, redis_server, WAITING)
    task = user.start()
    task.wait_for("| build-runs")
    user.await_listener()
    for message in ({"deploymentId": "another"}, {"deploymentId": user.id + "x"}, "cancel", b"\xff\x00", "",
                    {"id": user.id}, {"deploymentId": [user.id]}, {"deploymentId": user.id, "action": "restart"},
                    {"deploymentId": user.id, "padding": "x" * 20_000}, "[" * 5000):
        assert user.publish(message) == 1
    time.sleep(1)
    assert task.process.poll() is None
    user.publish({"deploymentId": user.id, "padding": "x" * 8_000_000})  # the connection is given up, and made again
    time.sleep(0.5)
    user.await_listener()
    user.cancel(by="alice")
    ended = bed.finish(task)
    cancelled(ended, "cancelled by alice")
    assert len([text for text in warnings(ended) if "is no request that is known" in text]) == 1, ended


def test_broker_killed_and_back(bed, redis_server):
    user = dashboard(bed, redis_server, WAITING)
    task = user.start()
    task.wait_for("| build-runs")
    user.await_listener()
    redis_server.kill()
    time.sleep(1)
    redis_server.start()
    user.await_listener()
    user.cancel()
    cancelled(bed.finish(task))


@pytest.mark.rare
def test_down_at_the_start(bed, redis_server):
    """One warning; that it can be heard after all is said too."""
    redis_server.kill()
    user = dashboard(bed, redis_server, WAITING)
    task = user.start()
    task.wait_for("cannot be listened to")
    redis_server.start()
    task.wait_for("is listened to now")
    user.await_listener()
    user.cancel()
    ended = bed.finish(task)
    cancelled(ended)
    assert len(warnings(ended)) == 1, ended


@pytest.mark.parametrize("case, words", [
    ("password", "WRONGPASS"), pytest.param("rights", "NOPERM", marks=pytest.mark.rare),
    pytest.param("stranger", "certificate", marks=pytest.mark.rare),
    pytest.param("nobody", "dead.test", marks=pytest.mark.rare)])
def test_who_cannot_be_heard_fails_no_job(bed, redis_server, case, words):
    channel = {"rights": listening(channel="of-somebody-else"), "stranger": listening(port=redis.STRANGER),
               "nobody": listening(redis="rediss://dead.test:6380")}.get(case, listening())
    user = dashboard(bed, redis_server, "sleep 6; " + SHORT, channel=channel)
    started = time.monotonic()
    ended = bed.finish(user.start(password="not-the-password" if case == "password" else None))
    assert ended.code == 0 and time.monotonic() - started < 60, ended
    (warning,) = warnings(ended)
    assert "cannot be listened to" in warning and words in warning, ended
    assert "not-the-password" not in ended.text


@pytest.mark.parametrize("channel, said", [
    (listening(port=redis.PLAIN), "plain-brokers"), (listening(user=None), "plain-brokers"),
    (listening(password={"env": "NOT_THERE"}), "NOT_THERE")])
def test_what_is_refused(bed, redis_server, channel, said):
    ended = bed.finish(dashboard(bed, redis_server, SHORT, channel=channel).start())
    assert ended.code == (12 if said == "NOT_THERE" else 10) and said in ended.text, ended


# -- the point of no return, from both sides


@pytest.mark.parametrize("file, succeeds", [("a.js", False), ("index.html", True)])
def test_at_the_point_of_no_return(bed, redis_server, file, succeeds):
    """New files go first, and nobody sees them; then what is there already is overwritten."""
    build = {"builder": "none", "output": "public"}
    old, new = (bed.repository({f"public/{path}": text for path, text in files.items()})
                for files in ({"index.html": "old\n"}, {"index.html": "new\n", "a.js": "a\n"}))
    base = bed.spec(old, build=build, created_at="2026-01-01T00:00:00Z")
    assert bed.run(base).code == 0
    user = dashboard(bed, redis_server, repository=new, build=build, created_at="2026-01-02T00:00:00Z",
                     artifacts=base["artifacts"])
    hold = bed.gate.add(s3.Hold(lambda seen: seen.bucket == BUCKET and seen.method == "PUT" and
                                not seen.key.startswith(".caisson/") and seen.key.endswith(f"/{file}")))
    task = user.start()
    assert hold.reached.wait(60)
    user.cancel(by="alice")
    task.wait_for("cancel requested by alice")
    time.sleep(0.3)  # until the publisher has heard of it too
    hold.release()
    ended = bed.finish(task)
    index = bed.published(user.spec)["index.html"]
    if succeeds:
        assert ended.code == 0 and index == b"new\n" and "the request comes too late" in ended.text, ended
    else:
        assert index == b"old\n"
        cancelled(ended, "cancelled by alice")


# -- Deployra


@pytest.mark.parametrize("stop", ["cancel", "signal"])
def test_deployra(bed, hook, redis_server, stop):
    """The dashboard has set CANCELLED: it is told nothing. A stop from outside is none of its doing: FAILED."""
    hook.secret, hook.headers = None, {"x-api-key": "key-of-the-dashboard"}
    bed.git.before = lambda request: time.sleep(8)
    message = {"deploymentId": "dep-1", "serviceId": "svc-1", "commitSha": "", "branch": "main", "repositoryName": "x",
               "gitProvider": {"type": "CUSTOM", "url": bed.repository({"Dockerfile": "FROM scratch\n"}).url()}}
    operator = {"pins": {"callbacks": ["https://hooks.test/api"], "brokers": ["redis.test"], "ca_bundle": "/etc/test-ca.pem"},
                "allow": ["private-http", "plain-brokers"], "defaults": {"result": f"s3://{JOBS_BUCKET}/dep-1.json"}}
    task = bed.start(arguments=["--profile", "deployra", "--message-env", "JOB", "--executor", "local"], environment={
        "JOB": json.dumps(message), "API_URL": "https://hooks.test/api", "API_KEY": "key-of-the-dashboard",
        "ECR_REGISTRY": "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "REDIS_HOST": "redis.test",
        "REDIS_PORT": str(redis.PLAIN), "REDIS_USERNAME": redis.USER, "REDIS_PASSWORD": redis_server.passwords[redis.USER]},
        services=[*hook.services(), *redis_server.services()], operator=json.dumps(operator))
    user = Dashboard(bed, redis_server, id="dep-1")
    user.await_listener()
    hook.wait(lambda hook: hook.received)
    user.publish({"deploymentId": "dep-2"})
    if stop == "cancel":
        user.cancel()
    else:
        task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == (130 if stop == "cancel" else 143), ended
    said = [json.loads(request.body) for request in hook.received if request.path.endswith("/status")]
    assert [body["status"] for body in said] == (["BUILDING"] if stop == "cancel" else ["BUILDING", "FAILED"]), ended
    assert hook.mistakes == [] and "key-of-the-dashboard" not in ended.text
