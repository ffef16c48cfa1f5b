"""What docs/migration.md says of jobs: the canary, the way back, what users see, specs made of messages."""

import json
import pathlib
import re
import shutil
import subprocess
import uuid

import pytest
import yaml

from bed import documents, ecr as bed_ecr, images, run_task, s3, sigv4, taskdefs
from bed.world import ENDPOINT, JOBS_BUCKET, ROOT, VEREN_BUCKET

MIGRATION = pathlib.Path(ROOT, "docs", "migration.md")
FIXTURES = pathlib.Path(ROOT, "tests", "fixtures", "migration")
PINS = {"endpoint": ENDPOINT, "region": "eu-central-1"}  # of the test's S3
SITE = {"index.html": "new\n", "app.js": "app()\n"}


def page(pattern):
    """The one place of the page that matches."""
    (found,) = set(re.findall(pattern, MIGRATION.read_text()))
    return found


def filters(system):
    """{name: jq program} that a chapter has its readers write."""
    found = {}
    for block in documents.blocks(MIGRATION):
        if block.section.lower() == system:
            found.update(re.findall(r"cat >(\S+\.jq) <<'END'\n(.*?)^END$", block.text, re.DOTALL | re.MULTILINE))
    return found


def jq(program, document, **texts):
    if not shutil.which("jq"):
        pytest.skip("no jq here")
    arguments = [word for name, text in texts.items() for word in ("--arg", name, text)]
    ended = subprocess.run(["jq", *arguments, program], input=json.dumps(document), stdout=subprocess.PIPE, text=True,
                           check=True)
    return json.loads(ended.stdout) if ended.stdout.strip() else None


def message(system):
    return json.loads((FIXTURES / system / "message.json").read_text())


# ---- sites


class Project:
    """A project of Veren's: a repository of ready files, and the variables that its worker sends."""

    def __init__(self, bed):
        self.bed, self.name = bed, "m" + uuid.uuid4().hex[:8]
        self.prefix = f"__outputs/{self.name}/"
        self.repository = bed.repository({f"public/{path}": text for path, text in SITE.items()})

    def build(self, operator=None, **variables):
        sent = {"GIT_REPOSITORY__URL": self.repository.url(), "PROJECT_ID": self.name,
                "DEPLOYMENTID": uuid.uuid4().hex[:8], "FRONTENDOUTPUTDIR": "public",
                "BUILDCOMMAND": 'echo "CI is $CI"', "INSTALLCOMMAND": "true", **variables}
        wanted = {**(operator or {})}
        wanted["pins"] = {**PINS, **wanted.get("pins", {})}
        wanted["defaults"] = {"result": f"s3://{JOBS_BUCKET}/{self.name}/result.json", **wanted.get("defaults", {})}
        return self.bed.run(arguments=["--profile", "veren-frontend"], environment=sent, endpoint_url=None,
                            operator=json.dumps(wanted))

    def result(self):
        return json.loads(self.bed.storage.get(JOBS_BUCKET, f"{self.name}/result.json"))

    def tree(self, prefix=None):
        found = self.bed.storage.tree(VEREN_BUCKET, prefix or self.prefix)
        return {path: body.decode() for path, body in found.items()}

    def upload(self, **files):
        """As the old builder does."""
        for path, text in files.items():
            self.bed.storage.put(VEREN_BUCKET, self.prefix + path.replace("_", "."), text.encode())


@pytest.fixture
def project(bed):
    return Project(bed)


def test_a_canary_publishes_where_nobody_looks(project):
    project.upload(index_html="old\n")
    pins = yaml.safe_load(page(r"sites \| `(pins: \{.*?\})` "))["pins"]
    ended = project.build({"pins": pins})
    assert ended.code == 0, ended
    assert project.tree() == {"index.html": "old\n"}
    said = page(r"`(canary/PROJECT_ID/__outputs/PROJECT_ID/)` of the bucket").replace("PROJECT_ID", project.name)
    assert project.tree(said) == SITE


