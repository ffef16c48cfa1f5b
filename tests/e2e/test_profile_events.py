"""What existing systems make of what they are told: their consumers' reading, transcribed, behind the brokers that they
use; the state that a consumer ends in is what its owner expects, however the job ends.

Transcribed are the fields that are read, the switch over words, and the default that is ignored; not where it is stored.
"""

import json
import time

import pytest

from bed import ecr as bed_ecr, kafka, redis
from bed.world import BUCKET, ENDPOINT, JOBS_BUCKET, VEREN_BUCKET

CA = "/etc/test-ca.pem"
DEPLOYMENT = "d1"
PACKAGE = json.dumps({"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"},
                      "dependencies": {"local": "file:./local"}})
BUILDS = {
    "success": "mkdir -p dist; echo hello >dist/index.html; echo built; echo; echo warned >&2",
    "failure": "echo trying; exit 3",
    "cancel": "echo build-runs; while :; do sleep 0.2; done",
    "crash": "echo build-runs; while :; do sleep 0.2; done",
}
ENDS = tuple(BUILDS)


def files(build):
    return {"package.json": PACKAGE, "build.sh": build + "\n", "local/package.json": '{"name": "local", "version": "1.0.0"}'}


def operator(pins=None, allow=()):
    return json.dumps({
        "pins": {"endpoint": ENDPOINT, "region": "eu-central-1", "ca_bundle": CA, **(pins or {})}, "allow": list(allow),
        "defaults": {"result": f"s3://{JOBS_BUCKET}/${{project}}/result.json",
                     "control": f"s3://{JOBS_BUCKET}/${{project}}/control"}})


def drive(bed, task, project, end, ready="| build-runs"):
    """To the end that is wanted. Of a crash there is no result."""
    if end in ("cancel", "crash"):
        task.wait_for(ready)
        time.sleep(1.5)  # a batch of lines is under way
    if end == "crash":
        task.kill()
        return None
    if end == "cancel":
        bed.storage.put(JOBS_BUCKET, f"{project}/control", json.dumps({"action": "cancel", "by": "ana"}).encode())
    ended = bed.finish(task, 240)
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    bed.schema.validate(result)
    wanted = {"success": "succeeded", "failure": "failed", "cancel": "cancelled"}[end]
    assert result["status"] == wanted and "undelivered" not in result, ended
    return result


