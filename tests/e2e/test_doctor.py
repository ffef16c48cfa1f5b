"""`caisson doctor`: what it finds in a healthy task, and that each thing that can be wrong is said, with what to do.

Every test of a fault begins from what the healthy task shows to be fine."""

import json
import os
import time
from dataclasses import dataclass

import jsonschema
import pytest

from bed import container, ecr as bed_ecr, ecs, http1, redis, registry, s3, seccomp, secret_services, sigv4, sts as bed_sts, tls
from bed.world import ADDRESSES, BUCKET, ENDPOINT, JOBS_BUCKET, storage_options

CA = {"AWS_CA_BUNDLE": "/etc/test-ca.pem"}
BLOCKING = {"awslogs-group": "/ecs/builds", "awslogs-region": s3.REGION, "mode": "blocking"}
SANDBOX = ["doctor", "--json", "--executor", "sandbox"]


@pytest.fixture(scope="session")
def schema(caisson):
    made = json.loads(caisson("schema", "doctor").stdout)
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


@dataclass
class Found:
    code: int
    document: dict
    text: str

    def rows(self, check, subject=""):
        return [row for row in self.document["checks"] if row["check"] == check and subject in row["subject"]]

    def row(self, check, subject=""):
        rows = self.rows(check, subject)
        assert len(rows) == 1, (check, subject, self)
        return rows[0]

    def state(self, check, subject=""):
        """(status, reason) of the one row."""
        row = self.row(check, subject)
        return row["status"], row.get("reason")

    def failed(self):
        return [(row["check"], row["reason"]) for row in self.document["checks"] if row["status"] == "failed"]

    def __str__(self):
        return f"exit code {self.code}\n{self.text}"


def read(schema, code, text):
    found = Found(code, json.loads(text), text)
    schema.validate(found.document)
    assert found.document["exit_code"] == code, found
    for row in found.document["checks"]:
        assert row["message"], row
        assert row["status"] in ("ok", "skipped") or row.get("hint"), row
    return found


@pytest.fixture
def sts(bed):
    return bed_sts.Sts(bed.gate.issued.get)


@pytest.fixture
def look(bed, schema, sts):
    """Runs the doctor as PID 1 of a task; a spec of the bed unless `spec` says otherwise."""

    def run(spec, *words, services=(), environment=None, command=None, **options):
        services = [*sts.services(bed.world.authority), *services]
        task = bed.start(spec, command=command or ["doctor", "--json", *words], services=services,
                         environment={**CA, **(environment or {})}, **options)
        found = read(schema, task.wait(90), task.text())
        for keys in bed.gate.issued.values():
            assert keys.secret not in found.text and (not keys.token or keys.token not in found.text)
        assert task.endpoint.credentials_path not in found.text
        asked = f"GET / of {bed_sts.HOST}"  # whether anybody answers
        assert [mistake for mistake in sts.mistakes if mistake != asked] == []
        return found

    return run


@pytest.fixture
def metadata(monkeypatch):
    """Lets the agent's metadata be otherwise from the first request on."""

    def use(fault):
        honest = ecs.TaskEndpoint.handle

        def handle(self, request):
            self.fault = fault
            return honest(self, request)

        monkeypatch.setattr(ecs.TaskEndpoint, "handle", handle)

    return use


def logs_to(options, driver="awslogs"):
    def fault(_, truth):
        for entry in truth.get("Containers", [truth]):
            entry.update(LogDriver=driver, LogOptions=options)
        return ecs.answer(truth)

    return fault


def job(bed, **changes):
    return bed.spec(bed.repository({"README.md": "x\n"}), build={"builder": "none"}, **changes)


# -- healthy


