"""`caisson run` of a Dockerfile on this machine, by buildah: no container, no Kaniko, if need be no registry."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml

from bed import images, registry, repositories

BUILDAH = shutil.which("buildah")
pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="base images are made as root"),
              pytest.mark.skipif(not BUILDAH, reason="no buildah here")]


class Machine:
    """A folder to work in, a registry on this machine's loopback."""

    def __init__(self, folder, program, schema):
        self.folder, self.program, self.schema, self.wrapper = folder, program, schema, []
        self.hub = registry.Registry(str(folder))
        self.hub.add_base("busybox:latest")
        self.base = f"{self.hub.host}/library/busybox:latest"

    def spec(self, files, to=None, build=None, image=None, **changes):
        source = repositories.Repository(str(self.folder), {
            path: content.replace("BASE", self.base) if isinstance(content, str) else content
            for path, content in files.items()})
        return {"version": 1, "id": f"job-{time.monotonic_ns()}", "project": "shop",
                "source": {"repository": f"file://{source.folder}"}, "result": "file:result.json",
                "build": {"builder": "dockerfile", **(build or {})},
                "image": {"repository": to or f"{self.hub.host}/shop/app", "tags": ["one"], **(image or {})}, **changes}

    def start(self, spec, *arguments, environment=None):
        path = self.folder / "job.yaml"
        path.write_text(yaml.safe_dump(spec))
        (self.folder / "result.json").unlink(missing_ok=True)
        variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(environment or {})}
        return subprocess.Popen([*self.wrapper, self.program, "run", *arguments, str(path)], cwd=self.folder, env=variables, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, process):
        output, _ = process.communicate(timeout=120)
        with open(self.folder / "result.json") as file:
            result = json.load(file)
        self.schema.validate(result)
        assert result["exit_code"] == process.returncode, output
        return result, output

    def run(self, spec, *arguments, environment=None):
        return self.finish(self.start(spec, *arguments, environment=environment))


@pytest.fixture
def machine(open_path, program, result_schema):
    made = Machine(open_path, program, result_schema)
    yield made
    made.hub.stop()


HELLO = {"Dockerfile": "FROM BASE AS one\nRUN echo building; echo hello >/hello\nFROM scratch\nCOPY --from=one /hello /hello\n"}


def test_it_builds_and_pushes(machine, tmp_path):
    result, output = machine.run(machine.spec(HELLO))
    image = result["image"]
    assert result["status"] == "succeeded" and image["engine"] == "buildah", output
    assert image["digest"] == machine.hub.digest("shop/app", "one") and image["published"]
    assert "] RUN echo building" in output and "| building" in output and "(100 %)" in output
    assert "FROM " in image["instructions"][0]["text"] and image["instructions"][1]["line"] == 2
    found = images.files(machine.hub.pull("shop/app", "one", str(tmp_path / "layout")))
    assert set(found) == {"/hello"}


def test_the_same_commit_is_the_same_image(machine):
    spec = machine.spec(HELLO)
    digests = [machine.run({**spec, "id": name})[0]["image"]["digest"] for name in ("first", "second")]
    assert digests[0] == digests[1]


def test_no_registry_is_needed(machine):
    result, output = machine.run(machine.spec(HELLO, to="oci:out", image={"tags": ["one", "two"]}))
    assert result["status"] == "succeeded", output
    with open(machine.folder / "out" / "index.json") as file:
        index = json.load(file)
    assert {entry["digest"] for entry in index["manifests"]} == {result["image"]["digest"]}
    inspected = subprocess.run(["skopeo", "inspect", f"oci:{machine.folder}/out:two"], capture_output=True, text=True,
                               check=True)
    assert json.loads(inspected.stdout)["Digest"] == result["image"]["digest"]


def test_a_run_that_fails_is_quoted(machine):
    result, output = machine.run(machine.spec({"Dockerfile": "FROM BASE\n\nRUN echo why; exit 9\n"}))
    assert (result["exit_code"], result["class"]) == (31, "build-failed"), output
    assert "line 3" in result["message"] and result["child_exit_code"] == 9
    assert machine.hub.tags("shop/app") == {}


