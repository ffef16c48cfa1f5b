"""ECR through `caisson image push` and `caisson image rm`, on this machine: no container, no root."""

import contextlib
import json
import os
import subprocess
import threading

import pytest

from bed import ecr as bed_ecr, http1, layouts, sigv4, tls

REPOSITORY = f"{bed_ecr.HOST}/team/shop"
ARN = bed_ecr.arn_of("team/shop")
KEYS = sigv4.Keys("AKIDOFTHETESTS", "of-the-tests", "a-session-token")
OLD_KEYS = sigv4.Keys("AKIDTHATISOVER", "of-the-tests", "an-old-token", expires=1)
PUSH = set(bed_ecr.PUSH_ACTIONS)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(str(tmp_path_factory.mktemp("tls")), list(bed_ecr.ADDRESSES))


@pytest.fixture
def ecr(tmp_path):
    with bed_ecr.Ecr(str(tmp_path), {KEYS.access: KEYS, OLD_KEYS.access: OLD_KEYS}.get) as made:
        yield made


class Tool:
    """The program with an environment in which there is nothing but ECR."""

    def __init__(self, program, authority, ecr, folder):
        self.program, self.ecr, self.folder = program, ecr, str(folder)
        self.environment = {"PATH": os.environ["PATH"], "HTTPS_PROXY": ecr.proxy_url(authority),
                            "CAISSON_CA_BUNDLE": authority.bundle, "HOME": self.folder,
                            "AWS_ACCESS_KEY_ID": KEYS.access, "AWS_SECRET_ACCESS_KEY": KEYS.secret,
                            "AWS_SESSION_TOKEN": KEYS.token}

    def start(self, *arguments, keys=KEYS):
        environment = {**self.environment, "AWS_ACCESS_KEY_ID": keys.access, "AWS_SESSION_TOKEN": keys.token}
        return subprocess.Popen([self.program, "image", *arguments], env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, **options):
        process = self.start(*arguments, **options)
        try:
            out, words = process.communicate(timeout=60)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, words)

    def layout(self, name, *layers):
        """(folder, digest)"""
        folder = os.path.join(self.folder, name)
        return folder, layouts.write(folder, *(layers or [{"hello": name.encode()}]))

    def push(self, folder, *arguments, repository=REPOSITORY, tag="v1", **options):
        return self.run("push", folder, f"{repository}:{tag}", *arguments, "--json", **options)

    def rm(self, *images, repository=REPOSITORY):
        return self.run("rm", repository, *images, "--json")


@pytest.fixture
def tool(program, authority, ecr, tmp_path):
    return Tool(program, authority, ecr, tmp_path)


def answer(done):
    """What the program printed as JSON; its exit code must be that of the document."""
    document = json.loads(done.stdout)
    assert done.returncode == document.get("exit_code", 0), done
    return document


def actions(ecr):
    return [action for action, _ in ecr.asked]


def parameters(ecr, action):
    return next(parameters for asked, parameters in ecr.asked if asked == action)


# -- pushing


def test_an_image_is_pushed_to_a_repository_that_is_there(ecr, tool):
    ecr.add("team/shop")
    folder, digest = tool.layout("one", {"a": b"a" * 100_000}, {"b": os.urandom(300_000)})
    done = answer(tool.push(folder, "--tag", "latest,v1.0"))
    assert done["digest"] == digest and not done["repository_created"]
    assert done["tags_written"] == ["v1", "latest", "v1.0"]
    assert ecr.images("team/shop") == {digest: ["latest", "v1", "v1.0"]}
    assert actions(ecr) == ["GetAuthorizationToken"] and ecr.mistakes == []
    assert not any(entry.method == "PATCH" for entry in ecr.requests), ecr.requests
    again = answer(tool.push(folder))
    assert again["tags_there"] == ["v1"] and again["bytes_sent"] == 0