@pytest.mark.parametrize("executor", ["local", "sandbox"])
def test_a_healthy_task(bed, look, metadata, executor):
    metadata(logs_to(BLOCKING))
    command = SANDBOX if executor == "sandbox" else None
    found = look(job(bed), executor=executor, image="node" if executor == "local" else None, command=command)
    assert found.code == 0 and found.failed() == [], found
    for check, subject in (("spec", ""), ("task", ""), ("log", ""), ("exec", ""), ("process", "PID 1"),
                           ("process", "user"), ("process", "capabilities"), ("memory", ""), ("ca", ""), ("region", ""),
                           ("credentials", "endpoint"), ("credentials", "who"), ("clock", ""), ("source", ""),
                           ("kernel", "seccomp"), ("endpoints", "S3"), ("endpoints", "STS"),
                           ("bucket", f"s3://{BUCKET}/"), ("bucket", f"s3://{JOBS_BUCKET}/")):
        rows = found.rows(check, subject)
        assert rows and {row["status"] for row in rows} == {"ok"}, (check, subject, str(found))
    assert bed_sts.TASK_ROLE in found.row("credentials", "who")["message"]
    assert "blocking" in found.row("log")["message"]
    if executor == "sandbox":
        assert [row["status"] for row in found.rows("sandbox")] == ["ok", "ok"], found
        assert found.row("process", "root file system")["message"] == "read-only"
    else:
        assert found.state("sandbox")[0] == "skipped"
        assert {row["status"] for row in found.rows("programs")} == {"ok"}, found
    # it has changed nothing
    assert {seen.method for seen in bed.gate.requests} == {"GET", "HEAD"}, bed.gate.requests


def test_without_a_job(bed, look, metadata):
    metadata(logs_to(BLOCKING))
    found = look(None)
    assert found.code == 0, found
    assert found.state("spec")[0] == found.state("bucket")[0] == found.state("source")[0] == "skipped"
    assert found.state("credentials", "endpoint")[0] == "ok"
    pinned = look(None, operator=f"pins: {{bucket: {BUCKET}}}\n")
    assert BUCKET in pinned.row("bucket")["subject"] and pinned.state("bucket")[0] == "ok", pinned


def test_lines_for_people(bed):
    task = bed.start(None, command=["doctor", "--only", "kernel"], terminal=True)
    assert task.wait(60) == 0, task.text()
    assert "\x1b[32mok      \x1b[0m kernel       seccomp: " in task.text()
    task = bed.start(None, command=["doctor", "--only", "kernel"], refuse_calls=seccomp.OLDER_KERNEL)
    assert task.wait(60) == 0, task.text()
    assert "\nwarning  kernel       Landlock: not in this kernel" in task.text() and "\x1b" not in task.text()
    assert "\n                      try: " in task.text() and "0 failed" in task.text()


# -- the machine


def test_not_in_a_task(caisson, schema, tmp_path):
    done = caisson("doctor", "--json", "--workspace", str(tmp_path / "made"))
    found = read(schema, done.returncode, done.stdout)
    assert found.code == 0 and found.failed() == [], found
    for check in ("task", "log", "exec", "process", "credentials", "endpoints", "bucket", "registry", "source"):
        assert found.state(check)[0] == "skipped", (check, str(found))
    assert "not in a task" in found.row("task")["message"]
    assert found.state("workspace", str(tmp_path / "made"))[0] in ("ok", "warning")


def test_a_spec_with_mistakes(caisson, schema, tmp_path):
    (tmp_path / "job.yaml").write_text("version: 1\nsource: {repository: https://git.test/x, reff: main}\nlogg: 1\n")
    done = caisson("doctor", "--json", "--only", "spec", str(tmp_path / "job.yaml"))
    found = read(schema, done.returncode, done.stdout)
    assert found.code == 10, found
    assert [row["subject"].rpartition("job.yaml")[2] for row in found.rows("spec")] == [":2:42", ":3:1"], found
    # another check alone says nothing of a spec that is right, and all of one that is not
    done = caisson("doctor", "--json", "--only", "kernel", str(tmp_path / "job.yaml"))
    assert read(schema, done.returncode, done.stdout).code == 10
    done = caisson("doctor", "--json", "--only", "spec", str(tmp_path / "none.yaml"))
    assert read(schema, done.returncode, done.stdout).state("spec") == ("failed", "spec-not-found")
    assert done.returncode == 11


