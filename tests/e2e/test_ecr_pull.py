"""Base images of a private registry of ECR, pulled with the token of a role that image.pull_auth names: the build can
read that token, and can push nothing with it, whatever the role may do."""

import base64
import json
import os

import pytest

from bed import ecr as bed_ecr, http1, images, sts as bed_sts
from bed.sts import ROLE, Role

pytestmark = pytest.mark.usefixtures("kaniko")
CACHE = "docker-hub"
NAME = "team/shop"
PULL_AUTH = {"registry": bed_ecr.HOST, "role": ROLE}
PULL = {"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
        "ecr:BatchCheckLayerAvailability"}
PLAIN = {"Dockerfile": "FROM busybox\nRUN echo built >/x\nCMD [\"cat\", \"/x\"]\n"}
# What root of a RUN does with the engine's login: it reads, and tries every way to write.
THIEF = r'''
import base64, glob, json, ssl, urllib.error, urllib.request

folders = set()
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        words = open(path, errors="replace").read().split("\0")
    except OSError:
        continue
    folders |= {word.partition("=")[2] for word in words if word.startswith("DOCKER_CONFIG=")}
(auths,) = [json.load(open(folder + "/config.json"))["auths"] for folder in folders]
((host, login),) = auths.items()
user, password = base64.b64decode(login["auth"]).decode().split(":")
print("the token:", password)
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

def ask(method, path, body=None):
    request = urllib.request.Request(f"https://{host}/v2/{path}", body, method=method, headers={
        "Authorization": "Basic " + login["auth"], "Accept": "application/vnd.oci.image.manifest.v1+json, */*"})
    try:
        return direct.open(request).status
    except urllib.error.HTTPError as error:
        return error.code

print("found:", json.dumps({
    "user": user, "read": ask("HEAD", "docker-hub/library/python/manifests/3-slim"),
    "upload": ask("POST", "team/shop/blobs/uploads/", b""), "tag": ask("PUT", "team/shop/manifests/mine", b"{}"),
    "base": ask("PUT", "docker-hub/library/python/manifests/3-slim", b"{}"), "list": ask("GET", "team/shop/tags/list"),
    "other": ask("GET", "elsewhere/secret/manifests/1")}))
'''


@pytest.fixture
def sts(bed):
    made = bed_sts.Sts(bed.gate.issued.get)
    made.roles[ROLE] = Role()
    return made


@pytest.fixture
def ecr(bed, sts):
    def keys(access):
        return bed.gate.issued.get(access) or sts.issued.get(access)

    with bed_ecr.Ecr(bed.folder, keys, find_session=sts.sessions.get) as made:
        for image in ("busybox:latest", "python:3-slim"):
            name, _, tag = image.partition(":")
            made.add(f"{CACHE}/library/{name}")
            made.back.add_base(image, f"{CACHE}/library/{name}", tag)
        yield made


class Jobs:
    def __init__(self, bed, ecr, sts):
        self.bed, self.ecr, self.sts = bed, ecr, sts

    def spec(self, files=None, pull_auth=None, **image):
        image = {"mirrors": {"docker.io": f"{bed_ecr.HOST}/{CACHE}"}, "pull_auth": pull_auth or PULL_AUTH, **image}
        return images.spec(self.bed, files or PLAIN, None, NAME, "one", to=f"{bed_ecr.HOST}/{NAME}", image=image)

    def run(self, spec, executor="sandbox", **options):
        authority = self.bed.world.authority
        ended = images.run(self.bed, spec, executor, services=[*self.ecr.services(authority),
                                                               *self.sts.services(authority)], **options)
        keys = self.sts.issued.values()
        secrets = {*self.ecr.tokens, *(key.secret for key in keys), *(key.token for key in keys)}
        assert not [value for value in secrets if value in ended.text or value in json.dumps(ended.result)], ended
        assert self.sts.mistakes == [] and self.ecr.mistakes == []
        return ended

    def pull_tokens(self):
        return [password for password, session in self.ecr.sessions.items() if session is not None]


@pytest.fixture
def jobs(bed, ecr, sts):
    return Jobs(bed, ecr, sts)


@pytest.mark.parametrize("executor", ["local", "sandbox"])
def test_a_run_that_reads_the_token_cannot_push(jobs, ecr, sts, executor):
    """The role may do everything: it is the session's policy that stands in the way."""
    ecr.add("elsewhere/secret")
    files = {"Dockerfile": "FROM python:3-slim\nCOPY thief.py /\nRUN python3 /thief.py\n", "thief.py": THIEF}
    spec = jobs.spec(files)
    ecr.add(NAME)
    ended = jobs.run(spec, executor)
    assert ended.code == 0 and "| the token: ***" in ended.text, ended
    found = json.loads(next(line for line in ended.text.splitlines() if "| found: " in line).partition("found: ")[2])
    assert found == {"user": "AWS", "read": 200, "upload": 403, "tag": 403, "base": 403, "list": 403,
                     "other": 404}
    assert ecr.images(NAME) == {ended.result["image"]["digest"]: ["one"]}
    assert ended.result["image"]["bases"][0].startswith("python:3-slim@sha256:")
    (asked,) = sts.asked
    assert asked["RoleArn"] == ROLE and asked["RoleSessionName"] == f"caisson-{spec['id']}"[:64]
    login, pull = json.loads(asked["Policy"])["Statement"]
    assert (login["Action"], login["Resource"]) == ("ecr:GetAuthorizationToken", "*")
    assert pull["Resource"] == f"arn:aws:ecr:{bed_ecr.REGION}:{bed_ecr.ACCOUNT}:repository/*"
    assert PULL - {"ecr:GetAuthorizationToken"} <= set(pull["Action"])
    assert not any("Upload" in action or "Put" in action or "Delete" in action for action in pull["Action"])
    # One token to pull, another one, of the task's own role, to push.
    assert len(jobs.pull_tokens()) == 1 and len(ecr.tokens) == 2


