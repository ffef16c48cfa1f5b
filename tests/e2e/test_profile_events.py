"""What existing systems make of what they are told of sites: the consumers in bed/consumers.py, behind the brokers that they
use, end where their owner expects, however the job ends. Of a crash PID 1 cannot tell: EventBridge does.

test_profile_images.py has the systems that build images."""

import json

import pytest

from bed import consumers, kafka, redis
from bed.profile_jobs import CA, DEPLOYMENT, ENDS, at, cancel, crash, ended, operator
from bed.world import BUCKET, VEREN_BUCKET

PACKAGE = json.dumps({"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"},
                      "dependencies": {"local": "file:./local"}})
WAITS = "echo build-runs; while :; do sleep 0.2; done"
BUILDS = {"success": "mkdir -p dist; echo hello >dist/index.html; echo built; echo; echo warned >&2",
          "failure": "echo trying; exit 3", "cancel": WAITS, "crash": WAITS}
SAID = {"success": "built", "failure": "trying", "cancel": "build-runs", "crash": "build-runs"}
LOST = "the build task ended without a result (EssentialContainerExited)"


def run(bed, profile, end, deployment, variables, services, pins, allow=()):
    """deployment: the variable that its id is in, or None."""
    repository = bed.repository({"package.json": PACKAGE, "build.sh": BUILDS[end] + "\n",
                                 "local/package.json": '{"name": "local", "version": "1.0.0"}'})
    project = "p" + repository.name[1:8]
    environment = {"PROJECT_ID": project, **({deployment: DEPLOYMENT} if deployment else {}),
                   "GIT_REPOSITORY__URL": repository.url(), **variables}
    if end == "crash":
        return crash(bed, profile, project, environment.items(), at("| build-runs"), operator(pins, allow), services=services)
    task = bed.start(arguments=["--profile", profile], environment=environment, endpoint_url=None, services=services,
                     operator=operator(pins, allow))
    if end == "cancel":
        at("| build-runs")(task)
        cancel(bed, project)
    return ended(bed, task, project, end)


def of_kafka(server, profile):
    """Variables by which the job finds it."""
    if profile == "vercel-clone":
        return {"KAFKA_BROKER": server.urls(), "KAFKA_USERNAME": kafka.USER, "KAFKA_PASSWORD": server.kept["password"]}
    return {"KAFKA_CLIENT_ID": "frontend-builder", "KAFKA_BROKER1": server.urls(), "KAFKA_SASL_USERNAME": kafka.USER,
            "KAFKA_SASL_PASSWORD": server.kept["password"], "KAFKA_CA_PATH": CA}


# -- Veren


@pytest.mark.parametrize("end", ENDS)
def test_veren(bed, sns_api, kafka_server, lost_jobs, end):
    """Status: both generations of the consumer, wrapped by SNS. Log: both generations of the log service, of one record."""
    status, log = sns_api.topic(fifo=True), kafka_server.topic("frontend-builder-logs")
    job = run(bed, "veren-frontend", end, "DEPLOYMENTID", {
        "FRONTENDPATH": ".", "FRONTENDOUTPUTDIR": "dist", "DOMAIN_EVENTS_TOPIC_ARN": status.arn,
        **of_kafka(kafka_server, "veren-frontend")}, [*sns_api.services(), *kafka_server.services()],
        {"topics": [status.arn, "frontend-builder-logs"], "brokers": ["kafka.test"]})

    sent = status.take()
    assert {message.group for message in sent} == {DEPLOYMENT} and sns_api.mistakes == []
    first, *rest = (json.loads(message.document()["Message"]) for message in sent)
    assert (first["type"], first["payload"]) == ("FRONTEND_PROCESSING", {"frontendDir": "."})
    assert len(rest) == (0 if end == "crash" else 1) and all(event["projectId"] == job.project for event in (first, *rest))
    readers = [consumers.VerenStatus(DEPLOYMENT), consumers.VerenStatus(DEPLOYMENT, today=False)]
    for reader in readers:
        for message in sent:
            reader.take(message.body)
    if end == "crash":
        assert [reader.state for reader in readers] == ["building"] * 2
        told = lost_jobs.told("veren-frontend", job.event)
        status.put(told.body, told.group)
        (message,) = status.wait(1)
        for reader in readers:
            reader.take(message.body)
    wanted = {"success": ("frontend built", f"s3://{VEREN_BUCKET}/__outputs/{job.project}", None),
              "crash": ("failed", None, LOST)}.get(end, ("failed", None, job.message))
    assert [reader.ends_in() for reader in readers] == [wanted] * 2

    pages = consumers.VerenLogs()
    for record in log.wait(5, lambda record: json.loads(record.value)["project_id"] == job.project):
        assert record.key == "log"
        pages.read(log.name, record)
    assert len({row["event_id"] for row in pages.rows}) == len(pages.rows)
    assert {(row["deployment_id"], row["project_id"], row["service"]) for row in pages.rows} == {
        (DEPLOYMENT, job.project, "frontend-builder")}
    assert SAID[end] in [row["log"] for row in pages.rows]
    assert (job.project, DEPLOYMENT, "INFO", "build", SAID[end]) in [line[:5] for line in pages.frontend]
    times = [line[5] for line in pages.frontend]
    assert times == sorted(times) and times[0] > 1_600_000_000_000
    assert ("ERROR" in [line[2] for line in pages.frontend]) == (end in ("failure", "cancel")), pages.frontend[-5:]


