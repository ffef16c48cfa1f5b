"""Jobs as control planes start them: the task definitions of taskdefs/ registered, RunTask called with what today's
systems send, the containers run, and what ECS then says.

What they send is in bed/todays_calls.py."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import uuid

import botocore.exceptions
import pytest

from bed import ecr as bed_ecr, images as bed_images, registry, run_task, s3, sigv4, task as ecs_task
from bed.control_plane import CALLER, OTHER_ROLE, ControlPlane
from bed.todays_calls import (NETWORK, of_a_plain_vercel_clone, of_a_vercel_clones_api, of_a_veren_worker,
                              of_a_veren_worker_for_a_backend)
from bed.world import BUCKET, ENDPOINT, JOBS_BUCKET, OPERATOR_FILE, VEREN_BUCKET

pytestmark = pytest.mark.timeout(300)

WORKER = sigv4.Keys("AKIAVERENSWORKER", "s3cret-that-verens-worker-sends")
OPERATOR = f"""
pins: {{ endpoint: '{ENDPOINT}', region: {s3.REGION} }}
defaults: {{ result: 's3://{JOBS_BUCKET}/${{project}}/result.json' }}
allow: [private-http]
"""
BUILD = 'mkdir -p dist\necho "$VITE_API" >dist/index.html\nenv | sort\n'
FILES = {"package.json": json.dumps({"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"}}),
         "build.sh": BUILD}
SITE = "mkdir -p dist; echo site >dist/index.html"
TERRAFORM_TESTS = pathlib.Path(__file__).resolve().parents[1] / "terraform"


@pytest.fixture
def plane(bed):
    bed.gate.issued[WORKER.access] = WORKER
    made = ControlPlane(bed, OPERATOR)
    yield made
    made.ecs.close()


def codes(event):
    return {one["name"]: one.get("exitCode") for one in event["detail"]["containers"]}


def statuses(plane, arn):
    return [event["detail"]["lastStatus"] for event in plane.ecs.events_of(arn)]


# ---- calls of today's systems


def test_a_veren_worker_finds_all_as_it_was(plane, bed):
    """RunTask → container → clone → build → S3 → result → event."""
    repository = bed.repository({f"frontend/{path}": content for path, content in FILES.items()})
    project = "v" + uuid.uuid4().hex[:8]
    definition = plane.register("node", "veren-frontend", family="veren-frontend", container_name="frontend-builder")
    call = of_a_veren_worker(definition, "frontend-builder", repository.url(), project, WORKER)
    arn = plane.begin(call)
    event = plane.ecs.wait(arn)
    text = plane.ecs.started(arn).task.text()
    assert codes(event) == {"frontend-builder": 0}, text
    assert bed.storage.tree(VEREN_BUCKET, f"__outputs/{project}/") == {"index.html": b"https://api.of-the-tenant\n"}
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    bed.schema.validate(result)
    assert result["status"] == "succeeded" and result["id"] == "6650f1c2a7d3", result
    for secret in ("kafka-s3cret-w0rd", WORKER.secret, WORKER.access):
        assert secret not in text
    # with its own keys, as it sends them, and none of the task's role
    assert {seen.access for seen in bed.gate.requests if f"__outputs/{project}/" in seen.key} == {WORKER.access}
    assert event["detail"]["stopCode"] == "EssentialContainerExited" and event["detail"]["executionStoppedAt"]
    assert event["detail"]["overrides"]["containerOverrides"] == call["overrides"]["containerOverrides"]
    assert statuses(plane, arn) == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]
    told = plane.describe(arn)
    assert told["lastStatus"] == "STOPPED" and told["containers"][0]["exitCode"] == 0 and told["startedAt"]


def test_a_vercel_clone_changes_nothing_but_the_task_definition(plane, bed):
    repository, project = bed.repository(FILES), "c" + uuid.uuid4().hex[:8]
    definition = plane.register("node", "vercel-clone", container_name="builder-image")
    arn = plane.begin(of_a_vercel_clones_api(definition, "builder-image", repository.url(), project, BUCKET,
                                             [("VITE_API", "https://api")]))
    event = plane.ecs.wait(arn)
    text = plane.ecs.started(arn).task.text()
    assert codes(event) == {"builder-image": 0}, text
    assert bed.storage.tree(BUCKET, f"__outputs/{project}/") == {"index.html": b"https://api\n"}
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    assert result["id"] == "clx0q3v5k0001" and result["labels"]["sub_domain"] == "wonderful-grumpy-moon", result
    assert "redis-s3cret" not in text and "REDIS_URL" in text


def test_the_shortest_call_of_a_vercel_clone(plane, bed):
    """Most send a repository and a project; the bucket is the builder's own knowledge."""
    repository, project = bed.repository(FILES), "p" + uuid.uuid4().hex[:8]
    plane.ecs.files[OPERATOR_FILE] = OPERATOR.replace("pins: {", f"pins: {{ bucket: {BUCKET},")
    definition = plane.register("node", "vercel-clone", container_name="builder-image")
    event = plane.ecs.wait(plane.begin(of_a_plain_vercel_clone(definition, "builder-image", repository.url(), project)))
    assert codes(event) == {"builder-image": 0}
    assert bed.storage.tree(BUCKET, f"__outputs/{project}/") == {"index.html": b"\n"}


