"""A Dockerfile built by Kaniko as a task's job, in both executors: pushed, pulled back, run, and told in the result."""

import hashlib
import json
import os
import socket
import threading
import time

import pytest

from bed import images, registry, repositories, world

pytestmark = pytest.mark.usefixtures("kaniko")

BACKEND = {
    "Dockerfile": """\
FROM busybox AS build
WORKDIR /src
COPY . .
RUN echo building && sed s/WHO/world/ greeting >/greeting

FROM busybox
COPY --from=build /greeting /greeting
USER 65534
CMD ["cat", "/greeting"]
""",
    "greeting": "hello WHO\n",
}


@pytest.fixture(params=["sandbox", "local"])
def where(request):
    return request.param


def succeeded(ended):
    assert ended.code == 0, ended
    return ended.result["image"]


def failed(ended, code, reason):
    assert (ended.code, ended.result["reason"]) == (code, reason), ended
    return ended.result


def test_an_image_is_built_pushed_pulled_back_and_runs(bed, hub, where, tmp_path):
    spec = images.spec(bed, BACKEND, hub, "shop/app", "one", "two")
    ended = images.run(bed, spec, where, hub)
    image = succeeded(ended)
    assert image["engine"] == "kaniko" and image["platform"] == "linux/amd64"
    assert image["published"] and not image["existed"]
    assert image["digest"] == hub.digest("shop/app", "one") == hub.digest("shop/app", "two")
    assert image["tags"] == ["one", "two"] and image["repository"] == "registry.test/shop/app"
    assert image["layers"] == len(hub.manifest("shop/app", "one")["layers"])
    texts = [step["text"] for step in image["instructions"]]
    assert texts[0].startswith("FROM busybox") and any(text.startswith("RUN echo building") for text in texts)
    assert "/8] RUN echo building" in ended.text and "| building" in ended.text
    layout = hub.pull("shop/app", "one", str(tmp_path / "layout"))
    labels = images.config(layout)["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == ended.result["source"]["commit"]
    with images.started(bed, layout) as container:
        container.wait_for("hello world")


# -- what fails


def test_a_run_that_fails_is_quoted_with_its_line(bed, hub, where):
    dockerfile = "FROM busybox\nRUN true\n\nRUN echo about to fail; \\\n    exit 7\n"
    ended = images.run(bed, images.spec(bed, {"Dockerfile": dockerfile}, hub), where, hub)
    result = failed(ended, 31, "run-failed")
    assert "line 4" in result["message"] and "RUN echo about to fail" in result["message"], result
    assert result["child_exit_code"] == 7 and "| about to fail" in ended.text
    assert hub.repositories() == [] and not result["image"]["published"]


@pytest.mark.parametrize("dockerfile, code", [("FROM none/such:1\n", 36), ("FRO busybox\n", 31), ("RUN true\n", 31),
                                             ("FROM busybox\nCOPY none /x\n", 31)])
def test_what_the_dockerfile_may_get_wrong(bed, hub, dockerfile, code):
    ended = images.run(bed, images.spec(bed, {"Dockerfile": dockerfile}, hub), "local", hub)
    assert ended.code == code and ended.result["message"] and hub.repositories() == [], ended
    assert ended.result["class"] == {31: "build-failed", 36: "base-image"}[code]


def test_a_target_that_is_not_there_names_those_that_are(bed, hub):
    ended = images.run(bed, images.spec(bed, BACKEND, hub, build={"target": "biuld"}), "local", hub)
    assert "build" in failed(ended, 31, "target-missing")["hint"]


@pytest.mark.parametrize("link, build", [("out -> /etc", {"context": "out"}), ("D -> /etc/passwd", {"dockerfile": "D"}),
                                         ("out -> ../..", {"context": "out"})])
def test_what_leads_out_of_the_repository_is_refused(bed, hub, link, build):
    name, _, target = link.partition(" -> ")
    files = {**BACKEND, name: repositories.Link(target)}
    ended = images.run(bed, images.spec(bed, files, hub, build=build), "local", hub)
    assert ended.code == 23, ended


def test_a_link_in_the_context_is_a_link_in_the_image(bed, hub, tmp_path):
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n", "leak": repositories.Link("/kaniko/caisson")}
    succeeded(images.run(bed, images.spec(bed, files, hub), "local", hub))
    found = images.files(hub.pull("shop/app", "latest", str(tmp_path / "layout")))
    assert found["/leak"].issym()


# -- arguments, secrets, ids


def test_arguments_and_secrets(bed, hub, where, tmp_path):
    secret = "canary-secret-of-a-run"
    known = hashlib.sha256(secret.encode()).hexdigest()
    dockerfile = f"""\
ARG BASE=none
FROM ${{BASE}}
ARG TEXT
RUN --mount=type=secret,id=TOKEN sha256sum /run/secrets/TOKEN | grep -q {known} && echo it has it \\
    && cat /run/secrets/TOKEN
RUN printf %s "$TEXT" >/text && ! test -e /run/secrets/TOKEN && env >/env
"""
    spec = images.spec(bed, {"Dockerfile": dockerfile}, hub,
                       build={"args": {"BASE": "busybox", "TEXT": "two words, \"quoted\"\nand a line"}, "secrets": ["TOKEN"]},
                       secrets={"TOKEN": {"env": "A_TOKEN"}, "UNUSED": {"env": "ANOTHER"}})
    ended = images.run(bed, spec, where, hub, environment={"A_TOKEN": secret, "ANOTHER": "canary-never-asked"})
    succeeded(ended)
    assert "| it has it" in ended.text and secret not in ended.text and "| ***" in ended.text
    layout = hub.pull("shop/app", "latest", str(tmp_path / "layout"))
    root = images.unpack(layout, str(tmp_path / "unpacked"))
    with open(root + "/text") as file:
        assert file.read() == "two words, \"quoted\"\nand a line"
    with open(root + "/env") as file:
        seen = file.read()
    for canary in (secret, "canary-never-asked", registry.PASSWORD, "AWS_", "ECS_"):
        assert canary not in seen
    for name in os.listdir(layout + "/blobs/sha256"):
        with open(f"{layout}/blobs/sha256/{name}", "rb") as file:
            assert secret.encode() not in file.read()
    assert secret not in json.dumps(ended.result)


def test_users_and_owners(bed, hub, tmp_path):
    dockerfile = """\
FROM debian:bookworm-slim
RUN useradd --uid 4242 --create-home app && install -d -o app -g app /data
COPY --chown=4242:4242 greeting /data/greeting
COPY greeting /root-owned
USER app
RUN id -u >/data/id && touch ~/mine
"""
    succeeded(images.run(bed, images.spec(bed, {**BACKEND, "Dockerfile": dockerfile}, hub), "sandbox", hub))
    found = images.files(hub.pull("shop/app", "latest", str(tmp_path / "layout")))
    owners = {path: found[path].uid for path in ("/data", "/data/greeting", "/data/id", "/home/app/mine")}
    assert set(owners.values()) == {4242}, owners
    assert found["/root-owned"].uid == 0


def test_base_images_may_need_a_login(bed, hub, tmp_path):
    with registry.Registry(bed.folder, name="other-registry.test", auth="basic", tls=bed.world.authority) as private:
        private.add_base("busybox:latest", "private/base", "1")
        files = {"Dockerfile": f"FROM {private.name}/private/base:1\nRUN echo built >/x\n"}
        login = {"registry": private.name, "username": registry.USER, "password": {"env": "PULL"}}
        for image, code in (({}, 36), ({"pull_auth": login}, 0)):
            ended = images.run(bed, images.spec(bed, files, hub, image=image), "sandbox", hub, private,
                               environment={"PULL": registry.PASSWORD})
            assert ended.code == code, ended
            assert registry.PASSWORD not in ended.text


def test_a_registry_that_does_not_know_us(bed, hub, where):
    ended = images.run(bed, images.spec(bed, BACKEND, hub), where, hub,
                       environment={images.PUSH_VARIABLE: "canary-wrong-password"})
    failed(ended, 41, "registry-unauthorized")
    assert "canary-wrong-password" not in ended.text and hub.repositories() == []


# -- what is there already


def test_an_image_that_exists_is_not_built(bed, hub, where):
    spec = images.spec(bed, BACKEND, hub, "shop/app", "one", image={"skip_existing": True})
    first = succeeded(images.run(bed, spec, where, hub))
    assert not first["existed"]
    ended = images.run(bed, spec, where, hub)
    image = succeeded(ended)
    assert ended.result["status"] == "skipped" and image["existed"] and image["digest"] == first["digest"]
    assert [step["status"] for step in ended.result["steps"] if step["name"] in ("build", "publish")] == ["skipped"] * 2


# -- stops and limits


class Held:
    """A registry whose answers wait: the first request that begins with `words` reaches it only after free.set()."""

    def __init__(self, hub, words):
        self.hub, self.words = hub, words
        self.reached, self.free = threading.Event(), threading.Event()

    def services(self):
        return [(world.ADDRESSES[self.hub.name], 80, self.on_connection)]

    def on_connection(self, client):
        with client, socket.create_connection(("127.0.0.1", self.hub.port)) as upstream:
            threading.Thread(target=self._back, args=(upstream, client), daemon=True).start()
            while data := client.recv(65536):
                if data.startswith(self.words):
                    self.reached.set()
                    self.free.wait(60)
                upstream.sendall(data)

    @staticmethod
    def _back(upstream, client):
        try:
            while data := upstream.recv(65536):
                client.sendall(data)
        except OSError:
            pass


@pytest.fixture
def plain(bed):
    with registry.Registry(bed.folder, auth="basic") as made:
        yield made


def test_a_stop_before_the_first_tag_pushes_nothing(bed, plain, where):
    held = Held(plain, b"PUT /v2/shop/app/blobs/")
    spec = images.spec(bed, BACKEND, plain, "shop/app", "one", "two", image={"insecure": True})
    task = images.start(bed, spec, where, services=held.services())
    assert held.reached.wait(60), task.text()
    task.signal("TERM")
    time.sleep(0.5)
    held.free.set()
    ended = bed.finish(task)
    assert ended.code == 143 and "nothing was published" in ended.result["message"], ended
    assert not plain.tags("shop/app") and not ended.result["image"]["published"]


def test_a_stop_after_the_first_tag_lets_it_finish(bed, plain, where):
    held = Held(plain, b"PUT /v2/shop/app/manifests/one")
    spec = images.spec(bed, BACKEND, plain, "shop/app", "one", "two", image={"insecure": True})
    task = images.start(bed, spec, where, services=held.services())
    assert held.reached.wait(60), task.text()
    task.signal("TERM")
    time.sleep(0.5)
    held.free.set()
    ended = bed.finish(task)
    assert succeeded(ended)["published"]
    assert set(plain.tags("shop/app")) == {"one", "two"}


def test_a_stop_during_a_run(bed, hub, where):
    spec = images.spec(bed, {"Dockerfile": "FROM busybox\nRUN echo sleeping; sleep 100\n"}, hub)
    task = images.start(bed, spec, where, hub)
    task.wait_for("| sleeping")
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 25 and hub.repositories() == [], ended


@pytest.mark.parametrize("timeouts, reason", [({"build": "2s"}, "step-timeout"), ({"idle": "2s"}, "idle-timeout")])
def test_a_run_has_its_limits(bed, hub, where, timeouts, reason):
    spec = images.spec(bed, {"Dockerfile": "FROM busybox\nRUN sleep 100\n"}, hub, timeouts=timeouts)
    failed(images.run(bed, spec, where, hub), 124, reason)
    assert hub.repositories() == []


def test_memory_of_a_run_is_limited(bed, hub, where):
    dockerfile = "FROM python:3-slim\nRUN python3 -c 'x = bytearray(600 << 20)'\n"
    spec = images.spec(bed, {"Dockerfile": dockerfile}, hub, limits={"memory": "300MiB"})
    failed(images.run(bed, spec, where, hub), 33, "memory-limit")


def test_disk_of_a_run_is_limited(bed, hub):
    """Where the container's files and the workspace are on one disk, as on Fargate."""
    spec = images.spec(bed, {"Dockerfile": "FROM busybox\nRUN head -c 200000000 /dev/zero >/bulk; sleep 20\n"}, hub,
                       limits={"disk": "100MiB"})
    failed(images.run(bed, spec, "local", hub), 34, "disk-limit")


# -- where it may run


def test_a_container_is_given_to_a_dockerfile_in_so_many_words_only(bed, hub):
    task = bed.start(images.spec(bed, BACKEND, hub), image="kaniko", executor="local", command=["run"],
                     environment={images.PUSH_VARIABLE: registry.PASSWORD})
    ended = bed.finish(task)
    assert ended.code == 2 and "executor-unnamed" in ended.text and "taskdefs/kaniko.json" in ended.text, ended


def test_buildah_needs_more_than_a_task_gives(bed, hub):
    ended = images.run(bed, images.spec(bed, BACKEND, hub), "local", hub, arguments=["--engine", "buildah"])
    failed(ended, 2, "engine-missing")


def test_another_machines_image_is_refused(bed, hub):
    ended = images.run(bed, images.spec(bed, BACKEND, hub, build={"platform": "linux/arm64"}), "sandbox", hub)
    failed(ended, 10, "platform-foreign")


def test_a_variant_of_this_machine_is_this_machine(bed, hub):
    ended = images.run(bed, images.spec(bed, BACKEND, hub, build={"platform": "linux/amd64/v1"}), "sandbox", hub)
    assert succeeded(ended)["platform"] == "linux/amd64"


def test_a_run_that_replaces_what_our_connections_go_by_gains_nothing(bed, hub):
    """Kaniko in our own container: RUN is root beside us."""
    address = world.ADDRESSES["trap.test"]
    dockerfile = f"""\
FROM debian:bookworm-slim
RUN (echo {address} registry.test s3.test jobs-bucket.s3.test; cat /etc/hosts) >/tmp/hosts; cat /tmp/hosts >/etc/hosts; \\
    echo nameserver {address} >/etc/resolv.conf; : >/kaniko/ssl/ca-certificates.crt; \\
    mkdir -p /etc/ssl/certs; : >/etc/ssl/certs/ca-certificates.crt; : >/etc/test-ca.pem; echo replaced
"""
    ended = images.run(bed, images.spec(bed, {"Dockerfile": dockerfile}, hub), "local", hub)
    assert succeeded(ended)["published"] and "| replaced" in ended.text
    assert bed.world.trap.visitors == []

