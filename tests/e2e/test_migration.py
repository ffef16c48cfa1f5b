"""docs/migration.md: its commands are typed, and print what stands below them, for each system that people move from.

ECS as it is before the move answers from tests/fixtures/migration: what DescribeTasks and DescribeTaskDefinition say of a
task of today."""

import json
import os
import pathlib
import re
import shutil
import uuid

import pytest

from bed import account as bed_account, documents, http1, run_task, shell, taskdefs
from bed.world import ROOT

MIGRATION = pathlib.Path(ROOT, "docs", "migration.md")
FIXTURES = pathlib.Path(ROOT, "tests", "fixtures", "migration")
CHAPTERS = {"vercel-clone": "A Vercel clone", "veren-frontend": "Veren, frontend", "veren-backend": "Veren, backend",
            "blacktree": "Blacktree", "deployra": "Deployra"}
PROFILES = ["vercel-clone", "veren-frontend", "veren-backend"]
RUNNER = "containerDefinitions[0]"
SECRETS = ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "redis-s3cret", "kafka-s3cret", "db-s3cret", "ghp_", "pk_live_",
           "gho_", "ghs_", "avnadmin"]


def fixture(system, name):
    return json.loads((FIXTURES / system / name).read_text())


class Ecs:
    """The calls of a control plane's account: answers from the fixtures, validated by the service's model."""

    def __init__(self, system):
        self.system, self.calls = system, []
        self.listener = http1.listen("127.0.0.1")
        http1.serve(self.listener, self)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def close(self):
        http1.close_listener(self.listener)

    def handle(self, request):
        action = request.header("x-amz-target").removeprefix(run_task.TARGET)
        parameters = json.loads(request.body)
        operation = run_task.model().operation_model(action)
        try:
            run_task.validate(operation.input_shape, parameters)
            said = getattr(self, action)(**parameters)
            run_task.validate(operation.output_shape, said)
        except run_task.Failed as error:
            return run_task.fail(error.code, error.message)
        self.calls.append((action, parameters))
        return run_task.answer(200, said)

    def DescribeTasks(self, cluster, tasks):
        said = times(fixture(self.system, "task.json"))
        task = said["tasks"][0]
        assert task["clusterArn"].endswith(f"/{cluster}") and task["taskArn"].endswith("/" + tasks[0]), (cluster, tasks)
        return said

    def DescribeTaskDefinition(self, taskDefinition):
        said = times(fixture(self.system, "definition.json"))
        assert said["taskDefinition"]["taskDefinitionArn"] == taskDefinition
        return said

    def RegisterTaskDefinition(self, family, **document):
        before = FIXTURES / self.system / "definition.json"
        known = fixture(self.system, "definition.json")["taskDefinition"] if before.exists() else {"family": None}
        revision = known["revision"] + 1 if known["family"] == family else 1
        region = document["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-region"]
        return {"taskDefinition": {"family": family, "revision": revision, **document, "taskDefinitionArn":
                                   f"arn:aws:ecs:{region}:123456789012:task-definition/{family}:{revision}"}}

    def RunTask(self, taskDefinition, **_):
        arn = "arn:aws:ecs:ap-south-1:123456789012:task/builder/" + uuid.uuid4().hex
        return {"tasks": [{"taskArn": arn, "lastStatus": "PROVISIONING"}], "failures": []}

    def of(self, action):
        return [parameters for name, parameters in self.calls if name == action]


def times(document):
    """What the command line prints as texts are numbers on the wire."""
    if isinstance(document, dict):
        return {key: 1762074847.113 if key.endswith("At") else times(value) for key, value in document.items()}
    return [times(one) for one in document] if isinstance(document, list) else document