def test_a_repository_is_made_as_it_was_asked_for(ecr, tool):
    folder, digest = tool.layout("one")
    done = tool.push(folder, "--create", "--keep", "10", "--untagged", "3d", "--immutable", "--scan", "--kms-key",
                     "alias/shop", "--repository-tags", "team=a,cost center=1=2")
    assert answer(done)["repository_created"] and done.stderr == ""
    made = ecr.repositories["team/shop"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": "alias/shop"}
    assert made["tags"] == [{"Key": "team", "Value": "a"}, {"Key": "cost center", "Value": "1=2"}]
    rules = json.loads(made["lifecycle"])["rules"]
    assert [(rule["rulePriority"], rule["selection"]) for rule in rules] == [
        (1, {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 3}),
        (2, {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10})]
    assert ecr.mistakes == [] and ecr.images("team/shop") == {digest: ["v1"]}
    assert actions(ecr) == ["DescribeRepositories", "CreateRepository", "PutLifecyclePolicy", "GetAuthorizationToken"]


def test_a_repository_is_made_plainly(ecr, tool):
    folder, _ = tool.layout("one")
    assert answer(tool.push(folder, "--create"))["repository_created"]
    made = ecr.repositories["team/shop"]
    assert (made["imageTagMutability"], made["lifecycle"], made["tags"]) == ("MUTABLE", None, [])
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert "tags" not in parameters(ecr, "CreateRepository") and ecr.mistakes == []


def test_the_account_s_own_key(ecr, tool):
    folder, _ = tool.layout("one")
    answer(tool.push(folder, "--create", "--kms-key", ""))
    assert ecr.repositories["team/shop"]["encryptionConfiguration"] == {"encryptionType": "KMS"}


def test_what_the_lifecycle_keeps(ecr, tool):
    """The rules do what their options say: the newest stay, what lost its tag goes by its age."""
    digests = []
    for number in range(4):
        folder, digest = tool.layout(f"image{number}")
        answer(tool.push(folder, "--create", "--keep", "2", "--untagged", "5d", tag=f"v{number}"))
        digests.append(digest)
    folder, moved = tool.layout("moved")
    answer(tool.push(folder, tag="v3"))
    assert ecr.images("team/shop")[digests[3]] == []
    assert ecr.expire("team/shop") == [digests[2], digests[1], digests[0]]
    assert sorted(ecr.images("team/shop")) == sorted([moved, digests[3]])
    assert ecr.expire("team/shop", later=6 * 86400) == [digests[3]]
    assert ecr.images("team/shop") == {moved: ["v3"]}


def test_a_repository_that_is_there_is_left_as_it_is(ecr, tool):
    ecr.add("team/shop", lifecycle="theirs")
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, "--create", "--keep", "3", "--immutable", "--scan"))
    assert not done["repository_created"]
    assert ecr.repositories["team/shop"]["lifecycle"] == "theirs"
    assert ecr.repositories["team/shop"]["imageTagMutability"] == "MUTABLE"
    assert actions(ecr) == ["DescribeRepositories", "GetAuthorizationToken"]


def test_creators_race(ecr, tool):
    """All see that it is missing before one makes it: one makes it and its lifecycle, the others push."""
    count = 8
    barrier = threading.Barrier(count)
    describe = ecr._describe_repositories

    def together(asked):
        try:
            return describe(asked)
        finally:
            barrier.wait(60)

    ecr._describe_repositories = together
    pushed = [tool.layout(f"image{number}") for number in range(count)]
    started = [tool.start("push", folder, f"{REPOSITORY}:v{number}", "--create", "--keep", "9", "--json")
               for number, (folder, _) in enumerate(pushed)]
    done = [(process.communicate(timeout=100), process.returncode) for process in started]
    assert [code for _, code in done] == [0] * count, done
    assert sum(json.loads(out)["repository_created"] for (out, _), _ in done) == 1
    assert actions(ecr).count("CreateRepository") == count and actions(ecr).count("PutLifecyclePolicy") == 1
    assert ecr.images("team/shop") == {digest: [f"v{number}"] for number, (_, digest) in enumerate(pushed)}
    assert ecr.mistakes == []


@pytest.mark.parametrize("theirs", [None, '{"rules": []}'])
def test_a_creation_whose_answer_is_lost(ecr, tool, theirs):
    """It is finished when nobody has given the repository a lifecycle."""
    def lose_the_answer():
        ecr.add("team/shop", lifecycle=theirs)
        return bed_ecr.server_error()

    ecr.faults = [None, lose_the_answer]
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, "--create", "--keep", "3"))
    assert done["repository_created"] == (theirs is None)
    lifecycle = ecr.repositories["team/shop"]["lifecycle"]
    assert lifecycle == theirs or '"countNumber":3' in lifecycle
    assert actions(ecr)[:4] == ["DescribeRepositories", "CreateRepository", "CreateRepository", "GetLifecyclePolicy"]


