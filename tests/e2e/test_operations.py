"""docs/operations.md: its calls are made, by the clients that they are written for, and its tables are those of the code."""

import json
import os
import pathlib
import re
import subprocess
import time
import uuid

import pytest

from bed import account, documents, run_task, s3, sigv4, taskdefs
from bed.world import BUCKET, ENDPOINT, OPERATOR_FILE, ROOT
from test_taskdefs import SIZES

pytestmark = pytest.mark.timeout(300)

OPERATIONS = pathlib.Path(ROOT, "docs", "operations.md")
CALLER = sigv4.Keys("AKIACONTROLPLANE", "secret-of-the-control-plane")
ROLE = "arn:aws:iam::123456789012:role/caisson/projects/caisson-project-shop-eu-central-1"
STATE = "caisson-state-123456789012-eu-central-1"
OPERATOR = f"pins: {{ endpoint: '{ENDPOINT}', region: {s3.REGION} %s}}\nallow: [private-http]\n"
NETWORK = {"awsvpcConfiguration": {"assignPublicIp": "ENABLED", "subnets": ["subnet-0a1b2c3d"],
                                   "securityGroups": ["sg-0a1b2c3d"]}}
FILES = {"package.json": json.dumps({"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"}}),
         "build.sh": "mkdir -p dist\necho site >dist/index.html\n"}


def block(section, language, number=0):
    return [one.text for one in documents.blocks(OPERATIONS) if (one.section, one.language) == (section, language)][number]