def test_a_profiles_environment(caisson, schema, tmp_path):
    captured = tmp_path / "task.env"
    captured.write_text("GIT_REPOSITORY_URL=https://git.test/x\nPROJECT_ID=p\nDEPLOYMENT_ID=d\n")
    words = ("--json", "--only", "spec", "--profile", "veren-frontend", "--env-file", str(captured))
    done = caisson("doctor", *words)
    found = read(schema, done.returncode, done.stdout)
    assert found.code == 0 and found.row("spec")["subject"] == "profile veren-frontend", found
    captured.write_text("PROJECT_ID=p\n")
    done = caisson("doctor", *words)
    assert done.returncode == 10 and "GIT_REPOSITORY" in done.stdout, done


@pytest.mark.parametrize("kind", ["missing", "read-only", "garbage"])
def test_workspace_and_bundle(caisson, schema, tmp_path, kind):
    if kind == "read-only":
        done = caisson("doctor", "--json", "--only", "workspace", "--workspace", "/proc/nothing")
        assert read(schema, done.returncode, done.stdout).state("workspace") == ("failed", "workspace-failed")
        return
    bundle = tmp_path / "ca.pem"
    if kind == "garbage":
        bundle.write_text("no certificate\n")
    done = caisson("doctor", "--json", "--only", "ca", environment={"AWS_CA_BUNDLE": str(bundle)})
    found = read(schema, done.returncode, done.stdout)
    assert found.state("ca") == ("failed", "no-ca-bundle") and found.code == 51, found


# -- credentials


def test_credentials_that_nobody_knows(bed, look):
    unknown = sigv4.Keys("ASIA" + "0" * 16, "no-secret-of-ours-at-all", "no-token-of-ours", time.time() + 3600)
    found = look(job(bed), issue=lambda: unknown)
    assert found.code == 50, found
    assert found.state("credentials", "who") == ("failed", "credentials-refused")
    assert found.state("bucket")[0] == "skipped" and unknown.secret not in found.text


def test_a_task_without_a_role(bed, look):
    found = look(job(bed), issue=False)
    assert found.code == 50 and found.state("credentials") == ("failed", "no-credentials"), found
    assert "taskRoleArn" in found.row("credentials")["hint"]