def test_secrets_reach_a_run_and_nothing_else(machine, tmp_path):
    dockerfile = "FROM BASE\nRUN --mount=type=secret,id=TOKEN sha256sum </run/secrets/TOKEN >/sum && cat /run/secrets/TOKEN\n"
    spec = machine.spec({"Dockerfile": dockerfile}, build={"secrets": ["TOKEN"]}, secrets={"TOKEN": {"env": "A_TOKEN"}})
    result, output = machine.run(spec, "--workspace", str(machine.folder / "work"),
                                 environment={"A_TOKEN": "canary-of-this-machine"})
    assert result["status"] == "succeeded" and "canary-of-this-machine" not in output, output
    layout = machine.hub.pull("shop/app", "one", str(tmp_path / "layout"))
    for name in os.listdir(layout + "/blobs/sha256"):
        with open(f"{layout}/blobs/sha256/{name}", "rb") as file:
            assert b"canary-of-this-machine" not in file.read()
    assert not list((machine.folder / "work").glob("caisson-*"))


def test_what_is_there_is_not_built_again(machine):
    spec = machine.spec(HELLO, image={"skip_existing": True})
    first, _ = machine.run(spec)
    second, output = machine.run({**spec, "id": "again"})
    assert (first["status"], second["status"], second["exit_code"]) == ("succeeded", "skipped", 0), output
    assert second["image"]["existed"] and second["image"]["digest"] == first["image"]["digest"]


def test_dotenv_is_in_the_context(machine, tmp_path):
    spec = machine.spec({"Dockerfile": "FROM scratch\nCOPY . /\n"}, env={"PORT": "3000", "WORDS": "two words"},
                        build={"dotenv": True})
    result, output = machine.run(spec)
    assert result["status"] == "succeeded", output
    layout = machine.hub.pull("shop/app", "one", str(tmp_path / "layout"))
    root = images.unpack(layout, str(tmp_path / "unpacked"))
    with open(root + "/.env") as file:
        assert "PORT=3000\nWORDS='two words'\n" in file.read()
    assert not os.path.exists(root + "/.git")


def test_a_test_job_builds_and_pushes_nothing(machine):
    spec = {**machine.spec(HELLO), "type": "test"}
    del spec["image"]
    result, output = machine.run(spec)
    assert result["status"] == "succeeded" and not result["image"]["published"], output
    assert machine.hub.tags("shop/app") == {}


def test_a_stop_leaves_nothing_behind(machine):
    process = machine.start(machine.spec({"Dockerfile": "FROM BASE\nRUN echo sleeping; sleep 77\n"}),
                            "--workspace", str(machine.folder / "work"))
    seen = ""
    while "| sleeping" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGTERM)
    result, output = machine.finish(process)
    assert result["exit_code"] == 143, output
    assert subprocess.run(["pgrep", "-f", "^sleep 77$"], check=False, capture_output=True).returncode == 1
    assert not list((machine.folder / "work").glob("caisson-*"))


def test_kaniko_is_refused_on_a_machine(machine):
    result, output = machine.run(machine.spec(HELLO), "--engine", "kaniko")
    assert (result["exit_code"], result["reason"]) == (2, "engine-needs-container"), output


def test_no_engine_is_an_error_with_the_next_step(machine):
    result, output = machine.run(machine.spec(HELLO), environment={"PATH": "/nonexistent"})
    assert (result["exit_code"], result["reason"]) == (2, "engine-missing") and result["hint"], output


@pytest.mark.rare
def test_a_template_builds_a_service_that_runs(machine, tmp_path):
    machine.hub.add_base("node:20-bookworm-slim", environment=["A=1"])
    files = {name: content for name, content in repositories.fixture("node-service").items() if "/" not in name}
    files["package-lock.json"] = repositories.fixture("node-service")["locks/npm"]
    spec = machine.spec(files, build={"template": {"name": "node20"}}, image={"mirrors": {"docker.io": machine.hub.host}})
    result, output = machine.run(spec)
    assert result["status"] == "succeeded", output
    layout = machine.hub.pull("shop/app", "one", str(tmp_path / "layout"))
    held = images.files(layout)
    assert held["/app"].uid == 1000 and not [path for path in held if path.startswith("/app/.git") or "is-number" in path]
    with images.started(machine, layout, environment={"PORT": "4000"}) as container:
        container.wait_for("listening on 4000")


def test_without_root(machine):
    """Buildah makes a user namespace; what the machine gives a user decides what a RUN can do there."""
    spec = machine.spec({"Dockerfile": "FROM scratch\nCOPY file /file\n", "file": "x\n"}, to="oci:out")
    subprocess.run(["chown", "-R", "1000:1000", str(machine.folder)], check=True)
    os.chmod(machine.folder, 0o755)
    machine.wrapper = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
    result, output = machine.run(spec, environment={"HOME": str(machine.folder)})
    assert result["status"] == "succeeded", output
    with open(machine.folder / "out" / "index.json") as file:
        assert json.load(file)["manifests"][0]["digest"] == result["image"]["digest"]
    assert os.stat(machine.folder / "out").st_uid == 1000