@pytest.mark.usefixtures("kaniko")
def test_a_veren_worker_has_a_backend_built(plane, bed):
    """Its keys push, the task's role does not; the Dockerfile is the template's, in two containers."""
    package = {"name": "api", "version": "1.0.0", "scripts": {"start": "node server.js"}}
    files = {"api/package.json": json.dumps(package), "api/server.js": "console.log(process.version)\n"}
    repository, project = bed.repository(files), "b" + uuid.uuid4().hex[:8]
    pins = {"ca_bundle": "/etc/test-ca.pem", "image": {"mirrors": {"docker.io": bed.world.mirror.name}}}
    plane.ecs.files[OPERATOR_FILE], plane.ecs.size = json.dumps({"pins": pins}), "6g"
    definition = plane.register("kaniko", "veren-backend", family="backend-build-worker",
                                container_name="backend-build-worker")
    with bed_ecr.Ecr(bed.folder, {WORKER.access: WORKER}.get) as ecr:
        ecr.add("my-backend")
        plane.ecs.services = [*bed.world.mirror.services(), *ecr.services(bed.world.authority)]
        call = of_a_veren_worker_for_a_backend(definition, "backend-build-worker", repository.url(), project, WORKER,
                                               f"{bed_ecr.HOST}/my-backend")
        arn = plane.begin(call)
        event = plane.ecs.wait(arn, 240)
        task = plane.task(arn)
        assert codes(event) == {"backend-build-worker": 0, "sandbox": 0}, task.evidence()
        assert list(ecr.images("my-backend").values()) == [[f"{project}-6650f1c2a7d3"]] and ecr.mistakes == []
    for secret in ("kafka-s3cret-w0rd", WORKER.secret, WORKER.access):
        assert secret not in task.text() and secret not in task.container("sandbox").text()
    assert event["detail"]["overrides"]["containerOverrides"] == call["overrides"]["containerOverrides"]


def test_a_name_that_the_tenant_sends_again_wins_as_in_ecs(plane, bed):
    """What a control plane must know: docs/security.md says that credentials of the project's own are the only help."""
    repository, project = bed.repository(FILES), "t" + uuid.uuid4().hex[:8]
    definition = plane.register("node", "vercel-clone", container_name="builder-image")
    arn = plane.begin(of_a_vercel_clones_api(definition, "builder-image", repository.url(), "of-the-system", BUCKET,
                                             [("VITE_API", "x"), ("PROJECT_ID", project)]))
    event = plane.ecs.wait(arn)
    assert codes(event) == {"builder-image": 0}, plane.ecs.started(arn).task.text()
    assert bed.storage.tree(BUCKET, f"__outputs/{project}/") == {"index.html": b"x\n"}
    assert bed.storage.tree(BUCKET, "__outputs/of-the-system/") == {}


# ---- the two-container definition, as registered