def test_keys_in_the_environment(bed, look):
    keys = bed.gate.issue(session=False)
    found = look(job(bed), environment={"AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret})
    assert [row.get("reason") for row in found.rows("credentials", "AWS_ACCESS_KEY_ID")] == ["static-keys", None], found
    assert found.code == 0, found


def test_who_we_are_is_not_needed(bed, look, sts):
    sts.faults = [bed_sts.unavailable] * 20
    found = look(job(bed))
    assert found.code == 0 and found.state("credentials", "who")[0] == "warning", found


# -- places in S3


def test_a_bucket_that_is_not_there(bed, look):
    spec = job(bed, artifacts=[{"to": "s3://no-such-bucket-here/x/", "s3": storage_options()}])
    found = look(spec)
    assert found.code == 40 and found.state("bucket", "no-such-bucket") == ("failed", "no-such-bucket"), found
    assert found.state("bucket", JOBS_BUCKET)[0] == "ok"


def test_a_region_that_is_wrong(bed, look):
    spec = job(bed, artifacts=[{"to": f"s3://{BUCKET}/x/", "s3": storage_options(region="us-east-1")}])
    found = look(spec)
    assert found.code == 40 and found.state("bucket", BUCKET) == ("failed", "wrong-region"), found

    class Elsewhere(s3.Fault):
        def after(self, seen, response):
            kept = [pair for pair in response.headers if pair[0].lower() != "x-amz-bucket-region"]
            return http1.Response(response.status, response.body, [*kept, ("x-amz-bucket-region", "ap-south-1")])

    bed.gate.add(Elsewhere(lambda seen: seen.bucket == BUCKET))
    found = look(job(bed))
    rows = found.rows("bucket", BUCKET)
    assert [(row["status"], row.get("reason")) for row in rows] == [("ok", None), ("warning", "wrong-region"),
                                                                    ("ok", None)], found
    assert "ap-south-1" in rows[1]["message"] and found.code == 0


@pytest.mark.parametrize("mode, adopt", [("add", False), ("mirror", False), ("mirror", True)])
def test_a_bucket_that_may_not_be_listed(bed, look, mode, adopt):
    bed.gate.allow = lambda seen: seen.bucket != BUCKET or seen.method not in ("GET", "HEAD")
    spec = job(bed, artifacts=[{"to": f"s3://{BUCKET}/x/", "mode": mode, "adopt": adopt, "s3": storage_options()}])
    found = look(spec)
    place, *state = found.rows("bucket", BUCKET)
    if adopt:
        assert (place["status"], place["reason"]) == ("failed", "access-denied") and found.code == 40, found
    else:
        assert (place["status"], place["reason"]) == ("warning", "access-denied") and found.code == 0, found
        assert "--write" in place["hint"]
        assert [(row["subject"], row["status"]) for row in state] == [
            (f"s3://{BUCKET}/.caisson/x/manifest.json", "warning")], found


@pytest.mark.parametrize("mode, state", [("add", "warning"), ("mirror", "failed")])
def test_an_order_that_may_not_be_read(bed, look, mode, state):
    bed.gate.allow = lambda seen: not seen.key.startswith(".caisson/")
    spec = job(bed, artifacts=[{"to": f"s3://{BUCKET}/a/b/", "mode": mode, "s3": storage_options()}])
    found = look(spec)
    row = found.row("bucket", f"s3://{BUCKET}/.caisson/a~1b/manifest.json")
    assert (row["status"], row["reason"]) == (state, "access-denied"), found
    assert ".caisson/" in row["hint"] and found.code == (40 if mode == "mirror" else 0)
    assert found.row("bucket", f"s3://{BUCKET}/a/b/")["status"] == "ok"


def test_a_try_to_write(bed, look):
    spec = job(bed, control=f"s3://{JOBS_BUCKET}/control.json")
    found = look(spec, "--write")
    assert [row["status"] for row in found.rows("bucket", "control")] == ["ok"], found
    assert [row["status"] for row in found.rows("bucket", BUCKET)] == ["ok", "ok", "ok"] and found.code == 0, found
    put, removal = [[seen.key for seen in bed.gate.seen(method=method, bucket=BUCKET)] for method in ("PUT", "DELETE")]
    assert put == removal == [bed.folder_of(spec) + ".caisson-doctor"]
    assert bed.published(spec) == {}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_try_to_write_that_is_denied(bed, look, method):
    bed.gate.allow = lambda seen: seen.bucket != BUCKET or seen.method != method
    spec = job(bed)
    found = look(spec, "--write")
    row = found.rows("bucket", BUCKET)[2]
    if method == "PUT":
        assert found.code == 40 and (row["status"], row["reason"]) == ("failed", "access-denied"), found
        assert "s3:PutObject" in row["hint"]
    else:
        assert found.code == 0 and (row["status"], row["reason"]) == ("warning", "access-denied"), found
        assert f"s3://{BUCKET}/{bed.folder_of(spec)}.caisson-doctor" in row["message"]
        assert list(bed.published(spec)) == [".caisson-doctor"]


# -- the network


def test_names_that_do_not_resolve(bed, look):
    spec = job(bed, source={"repository": "https://nowhere.test/x.git"},
               artifacts=[{"to": f"s3://{BUCKET}/x/", "s3": storage_options(endpoint="http://nowhere.test:9000")}],
               result=None)
    found = look(spec, endpoint_url="http://nowhere.test:9000")
    assert ("source", "name-lookup-failed") in found.failed(), found
    assert ("bucket", "name-lookup-failed") in found.failed() and found.code == 20
    # what the job does not use is no failure
    assert found.state("endpoints", "Parameter Store")[0] == found.state("endpoints", "Logs")[0] == "warning"


def test_an_authority_that_is_unknown(bed, look):
    found = look(job(bed, artifacts=[{"to": f"s3://{BUCKET}/x/", "s3": storage_options(endpoint="https://s3.test")}],
                     result=f"s3://{JOBS_BUCKET}/r.json"),
                 endpoint_url="https://s3.test", environment={"AWS_CA_BUNDLE": "/etc/other-ca.pem"},
                 files={"/etc/other-ca.pem": other_authority(bed)})
    assert found.state("endpoints", "S3") == ("failed", "tls-failed") and found.code == 51, found
    assert ("bucket", "tls-failed") in found.failed()
    assert found.state("ca")[0] == "ok"  # there is a bundle; it is another one


def other_authority(bed):
    folder = os.path.join(bed.folder, "other")
    os.mkdir(folder)
    with open(tls.Authority(folder, ["other.test"]).bundle) as file:
        return file.read()


@pytest.mark.parametrize("seconds, state, code", [(120, ("warning", "clock-skew"), 0),
                                                  (-3600, ("failed", "clock-skew"), 51)])
def test_a_clock_that_is_off(bed, look, sts, seconds, state, code):
    bed.gate.clock_offset_s = seconds
    sts.now = bed.gate.now
    found = look(job(bed))
    assert found.state("clock") == state and found.code == code, found
    assert ("behind" if seconds > 0 else "ahead of") in found.row("clock")["message"]


# -- source, secrets, registry


def test_a_source(bed, look):
    repository = bed.repository({"README.md": "x\n"})
    bed.git.tokens = {"t0ken-of-the-repository"}
    private = {"repository": repository.url("token"), "auth": {"token": {"env": "GIT_TOKEN"}}}

    def source(environment=None, **changes):
        found = look(bed.spec(source={**private, **changes}, build={"builder": "none"}), "--only", "source",
                     environment=environment)
        assert "t0ken" not in found.text
        return found

    good = {"GIT_TOKEN": "t0ken-of-the-repository"}
    assert source(good, ref="main").code == 0
    assert source(good, ref="mai").state("source") == ("failed", "ref-not-found")
    assert source({"GIT_TOKEN": "t0ken-of-another"}).state("source") == ("failed", "source-not-authorized")
    assert source({}).state("source") == ("failed", "secret-unavailable")
    assert source(good, repository="http://git.test/missing/x.git", auth=None).code == 21
    assert source(good, repository="http://dead.test/x.git", auth=None).code == 20
    # a login goes to no other host
    assert source(good, repository=repository.url("moved")).code == 0
    assert all(not request.header("authorization") for request in bed.world.git_elsewhere.requests)


def test_a_secret_that_is_missing(bed, look, tmp_path):
    authority = tls.Authority(str(tmp_path), secret_services.HOSTS)
    aws = secret_services.SecretServices(bed.gate.issued.get)
    aws.parameters["/shop/there"] = "v4lue-of-the-parameter"
    place = ADDRESSES["elsewhere.test"], 443

    def over_tls(client):
        try:
            client = authority.context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        http1.Connection(client, aws, True).serve()

    hosts = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in ADDRESSES.items())
    hosts += f"{place[0]} {' '.join(secret_services.HOSTS)}\n"
    with open(authority.bundle) as file:
        files = {"/etc/hosts": hosts, "/etc/aws-ca.pem": file.read()}
    secrets = {"THERE": {"ssm": "/shop/there"}, "MISSING": {"ssm": "/shop/missing"}, "NONE": {"secret": "shop#key"},
               "VARIABLE": {"env": "NOT_SET"}}
    found = look(job(bed, secrets=secrets), "--only", "secrets", services=[(*place, over_tls)], files=files,
                 environment={"AWS_CA_BUNDLE": "/etc/aws-ca.pem"})
    assert found.code == 12 and "v4lue" not in found.text, found
    assert found.state("secrets", "secrets.THERE")[0] == "ok"
    assert found.state("secrets", "secrets.MISSING") == ("failed", "secret-not-found")
    assert found.state("secrets", "secrets.NONE") == ("failed", "secret-not-found")
    assert found.state("secrets", "secrets.VARIABLE") == ("failed", "secret-unavailable")


def image(bed, repository, **fields):
    return bed.spec(bed.repository({"Dockerfile": "FROM scratch\n"}), build={"builder": "dockerfile"}, artifacts=None,
                    image={"repository": repository, "tags": ["one"], **fields})


def test_a_repository_of_ecr(bed, look):
    with bed_ecr.Ecr(bed.folder, bed.gate.issued.get) as ecr:
        services = ecr.services(bed.world.authority)

        def registry_of(**fields):
            found = look(image(bed, f"{bed_ecr.HOST}/team/shop", **fields), "--only", "registry", services=services)
            assert ecr.mistakes == [] and not [token for token in ecr.tokens if token in found.text]
            return found

        missing = registry_of(create=False)
        assert missing.code == 41 and missing.failed()[0] == ("registry", "repository-missing"), missing
        made = registry_of()
        assert "image.create makes it" in made.rows("registry")[0]["message"], made
        ecr.add("team/shop")
        there = registry_of()
        assert there.code == 0 and [row["status"] for row in there.rows("registry")] == ["ok", "ok"], there
        ecr.denied = {"ecr:GetAuthorizationToken"}
        denied = registry_of()
        assert denied.code == 41 and denied.failed() == [("registry", "access-denied")], denied
        assert "ecr:GetAuthorizationToken" in denied.rows("registry")[1]["hint"]
        assert not [action for action, _ in ecr.asked if action.startswith(("Create", "Put"))]


def test_another_registry(bed, look, hub):
    def registry_of(password, **fields):
        auth = {"username": registry.USER, "password": {"env": "REGISTRY_PASSWORD"}}
        found = look(image(bed, "registry.test/team/shop", auth=auth, **fields), "--only", "registry",
                     services=hub.services(), environment={"REGISTRY_PASSWORD": password})
        assert password not in found.text
        return found

    assert registry_of(registry.PASSWORD).code == 0
    wrong = registry_of("another-password")
    assert wrong.code == 41 and wrong.state("registry") == ("failed", "registry-unauthorized"), wrong
    mirrored = registry_of(registry.PASSWORD, mirrors={"docker.io": "dead.test/x", "ghcr.io": "registry.test/y"})
    assert mirrored.state("registry", "docker.io") == ("failed", "connect-failed"), mirrored
    assert mirrored.state("registry", "ghcr.io")[0] == "ok"


# -- the task


@pytest.mark.parametrize("options, driver, state", [
    ({**BLOCKING, "mode": "non-blocking", "max-buffer-size": "25m"}, "awslogs", ("warning", "log-may-lose-lines")),
    ({"awslogs-group": "g"}, "awslogs", ("warning", "log-mode-unknown")), ({}, "none", ("warning", "log-driver-none"))])
def test_logs_that_may_lose_lines(bed, look, metadata, options, driver, state):
    metadata(logs_to(options, driver))
    found = look(None, "--only", "log")
    assert found.state("log") == state and found.code == 0, found
    if "max-buffer-size" in options:
        assert "25m" in found.row("log")["message"] and "blocking" in found.row("log")["hint"]


@pytest.mark.parametrize("fault, reason", [(ecs.says(500), "metadata-failed"), (ecs.says(200, b"[1,"), "bad-json"),
                                           (ecs.redirects(), "metadata-failed")])
def test_metadata_that_does_not_answer(bed, look, metadata, fault, reason):
    metadata(fault)
    found = look(None)
    assert found.state("task") == ("failed", reason) and found.code == 51, found
    assert found.state("log")[0] == "skipped"


def test_metadata_that_hangs_costs_seconds_and_once(bed, look, metadata):
    hang = ecs.Hang()
    metadata(hang)
    started = time.monotonic()
    found = look(None)
    hang.release()
    assert found.state("task") == ("failed", "timed-out") and time.monotonic() - started < 25, found


def test_a_stop_ends_it(bed, look, metadata):
    hang = ecs.Hang()
    metadata(hang)
    task = bed.start(None, command=["doctor", "--json"])
    assert hang.reached.wait(20)
    asked = time.monotonic()
    task.signal("TERM")
    assert task.wait(20) == 143 and time.monotonic() - asked < 4, task.text()
    hang.release()
    assert "a stop signal came" in task.text()


def test_capabilities_that_must_not_be_there(bed, look, monkeypatch):
    fine = look(None, "--only", "process", drop=["CAP_NET_RAW"])
    assert fine.state("process", "capabilities")[0] == "ok" and fine.code == 0, fine
    usual = look(None, "--only", "process")
    assert usual.state("process", "capabilities") == ("warning", "capabilities-unusual"), usual
    monkeypatch.setattr(container, "CAPABILITIES", [*container.CAPABILITIES, "CAP_SYS_PTRACE"])
    found = look(None, "--only", "process")
    assert found.state("process", "capabilities") == ("failed", "ptrace-allowed") and found.code == 51, found


def test_what_kind_of_process_we_are(bed, look):
    found = look(None, "--only", "process", user=(1000, 1000))
    assert found.state("process", "user") == ("warning", "not-root"), found


def test_ecs_exec(bed, look):
    assert look(None, "--only", "exec").state("exec")[0] == "ok"
    found = look(None, "--only", "exec", files={"/managed-agents/execute-command/amazon-ssm-agent": ""})
    assert found.state("exec") == ("warning", "exec-enabled") and found.code == 0, found


def test_an_older_kernel(bed, look):
    found = look(None, "--only", "kernel", refuse_calls=seccomp.OLDER_KERNEL)
    assert {row["subject"]: row["status"] for row in found.rows("kernel")} == {
        "seccomp": "ok", "Landlock": "warning", "no_new_privs": "ok", "openat2": "warning", "pidfd": "warning"}, found
    assert found.code == 0


def test_a_sandbox_that_is_not_there(bed, look, metadata):
    metadata(ecs.without("sandbox"))
    found = look(None, executor="sandbox", command=[*SANDBOX, "--only", "sandbox"])
    assert found.state("sandbox", "container") == ("failed", "container-unknown") and found.code == 52, found
    found = look(None, command=[*SANDBOX, "--only", "sandbox"])  # one container, and no volume
    assert ("sandbox", "no-shared-volume") in found.failed() and found.code == 52, found


def test_programs_that_are_missing(bed, look):
    spec = bed.spec(bed.repository({"README.md": "x\n"}), build={"builder": "node"})
    assert look(spec, "--only", "programs").code == 0
    found = look(spec, "--only", "programs", environment={"PATH": "/nowhere"})
    assert found.state("programs", "node") == ("failed", "program-missing") and found.code == 30, found


# -- whom the job would tell


def told(bed, *entries, **changes):
    return job(bed, notify=list(entries), **changes)


def test_servers_that_are_told(bed, look, hook):
    """A connection and a certificate, and no word to anybody."""
    found = look(told(bed, {"http": "https://hooks.test/jobs?key=s3cret"}, {"http": "https://hooks.test:8443/jobs"},
                      {"redis": "rediss://dead.test:6380", "channel": "c", "password": "p"}, {"file": "/tmp/events"}),
                 "--only", "notify", services=hook.services())
    assert found.state("notify", "http hooks.test:443")[0] == "ok"
    assert found.state("notify", "http hooks.test:8443") == ("failed", "tls-failed")
    assert found.state("notify", "redis dead.test:6380")[0] == "failed"
    assert found.state("notify", "file /tmp/events")[0] == "skipped" and "s3cret" not in found.text, found
    assert hook.requests == [] and found.code == 51


def test_services_that_are_told(bed, look, sns_api, sqs_api):
    topic, queue = sns_api.topic(), sqs_api.queue()
    found = look(told(bed, {"sns": topic.arn}, {"sqs": queue.url}, {"sqs": queue.arn}), "--only", "endpoints",
                 services=[*sns_api.services(), *sqs_api.services()])
    for service in ("SNS (https://sns.", "SQS (https://sqs."):
        (row,) = [row for row in found.document["checks"] if row["subject"].startswith(service)]
        assert row["status"] == "ok", row


def test_a_message_shows_who_may_be_told(bed, look, sns_api, sqs_api, hook):
    topic, fifo, denied, queue = sns_api.topic(), sns_api.topic(fifo=True), sns_api.topic(), sqs_api.queue()
    sns_api.denied.add(denied.arn)
    gone = queue.arn + "-gone"
    found = look(told(bed, {"sns": topic.arn}, {"sns": fifo.arn}, {"sns": denied.arn}, {"sqs": queue.url}, {"sqs": gone},
                      {"http": "https://hooks.test/jobs", "secret": {"env": "HOOK"}},
                      {"sns": topic.arn, "format": "veren-frontend"}),
                 "--only", "notify", "--write", services=[*sns_api.services(), *sqs_api.services(), *hook.services()],
                 environment={"HOOK": "whsec_c2VjcmV0LW9mLXRoZS1ob29r"})
    states = [(row["status"], row.get("reason")) for row in found.document["checks"] if row["subject"].startswith("sns")]
    assert states == [("ok", None), ("ok", None), ("failed", "access-denied"), ("skipped", None)], found
    assert found.state("notify", f"sqs {queue.url.split('/123')[0]}")[0] == "ok"
    assert found.state("notify", f"sqs {gone}") == ("failed", "not-found") and found.code == 50
    (request,) = hook.requests
    events = [*topic.messages(), *fifo.messages(), queue.take()[0].document(), json.loads(request.body)]
    assert {event["type"] for event in events} == {"dev.caisson.job.heartbeat"} and len(events) == 4
    assert all(event["subject"].startswith("doctor-") for event in events)
    assert denied.messages() == [] and "c2VjcmV0" not in found.text


def test_a_login_of_a_broker(bed, look, redis_server):
    """Whether it is right only a message shows."""
    spec = told(bed, {"redis": f"rediss://{redis.NAME}:{redis.TLS}", "channel": "logs:job", "username": redis.USER,
                      "password": {"env": "PASSWORD"}})
    for words, password, state in (((), "wrong", "ok"), (["--write"], "wrong", "failed"),
                                   (["--write"], redis_server.passwords[redis.USER], "ok")):
        found = look(spec, "--only", "notify", *words, services=redis_server.services(), environment={"PASSWORD": password})
        assert found.document["checks"][-1]["status"] == state, found


def test_a_channel_that_is_listened_to(bed, look, redis_server):
    channel = {"redis": f"rediss://{redis.NAME}:{redis.TLS}", "channel": "builder:cancel", "username": redis.USER,
               "password": {"env": "PASSWORD"}}
    for changes, password, status in (({}, redis_server.passwords[redis.USER], "ok"), ({}, "wrong", "warning"),
                                      ({"channel": "of-others"}, redis_server.passwords[redis.USER], "warning")):
        found = look(job(bed, cancel=[{**channel, **changes}]), "--only", "cancel", services=redis_server.services(),
                     environment={"PASSWORD": password})
        assert found.document["checks"][-1]["status"] == status and found.code == 0, found
    found = look(job(bed, cancel=[{**channel, "password": {"env": "NOT_SET"}}]), "--only", "secrets")
    assert found.state("secrets", "cancel.password") == ("failed", "secret-unavailable") and found.code == 12


def test_a_value_for_a_receiver_that_is_missing(bed, look):
    found = look(told(bed, {"http": "https://hooks.test/x", "secret": {"env": "NOT_SET"}}), "--only", "secrets")
    assert found.state("secrets", "notify[0].secret") == ("failed", "secret-unavailable") and found.code == 12
