"""What existing systems make of what they are told of images; see test_profile_events.py."""

import json

import pytest

from bed import consumers, ecr as bed_ecr, kafka, redis
from bed.profile_jobs import CA, DEPLOYMENT, ENDS, Held, cancel, crash, ended, operator
from bed.world import JOBS_BUCKET

pytestmark = pytest.mark.timeout(300)

LOST = "the build task ended without a result (EssentialContainerExited)"
SERVER = "setInterval(() => {}, 1000)\n"
API = {"api/package.json": json.dumps({"name": "api", "version": "1.0.0", "scripts": {"start": "node server.js"}}),
       "api/server.js": SERVER}
DOCKERFILES = {"failure": "FROM scratch\nCOPY not-there /x\n", "success": "FROM busybox\nCOPY . /app\nRUN cat /app/.env; ls -A /app\n"}


@pytest.fixture
def ecr(bed, kaniko):
    with bed_ecr.Ecr(bed.folder, bed.gate.issued.get) as made:
        yield made


def run(bed, ecr, profile, end, project, environment, services, pins, stop=None, command=()):
    """environment: pairs. What is cancelled or killed is so during the checkout. stop(): how it is cancelled."""
    around = [*bed.world.mirror.services(), *ecr.services(bed.world.authority), *services]
    operator_file = operator({**pins, "image": {"mirrors": {"docker.io": bed.world.mirror.name}}}, ["private-http"])

    def start():
        return bed.start(arguments=["--profile", profile, *command, "--executor", "local"], environment=dict(environment),
                         image="kaniko", services=around, endpoint_url=None, operator=operator_file, size="6g")

    if end in ("success", "failure"):
        return ended(bed, start(), project, end)
    with Held(bed) as held:
        if end == "crash":
            return crash(bed, profile, project, environment, lambda task: held.wait(), operator_file, image=True,
                         command=command, services=services, size="6g")
        task = start()
        held.wait()
        (stop or (lambda: cancel(bed, project)))()
        return ended(bed, task, project, end)


def by_message(bed, ecr, profile, end, message, environment, services, pins, dockerfile, stop=None):
    """The message in a variable of the task, as whoever takes it from the queue hands it on; the deployment's id besides."""
    repository = bed.repository({"hello": "hello\n", dockerfile: DOCKERFILES.get(end, "")})
    project = "p" + repository.name[1:8]
    pairs = [("DEPLOYMENT_ID", DEPLOYMENT), ("JOB", json.dumps(message(repository, project))),
             ("AWS_REGION", "eu-central-1"), *environment.items()]
    return run(bed, ecr, profile, end, project, pairs, services, {**pins, "project": project}, stop,
               ["--message-env", "JOB"])


# -- Veren's backend


@pytest.mark.parametrize("end", ENDS)
def test_veren(bed, ecr, sns_api, kafka_server, lost_jobs, end):
    status, log = sns_api.topic(fifo=True), kafka_server.topic("backend-builder-logs")
    ecr.add("veren")
    repository = bed.repository(API)
    project = "p" + repository.name[1:8]
    job = run(bed, ecr, "veren-backend", end, project, [
        ("PROJECT_ID", project), ("DEPLOYMENTID", DEPLOYMENT), ("AWS_REGION", "eu-central-1"),
        ("GIT_REPOSITORY__URL", repository.url()), ("BACKEND_PATH", "none" if end == "failure" else "api"),
        ("NODE_VERSION", "20"), ("ECR_URI", f"{bed_ecr.HOST}/veren"), ("DOMAIN_EVENTS_TOPIC_ARN", status.arn),
        ("KAFKA_CLIENT_ID", "backend-builder"), ("KAFKA_BROKER1", kafka_server.urls()), ("KAFKA_SASL_USERNAME", kafka.USER),
        ("KAFKA_SASL_PASSWORD", kafka_server.kept["password"]), ("KAFKA_CA_PATH", CA)],
        [*sns_api.services(), *kafka_server.services()],
        {"topics": [status.arn, "backend-builder-logs"], "brokers": ["kafka.test"]})

    reader, sent = consumers.VerenStatus(DEPLOYMENT), status.take()
    first = json.loads(sent[0].document()["Message"])
    assert (first["type"], first["payload"]) == ("BACKEND_PROCESSING", {"backendDir": "none" if end == "failure" else "api"})
    for message in sent:
        reader.take(message.body)
    if end == "crash":
        assert reader.state == "building"
        told = lost_jobs.told("veren-backend", job.event)
        status.put(told.body, told.group)
        reader.take(status.wait(1)[0].body)
    wanted = {"success": ("backend built", f"{bed_ecr.HOST}/veren:{project}-{DEPLOYMENT}", None),
              "crash": ("failed", None, LOST)}.get(end, ("failed", None, job.message))
    assert reader.ends_in() == wanted, job.text
    assert sns_api.mistakes == [] and {message.group for message in sent} == {DEPLOYMENT}

    pages = consumers.VerenLogs()
    for record in log.wait(3, lambda record: json.loads(record.value)["project_id"] == project):
        assert record.key == "log"
        pages.read(log.name, record)
    assert len({row["event_id"] for row in pages.rows}) == len(pages.rows)
    assert {(row["deployment_id"], row["project_id"], row["service"]) for row in pages.rows} == {
        (DEPLOYMENT, project, "backend-builder")}
    levels = [text.split("] [")[1] for _, _, text in pages.backend if text.startswith("[20")]
    assert len(levels) == len(pages.backend) and ("ERROR" in levels) == (end in ("failure", "cancel")), pages.backend
    if end == "success":
        assert any("[build] " in text for _, _, text in pages.backend)