def test_runner_beside_a_sandbox(plane, bed):
    """A shared volume, an own memory limit each, metadata and credentials of the one task role."""
    commands = ["id -u", "tr '\\0' '\\n' </proc/1/environ || true", "env | sort", "ls -ld /var/lib/caisson", SITE]
    spec = bed.commands(*commands)
    definition = plane.register("kaniko", image="node", family="two")
    arn = plane.run(definition, plane.spec(spec), startedBy="job-1", overrides={"taskRoleArn": OTHER_ROLE})
    event = plane.ecs.wait(arn)
    task, endpoint = plane.task(arn), plane.ecs.started(arn).endpoint
    assert codes(event) == {"builder": 0, "sandbox": 0}, task.evidence()
    assert bed.published(spec) == {"index.html": b"site\n"} and plane.result(spec)["status"] == "succeeded"
    assert "| AWS_" not in task.text() and "| ECS_" not in task.text() and "| CAISSON_JOB=" not in task.text()
    assert endpoint.credentials_path in endpoint.requests and endpoint.role_arn == OTHER_ROLE
    own = [request for request in endpoint.requests if request.startswith("/v4/")]
    assert own, endpoint.requests
    assert {one["Name"]: one["Limits"]["Memory"] for one in endpoint.task_metadata()["Containers"]} == {
        "builder": 1024, "sandbox": 7168}
    assert event["detail"]["startedBy"] == "job-1" and event["detail"]["group"] == "family:two"


def test_what_the_documents_take_away_is_gone(plane, bed):
    """The runner as PID 1 of its container, while its sandbox builds."""
    spec = bed.commands("echo building; sleep 600")
    arn = plane.run(plane.register("kaniko", image="node"), plane.spec(spec))
    task = plane.task(arn)
    task.wait_for("| building")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # this machine may allow less
    dropped = {"builder": 0xA80425FB & ~sum(1 << bit for bit in (29, 27, 10, 13, 31, 18)), "sandbox": 0xA80405FB}
    for name, mask in dropped.items():
        pid = task.container(name).pid()
        with open(f"/proc/{pid}/status") as file:
            said = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert int(said["CapBnd"], 16) == mask, (name, said["CapBnd"])
        with open(f"/proc/{pid}/limits") as file:
            (limit,) = [line.split()[-2] for line in file if line.startswith("Max open files")]
        assert int(limit) == min(65536, files), (name, limit)
        with open(f"/proc/{pid}/mountinfo") as file:
            root = next(line for line in file if line.split()[4] == "/")
        assert root.split()[5].split(",")[0] == ("ro" if name == "builder" else "rw"), root
    began = time.monotonic()
    plane.client.stop_task(cluster="caisson", task=arn, reason="deploy cancelled")
    event = plane.ecs.wait(arn)
    assert codes(event)["builder"] == 143, task.evidence()
    assert time.monotonic() - began < 60 < task.definitions["builder"].stop_timeout
    assert event["detail"]["stopCode"] == "UserInitiated" and event["detail"]["stoppedReason"] == "deploy cancelled"
    assert plane.result(spec)["class"] == "interrupted" and bed.published(spec) == {}


@pytest.mark.usefixtures("kaniko")
@pytest.mark.parametrize("name", ["kaniko", "kaniko-single"])
def test_a_dockerfile(plane, bed, hub, name):
    made = bed_images.spec(bed, {"Dockerfile": "FROM busybox\nRUN echo hi >/x\n"}, hub, "shop/app", name)
    plane.ecs.services = [service for one in (bed.world.mirror, hub) for service in one.services()]
    variables = [*plane.spec(made), ("CAISSON_CA_BUNDLE", "/etc/test-ca.pem"),
                 (bed_images.PUSH_VARIABLE, registry.PASSWORD)]
    plane.ecs.size = "6g"
    arn = plane.run(plane.register(name), variables)
    event = plane.ecs.wait(arn, 200)
    expected = {"builder": 0, "sandbox": 0} if name == "kaniko" else {"builder": 0}
    assert codes(event) == expected, plane.task(arn).evidence()
    assert list(hub.tags("shop/app")) == [name] and plane.result(made)["image"]["published"]


# ---- ends


def test_the_exit_code_is_the_class(plane, bed):
    spec = bed.commands("exit 7")
    arn = plane.run(plane.register("node"), plane.spec(spec))
    event = plane.ecs.wait(arn)
    assert codes(event) == {"builder": 31} and plane.result(spec)["child_exit_code"] == 7
    assert event["detail"]["stopCode"] == "EssentialContainerExited"