@pytest.mark.parametrize("end", ["success", "failure"])
def test_older_spelling_of_veren(bed, sns_api, end):
    """FRONTEND_BUILT_…, which their own builder sends and their consumer of today ignores, where the operator wants it."""
    topic = sns_api.topic(fifo=True)
    job = run(bed, "veren-frontend", end, "DEPLOYMENTID", {
        "FRONTENDPATH": ".", "FRONTENDOUTPUTDIR": "dist", "DOMAIN_EVENTS_TOPIC_ARN": "arn:aws:sns:eu-central-1:1:none.fifo"},
        sns_api.services(), {"topics": [topic.arn], "notify": [
            {"sns": topic.arn, "format": "veren-frontend-older", "events": ["started"]}]})
    of_then, of_today = consumers.VerenStatus(DEPLOYMENT, today=False, word="BUILT"), consumers.VerenStatus(DEPLOYMENT)
    for message in topic.take():
        of_then.take(message.body)
        of_today.take(message.body)
    url = f"s3://{VEREN_BUCKET}/__outputs/{job.project}"
    assert of_then.ends_in() == (("frontend built", url, None) if end == "success" else ("failed", None, job.message))
    assert of_today.ends_in() == ("building", None, None)


# -- Vercel clones

CLONE_ENDS = {"success": "READY", "failure": "FAIL", "cancel": "FAIL", "crash": "IN_PROGRESS"}


def callbacks(hook, path, reader):
    for request in hook.received:
        assert (request.method, request.path) == ("PUT", path)
        reader.read(json.loads(request.body))
    return reader


@pytest.mark.parametrize("end", ENDS)
def test_clone(bed, redis_server, kafka_server, hook, lost_jobs, end):
    """By what it sends: Redis (log and status), Kafka (log), and the callback with a token, all of one job."""
    seen, topic = redis_server.collect("logs:*", "status:*"), kafka_server.topic("container-logs")
    hook.secret, hook.headers = None, {"authorization": "Bearer jwt-of-the-clone"}
    job = run(bed, "vercel-clone", end, "DEPLOYMENT_ID", {
        "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "REDIS_URL": redis_server.url(), **of_kafka(kafka_server, "vercel-clone"),
        "API_SERVER_URL": "https://hooks.test", "JWT_TOKEN": "jwt-of-the-clone"},
        [*redis_server.services(), *kafka_server.services(), *hook.services()],
        {"brokers": ["redis.test", "kafka.test"], "callbacks": ["https://hooks.test"],
         "topics": ["container-logs", "logs:${project}", "logs:${id}", "status:${id}"]},
        ["private-http"])

    if end != "crash":
        seen.wait(lambda texts: any(json.loads(text).get("status") == CLONE_ENDS[end] for text in texts))
    status, shown = consumers.CloneStatus(), {f"logs:{job.project}": [], f"logs:{DEPLOYMENT}": []}
    for message in seen.messages:
        if message.channel.startswith("status:"):
            assert message.channel == f"status:{DEPLOYMENT}"
            status.read(json.loads(message.text))
        else:
            body = json.loads(message.text)
            shown[message.channel].append(body["log"])
            assert body["text"] == body["log"] and body["deploymentId"] == DEPLOYMENT
    server = callbacks(hook, f"/api/v1/project/deploy/{DEPLOYMENT}", consumers.CloneStatus())
    assert status.status == server.status == CLONE_ENDS[end] and hook.mistakes == []

    reader = consumers.CloneTopics(job.project, DEPLOYMENT)
    for record in topic.wait(5, lambda record: json.loads(record.value)["PROJECT_ID"] == job.project):
        reader.read(record.key, json.loads(record.value))
        assert set(json.loads(record.value)) == {"PROJECT_ID", "DEPLOYEMENT_ID", "log"}
    by_project, by_deployment = shown.values()
    assert SAID[end] in by_project and SAID[end] in by_deployment and SAID[end] in reader.log
    if end != "crash":
        assert by_project == by_deployment == reader.log
        return
    told = lost_jobs.told("clone-status", job.event)
    assert hook.call(told.method, told.path, told.body, hook.headers) == 204
    assert callbacks(hook, f"/api/v1/project/deploy/{DEPLOYMENT}", consumers.CloneStatus()).status == "FAIL"
    # of the brokers whoever reads the queue hands on what each of them knows
    lost = lost_jobs.told("clone-queue", job.event).document()
    reader.read("log", lost)
    assert reader.log[-1] == LOST and lost["status"] == "FAIL"
    assert lost["projectId"] == job.project and lost["deploymentId"] == DEPLOYMENT