def test_a_role_that_may_pull_is_enough(jobs, sts, tmp_path):
    sts.roles[ROLE] = Role(allowed=PULL)
    ended = jobs.run(jobs.spec())
    assert ended.code == 0, ended
    layout = jobs.ecr.back.pull(NAME, "one", os.path.join(tmp_path, "pulled"))
    with images.started(jobs.bed, layout) as container:
        container.wait_for("built")


def test_a_login_from_elsewhere_is_taken_too(jobs, ecr, sts):
    """Of ECR, by whoever starts the job: good for 12 hours."""
    data = ecr._get_token(None)["authorizationData"][0]  # pylint: disable=protected-access
    token = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    ended = jobs.run(jobs.spec(pull_auth={"registry": bed_ecr.HOST, "username": "AWS", "password": {"env": "PULL"}}),
                     environment={"PULL": token})
    assert ended.code == 0 and sts.asked == [], ended


# -- what is refused


@pytest.mark.parametrize("role", [None, Role(trusts=False)])
def test_a_role_that_may_not_be_assumed(jobs, sts, ecr, role):
    sts.roles = {ROLE: role} if role else {}
    ended = jobs.run(jobs.spec())
    result = ended.result
    assert (ended.code, result["class"], result["reason"]) == (36, "base-image", "access-denied"), ended
    assert not result["retryable"] and f"sts:AssumeRole on {ROLE} is not allowed" in result["message"]
    assert f"allow sts:AssumeRole on {ROLE} for the task's role" in result["hint"] and "trust policy" in result["hint"]
    assert ecr.asked == [] and len(sts.asked) == 1


def test_a_role_without_a_login(jobs, sts):
    sts.roles[ROLE] = Role(allowed=PULL - {"ecr:GetAuthorizationToken"})
    ended = jobs.run(jobs.spec())
    assert (ended.code, ended.result["reason"]) == (36, "access-denied"), ended
    assert ended.result["hint"] == f"allow ecr:GetAuthorizationToken on * for {ROLE}"


def test_a_role_that_may_not_pull(jobs, sts):
    sts.roles[ROLE] = Role(allowed={"ecr:GetAuthorizationToken"})
    ended = jobs.run(jobs.spec())
    assert (ended.code, ended.result["reason"]) == (36, "base-image-not-authorized"), ended
    assert "image.pull_auth" in ended.result["hint"]


# -- troubles, and who says where STS is


def test_troubles_that_pass(jobs, sts):
    sts.faults = [bed_sts.throttled, bed_sts.unavailable, bed_sts.drop]
    assert jobs.run(jobs.spec()).code == 0 and sts.faults == []


def test_troubles_that_do_not(jobs, sts):
    sts.faults = [bed_sts.unavailable] * 20
    ended = jobs.run(jobs.spec())
    assert (ended.code, ended.result["reason"]) == (51, "server-error") and ended.result["retryable"], ended
    assert "sts:AssumeRole" in ended.result["message"]
    sts.faults = [lambda: http1.Response(200, b"<html>welcome</html>")]
    ended = jobs.run(jobs.spec())
    assert (ended.code, ended.result["reason"]) == (51, "answer-unreadable"), ended


def test_the_operator_names_role_and_service(jobs, bed):
    """What the operator pins wins over the environment, and a spec cannot replace the role."""
    operator = json.dumps({"allow": ["private-http"], "pins": {
        "sts_endpoint": f"https://{bed_sts.HOST}", "image": {"pull_auth": PULL_AUTH}}})
    other = {"registry": bed_ecr.HOST, "role": ROLE.replace("pull", "push")}
    ended = jobs.run(jobs.spec(pull_auth=other), operator=operator,
                     environment={"AWS_ENDPOINT_URL_STS": "http://trap.test"})
    assert ended.code == 0 and bed.world.trap.visitors == [], ended
    assert [asked["RoleArn"] for asked in jobs.sts.asked] == [ROLE]
    dead = jobs.run(jobs.spec(), environment={"AWS_ENDPOINT_URL_STS": "http://dead.test"})
    assert (dead.code, dead.result["reason"]) == (51, "connect-failed") and dead.result["retryable"], dead