def test_a_spot_interruption_is_told_in_time(plane, bed):
    spec = bed.commands("echo building; sleep 600")
    arn = plane.run(plane.register("node"), plane.spec(spec))
    plane.task(arn).wait_for("| building")
    plane.ecs.end(plane.ecs.started(arn), *run_task.SPOT)
    event = plane.ecs.wait(arn)
    assert codes(event) == {"builder": 143} and event["detail"]["stopCode"] == "SpotInterruption"
    assert plane.result(spec)["retryable"] is True


@pytest.mark.parametrize("name", ["node", "kaniko"])
def test_memory_runs_out_and_the_job_says_so(plane, bed, name):
    """PID 1 outlives its build; the sandbox is not essential, and the runner goes on anyway."""
    grow = "echo growing; exec node -e 'const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))'"
    spec = bed.commands(SITE, grow, limits={"memory": "100%"})  # so that the kernel is the first to notice

    def smaller(document):
        document["containerDefinitions"][-1]["memory"] = 256

    arn = plane.run(plane.register(name, image="node", change=smaller), plane.spec(spec))
    task = plane.task(arn)
    if task.builder.group.folder is None:
        pytest.skip("no group of processes can be limited in memory here")
    event = plane.ecs.wait(arn)
    assert codes(event)["builder"] == 33, task.evidence()
    assert plane.result(spec)["class"] == "out-of-memory" and bed.published(spec) == {}
    assert event["detail"]["stopCode"] == "EssentialContainerExited"
    assert event["detail"]["containers"][-1]["reason"] == ecs_task.OUT_OF_MEMORY


def test_a_sandbox_that_is_killed_does_not_end_the_task(plane, bed):
    spec = bed.commands("echo building; sleep 600")
    arn = plane.run(plane.register("kaniko", image="node"), plane.spec(spec))
    task = plane.task(arn)
    task.wait_for("| building")
    os.kill(task.container("sandbox").pid(), signal.SIGKILL)
    event = plane.ecs.wait(arn)
    assert codes(event) == {"builder": 33, "sandbox": 137}, task.evidence()
    assert plane.result(spec)["reason"] == "out-of-memory"


# ---- stopped without a result


def killed_and_failed(plane, bed):
    """{name: ARN} of tasks whose PID 1 was killed from outside, and of others that failed, and told of it."""
    names = ("killed", "killed beside a sandbox", "failed", "failed beside a sandbox")
    one = plane.register("node", family="caisson-spec")
    two = plane.register("kaniko", image="node", family="caisson-kaniko", container_name="runner")
    arns = {}
    for name in names:
        spec = bed.commands("echo building; sleep 600" if "killed" in name else "exit 7")
        definition, container = (two, "runner") if "sandbox" in name else (one, "builder")
        arn = arns[name] = plane.run(definition, plane.spec(spec), container)
        if "killed" in name:
            plane.task(arn).wait_for("| building")
            os.kill(plane.task(arn).main.pid(), signal.SIGKILL)
        event = plane.ecs.wait(arn)
        assert codes(event)[container] == (137 if "killed" in name else 31), plane.task(arn).evidence()
        assert event["detail"]["stopCode"] == "EssentialContainerExited" and event["detail"]["executionStoppedAt"]
        assert (plane.result(spec) is None) == ("killed" in name), name
    return arns


def test_a_killed_pid_1_leaves_no_result(plane, bed):
    """Nothing of ours can tell it, so the task's last event must."""
    arns = killed_and_failed(plane, bed)
    for name, arn in arns.items():
        assert statuses(plane, arn) == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"], name


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """Which rules of terraform's module events an event triggers, by AWS's own matcher."""
    sys.path.insert(0, str(TERRAFORM_TESTS))
    try:
        import rendered  # of tests/terraform
    finally:
        sys.path.pop(0)
    plan = rendered.plans(tmp_path_factory.mktemp("events"), "events")["everything"]
    patterns = {address: json.loads(rule["event_pattern"]) for address, rule in plan.items()
                if address.startswith("aws_cloudwatch_event_rule.")}
    made = subprocess.run([TERRAFORM_TESTS.parent / "tools" / "ensure-event-ruler"], stdout=subprocess.PIPE, text=True,
                          check=False)
    if made.returncode != 0:
        pytest.skip("no event-ruler: Maven could not fetch it")

    def match(events):
        ended = subprocess.run(
            ["java", "-cp", f"{made.stdout.strip()}/*", TERRAFORM_TESTS / "Match.java"], text=True, check=True,
            input=json.dumps({"patterns": patterns, "events": events}), stdout=subprocess.PIPE, timeout=120)
        return json.loads(ended.stdout)

    return match