def run(bed, profile, end, variables, services, pins, allow=()):
    repository = bed.repository(files(BUILDS[end]))
    project = "p" + repository.name[1:8]
    environment = {"GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, **variables}
    task = bed.start(arguments=["--profile", profile], environment=environment, endpoint_url=None, services=services,
                     operator=operator(pins, allow))
    return project, drive(bed, task, project, end)


# -- Veren


class VerenStatus:
    """Of the queue behind the topic, by the type of an event. today: artifactUrl at the top; else payload.output."""

    def __init__(self, today=True):
        self.today, self.state, self.url, self.error = today, "queued", None, None

    def read(self, event):
        if event["deploymentId"] != DEPLOYMENT:
            return
        if event["type"] == "FRONTEND_BUILD_SUCCESS":
            self.state = "frontend built"
            self.url = event.get("artifactUrl") if self.today else event["payload"]["output"]
        elif event["type"] in ("FRONTEND_BUILD_FAILED", "BACKEND_BUILD_FAILED"):
            self.state, self.error = "failed", event["payload"]["msg"]
        elif event["type"] == "BACKEND_BUILD_SUCCESS":
            self.state, self.url = "backend built", event["payload"]["imageTag"]


@pytest.mark.parametrize("end", ENDS)
def test_status_of_veren(bed, sns_api, end):
    topic = sns_api.topic(fifo=True)
    project, result = run(bed, "veren-frontend", end, {
        "DEPLOYMENTID": DEPLOYMENT, "FRONTENDPATH": ".", "FRONTENDOUTPUTDIR": "dist",
        "DOMAIN_EVENTS_TOPIC_ARN": topic.arn}, sns_api.services(), {"topics": [topic.arn]})
    sent = topic.take()
    events = [json.loads(message.document()["Message"]) for message in sent]
    today, older = VerenStatus(), VerenStatus(today=False)
    for event in events:
        assert event["projectId"] == project
        today.read(event)
        older.read(event)
    url = f"s3://{VEREN_BUCKET}/__outputs/{project}"
    why = (result or {}).get("message")
    wanted = {"success": ("frontend built", url, None), "failure": ("failed", None, why), "cancel": ("failed", None, why),
              "crash": ("queued", None, None)}[end]
    assert (today.state, today.url, today.error) == (older.state, older.url, older.error) == wanted
    assert sns_api.mistakes == [] and {message.group for message in sent} == {DEPLOYMENT}
    assert [event["type"] for event in events][0] == "FRONTEND_PROCESSING" and len(events) == (1 if end == "crash" else 2)


def test_log_of_veren(bed, kafka_server):
    """Both generations of the log service, each by its own fields."""
    topic = kafka_server.topic("frontend-builder-logs")
    project, _ = run(bed, "veren-frontend", "success", {
        "DEPLOYMENTID": DEPLOYMENT, "FRONTENDPATH": ".", "FRONTENDOUTPUTDIR": "dist", "KAFKA_CLIENT_ID": "frontend-builder",
        "KAFKA_BROKER1": kafka_server.urls(), "KAFKA_SASL_USERNAME": kafka.USER,
        "KAFKA_SASL_PASSWORD": kafka_server.kept["password"], "KAFKA_CA_PATH": CA},
        kafka_server.services(), {"brokers": ["kafka.test"], "topics": ["frontend-builder-logs"]})
    records = topic.wait(5, lambda record: json.loads(record.value)["project_id"] == project)
    assert {record.key for record in records} == {"log"}
    rows = [json.loads(record.value) for record in records]
    stored = [tuple(row[key] for key in ("event_id", "deployment_id", "project_id", "service", "log")) for row in rows]
    assert all(all(isinstance(field, str) for field in row) for row in stored) and len({row[0] for row in stored}) == len(stored)
    assert "built" in [row[4] for row in stored]
    older = [(row["PROJECT_ID"], row["DEPLOYMENTID"], row["level"], row["stage"], row["message"], row["ts"]) for row in rows]
    assert (project, DEPLOYMENT, "INFO", "build", "built") in [row[:5] for row in older]
    assert [row[5] for row in older] == sorted(row[5] for row in older) and older[0][5] > 1_600_000_000_000


# -- Vercel clones


class CloneStatus:
    """PUT /api/v1/project/deploy/:id with a Bearer token, and the status channel: the same words."""

    WORDS = ("NOT_STARTED", "QUEUED", "IN_PROGRESS", "READY", "FAIL")

    def __init__(self):
        self.status = "QUEUED"

    def read(self, body):
        assert set(body) == {"status"} and body["status"] in self.WORDS  # goes to the database as it is
        self.status = body["status"]


CLONE_ENDS = {"success": "READY", "failure": "FAIL", "cancel": "FAIL", "crash": "IN_PROGRESS"}


@pytest.mark.parametrize("end", ENDS)
def test_callback_of_a_clone(bed, hook, end):
    hook.secret, hook.headers = None, {"authorization": "Bearer jwt-of-the-clone"}
    run(bed, "vercel-clone", end, {
        "DEPLOYMENT_ID": DEPLOYMENT, "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "API_SERVER_URL": "https://hooks.test",
        "JWT_TOKEN": "jwt-of-the-clone"}, hook.services(), {"callbacks": ["https://hooks.test"]}, ["private-http"])
    server = CloneStatus()
    for request in hook.received:
        assert (request.method, request.path) == ("PUT", f"/api/v1/project/deploy/{DEPLOYMENT}")
        server.read(json.loads(request.body))
    assert server.status == CLONE_ENDS[end] and hook.mistakes == []


def test_callback_of_the_other_variant(bed, hook):
    """PUT /deployments/:id/complete: the end, and when."""
    hook.secret = None
    run(bed, "vercel-clone", "success", {
        "DEPLOYMENT_ID": DEPLOYMENT, "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "API_SERVER_URL": "https://hooks.test/"},
        hook.services(), {"callbacks": ["https://hooks.test"]}, ["private-http"])
    (request,) = hook.received
    assert (request.method, request.path) == ("PUT", f"/deployments/{DEPLOYMENT}/complete")
    body = json.loads(request.body)
    assert set(body) == {"status", "finishedAt"} and body["status"] == "READY" and body["finishedAt"].endswith("Z")


@pytest.mark.parametrize("end", ENDS)
def test_redis_of_a_clone(bed, redis_server, end):
    """A socket server subscribes to logs:*, and hands `log` on to who looks; both ways to name a channel are served."""
    seen = redis_server.collect("logs:*", "status:*")
    project, _ = run(bed, "vercel-clone", end, {
        "DEPLOYMENT_ID": DEPLOYMENT, "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "REDIS_URL": redis_server.url()},
        redis_server.services(), {"brokers": ["redis.test"]})
    if end != "crash":
        seen.wait(lambda texts: any(json.loads(text).get("status") == CLONE_ENDS[end] for text in texts))
    status, shown = CloneStatus(), {f"logs:{project}": [], f"logs:{DEPLOYMENT}": []}
    for message in seen.messages:
        body = json.loads(message.text)
        if message.channel.startswith("status:"):
            assert message.channel == f"status:{DEPLOYMENT}"
            status.read(body)
        else:
            shown[message.channel].append(body["log"])
            assert body["text"] == body["log"] and body["deploymentId"] == DEPLOYMENT
    assert status.status == CLONE_ENDS[end]
    by_project, by_deployment = shown.values()
    said = {"success": "built", "failure": "trying"}.get(end, "build-runs")
    assert said in by_project and said in by_deployment
    if end != "crash":
        assert by_project == by_deployment


def test_log_of_a_clone_by_kafka(bed, kafka_server):
    topic = kafka_server.topic("container-logs")
    project, _ = run(bed, "vercel-clone", "success", {
        "DEPLOYMENT_ID": DEPLOYMENT, "S3_BUCKET": BUCKET, "OUTPUT_DIR": "dist", "KAFKA_BROKER": kafka_server.urls(),
        "KAFKA_USERNAME": kafka.USER, "KAFKA_PASSWORD": kafka_server.kept["password"]},
        kafka_server.services(), {"brokers": ["kafka.test"], "topics": ["container-logs"]})
    records = topic.wait(5, lambda record: json.loads(record.value)["PROJECT_ID"] == project)
    rows = [json.loads(record.value) for record in records]
    assert {record.key for record in records} == {"log"}
    assert all(set(row) == {"PROJECT_ID", "DEPLOYEMENT_ID", "log"} and row["DEPLOYEMENT_ID"] == DEPLOYMENT for row in rows)
    assert "built" in [row["log"] for row in rows]


def test_without_the_operators_word_the_job_goes_on(bed, redis_server):
    """A deployment of today, on the day its builder is replaced: nobody is told, the site is there, one warning says why."""
    seen = redis_server.collect("*")
    repository = bed.repository(files(BUILDS["success"]))
    project = "p" + repository.name[1:8]
    ended = bed.finish(bed.start(arguments=["--profile", "vercel-clone"], environment={
        "GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, "DEPLOYMENT_ID": DEPLOYMENT, "S3_BUCKET": BUCKET,
        "OUTPUT_DIR": "dist", "REDIS_URL": redis_server.url(tls=False), "KAFKA_BROKER": "dead.test:9092",
        "API_SERVER_URL": "http://trap.test", "JWT_TOKEN": "jwt-s3cret"}, endpoint_url=None,
        services=redis_server.services(), operator=operator()))
    assert ended.code == 0, ended
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    (warning,) = [warning for warning in result["warnings"] if "is not told" in warning]
    for word in ("REDIS_URL", "KAFKA_BROKER", "API_SERVER_URL", "plain-brokers", "callbacks: […]", "brokers: […]"):
        assert word in warning, warning
    assert not seen.messages and not bed.world.trap.visitors and "undelivered" not in result
    assert "jwt-s3cret" not in ended.text and redis_server.passwords[redis.USER] not in ended.text


# -- Deployra and Blacktree: images


DOCKERFILES = {
    "success": "FROM scratch\nCOPY hello /hello\n",
    "failure": "FROM scratch\nCOPY not-there /x\n",
}


@pytest.fixture
def ecr(bed, kaniko):
    with bed_ecr.Ecr(bed.folder, bed.gate.issued.get) as made:
        yield made


def run_image(bed, ecr, profile, message, end, variables, services, pins, dockerfile="Dockerfile"):
    """The message in a variable of the task, as whoever takes it from the queue would hand it on."""
    repository = bed.repository({"hello": "hello\n", dockerfile: DOCKERFILES.get(end, DOCKERFILES["success"])})
    project = "p" + repository.name[1:8]
    document = message(repository, project)
    held = []
    if end == "cancel":  # while the checkout waits
        bed.git.before = lambda request: held or (held.append(1), bed.storage.put(
            JOBS_BUCKET, f"{project}/control", json.dumps({"action": "cancel", "by": "ana"}).encode()), time.sleep(8))
    task = bed.start(arguments=["--profile", profile, "--message-env", "JOB", "--executor", "local"],
                     environment={"JOB": json.dumps(document), "AWS_REGION": "eu-central-1", **variables}, image="kaniko",
                     services=[*bed.world.mirror.services(), *ecr.services(bed.world.authority), *services],
                     endpoint_url=None, operator=operator({**pins, "project": project}, ["private-http"]), size="6g")
    ended = bed.finish(task, 240)
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    wanted = {"success": "succeeded", "failure": "failed", "cancel": "cancelled"}[end]
    assert result["status"] == wanted and "undelivered" not in result, ended
    return project, result, ended


class DeployraApi:
    """POST …/status and …/logs with x-api-key. Deploys on BUILDED alone; 200 to any other word; an empty text is a 400."""

    TYPES = ("STDOUT", "STDERR", "INFO", "WARNING", "ERROR")

    def __init__(self, status="PENDING"):
        self.status, self.image, self.error, self.logs = status, None, None, []

    def read(self, request):
        body = json.loads(request.body)
        assert request.method == "POST" and request.header("x-api-key") == "key-of-the-dashboard"
        if request.path == f"/api/webhooks/deployments/{DEPLOYMENT}/logs":
            assert body["text"] and body["type"] in self.TYPES
            self.logs += body["text"].split("\n")
            return
        assert request.path == f"/api/webhooks/deployments/{DEPLOYMENT}/status"
        if body["status"] == "BUILDED":
            self.status, self.image = "DEPLOYING", body["data"]["containerImageUri"]
            assert body["data"]["containerRegistryType"] in ("ecr", "ghcr", "docker")
        elif body["status"] in ("BUILDING", "FAILED"):
            self.status, self.error = body["status"], body.get("error")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["success", "failure", "cancel"])
def test_deployra(bed, ecr, hook, end):
    hook.secret, hook.headers = None, {"x-api-key": "key-of-the-dashboard"}

    def message(repository, project):
        return {"deploymentId": DEPLOYMENT, "serviceId": project, "commitSha": "", "branch": "main", "repositoryName": "x",
                "runtimeFilePath": "docker/Dockerfile", "gitProvider": {"type": "CUSTOM", "url": repository.url()},
                "environmentVariables": [{"key": "PORT", "value": "3000"}], "ports": [{"servicePort": 80, "containerPort": 3000}]}

    project, result, ended = run_image(
        bed, ecr, "deployra", message, end,
        {"API_URL": "https://hooks.test/api", "API_KEY": "key-of-the-dashboard", "ECR_REGISTRY": bed_ecr.HOST,
         "REDIS_HOST": "localhost"},
        hook.services(), {"callbacks": ["https://hooks.test/api"]}, "docker/Dockerfile")
    api = DeployraApi()
    for request in hook.received:
        api.read(request)
    name = f"deployra/{project}"
    if end == "success":
        assert (api.status, api.image) == ("DEPLOYING", f"{bed_ecr.HOST}/{name}:{DEPLOYMENT}"), ended
        assert sorted(*ecr.images(name).values()) == sorted([DEPLOYMENT, "latest"])
    elif end == "failure":
        assert (api.status, api.error) == ("FAILED", result["message"]), ended
    else:
        assert api.status == "BUILDING" and api.image is None and api.error is None, ended  # the dashboard knows
    assert hook.mistakes == [] and "key-of-the-dashboard" not in ended.text


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["success", "failure"])
def test_status_of_verens_backend(bed, ecr, sns_api, end):
    topic = sns_api.topic(fifo=True)
    ecr.add("veren")
    repository = bed.repository({
        "api/package.json": json.dumps({"name": "api", "version": "1.0.0", "scripts": {"start": "node server.js"}}),
        "api/server.js": "setInterval(() => {}, 1000)\n"})
    project = "p" + repository.name[1:8]
    ended = bed.finish(bed.start(arguments=["--profile", "veren-backend", "--executor", "local"], environment={
        "AWS_REGION": "eu-central-1", "GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, "DEPLOYMENTID": DEPLOYMENT,
        "BACKEND_PATH": "api" if end == "success" else "none", "NODE_VERSION": "20", "ECR_URI": f"{bed_ecr.HOST}/veren",
        "DOMAIN_EVENTS_TOPIC_ARN": topic.arn}, image="kaniko", endpoint_url=None, size="6g",
        services=[*bed.world.mirror.services(), *ecr.services(bed.world.authority), *sns_api.services()],
        operator=operator({"topics": [topic.arn], "image": {"mirrors": {"docker.io": bed.world.mirror.name}}})), 240)
    consumer = VerenStatus()
    for event in topic.messages():
        consumer.read(event)
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    wanted = {"success": ("backend built", f"{bed_ecr.HOST}/veren:{project}-{DEPLOYMENT}", None),
              "failure": ("failed", None, result.get("message"))}[end]
    assert (consumer.state, consumer.url, consumer.error) == wanted, ended
    assert sns_api.mistakes == []


class BlacktreeApi:
    def __init__(self):
        self.status, self.image, self.error, self.log = "QUEUED", None, None, None

    def read(self, body):
        assert set(body) == {"deploymentId", "imageUrl", "success", "logs", "error"} and isinstance(body["success"], bool)
        assert body["deploymentId"] == DEPLOYMENT
        self.log = body["logs"] or body["error"]
        if body["success"]:
            self.status, self.image = "BUILT, deploys", body["imageUrl"]
        else:
            self.status, self.error = "FAILED", body["error"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["success", "failure"])
def test_blacktree(bed, ecr, rabbitmq_place, end):
    rabbitmq_place.exchange("blacktree.direct")
    rabbitmq_place.queue("api.result.queue", "blacktree.direct", "api.result")
    rabbitmq_place.queue("status.queue", "blacktree.direct", "api.result")

    def message(repository, project):
        return {"deploymentId": DEPLOYMENT, "token": None, "repository": repository.url(), "branch": "main",
                "dockerFilePath": "Dockerfile", "contextDir": ".", "createdAt": "2026-01-02T03:04:05Z", "AutoDeploy": True}

    project, result, ended = run_image(
        bed, ecr, "blacktree", message, end, {"REGISTRY": bed_ecr.HOST, "RABBITMQ_URL": rabbitmq_place.url()},
        rabbitmq_place.server.services(), {"brokers": ["rabbitmq.test"], "log": f"s3://{JOBS_BUCKET}/${{project}}/log"})
    (told,) = rabbitmq_place.wait("api.result.queue", 1)
    assert len(rabbitmq_place.wait("status.queue", 1)) == 1
    api = BlacktreeApi()
    api.read(told.document())
    assert api.log == f"s3://{JOBS_BUCKET}/{project}/log", ended
    if end == "success":
        assert (api.status, api.image) == ("BUILT, deploys", f"{bed_ecr.HOST}/blacktree:{DEPLOYMENT}"), ended
    else:
        assert (api.status, api.error) == ("FAILED", result["message"]), ended