def test_both_builders_in_one_prefix_with_todays_rights(project):
    """PutObject below __outputs/ and nothing else: nothing goes, every file is written each time."""
    def allowed(seen):
        return seen.bucket != VEREN_BUCKET or (seen.method == "PUT" and seen.key.startswith("__outputs/"))

    project.bed.gate.add(s3.Refuse(lambda seen: not allowed(seen), 403, "AccessDenied"))
    project.upload(index_html="old\n", old_css="old\n")
    for _ in range(2):
        ended = project.build()
        assert ended.code == 0 and project.tree() == {**SITE, "old.css": "old\n"}, ended
        project.upload(index_html="old again\n")
    assert project.result()["artifacts"][0]["ordered"] is False
    assert project.bed.storage.head(VEREN_BUCKET, project.prefix + "app.js")["x-amz-meta-caisson"]


def state_of(project):
    """Where the page says that the state of a prefix is."""
    return page(r"`(\.caisson/__outputs.*?)`").replace("PROJECT_ID", project.name)


def test_a_state_that_is_kept_while_the_old_builder_writes(project):
    """Why the page says to remove it before coming back, and to keep today's rights while both write."""
    assert project.build().code == 0
    project.upload(index_html="old\n")
    assert project.build().code == 0
    assert project.tree() == {**SITE, "index.html": "old\n"}
    project.bed.storage.must("DELETE", f"/{VEREN_BUCKET}/{state_of(project)}")
    ended = project.build()
    assert ended.code == 0 and project.tree() == SITE, ended


def test_the_way_back_from_an_adopted_prefix_and_again(project):
    pins = yaml.safe_load(page(r"`(pins: \{ artifacts:.*?\})`").replace("BUCKET", VEREN_BUCKET))
    project.upload(index_html="old\n", old_css="old\n")
    ended = project.build(pins)
    assert ended.code == 0 and project.tree() == SITE, ended
    project.upload(index_html="old again\n", old_css="old again\n")
    project.repository = project.bed.repository({f"public/{path}": "newer\n" for path in SITE})
    ended = project.build(pins)
    newer = dict.fromkeys(SITE, "newer\n")
    assert ended.code == 0 and project.tree() == {**newer, "old.css": "old again\n"}, ended  # adopted is once
    project.bed.storage.must("DELETE", f"/{VEREN_BUCKET}/{state_of(project)}")
    ended = project.build(pins)
    assert ended.code == 0 and project.tree() == newer, ended


@pytest.mark.parametrize("default, sent, seen", [(None, {}, "true"), ("false", {}, "false"), (None, {"CI": "0"}, "0"),
                                                 ("false", {"CI": "1"}, "1")])
def test_ci_is_true_unless_somebody_says_otherwise(project, default, sent, seen):
    ended = project.build({"defaults": {"env": {"CI": default}}} if default else None, **sent)
    assert ended.code == 0 and f"| CI is {seen}\n" in ended.text, ended


# ---- what plan tells of a capture


PLAIN = {"GIT_REPOSITORY__URL": "https://github.com/user/shop", "PROJECT_ID": "shop", "DEPLOYMENT_ID": "d1",
         "S3_BUCKET": "bucket"}


@pytest.mark.parametrize("profile, names, more, words", [
    ("vercel-clone", {"S3_BUCKET": ""}, [], "S3_BUCKET is not set"),
    ("vercel-clone", {}, [("PROJECT_ID", "another")], "PROJECT_ID stands twice in the environment"),
    ("vercel-clone", {}, [("DEPLOYEMENT_ID", "d2")], "DEPLOYMENT_ID and DEPLOYEMENT_ID mean the same and differ"),
    ("vercel-clone", {"GIT_REPOSITORY__URL": "https://removed@github.com/user/shop"}, [], "the URL holds credentials"),
    ("veren-backend", {"NODE_VERSION": "16", "ECR_URI": "registry.example/app"}, [],
     "there is no template for the Node version that is asked for"),
])
def test_a_capture_that_would_be_refused(caisson, tmp_path, profile, names, more, words):
    assert f"| `{words}` |" in MIGRATION.read_text()
    pairs = [*{**PLAIN, **names}.items(), *more]
    captured = tmp_path / "captured.json"
    captured.write_text(json.dumps([{"name": name, "value": value} for name, value in pairs]))
    told = caisson("plan", "--profile", profile, "--env-file", str(captured))
    assert told.returncode == 10 and words in told.stderr and told.stdout == "", told