# -- Deployra


@pytest.mark.parametrize("end", ENDS)
def test_deployra(bed, ecr, hook, redis_server, lost_jobs, end):
    """A cancel as its dashboard publishes it; the dashboard says CANCELLED itself."""
    key = "key-of-the-dashboard"
    hook.secret, hook.headers = None, {"x-api-key": key}
    api, told_before = consumers.DeployraApi(DEPLOYMENT, key), []

    def message(repository, project):
        return {"deploymentId": DEPLOYMENT, "serviceId": project, "commitSha": "", "branch": "main",
                "repositoryName": repository.name, "runtimeFilePath": "docker/Dockerfile",
                "gitProvider": {"type": "CUSTOM", "url": repository.url().rpartition("/")[0]},
                "environmentVariables": [{"key": "PORT", "value": "3000"}],
                "ports": [{"servicePort": 80, "containerPort": 3000}]}

    def read():
        requests = hook.received[len(told_before):]
        told_before.extend(requests)
        for request in requests:
            api.read(request)

    def stop():
        redis_server.client().publish("builder:cancel", json.dumps({"deploymentId": "another"}))
        redis_server.client().publish("builder:cancel", json.dumps({"deploymentId": DEPLOYMENT}))
        read()
        assert api.status == "BUILDING"
        api.cancel()

    job = by_message(bed, ecr, "deployra", end, message, {
        "API_URL": "https://hooks.test/api", "API_KEY": key, "ECR_REGISTRY": bed_ecr.HOST, "REDIS_HOST": "rediss://redis.test",
        "REDIS_PORT": "6380", "REDIS_USERNAME": redis.USER, "REDIS_PASSWORD": redis_server.passwords[redis.USER],
        "REDIS_QUEUE_NAME": "builder-queue", "REDIS_CANCEL_CHANNEL_NAME": "builder:cancel"},
        [*hook.services(), *redis_server.services()], {"callbacks": ["https://hooks.test/api"], "brokers": ["redis.test"]},
        "docker/Dockerfile", stop)
    read()
    if end == "crash":
        assert api.status == "BUILDING" and api.error is None
        told = lost_jobs.told("deployra", job.event)
        assert hook.call(told.method, told.path, told.body, hook.headers) == 204
        read()
    name = f"deployra/{job.project}"
    wanted = {"success": ("DEPLOYING", f"{bed_ecr.HOST}/{name}:{DEPLOYMENT}", None), "failure": ("FAILED", None, job.message),
              "cancel": ("CANCELLED", None, None), "crash": ("FAILED", None, LOST)}[end]
    assert api.ends_in() == wanted, job.text
    assert any("checkout" in line or "clon" in line.lower() for line in api.logs), api.logs
    assert hook.mistakes == [] and key not in job.text
    if end == "success":
        assert sorted(*ecr.images(name).values()) == sorted([DEPLOYMENT, "latest"])
        assert "PORT=3000" in api.logs and "hello" in api.logs and ".git" not in api.logs, api.logs  # as .dockerignore says


# -- Blacktree


@pytest.mark.parametrize("end", ENDS)
def test_blacktree(bed, ecr, rabbitmq_place, lost_jobs, end):
    rabbitmq_place.exchange("blacktree.direct")
    for queue in ("api.result.queue", "status.queue"):  # of the API, and of the orchestrator
        rabbitmq_place.queue(queue, "blacktree.direct", "api.result")

    def message(repository, project):
        return {"deploymentId": DEPLOYMENT, "token": None, "repository": repository.url(), "branch": "main",
                "dockerFilePath": "Dockerfile", "contextDir": ".", "createdAt": "2026-01-02T03:04:05Z", "AutoDeploy": True}

    job = by_message(bed, ecr, "blacktree", end, message, {"REGISTRY": bed_ecr.HOST, "MQ_URL": rabbitmq_place.url()},
                     rabbitmq_place.server.services(),
                     {"brokers": ["rabbitmq.test"], "log": f"s3://{JOBS_BUCKET}/${{project}}/log"}, "Dockerfile")
    if end == "crash":
        assert rabbitmq_place.messages("api.result.queue") == []
        # who reads the queue of lost jobs puts it where the API looks
        told = lost_jobs.told("blacktree", job.event)
        with rabbitmq_place.channel() as channel:
            channel.basic_publish("blacktree.direct", "api.result", told.body.encode())
    ends = []
    for queue in ("api.result.queue", "status.queue"):
        (told,) = rabbitmq_place.wait(queue, 1)
        api = consumers.BlacktreeApi(DEPLOYMENT)
        api.read(told.document())
        ends.append((api.ends_in(), api.log))
        assert end == "crash" or told.properties.delivery_mode == 2  # persistent
    link = f"s3://{JOBS_BUCKET}/{job.project}/log"
    wanted = {"success": (("BUILT, deploys", f"{bed_ecr.HOST}/blacktree:{DEPLOYMENT}", None), link),
              "crash": (("FAILED", None, LOST), LOST)}.get(end, (("FAILED", None, job.message), link))
    assert ends == [wanted] * 2, job.text
    if end != "crash":
        assert job.result["created_at"].startswith("2026-01-02T03:04:05")