def table(title):
    """The rows of the first table below a heading: cells, without the head."""
    lines = [line for line in documents.section(OPERATIONS, title).splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[2:]


def made(*arguments):
    try:
        return account.made("ensure-sdks", *arguments)
    except account.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def plane(bed):
    """RunTask, with the task definition `caisson-node`."""
    ecs = run_task.RunTask(bed, {"registry.example/node:1": "node"}, [ROLE, taskdefs.HOLES["task_role_arn"]],
                           {CALLER.access: CALLER}.get, files={OPERATOR_FILE: OPERATOR % ""})
    register(ecs, family="caisson-node")
    account.make_bucket(bed.storage, STATE)
    yield ecs
    ecs.close()


def register(ecs, *arguments, **holes):
    document = taskdefs.filled("node", builder_image="registry.example/node:1", **holes)
    document["containerDefinitions"][0]["command"] += arguments
    document["containerDefinitions"][0]["environment"] = [{"name": "AWS_ENDPOINT_URL_S3", "value": ENDPOINT}]
    ecs.client(CALLER).register_task_definition(**document)


def call(ecs, folder, *command):
    """What a client of AWS's printed."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_REGION": s3.REGION, "AWS_DEFAULT_REGION": s3.REGION,
                 "AWS_ACCESS_KEY_ID": CALLER.access, "AWS_SECRET_ACCESS_KEY": CALLER.secret, "AWS_PAGER": "",
                 "AWS_ENDPOINT_URL_ECS": ecs.url}
    ended = subprocess.run([str(part) for part in command], cwd=folder, env=variables, capture_output=True, text=True,
                           timeout=200, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def job(bed, **changes):
    """As the document's: it publishes to a prefix of its own, and its result is where the document looks."""
    spec = {"version": 1, "id": f"job-{uuid.uuid4().hex[:8]}", "project": "shop",
            "source": {"repository": bed.repository(FILES).url()},
            "artifacts": [{"to": f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}/"}], **changes}
    return {**spec, "result": f"s3://{STATE}/jobs/shop/{spec['id']}/result.json"}


def result(bed, spec):
    return json.loads(bed.storage.get(STATE, spec["result"].split("/", 3)[3]))


# ---- calls


def test_the_command_line(plane, bed, tmp_path):
    spec = job(bed, id="4711")
    bed.storage.put(STATE, "jobs/shop/4711/spec.json", json.dumps(spec).encode())
    aws = f"export PATH='{made('python')}/bin':$PATH\n"
    for number in range(2):
        script = tmp_path / f"{number}.sh"
        script.write_text(aws + block("From the command line", "sh", number))
        aws = f"{aws}task={list(plane.tasks.values())[0].arn if plane.tasks else ''}\n"
        printed = call(plane, tmp_path, "bash", "-euo", "pipefail", script)
        assert documents.differences(printed, block("From the command line", "text", number)) == []
        if number == 0:
            aws += f"task={next(iter(plane.tasks.values())).arn}\n"
    assert result(bed, spec)["status"] == "succeeded" and bed.published(spec) == {"index.html": b"site\n"}
    (started,) = plane.tasks.values()
    assert started.endpoint.role_arn == ROLE


@pytest.mark.parametrize("ends", ["by itself", "by an interruption"])
def test_on_spot(plane, bed, tmp_path, ends):
    """The document's strategy in place of launchType, in the document's call."""
    spec = job(bed) if ends == "by itself" else bed.commands("echo building; sleep 600")
    written = json.loads(re.search(r"<<'END'\n(.*?)^END", block("From the command line", "sh"), re.DOTALL | re.MULTILINE)[1])
    written |= json.loads("{" + block("Spot", "json") + "}")
    del written["launchType"]
    written["overrides"]["containerOverrides"][0]["environment"][0]["value"] = json.dumps(spec)
    arn = plane.client(CALLER).run_task(**written)["tasks"][0]["taskArn"]
    if ends != "by itself":
        plane.containers(arn).wait_for("| building")
        plane.end(plane.started(arn), *run_task.SPOT)
    (container,) = plane.wait(arn)["detail"]["containers"]
    assert container["exitCode"] == (0 if ends == "by itself" else 143)


def test_node_as_a_vercel_clone_calls_it(plane, bed, tmp_path):
    folder = made("node")
    plane.files[OPERATOR_FILE] = OPERATOR % f", bucket: {BUCKET} "
    register(plane, "--profile", "vercel-clone", family="caisson-vercel-clone", container_name="builder-image")
    os.symlink(f"{folder}/node_modules", tmp_path / "node_modules")
    (tmp_path / "deploy.mjs").write_text(block("From Node", "js"))
    (tmp_path / "server.mjs").write_text('import { deploy } from "./deploy.mjs";\n'
                                         "console.log(JSON.stringify(await deploy(...process.argv.slice(2))));\n")
    repository, project = bed.repository(FILES).url(), "c" + uuid.uuid4().hex[:8]
    said = json.loads(call(plane, tmp_path, "node", "server.mjs", repository, project))
    assert said["failures"] == []
    (container,) = plane.wait(said["tasks"][0]["taskArn"])["detail"]["containers"]
    assert container["exitCode"] == 0, plane.started(said["tasks"][0]["taskArn"]).task.text()
    assert bed.storage.tree(BUCKET, f"__outputs/{project}/") == {"index.html": b"site\n"}
    (asked,) = [parameters for action, parameters in plane.calls if action == "RunTask"]
    assert asked["overrides"] == {"containerOverrides": [{"name": "builder-image", "environment": [
        {"name": "GIT_REPOSITORY__URL", "value": repository}, {"name": "PROJECT_ID", "value": project}]}]}


def test_python(plane, bed, tmp_path):
    spec = job(bed)
    (tmp_path / "starter.py").write_text(block("From Python", "python"))
    (tmp_path / "main.py").write_text(
        "import json, sys\nimport starter\nspec, network, role = map(json.loads, sys.argv[1:])\n"
        "print(starter.start(spec, network, role), starter.start(spec, network, role))\n")
    said = call(plane, tmp_path, f"{made('python')}/bin/python", "main.py", json.dumps(spec), json.dumps(NETWORK),
                json.dumps(ROLE)).split()
    assert len(said) == 2 and said[0] == said[1] and len(plane.tasks) == 1
    (container,) = plane.wait(said[0])["detail"]["containers"]
    assert container["exitCode"] == 0 and result(bed, spec)["id"] == spec["id"]


DOCTOR = "When something is not right: caisson doctor"


def test_the_doctor_comes_by_the_same_call(plane, bed, tmp_path):
    spec = job(bed)
    call_of_the_job = {"cluster": "caisson", "taskDefinition": "caisson-node", "networkConfiguration": NETWORK,
                       "clientToken": "4711-1", "overrides": {"taskRoleArn": ROLE, "containerOverrides": [
                           {"name": "builder", "environment": [{"name": "CAISSON_JOB", "value": json.dumps(spec)}]}]}}
    (tmp_path / "run-task.json").write_text(json.dumps(call_of_the_job))
    plane.client(CALLER).run_task(**call_of_the_job)
    (tmp_path / "doctor.sh").write_text(f"export PATH='{made('python')}/bin':$PATH\n" + block(DOCTOR, "sh"))
    arn = call(plane, tmp_path, "bash", "-euo", "pipefail", "doctor.sh").strip()
    plane.wait(arn)
    text = plane.started(arn).task.text()
    for looked_at in ("credentials", "bucket", "source"):
        assert re.search(rf"^ok +{looked_at} ", text, re.MULTILINE), text
    assert re.search(r"^\d+ ok, \d+ warnings?, \d+ failed, \d+ skipped$", text, re.MULTILINE), text


def test_every_check_of_the_doctor_is_there_and_no_other(caisson):
    (listed,) = re.findall(r"--only NAME.*\n *\(([a-z ]+)\)", caisson("help", "doctor").stdout)
    assert sorted(re.findall(r"`([a-z]+)`", " ".join(row[0] for row in table(DOCTOR)))) == sorted(listed.split())


# ---- Step Functions


def test_the_state_machine_is_one(tmp_path):
    folder = made("node")
    path = tmp_path / "machine.json"
    for text, fits in ((block("From Step Functions", "json"), True),
                       (block("From Step Functions", "json").replace('"Next": "Again"', '"Next": "Nowhere"'), False)):
        path.write_text(text)
        ended = subprocess.run(["node", f"{folder}/node_modules/asl-validator/dist/bin/asl-validator.js", "--json-path", path],
                               capture_output=True, text=True, timeout=200, check=False)
        assert (ended.returncode == 0) == fits, ended.stdout + ended.stderr


def execute(client, spec):
    """(status, output or error) of a machine of its own."""
    machine = client.create_state_machine(
        name=spec["id"], definition=block("From Step Functions", "json").replace('"Seconds": 15', '"Seconds": 1'),
        roleArn="arn:aws:iam::123456789012:role/states")["stateMachineArn"]
    arn = client.start_execution(stateMachineArn=machine, name=spec["id"],
                                 input=json.dumps({"job": spec, "role": ROLE}))["executionArn"]
    while True:
        said = client.describe_execution(executionArn=arn)
        if said["status"] != "RUNNING":
            return said["status"], json.loads(said["output"]) if "output" in said else said["error"]
        time.sleep(0.5)


@pytest.mark.rare
def test_the_state_machine_runs_a_job_again_while_the_result_says_so(plane, bed, tmp_path):
    keys = bed.world.versity.keys
    plane.find_keys = {keys.access: keys}.get
    try:
        with account.server(str(tmp_path), AWS_ENDPOINT_URL_ECS=plane.url, AWS_ACCESS_KEY_ID=keys.access,
                            AWS_SECRET_ACCESS_KEY=keys.secret,
                            AWS_ENDPOINT_URL_S3="http://%s:%d" % bed.world.versity.address) as url:
            client = account.Account(url, keys).client("stepfunctions")
            good, bad = job(bed), job(bed, build={"builder": "commands", "commands": ["exit 7"], "output": "dist"})
            away = job(bed, source={"repository": "http://dead.test/open/none.git"}, retry={"max_attempts": 1})
            status, said = execute(client, good)
            assert (status, said["status"], said["id"]) == ("SUCCEEDED", "succeeded", good["id"])
            assert execute(client, bad) == ("FAILED", result(bed, bad)["reason"]) and len(plane.tasks) == 2
            assert execute(client, away) == ("FAILED", result(bed, away)["reason"]) and len(plane.tasks) == 5
            nothing = {**job(bed), "result": f"s3://{STATE}/elsewhere.json"}
            assert execute(client, nothing) == ("FAILED", "lost")
    except account.Missing as missing:
        pytest.skip(str(missing))


# ---- tables


@pytest.mark.parametrize("documented, fits", [
    ("a\nb 12 ms\nc\n", True), ("a\n…\nc\n", True), ("a\n…\n", True), ("…\nc", True), ("a\nb …\nc\n", True),
    ("a\nc\n", False), ("a\nb 13 KiB\nc\n", False), ("b 1 s\nc\n", False), ("a\nb 1 s\n", False), ("a\nc\nb 1 s\n", False),
    ("a\nb 1 s\nc\nd\n", False), ("…\nd\n", False)])
def test_what_was_not_printed_is_noticed(documented, fits):
    assert (documents.differences("a\n\nb 3.5 s\nc\n", documented) == []) == fits


def test_every_alarm_is_there_and_no_other():
    files = pathlib.Path(ROOT, "terraform/modules/events").glob("*.tf")
    names = re.findall(r'alarm_name\s*=\s*"([^"]*)"', "".join(path.read_text() for path in files))
    alarms = {name.replace("${var.name}", "NAME").replace("${each.key}", "BUILDER") for name in names}
    assert len(alarms) == len(names) > 3 and not any("$" in name for name in alarms)
    rows = table("Alarms")
    assert sorted(row[0] for row in rows) == sorted(f"`{name}`" for name in alarms)
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)


def test_every_exit_code_is_there_and_no_other():
    header = pathlib.Path(ROOT, "src/core/error.h").read_text()
    codes = {int(code): name.lower().replace("_", "-") for name, code in re.findall(r"CLASS_(\w+) = (\d+)", header)}
    rows = table("Exit codes")
    assert {int(code): name.strip("`") for code, name, *_ in rows} == codes and len(rows) == len(codes)
    assert {again for _, _, _, again, _ in rows} == {"", "no", "maybe", "yes"}


def test_no_code_that_can_pass_by_itself_is_called_final():
    """Of the messages that the code marks as retryable, as far as class and mark stand together."""
    again = {name.strip("`"): word for _, name, _, word, _ in table("Exit codes")}
    found = set()
    for path in pathlib.Path(ROOT, "src").rglob("*.c"):
        for statement in re.findall(r"error_set(?:_errno)?\([^;]*;\s*(?:error_hint\([^;]*;\s*)?(?:return )?error_retryable", path.read_text()):
            found |= set(re.findall(r"CLASS_(\w+)", statement)[:1])
    assert len(found) > 5
    assert [name for name in found if again[name.lower().replace("_", "-")] not in ("maybe", "yes")] == []


PRICES = {"vCPU": 0.04048, "GB": 0.004445, "storage": 0.000111}


def test_what_sizes_cost():
    text = documents.section(OPERATIONS, "Sizes and what they cost")
    assert all(f"${price:.6f}".rstrip("0") in text for price in PRICES.values())
    rows = table("Sizes and what they cost")
    for name, *numbers in rows:
        cpu, memory, storage, hour, minutes = map(float, numbers)
        assert int(memory * 1024) in SIZES[int(cpu * 1024)] and 21 <= storage <= 200, name
        cost = cpu * PRICES["vCPU"] + memory * PRICES["GB"] + (storage - 20) * PRICES["storage"]
        assert (f"{cost:.4f}", f"{cost / 12:.4f}") == (numbers[3], numbers[4]), name
    for builder in ("node", "kaniko"):
        document = taskdefs.filled(builder)
        size = [int(document["cpu"]) / 1024, int(document["memory"]) / 1024, document["ephemeralStorage"]["sizeInGiB"]]
        (row,) = [row for row in rows if row[0] == f"`{builder}` as it comes"]
        assert [float(cell) for cell in row[1:4]] == size


def test_links_lead_somewhere():
    text = OPERATIONS.read_text()
    for target in re.findall(r"\]\(([^)]*)\)", text):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = (OPERATIONS.parent / path).resolve() if path else OPERATIONS
        assert file.exists(), target
        file = file / "README.md" if file.is_dir() else file
        anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
                   for title in re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)}
        assert not anchor or anchor in anchors, target