def test_a_repository_that_is_missing(ecr, tool):
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder))
    assert (done["class"], done["reason"]) == ("push-failed", "repository-missing"), done
    assert actions(ecr) == ["GetAuthorizationToken"]


# -- what the role may not do


@pytest.mark.parametrize("denied, options, wanted", [
    ("ecr:GetAuthorizationToken", (), "allow ecr:GetAuthorizationToken on * for the task's role"),
    ("ecr:CreateRepository", ("--create",),
     f"allow ecr:CreateRepository on {ARN} for the task's role, or create the repository beforehand"),
    ("ecr:TagResource", ("--create", "--repository-tags", "a=b"),
     f"allow ecr:TagResource on {ARN} for the task's role, or create the repository beforehand"),
    ("kms:CreateGrant", ("--create", "--kms-key", "alias/shop"), "allow kms:CreateGrant on * for the task's role"),
])
def test_a_permission_is_missing(ecr, tool, denied, options, wanted):
    ecr.denied = {denied}
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, *options))
    assert (done["class"], done["reason"]) == ("push-failed", "access-denied"), done
    assert done["hint"].startswith(wanted), done
    assert f"{denied} on " in done["message"] and "is not allowed" in done["message"], done
    assert "team/shop" not in ecr.repositories


def test_an_explicit_deny_and_other_policies(ecr, tool):
    ecr.denied = {"ecr:GetAuthorizationToken"}
    folder, _ = tool.layout("one")
    for why, hint in (("with an explicit deny in a service control policy",
                       "an explicit deny of ecr:GetAuthorizationToken on * must go in the organization's service "
                       "control policies"),
                      ("because no VPC endpoint policy allows the ecr:GetAuthorizationToken action",
                       "allow ecr:GetAuthorizationToken on * in the VPC endpoint's policy")):
        ecr.why_denied = {"ecr:GetAuthorizationToken": why}
        assert answer(tool.push(folder))["hint"] == hint


@pytest.mark.parametrize("action", ["ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload", "ecr:PutImage"])
def test_the_registry_denies(ecr, tool, action):
    ecr.add("team/shop")
    ecr.denied = {action}
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder))
    assert (done["class"], done["reason"]) == ("push-failed", "registry-denied"), done
    assert ecr.images("team/shop") == {}


def test_a_role_that_may_only_push(ecr, tool):
    """What worked before must go on to: neither looking nor making is needed where the repository is there."""
    ecr.add("team/shop")
    ecr.allowed = PUSH
    folder, digest = tool.layout("one")
    done = tool.push(folder, "--create", "--keep", "5")
    assert not answer(done)["repository_created"]
    assert done.stderr.count("warning") == 1 and f"ecr:DescribeRepositories on {ARN}" in done.stderr, done.stderr
    assert ecr.images("team/shop") == {digest: ["v1"]}


def test_a_role_that_may_push_and_read_nothing(ecr, tool):
    """Kaniko pushes with it: that it cannot look for a tag is no reason not to write it."""
    ecr.add("team/shop")
    ecr.allowed = PUSH - {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    folder, digest = tool.layout("one")
    done = answer(tool.push(folder, "--tag", "latest"))
    assert done["tags_written"] == ["v1", "latest"], done
    assert ecr.images("team/shop") == {digest: ["latest", "v1"]}


def test_a_role_that_may_only_push_and_no_repository(ecr, tool):
    ecr.allowed = PUSH
    folder, _ = tool.layout("one")
    done = tool.push(folder, "--create")
    assert answer(done)["reason"] == "repository-missing" and "warning" in done.stderr, done


def test_a_role_that_may_make_but_not_look(ecr, tool):
    ecr.allowed = PUSH | {"ecr:CreateRepository", "ecr:PutLifecyclePolicy"}
    folder, _ = tool.layout("one")
    done = tool.push(folder, "--create", "--keep", "5")
    assert answer(done)["repository_created"] and done.stderr == ""
    assert ecr.repositories["team/shop"]["lifecycle"]
    again = tool.push(folder, "--create", "--keep", "5", tag="v2")
    assert not answer(again)["repository_created"] and again.stderr == ""


def test_a_lifecycle_that_may_not_be_set(ecr, tool):
    ecr.denied = {"ecr:PutLifecyclePolicy"}
    folder, digest = tool.layout("one")
    done = tool.push(folder, "--create", "--keep", "5")
    assert answer(done)["repository_created"] and ecr.images("team/shop") == {digest: ["v1"]}
    assert f"allow ecr:PutLifecyclePolicy on {ARN}" in done.stderr, done.stderr


# -- tokens and troubles


def test_credentials_that_are_over(ecr, tool):
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, keys=OLD_KEYS))
    assert (done["class"], done["reason"]) == ("credentials", "expired-token"), done


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_token_runs_out_in_the_middle_of_a_push(ecr, tool, after, text):
    ecr.add("team/shop")
    ecr.expired_is_text = text
    ecr.registry_faults = [None] * after + [ecr.expire_tokens]
    folder, digest = tool.layout("one", {"a": os.urandom(100_000)}, {"b": b"b"})
    done = answer(tool.push(folder))
    assert done["digest"] == digest and ecr.images("team/shop") == {digest: ["v1"]}
    assert len(ecr.registry_faults) == 0 and actions(ecr).count("GetAuthorizationToken") == 2