class Newcomer:
    """Who follows the page: a shell in a folder, and an account whose ECS runs one of the systems."""

    def __init__(self, folder, program, system):
        self.folder, self.ecs = folder, Ecs(system)
        tools = folder / "bin"
        tools.mkdir()
        (tools / "caisson").symlink_to(os.path.abspath(program))
        (folder / "taskdefs").symlink_to(taskdefs.FOLDER)
        if (FIXTURES / system / "message.json").exists():
            shutil.copy(FIXTURES / system / "message.json", folder)
        sdks = bed_account.made("ensure-sdks", "python")
        self.shell = shell.Shell(str(folder), {
            "PATH": f"{tools}:{sdks}/bin:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": self.ecs.url, "AWS_DEFAULT_REGION": "ap-south-1", "AWS_ACCESS_KEY_ID": "AKIAOPERATOR",
            "AWS_SECRET_ACCESS_KEY": "of-the-operator", "AWS_PAGER": ""})
        for block in documents.blocks(MIGRATION):
            if block.section in ("Capture", "The canary") and block.language == "sh":
                assert self.shell.run(block.text).strip() == ""

    def close(self):
        self.shell.close()
        self.ecs.close()

    def chapter(self, title):
        """Types all of it. Gives (printed, documented) of each block; documented None: the page shows nothing."""
        blocks = [block for block in documents.blocks(MIGRATION) if block.section == title]
        told = []
        for block, following in zip(blocks, [*blocks[1:], None]):
            if block.language == "sh":
                if "result.json" in block.text.splitlines()[-1]:
                    shutil.copy(self.folder / "answers" / "result.json", self.folder)
                shows = following is not None and following.language == "text"
                printed = self.shell.run(block.text).removesuffix("\n")  # the shell's own
                told.append((printed, following.text if shows else None))
        return told

    def json(self, name):
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module")
def read(tmp_path_factory, program):
    """Gives a Newcomer who has typed a system's chapter, and what was printed. Once for all tests."""
    for needed in ("jq", "envsubst"):
        if not shutil.which(needed):
            pytest.skip(f"no {needed} here")
    done = {}

    def follow(system):
        if system not in done:
            folder = tmp_path_factory.mktemp(system)
            (folder / "answers").mkdir()
            (folder / "answers" / "result.json").write_text(json.dumps(result()))
            try:
                reader = Newcomer(folder, program, system)
            except bed_account.Missing as missing:
                pytest.skip(str(missing))
            done[system] = reader, None
            done[system] = reader, reader.chapter(CHAPTERS[system])
        return done[system]

    yield follow
    for reader, _ in done.values():
        reader.close()


def result(**changes):
    """What a consumer is given, where no job has run."""
    return {"status": "succeeded", "project": "abc123", "id": "d1", "log_url": "s3://jobs/log.gz", "image": {
        "repository": "registry.example/app", "tags": ["abc123", "latest"], "published": True}, **changes}


# ---- the page


@pytest.mark.parametrize("system", CHAPTERS)
def test_what_is_typed_prints_what_stands_there(read, system):
    reader, told = read(system)
    assert [documented for _, documented in told if documented is not None], "the chapter shows nothing"
    for printed, documented in told:
        if documented is not None:
            assert printed == documented
    assert len(reader.ecs.of("RegisterTaskDefinition")) == (0 if system == "deployra" else 1)
    assert "error" not in reader.shell.said().lower()


@pytest.mark.parametrize("system", PROFILES)
def test_no_secret_is_captured(read, system):
    reader, _ = read(system)
    text = (reader.folder / "captured.json").read_text()
    assert [secret for secret in SECRETS if secret in text] == []
    assert [secret for secret in SECRETS if secret in json.dumps(fixture(system, "task.json"))
            or secret in json.dumps(fixture(system, "definition.json"))] != []
    sent = fixture(system, "task.json")["tasks"][0]["overrides"]["containerOverrides"][0]["environment"]
    names = [entry["name"] for entry in reader.json("captured.json")]
    assert [entry["name"] for entry in sent] == names[-len(sent):]


@pytest.mark.parametrize("system", PROFILES)
def test_the_new_definition_is_a_document_of_taskdefs_and_no_more(read, system):
    reader, _ = read(system)
    (registered,) = reader.ecs.of("RegisterTaskDefinition")
    name = "kaniko" if system == "veren-backend" else "node"
    runner = registered["containerDefinitions"][0]
    holes = {**taskdefs.HOLES}
    for block in documents.blocks(MIGRATION):
        if block.section == CHAPTERS[system] and block.text.startswith("export "):
            holes.update(re.findall(r"\b([a-z_]+)=(\S+)", block.text.partition("envsubst")[0]))
    wanted = taskdefs.filled(name, **{hole: holes[hole] for hole in taskdefs.HOLES})
    wanted["containerDefinitions"][0]["command"] += ["--profile", system]
    assert registered == wanted
    today = fixture(system, "definition.json")["taskDefinition"]
    # what a worker's call needs: the family's name, and the container that it overrides
    (override,) = fixture(system, "task.json")["tasks"][0]["overrides"]["containerOverrides"]
    assert runner["name"] == override["name"] and registered["family"] == today["family"]
    assert rows(today, registered) == table(CHAPTERS[system])


@pytest.mark.parametrize("system", PROFILES)
def test_the_call_of_a_canary_is_that_of_today(read, system):
    reader, _ = read(system)
    asked = len(reader.ecs.of("RunTask"))
    arn = reader.shell.run("capture; canary a-canary sg-0a1b2c3d").strip()
    assert arn.startswith("arn:aws:ecs:") and not (reader.folder / "call.json").exists()
    (call,) = reader.ecs.of("RunTask")[asked:]
    (task,) = fixture(system, "task.json")["tasks"]
    assert call["overrides"]["containerOverrides"] == task["overrides"]["containerOverrides"]
    assert call["taskDefinition"] == "a-canary" and call["cluster"] == task["clusterArn"]
    network = call["networkConfiguration"]["awsvpcConfiguration"]
    (shown,) = re.findall(r"`'(\{\"command.*?\})'`", MIGRATION.read_text())
    reader.shell.run(f"canary a-canary sg-0a1b2c3d '{shown}'")
    (override,) = reader.ecs.of("RunTask")[-1]["overrides"]["containerOverrides"]
    assert override == {**task["overrides"]["containerOverrides"][0], "command": ["doctor", "--profile", "veren-frontend"]}
    assert network["securityGroups"] == ["sg-0a1b2c3d"] and network["subnets"] == ["subnet-0a1b2c3d4e5f60718"]


