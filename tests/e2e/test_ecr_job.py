"""Whole jobs whose image goes to ECR: Kaniko builds, the runner makes the repository and pushes by the task's role."""

import json
import os

import pytest

from bed import ecr as bed_ecr, http1, images

pytestmark = pytest.mark.usefixtures("kaniko")
FILES = {"Dockerfile": "FROM busybox\nCOPY hello /hello\nRUN cat /hello\nCMD [\"cat\", \"/hello\"]\n",
         "hello": "hello\n"}
NAME = "team/shop"
ARN = bed_ecr.arn_of(NAME)
API = f"https://{bed_ecr.API_HOST}"


@pytest.fixture
def ecr(bed):
    with bed_ecr.Ecr(bed.folder, bed.gate.issued.get) as made:
        yield made


class Jobs:
    def __init__(self, bed, ecr):
        self.bed, self.ecr = bed, ecr

    def spec(self, *tags, files=None, **image):
        return images.spec(self.bed, files or FILES, None, NAME, *tags, to=f"{bed_ecr.HOST}/{NAME}", image=image)

    def run(self, spec, executor="sandbox", **options):
        ended = images.run(self.bed, spec, executor, services=self.ecr.services(self.bed.world.authority), **options)
        tokens = {password for password in self.ecr.tokens if password in ended.text}
        assert not tokens and not any(token in json.dumps(ended.result) for token in self.ecr.tokens), ended
        return ended


@pytest.fixture
def jobs(bed, ecr):
    return Jobs(bed, ecr)


def actions(ecr):
    return [action for action, _ in ecr.asked]


@pytest.mark.parametrize("executor", ["local", "sandbox"])
def test_a_repository_is_made_and_pushed_to(jobs, ecr, executor):
    create = {"keep": 10, "untagged": "7d", "scan": True, "immutable": True, "kms_key": "alias/shop",
              "tags": {"team": "a", "stage": "x=y"}}
    ended = jobs.run(jobs.spec("one", "two", create=create), executor)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    image = ended.result["image"]
    assert ecr.images(NAME) == {image["digest"]: ["one", "two"]} and image["created_repository"]
    assert image["repository"] == f"{bed_ecr.HOST}/{NAME}" and image["tags"] == ["one", "two"]
    made = ecr.repositories[NAME]
    assert made["imageTagMutability"] == "IMMUTABLE" and made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": "alias/shop"}
    assert {tag["Key"]: tag["Value"] for tag in made["tags"]} == create["tags"]
    rules = [rule["selection"] for rule in json.loads(made["lifecycle"])["rules"]]
    assert [rule["countNumber"] for rule in rules] == [7, 10] and ecr.mistakes == []
    assert not any(entry.method == "PATCH" for entry in ecr.requests)
    layout = ecr.back.pull(NAME, "one", os.path.join(jobs.bed.folder, "pulled"))
    with images.started(jobs.bed, layout) as container:
        container.wait_for("hello")


def test_an_image_that_exists_is_not_built(jobs, ecr):
    spec = jobs.spec("one", create={}, skip_existing=True)
    first = jobs.run(spec)
    assert first.code == 0 and "DescribeImages" in actions(ecr), first
    ecr.asked.clear()
    again = jobs.run(spec)
    assert again.result["status"] == "skipped" and again.result["image"]["existed"], again
    assert again.result["image"]["digest"] == first.result["image"]["digest"]
    assert set(actions(ecr)) == {"DescribeImages"} and "RUN cat" not in again.text
    # Who may push but not describe asks the registry.
    ecr.allowed = set(bed_ecr.PUSH_ACTIONS)
    third = jobs.run(spec)
    assert third.result["status"] == "skipped", third


def test_a_role_that_may_only_push(jobs, ecr):
    ecr.add(NAME)
    ecr.allowed = set(bed_ecr.PUSH_ACTIONS)
    ended = jobs.run(jobs.spec("one", create={"keep": 3}))
    assert ended.code == 0 and ecr.images(NAME) == {ended.result["image"]["digest"]: ["one"]}, ended
    assert sum(f"ecr:DescribeRepositories on {ARN} is not allowed" in warning for warning in
               ended.result["warnings"]) == 1, ended


@pytest.mark.parametrize("denied, hint", [
    ("ecr:GetAuthorizationToken", "allow ecr:GetAuthorizationToken on * for the task's role"),
    ("ecr:CreateRepository", f"allow ecr:CreateRepository on {ARN} for the task's role"),
])
def test_a_permission_is_missing(jobs, ecr, denied, hint):
    ecr.denied = {denied}
    ended = jobs.run(jobs.spec("one", create={}))
    assert ended.code == 41 and ended.result["reason"] == "access-denied", ended
    assert ended.result["hint"].startswith(hint) and denied in ended.result["message"], ended


def test_a_token_runs_out_in_the_middle(jobs, ecr):
    ecr.registry_faults = [None] * 4 + [ecr.expire_tokens]
    ended = jobs.run(jobs.spec("one", create={}))
    assert ended.code == 0 and actions(ecr).count("GetAuthorizationToken") == 2, ended


def test_an_immutable_tag_that_holds_another_image(jobs, ecr):
    ecr.add(NAME, imageTagMutability="IMMUTABLE")
    assert jobs.run(jobs.spec("one")).code == 0
    before = ecr.images(NAME)
    ended = jobs.run(jobs.spec("one", files={**FILES, "hello": "other\n"}))
    assert (ended.code, ended.result["reason"]) == (41, "tag-immutable"), ended
    assert list(before)[0] in ended.result["message"] and ecr.images(NAME)[list(before)[0]] == ["one"]


def test_the_operator_names_the_api(jobs, ecr, bed):
    """The pin wins over what the task's environment says."""
    operator = f"allow: [file-targets, private-http]\npins:\n  ecr_endpoint: {API}\n"
    ended = jobs.run(jobs.spec("one", create={}), operator=operator,
                     environment={"AWS_ENDPOINT_URL_ECR": "http://trap.test"})
    assert ended.code == 0 and bed.world.trap.visitors == [], ended
    other = jobs.run(jobs.spec("two"), environment={"AWS_ENDPOINT_URL_ECR": "http://dead.test"})
    assert other.code == 41 and other.result["reason"] == "connect-failed" and other.result["retryable"], other


def test_the_api_is_throttled(jobs, ecr):
    ecr.faults = [bed_ecr.throttled, bed_ecr.server_error, None, bed_ecr.throttled, lambda: http1.Response(503)]
    ended = jobs.run(jobs.spec("one", create={"keep": 1}))
    assert ended.code == 0 and ecr.repositories[NAME]["lifecycle"], ended