@pytest.mark.rare
def test_the_rules_of_lost_jobs_take_these_events(plane, bed, lost):
    arns = killed_and_failed(plane, bed)
    missing = plane.register("node", family="caisson-spec", change=lambda document: document["containerDefinitions"][0]
                             .update(image="registry.example/none:1"))
    arns["no image"] = plane.run(missing, plane.spec(bed.commands("true")))
    assert plane.ecs.wait(arns["no image"])["detail"]["stopCode"] == "TaskFailedToStart"
    last = {name: f"{name}/{len(plane.ecs.events_of(arn)) - 1}" for name, arn in arns.items()}
    triggered = lost({f"{name}/{number}": event for name, arn in arns.items()
                      for number, event in enumerate(plane.ecs.events_of(arn))})
    for key, rules in triggered.items():
        name = key.partition("/")[0]
        rule = f'aws_cloudwatch_event_rule.lost["{"kaniko" if "sandbox" in name else "spec"}"]'
        is_lost = key == last[name] and "failed" not in name
        assert [found for found in rules if ".lost[" in found] == ([rule] if is_lost else []), key
        assert ("aws_cloudwatch_event_rule.stopped" in rules) == (key == last[name]), (key, rules)


# ---- the double itself


def test_the_double_refuses_what_ecs_refuses(plane, bed):
    definition = plane.register("node")

    def refused(code, words, client=plane.client, **changes):
        call = {"cluster": "caisson", "taskDefinition": definition, "networkConfiguration": NETWORK, **changes}
        with pytest.raises(botocore.exceptions.ClientError, match=words) as caught:
            client.run_task(**call)
        assert caught.value.response["Error"]["Code"] == code

    def variables(text):
        return {"containerOverrides": [{"name": "builder", "environment": [{"name": "X", "value": text}]}]}

    around = len(json.dumps(variables(""), separators=(",", ":")))
    refused("InvalidParameterException", "at most 8192", overrides=variables("x" * (8193 - around)))
    refused("InvalidParameterException", "is not a container",
            overrides={"containerOverrides": [{"name": "other", "environment": []}]})
    refused("ClusterNotFoundException", "Cluster not found", cluster="other")
    refused("ClientException", "TaskDefinition not found", taskDefinition="none:1")
    refused("ClientException", "unable to assume", overrides={"taskRoleArn": "arn:aws:iam::123456789012:role/admin"})
    refused("InvalidParameterException", "Network Configuration", networkConfiguration={})
    refused("InvalidParameterException", "one of", launchType="LAMBDA")
    refused("InvalidParameterException", "not supported", launchType="FARGATE",
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}])
    refused("InvalidSignatureException", "signature", plane.ecs.client(sigv4.Keys(CALLER.access, "wrong")))
    refused("UnrecognizedClientException", "does not exist", plane.ecs.client(sigv4.Keys("AKIANOBODY", "x")))
    assert plane.ecs.tasks == {}
    fits = {"overrides": variables("x" * (8192 - around)), "cluster": "caisson", "taskDefinition": "caisson",
            "networkConfiguration": NETWORK, "clientToken": "once"}
    arn = plane.begin(fits)
    assert plane.begin(fits) == arn and len(plane.ecs.tasks) == 1  # the same token is the same task
    with pytest.raises(botocore.exceptions.ClientError, match="other parameters"):
        plane.begin({**fits, "count": 2})
    assert plane.client.list_tasks(cluster="caisson", family="caisson")["taskArns"] == [arn]
    assert codes(plane.ecs.wait(arn)) == {"builder": 11}  # no job was given
    assert plane.client.describe_tasks(cluster="caisson", tasks=["none"])["failures"][0]["reason"] == "MISSING"
