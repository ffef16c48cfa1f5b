"""Veren's backend build: its worker's environment, unchanged, with the keys and rights of today's tasks."""

import json

import pytest

from bed import ecr as bed_ecr, images, sigv4

pytestmark = [pytest.mark.usefixtures("kaniko"), pytest.mark.timeout(300)]

KEYS = sigv4.Keys("AKIAVERENTESTS", "static-s3cret-of-veren")
# What it takes to push with Kaniko, and no more: no looking at repositories, no making them, no reading of images.
ALLOWED = {"ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload",
           "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"}
FILES = {
    "README.md": "the frontend is elsewhere\n",
    "api/package.json": json.dumps({"name": "api", "version": "1.0.0", "scripts": {"start": "node server.js"}}),
    "api/server.js": "console.log(process.version, Object.keys(process.env).sort().join(' '))\n"
                     "setInterval(() => {}, 1000)\n",
    "api/Dockerfile": "FROM none/such:1\n",  # theirs takes its place
}


@pytest.fixture
def ecr(bed):
    with bed_ecr.Ecr(bed.folder, {KEYS.access: KEYS}.get) as made:
        made.add("veren")
        made.allowed = ALLOWED
        yield made


def run(bed, ecr, executor, pins=None, **changes):
    repository = bed.repository(FILES)
    variables = {
        "AWS_REGION": "ap-south-1", "AWS_ACCESS_KEY_ID": KEYS.access, "AWS_SECRET_ACCESS_KEY": KEYS.secret,
        "GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": "shop", "DEPLOYMENTID": "d1", "BACKEND_PATH": "api",
        "NODE_VERSION": "20", "ECR_URI": f"{bed_ecr.HOST}/veren", "KAFKA_CLIENT_ID": "c",
        "KAFKA_BROKER1": "broker.test:9092", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "kafka-s3cret-w0rd",
        "KAFKA_CA_PATH": "/home/app/kafka.pem", "DOMAIN_EVENTS_TOPIC_ARN": "arn:aws:sns:ap-south-1:1:events.fifo",
        "DATABASE_URL": "postgres://of-the-user", **changes,
    }
    operator = {"pins": {"ca_bundle": "/etc/test-ca.pem", "image": {"mirrors": {"docker.io": bed.world.mirror.name}},
                         **(pins or {})}}
    services = [*bed.world.mirror.services(), *ecr.services(bed.world.authority)]
    options = ["--executor", "local"] if executor == "local" else []
    return bed.finish(bed.start(arguments=["--profile", "veren-backend", *options], environment=variables, image="kaniko",
                                executor=executor, operator=json.dumps(operator), services=services, endpoint_url=None,
                                size="6g"), 200)


@pytest.mark.rare  # the quick set has it as RunTask starts it (test_run_task.py)
@pytest.mark.parametrize("executor", ["sandbox", "local"])
def test_the_task_of_today(bed, ecr, executor, tmp_path):
    ended = run(bed, ecr, executor)
    assert ended.code == 0, ended
    assert list(ecr.images("veren").values()) == [["shop-d1"]]
    assert {action for action, _ in ecr.asked} == {"GetAuthorizationToken"} and ecr.mistakes == []
    assert "KAFKA_BROKER1" in ended.text and "DOMAIN_EVENTS_TOPIC_ARN" in ended.text  # who is not told
    layout = ecr.back.pull("veren", "shop-d1", str(tmp_path / "layout"))
    with images.started(bed, layout) as container:
        container.wait_for("v20.")
        said = container.text()
    for secret in ("kafka-s3cret-w0rd", KEYS.secret, KEYS.access, "of-the-user"):
        assert secret not in ended.text and secret not in said
    for name in ("AWS_", "KAFKA_", "PROJECT_ID", "ECR_URI", "DATABASE_URL"):
        assert name not in said


@pytest.mark.parametrize("changes, pins, code, words", [
    ({"ECR_URI": "elsewhere.test/veren"}, {"registry": bed_ecr.HOST}, 10, f"does not lie beneath {bed_ecr.HOST}"),
    ({"ECR_URI": ""}, {}, 10, "ECR_URI is not set"),
    ({"NODE_VERSION": "16"}, {}, 10, "18, 20, 22 and 24 are there"),
    ({"BACKEND_PATH": "../api"}, {}, 10, "from profile variable BACKEND_PATH"),
    ({"BACKEND_PATH": "none"}, {}, None, "none"),
    pytest.param({"ECR_URI": f"{bed_ecr.HOST}/not-made"}, {}, 41, "repository", marks=pytest.mark.rare),
])
def test_what_is_wrong_is_told(bed, ecr, changes, pins, code, words):
    ended = run(bed, ecr, "local", pins, **changes)
    assert ended.code != 0 and code in (None, ended.code), ended
    assert words in ended.text, ended
    assert ecr.images("veren") == {}