def flat(definition):
    """{path: value} of a definition, as the page's tables name them; what is empty is left out."""
    found = {}
    for key, value in definition.items():
        if key != "containerDefinitions":
            found[key] = value
    for number, container in enumerate(definition["containerDefinitions"]):
        for key, value in container.items():
            where = f"containerDefinitions[{number}].{key}"
            if key == "logConfiguration":
                found.update({f"{where}.options.{name}": one for name, one in value["options"].items()})
            else:
                found[where] = value
    return {key: value for key, value in found.items() if value not in (None, "", 0, [], {})}


TOLD_BY_ECS = {"taskDefinitionArn", "revision", "status", "compatibilities", "registeredAt"}


def rows(today, new):
    """The differences that are not those of every system, in the table's words."""
    before, after = flat(today), flat(new)
    common = common_differences()
    found = []
    for path in [*after, *(path for path in before if path not in after)]:
        told = path in common or re.sub(r"\[1\]", "[0]", path) in common
        if before.get(path) == after.get(path) or path in TOLD_BY_ECS or told:
            continue
        found.append([path, shown(before.get(path)), shown(after.get(path))])
    return found


def shown(value):
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def common_differences():
    lines = documents.section(MIGRATION, "The task definition").splitlines()
    return {path for line in lines if line.startswith("| `") for path in re.findall(r"`([^`]+)`", line.split("|")[1])}


def table(title):
    """Lists of cells."""
    lines = documents.section(MIGRATION, title).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {title} | today"))
    found = []
    for line in lines[start + 2:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`") for cell in line.strip().strip("|").split(" | ")])
    return found


def test_what_every_definition_changes_is_so():
    """The table of all systems, against the documents."""
    assert RUNNER + ".stopTimeout" in common_differences()
    said = documents.section(MIGRATION, "The task definition")
    for name in taskdefs.NAMES:
        runner = taskdefs.filled(name)["containerDefinitions"][0]
        assert runner["stopTimeout"] == 120 and "stopTimeout` | 120" in said
        assert runner["user"] == "0:0" and runner["ulimits"][0]["softLimit"] == 65536
        options = runner["logConfiguration"]["options"]
        assert (options["mode"], options["awslogs-stream-prefix"]) == ("blocking", "job")
        assert "awslogs-create-group" not in options and "environment" not in runner


def test_links_and_names_of_the_page_are_there():
    text = MIGRATION.read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (MIGRATION.parent / path).resolve() if path else MIGRATION
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, link
    for path in re.findall(r"`((?:src|tests)/[\w/.-]+)`", text):
        assert pathlib.Path(ROOT, path).exists(), path
    assert "docs/migration.md" in pathlib.Path(ROOT, "README.md").read_text()


def test_terraforms_part_names_what_the_modules_have():
    (block,) = [block.text for block in documents.blocks(MIGRATION) if block.language == "hcl"]
    modules = dict(re.findall(r'^module "(\w+)" \{\n(.*?)^\}', block, re.DOTALL | re.MULTILINE))
    assert set(modules) == {"iam", "frontend_18"}
    for body in modules.values():
        folder = pathlib.Path(ROOT, re.search(r'source += "(\S+)"', body)[1])
        variables = (folder / "variables.tf").read_text()
        arguments = set(re.findall(r"^  (\w+) +=", body, re.MULTILINE)) - {"source"}
        assert [name for name in arguments if f'variable "{name}"' not in variables] == []
        required = re.findall(r'variable "(\w+)" \{((?:(?!^\}).)*)^\}', variables, re.DOTALL | re.MULTILINE)
        assert {name for name, text in required if " default " not in text} <= arguments
        for module, output in re.findall(r"module\.(\w+)\.(\w+)", body):
            outputs = pathlib.Path(ROOT, re.search(r'source += "(\S+)"', modules[module])[1], "outputs.tf").read_text()
            assert f'output "{output}"' in outputs
    assert 'output "run_task_policy_arn"' in pathlib.Path(ROOT, "terraform/modules/iam/outputs.tf").read_text()


def test_profiles_of_the_page_are_those_of_the_program(caisson):
    """When one is added, its chapter changes."""
    said = caisson("plan", "--profile", "none-such", "--env-file", "/dev/null").stderr
    named = {system for system in CHAPTERS if re.search(rf"(?<![\w-]){system}(?![\w-])", said)}
    assert named == set(CHAPTERS), said