def test_tokens_that_are_never_good(ecr, tool):
    ecr.add("team/shop")
    ecr.token_seconds = -1
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder))
    assert done["class"] == "push-failed" and done["reason"] in ("registry-unauthorized", "registry-denied"), done
    assert actions(ecr).count("GetAuthorizationToken") <= 3


@pytest.mark.parametrize("faults", [
    [bed_ecr.throttled] * 3, [bed_ecr.server_error] * 2, [bed_ecr.drop], [lambda: http1.Response(503)],
    [None, None, *[bed_ecr.throttled] * 6]], ids=["throttled", "server-error", "dropped", "503", "long"])
def test_troubles_that_pass(ecr, tool, faults):
    ecr.faults = list(faults)
    folder, digest = tool.layout("one")
    assert answer(tool.push(folder, "--create"))["repository_created"]
    assert ecr.images("team/shop") == {digest: ["v1"]} and ecr.faults == []


@pytest.mark.parametrize("fault, reason", [(bed_ecr.throttled, "slow-down"), (bed_ecr.server_error, "server-error")])
def test_troubles_that_stay(ecr, tool, fault, reason):
    ecr.faults = [fault] * 20
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, "--create"))
    assert (done["class"], done["reason"]) == ("push-failed", reason), done
    assert "ecr:DescribeRepositories: after 5 attempts: " in done["message"] and len(ecr.asked) == 5


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"authorizationData": []}', b"{" * 5000,
                                  b'{"authorizationData": [{"authorizationToken": "QVdTOgo="}]}'])
def test_answers_that_are_none(ecr, tool, body):
    ecr.add("team/shop")
    ecr.faults = [lambda: http1.Response(200, body)]
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder))
    assert (done["class"], done["reason"]) == ("push-failed", "answer-unreadable"), done


# -- tags that stay


def test_an_immutable_tag(ecr, tool):
    ecr.add("team/shop", imageTagMutability="IMMUTABLE")
    folder, digest = tool.layout("one")
    other, other_digest = tool.layout("other")
    assert answer(tool.push(folder))["tags_written"] == ["v1"]
    assert answer(tool.push(folder))["tags_there"] == ["v1"]
    done = answer(tool.push(other))
    assert (done["class"], done["reason"]) == ("push-failed", "tag-immutable"), done
    assert digest in done["message"] and other_digest in done["message"], done
    assert ecr.images("team/shop") == {digest: ["v1"]}


@pytest.mark.parametrize("same", [True, False])
def test_an_immutable_tag_that_came_between(ecr, tool, same):
    """Somebody writes it after we have looked: the same image is fine."""
    ecr.add("team/shop", imageTagMutability="IMMUTABLE")
    folder, digest = tool.layout("one")
    other, _ = tool.layout("other")
    put, between = ecr._put_manifest, []

    def put_manifest(request, name, reference):
        if not between:
            between.append(True)
            assert tool.push(folder if same else other).returncode == 0
        return put(request, name, reference)

    ecr._put_manifest = put_manifest
    ecr.lock = contextlib.nullcontext()  # the other push comes while this one's request is held
    done = answer(tool.push(folder))
    assert ("digest" in done) == same, done
    assert same or (done["reason"] == "tag-immutable" and digest in done["message"]), done


# -- removing


def fill(ecr, tool, *tags):
    """{tag: digest}, an image a tag."""
    ecr.add("team/shop")
    digests = {}
    for tag in tags:
        folder, digests[tag] = tool.layout(f"image-{tag}")
        answer(tool.push(folder, tag=tag))
    ecr.asked.clear()
    return digests