def test_what_ecs_tells_of_a_task_becomes_a_plan(bed, caisson, tmp_path):
    """By the double of RunTask: of one that could not even start."""
    caller, sent = sigv4.Keys("AKIACONTROLPLANE", "secret-of-the-control-plane"), [
        *PLAIN.items(), ("GITHUB_TOKEN", "ghp_s3cret"), ("ENVVARS", '[{"key": "VITE_API", "value": "s3cret"}]'),
        ("PROJECT_ID", "a-tenants")]
    document = taskdefs.filled("node", container_name="theirs")
    document["containerDefinitions"][0]["environment"] = [{"name": "REDIS_URL", "value": "redis://:s3cret@redis.example"},
                                                          {"name": "S3_BUCKET", "value": "overridden"}]
    plane = run_task.RunTask(bed, {}, [taskdefs.HOLES["task_role_arn"]], {caller.access: caller}.get)
    try:
        client = plane.client(caller)
        made = client.register_task_definition(**document)["taskDefinition"]
        pairs = [{"name": name, "value": value} for name, value in sent]
        arn = client.run_task(
            cluster="caisson", taskDefinition=made["family"], launchType="FARGATE", networkConfiguration={
                "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
            overrides={"containerOverrides": [{"name": "theirs", "environment": pairs}]})["tasks"][0]["taskArn"]
        plane.wait(arn)
        told = client.describe_tasks(cluster="caisson", tasks=[arn])
    finally:
        plane.close()
    captured = jq(filters("capture")["capture.jq"], [json.loads(json.dumps(told, default=str)), {"taskDefinition": made}],
                  container="theirs")
    assert "s3cret" not in json.dumps(captured)
    assert [entry["name"] for entry in captured] == ["REDIS_URL", *(name for name, _ in sent)]
    path = tmp_path / "captured.json"
    path.write_text(json.dumps(captured))
    refused = caisson("plan", "--profile", "vercel-clone", "--env-file", str(path))
    assert refused.returncode == 10 and "PROJECT_ID stands twice" in refused.stderr, refused
    path.write_text(json.dumps(captured[:-1]))
    plan = caisson("plan", "--json", "--profile", "vercel-clone", "--env-file", str(path))
    spec = json.loads(plan.stdout)["spec"]
    assert spec["env"] == {"VITE_API": "removed"} and spec["artifacts"][0]["to"] == "s3://bucket/__outputs/shop/"
    assert spec["source"]["auth"]["token"] == {"env": "GITHUB_TOKEN"} and "REDIS_URL" in plan.stderr


@pytest.mark.parametrize("name, value, shown", [
    ("PROJECT_ID", "p1", "p1"), ("DEPLOYEMENT_ID", "d1", "d1"), ("DEPLOYMENTID", "d1", "d1"), ("OUTDIR", "dist", "dist"),
    ("ROOT_PROJECT_DIR", "web", "web"), ("INSTALL_CMD", "npm i", "npm i"), ("R2_BUCKET_NAME", "b", "b"),
    ("GIT_REPOSITORY_URL", "https://user:t0ken@git.example/r", "https://removed:removed@git.example/r"),
    ("R2_ACCESS_KEY_ID", "x", "removed"), ("JWT_TOKEN", "x", "removed"), ("MINIO_ROOT_PASSWORD", "x", "removed"),
    ("MY_PROJECT_ID", "x", "removed"), ("GITHUB_TOKEN", "", ""),
    ("ENV_VARIABLES", '{"A": "x", "B": 1}', '{"A":"removed","B":"removed"}'),
    ("ENVVARS", '[{"key": "A", "value": "x"}, "x"]', '[{"key":"A","value":"removed"},"removed"]'),
    ("ENVVARS", "A=x", "removed"), ("ENVVARS", "3", "removed"),
])
def test_what_is_kept_of_a_value(name, value, shown):
    task = {"tasks": [{"overrides": {"containerOverrides": [
        {"name": "other", "environment": [{"name": name, "value": "of another"}]},
        {"name": "theirs", "environment": [{"name": name, "value": value}]}]}}]}
    definition = {"taskDefinition": {"containerDefinitions": [
        {"name": "theirs", "secrets": [{"name": name, "valueFrom": "arn"}, {"name": "TASK", "valueFrom": "arn"}]}]}}
    captured = jq(filters("capture")["capture.jq"], [task, definition], container="theirs")
    assert captured == [{"name": "TASK", "value": "removed"}, {"name": name, "value": shown}]


def test_a_capture_that_is_none(caisson, tmp_path):
    captured = tmp_path / "captured.json"
    captured.write_text('[{"name": "PROJECT_ID", "value": "s3cret')
    told = caisson("plan", "--profile", "vercel-clone", "--env-file", str(captured))
    assert told.returncode == 2 and "captured.json: not valid JSON: line 1" in told.stderr, told
    assert "s3cret" not in told.stderr and "environment" not in told.stdout
    shutil.copy(FIXTURES / "vercel-clone" / "task.json", captured)  # the whole of what DescribeTasks says
    told = caisson("plan", "--profile", "vercel-clone", "--env-file", str(captured))
    assert told.returncode == 2 and "the value of tasks is no text" in told.stderr, told


# ---- messages


REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize("system", ["blacktree", "deployra"])
def test_the_spec_that_is_shown_is_what_the_filter_makes(caisson, tmp_path, system):
    made = jq(filters(system)["spec.jq"], message(system), registry=REGISTRY)
    (block,) = [block for block in documents.blocks(MIGRATION)
                if block.section.lower() == system and block.language == "yaml"]
    shown, plans = tmp_path / "shown.yaml", []
    shown.write_text(block.text)
    (tmp_path / "made.json").write_text(json.dumps(made))
    for path in (shown, tmp_path / "made.json"):
        told = caisson("plan", "--json", str(path))
        assert told.returncode == 0, told
        spec = json.loads(told.stdout)["spec"]
        plans.append({**spec, "result": spec["result"].replace(spec["id"], "ID") if system == "blacktree"
                      else spec["result"], "log": "", "id": made.get("id")})
    assert plans[0] == plans[1] and plans[0]["image"]["repository"].startswith(REGISTRY)


@pytest.mark.parametrize("system, change, path, value", [
    ("blacktree", {"token": ""}, "source.auth", None),
    ("blacktree", {"repository": "user/repo"}, "source.repository", "https://github.com/user/repo"),
    ("blacktree", {"contextDir": "api", "dockerFilePath": "api/Dockerfile"}, "build.dockerfile", "api/Dockerfile"),
    ("deployra", {"commitSha": "0123456789abcdef0123456789abcdef01234567"}, "source.commit",
     "0123456789abcdef0123456789abcdef01234567"),
    ("deployra", {"gitProvider": None}, "source.auth", None),
    ("deployra", {"gitProvider": {"type": "CUSTOM", "url": "https://git.example/u/r", "username": "u", "password": "p"}},
     "source.auth", {"username": "u", "password": {"env": "REPOSITORY_TOKEN"}}),
    ("deployra", {"gitProvider": {"type": "CUSTOM", "url": "https://git.example/"}}, "source.repository",
     "https://git.example/user/api.git"),
    ("deployra", {"gitProvider": {"type": "CUSTOM", "url": "https://git.example/user/api"}}, "source.repository",
     "https://git.example/user/api"),
    ("deployra", {"environmentVariables": None}, "env", None),
    ("deployra", {"runtimeFilePath": None}, "build.dockerfile", None),
])
def test_other_messages(caisson, tmp_path, system, change, path, value):
    job = tmp_path / "job.json"
    job.write_text(json.dumps(jq(filters(system)["spec.jq"], {**message(system), **change}, registry=REGISTRY)))
    told = caisson("plan", "--json", str(job))
    assert told.returncode == 0, told
    found = json.loads(told.stdout)["spec"]
    for key in path.split("."):
        found = (found or {}).get(key)
    assert (found or None) == value, told.stdout


def test_answers_of_jobs_that_failed(caisson, open_path):
    told = {}
    for system in ("blacktree", "deployra"):
        spec = jq(filters(system)["spec.jq"], message(system), registry=REGISTRY)
        spec["source"] = {"repository": f"file://{open_path}/none.git"}
        spec.update(result=f"file:{open_path}/{system}.json", image={"repository": f"oci:{open_path}/image"})
        del spec["log"]
        (open_path / "job.json").write_text(json.dumps(spec))
        ended = caisson("run", "--workspace", str(open_path / "work"), str(open_path / "job.json"))
        assert ended.returncode == 22, ended
        result = json.loads((open_path / f"{system}.json").read_text())
        told[system] = jq(filters(system)["answer.jq"], result)
        assert result["message"] and result["reason"]
        for status in ("cancelled", "interrupted", "superseded"):
            silent = jq(filters(system)["answer.jq"], {**result, "status": status})
            assert silent is None if system == "deployra" else silent["success"] is False
    assert told["blacktree"]["success"] is False and told["blacktree"]["deploymentId"] == "abc123"
    assert told["blacktree"]["error"] and told["blacktree"]["imageUrl"] == "" == told["blacktree"]["logs"]
    assert told["deployra"]["status"] == "FAILED" and told["deployra"]["error"]


@pytest.mark.rare
@pytest.mark.usefixtures("kaniko")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("system", ["blacktree", "deployra"])
def test_an_image_by_a_message(bed, system):
    """message → spec → image in ECR → what the consumer reads."""
    files = {"Dockerfile": "FROM busybox\nCOPY . /app\nRUN cat /app/.env || true\n",
             "docker/Dockerfile": "FROM busybox\nCOPY . /app\nRUN cat /app/.env\n"}
    sent = {**message(system), "repository": bed.repository(files).url(), "token": ""}
    if system == "deployra":
        sent["gitProvider"] = {"type": "CUSTOM", "url": sent["repository"]}
        sent["repositoryName"] = sent["repository"].rpartition("/")[2]
    spec = jq(filters(system)["spec.jq"], sent, registry=bed_ecr.HOST)
    spec["id"] = spec.get("id", "task-1")
    spec["image"]["mirrors"] = {"docker.io": bed.world.mirror.name}
    spec["result"] = f"s3://{JOBS_BUCKET}/{system}/result.json"
    del spec["log"]
    name = spec["image"]["repository"].removeprefix(bed_ecr.HOST + "/")
    with bed_ecr.Ecr(bed.folder, bed.gate.issued.get) as ecr:
        if system == "blacktree":
            ecr.add(name)
        ended = images.run(bed, spec, "sandbox", services=ecr.services(bed.world.authority))
        assert ended.code == 0, ended
        assert list(ecr.images(name).values()) == [spec["image"]["tags"]] and ecr.mistakes == []
    answer = jq(filters(system)["answer.jq"], ended.result)
    if system == "blacktree":
        assert answer == {"deploymentId": "abc123", "success": True, "logs": "", "error": "",
                          "imageUrl": f"{bed_ecr.HOST}/blacktree:abc123"}
    else:
        assert "| LOG_LEVEL=" in ended.text and ended.result["image"]["created_repository"]
        assert answer == {"status": "BUILDED", "data": {"containerRegistryType": "ecr", "containerImageUri":
                                                        f"{bed_ecr.HOST}/deployra/svc-71ab:dep-9f3c"}}