@pytest.mark.parametrize("end", ENDS)
def test_other_variants_of_clones(bed, kafka_server, hook, lost_jobs, end):
    """Topic deployment-status, where the operator lists it, and PUT /deployments/:id/complete, where no token is sent."""
    topic = kafka_server.topic("deployment-status")
    kafka_server.topic("container-logs")
    hook.secret = None
    job = run(bed, "vercel-clone", end, "DEPLOYEMENT_ID", {
        "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "API_SERVER_URL": "https://hooks.test/", **of_kafka(kafka_server, "vercel-clone")},
        [*kafka_server.services(), *hook.services()],
        {"brokers": ["kafka.test"], "topics": ["container-logs", "deployment-status"], "callbacks": ["https://hooks.test"]},
        ["private-http"])

    reader = consumers.CloneTopics(job.project, DEPLOYMENT)
    for record in topic.wait(1 if end == "crash" else 2):
        reader.read(record.key, json.loads(record.value))
        assert set(json.loads(record.value)) == {"DEPLOYMENT_ID", "status", "timestamp"}
    server = callbacks(hook, f"/deployments/{DEPLOYMENT}/complete", consumers.CloneComplete())
    if end == "crash":
        assert (reader.status, server.status) == ("IN_PROGRESS", "QUEUED")
        told = lost_jobs.told("clone-complete", job.event)
        assert hook.call(told.method, told.path, told.body, {}) == 204
        callbacks(hook, f"/deployments/{DEPLOYMENT}/complete", server)
        reader.read(f"status-{DEPLOYMENT}", lost_jobs.told("clone-queue", job.event).document())
    assert reader.status == server.status == ("READY" if end == "success" else "FAIL")
    assert server.finished.endswith("Z") and reader.at.endswith("Z") and hook.mistakes == []


def test_lists_of_the_operators_own(bed, kafka_server, hook):
    """In the place of all that the system says, with the system's credentials."""
    topic = kafka_server.topic()
    hook.secret = None
    run(bed, "vercel-clone", "success", "DEPLOYMENT_ID", {
        "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "API_SERVER_URL": "http://trap.test", **of_kafka(kafka_server, "vercel-clone")},
        [*kafka_server.services(), *hook.services()],
        {"brokers": ["kafka.test"], "topics": [topic.name], "callbacks": ["https://hooks.test"], "notify": [
            {"kafka": kafka_server.urls(), "topic": topic.name, "format": "vercel-clone-kafka", "events": ["started"],
             "username": {"env": "KAFKA_USERNAME"}, "password": {"env": "KAFKA_PASSWORD"}},
            {"http": "https://hooks.test/ends/${id}", "format": "vercel-clone-complete", "events": ["finished"]}]},
        ["private-http"])
    assert [json.loads(record.value)["status"] for record in topic.wait(2)] == ["IN_PROGRESS", "READY"]
    assert callbacks(hook, f"/ends/{DEPLOYMENT}", consumers.CloneComplete()).status == "READY"
    assert len(hook.received) == 1 and bed.world.trap.visitors == []


def test_status_of_a_project_without_deployments(bed, redis_server):
    """Some have one id, and ask for the status by it."""
    seen = redis_server.collect("logs:*", "status:*")
    job = run(bed, "vercel-clone", "success", None, {"S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "REDIS_URL": redis_server.url()},
              redis_server.services(), {"brokers": ["redis.test"]})
    seen.wait(lambda texts: any(json.loads(text).get("status") == "READY" for text in texts))
    assert {message.channel for message in seen.messages} == {f"logs:{job.project}", f"status:{job.project}"}


def test_without_the_operators_word_the_job_goes_on(bed, redis_server):
    """A deployment of today, on the day its builder is replaced: nobody is told, the site is there, one warning says why."""
    seen = redis_server.collect("*")
    job = run(bed, "vercel-clone", "success", "DEPLOYMENT_ID", {
        "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "REDIS_URL": redis_server.url(tls=False), "KAFKA_BROKER": "dead.test:9092",
        "API_SERVER_URL": "http://trap.test", "JWT_TOKEN": "jwt-s3cret"}, redis_server.services(), {})
    (warning,) = [warning for warning in job.result["warnings"] if "is not told" in warning]
    for word in ("REDIS_URL", "KAFKA_BROKER", "API_SERVER_URL", "plain-brokers", "callbacks: […]", "brokers: […]"):
        assert word in warning, warning
    assert not seen.messages and not bed.world.trap.visitors
    assert "jwt-s3cret" not in job.text and redis_server.passwords[redis.USER] not in job.text