def test_images_are_removed(ecr, tool):
    digests = fill(ecr, tool, "a", "b", "c", "d")
    done = answer(tool.rm("a", digests["b"], "nothing", "a"))
    assert done["removed"] == ["a", digests["b"]] and done["missing"] == ["nothing"] and done["failed"] == []
    assert ecr.images("team/shop") == {digests["c"]: ["c"], digests["d"]: ["d"]}
    assert actions(ecr) == ["BatchDeleteImage"] and ecr.mistakes == []
    assert len(parameters(ecr, "BatchDeleteImage")["imageIds"]) == 3


def test_a_tag_goes_alone(ecr, tool):
    digests = fill(ecr, tool, "a")
    folder, _ = tool.layout("again", {"hello": b"image-a"})
    answer(tool.push(folder, tag="b"))
    assert ecr.images("team/shop") == {digests["a"]: ["a", "b"]}
    answer(tool.rm("a"))
    assert ecr.images("team/shop") == {digests["a"]: ["b"]}
    answer(tool.rm(digests["a"]))
    assert ecr.images("team/shop") == {}


def test_many_are_removed_a_hundred_a_call(ecr, tool):
    digests = fill(ecr, tool, "a")
    names = [f"none-{number}" for number in range(230)]
    done = answer(tool.rm(*names, "a"))
    assert done["removed"] == ["a"] and done["missing"] == names and ecr.images("team/shop") == {}, digests
    assert [len(asked["imageIds"]) for _, asked in ecr.asked] == [100, 100, 31]


def test_some_cannot_be_removed(ecr, tool):
    digests = fill(ecr, tool, "a", "b")
    delete = ecr._delete_image

    def refuse(name, image):
        if image.get("imageTag") == "a":
            raise bed_ecr.Failed("ImageReferencedByManifestList", "Requested image referenced by manifest list: [x]")
        return delete(name, image)

    ecr._delete_image = refuse
    done = tool.rm("a", "b", "c")
    said = answer(done)
    assert (said["class"], said["reason"], said["exit_code"]) == ("push-failed", "images-not-removed", 41), said
    assert said["removed"] == ["b"] and said["missing"] == ["c"]
    assert said["failed"] == ["a: ImageReferencedByManifestList: Requested image referenced by manifest list: [x]"]
    assert said["failed"][0] in said["message"] and ecr.images("team/shop") == {digests["a"]: ["a"]}
    plain = tool.run("rm", REPOSITORY, "a")
    assert plain.returncode == 41 and "caisson: 1 of team/shop could not be removed: a: Image" in plain.stderr


def test_removing_where_there_is_nothing_and_where_one_may_not(ecr, tool):
    done = answer(tool.rm("a"))
    assert (done["class"], done["reason"]) == ("push-failed", "repository-missing"), done
    ecr.denied = {"ecr:BatchDeleteImage"}
    done = answer(tool.rm("a"))
    assert done["reason"] == "access-denied", done
    assert done["hint"] == f"allow ecr:BatchDeleteImage on {ARN} for the task's role"


@pytest.mark.parametrize("arguments, reason", [
    ((), "too-few-arguments"), ((REPOSITORY,), "too-few-arguments"), ((REPOSITORY, "a b"), "bad-image"),
    ((REPOSITORY, "sha256:0"), "bad-image"), ((REPOSITORY, ""), "bad-image"),
    ((f"{REPOSITORY}:v1", "a"), "bad-repository"), (("shop", "a"), "bad-repository")])
def test_mistakes_of_the_command_line(ecr, tool, arguments, reason):
    done = answer(tool.run("rm", *arguments, "--json"))
    assert (done["class"], done["reason"]) == ("usage", reason) and ecr.asked == [], done


@pytest.mark.parametrize("options, reason", [
    (("--keep", "3"), "option-needs-other"), (("--create", "--keep", "0"), "bad-option-value"),
    (("--create", "--keep", "x"), "bad-option-value"), (("--create", "--untagged", "36h"), "bad-option-value"),
    (("--create", "--repository-tags", "a"), "bad-option-value"),
    (("--create", "--username", "me", "--password-file", "/etc/hostname"), "not-ecr")])
def test_mistakes_of_creation(ecr, tool, options, reason):
    folder, _ = tool.layout("one")
    done = answer(tool.push(folder, *options))
    assert (done["class"], done["reason"]) == ("usage", reason) and ecr.asked == [], done
