"""What passes by itself is tried again, also by an engine that has already wiped the file system it runs in; and ECR as
a job sees it."""

import socket
import threading

import pytest

from bed import ecr as bed_ecr, images, registry, world

pytestmark = pytest.mark.usefixtures("kaniko")
FOR_EVER = 1 << 20
TWO_STAGES = """\
FROM busybox AS one
RUN mkdir -p /opt/made && echo one >/opt/made/one && echo built one
FROM {base}
COPY --from=one /opt/made/one /one
"""


class Throttled:
    """A registry that says 429 to what begins with `words`, as long as `times` last; each connection serves one request."""

    def __init__(self, hub, words, times):
        self.hub, self.words, self.times, self.hits = hub, words, times, 0

    def services(self):
        return [(world.ADDRESSES[self.hub.name], 80, self.on_connection),
                ("127.0.0.1", self.hub.port, self.on_connection)]

    def on_connection(self, client):
        with client, socket.create_connection(("127.0.0.1", self.hub.port)) as upstream:
            threading.Thread(target=self._back, args=(upstream, client), daemon=True).start()
            try:
                while data := client.recv(65536):
                    if data.startswith(self.words) and self.times > 0:
                        self.times, self.hits = self.times - 1, self.hits + 1
                        client.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        return
                    upstream.sendall(data)
            except OSError:
                pass

    @staticmethod
    def _back(upstream, client):
        try:
            while data := upstream.recv(65536):
                client.sendall(data)
        except OSError:
            pass


@pytest.mark.parametrize("where", ["sandbox", "local"])
def test_a_base_registry_that_is_busy_for_a_while(bed, hub, where, tmp_path):
    """Of the second stage: the first has been built by then, over the container's own file system."""
    with registry.Registry(bed.folder, name="other-registry.test") as bases:
        bases.add_base("debian:bookworm-slim", "bases/busy", "1")
        layer = bases.manifest("bases/busy", "1")["layers"][0]["digest"]
        busy = Throttled(bases, f"GET /v2/bases/busy/blobs/{layer}".encode(), FOR_EVER)
        files = {"Dockerfile": TWO_STAGES.format(base=f"127.0.0.1:{bases.port}/bases/busy:1")}
        spec = images.spec(bed, files, hub, retry={"max_attempts": 3, "backoff": "100ms"})
        task = images.start(bed, spec, where, hub, services=busy.services())
        task.wait_for("trying again", 120)  # Kaniko has given up what it tries by itself
        busy.times = 0
        ended = bed.finish(task, 120)
    assert ended.code == 0 and busy.hits, ended
    found = images.files(hub.pull("shop/app", "latest", str(tmp_path / "layout")))
    assert "/one" in found and "/opt/made" not in found


def test_a_base_registry_that_stays_busy(bed, hub):
    with registry.Registry(bed.folder, name="other-registry.test") as bases:
        bases.add_base("debian:bookworm-slim", "bases/busy", "1")
        busy = Throttled(bases, b"GET /v2/bases/busy/manifests/", FOR_EVER)
        files = {"Dockerfile": TWO_STAGES.format(base=f"127.0.0.1:{bases.port}/bases/busy:1")}
        spec = images.spec(bed, files, hub, retry={"max_attempts": 2, "backoff": "100ms"})
        ended = images.run(bed, spec, "local", hub, services=busy.services())
    assert ended.code == 36 and ended.result["retryable"] and "mirrors" in ended.result["hint"], ended
    assert [step["attempts"] for step in ended.result["steps"] if step["name"] == "build"] == [2]


REPLACES = """\
FROM busybox AS one
RUN echo one >/one; for folder in /var/lib/caisson/caisson-* /kaniko/work/caisson-*; do cd $folder 2>/dev/null || continue; \\
    rm -rf prepared && ln -s /tmp prepared && echo replaced it; done; true
FROM {base}
COPY --from=one /one /one
"""


@pytest.mark.parametrize("where", ["sandbox", "local"])
def test_a_run_that_replaces_what_the_next_attempt_is_given(bed, hub, where):
    """It ends the build that did it, and nobody is woken for it: class 59 is for what is ours."""
    with registry.Registry(bed.folder, name="other-registry.test") as bases:
        bases.add_base("debian:bookworm-slim", "bases/busy", "1")
        layer = bases.manifest("bases/busy", "1")["layers"][0]["digest"]
        busy = Throttled(bases, f"GET /v2/bases/busy/blobs/{layer}".encode(), FOR_EVER)
        files = {"Dockerfile": REPLACES.format(base=f"127.0.0.1:{bases.port}/bases/busy:1")}
        spec = images.spec(bed, files, hub, retry={"max_attempts": 2, "backoff": "100ms"})
        ended = images.run(bed, spec, where, hub, services=busy.services())
    assert "replaced it" in ended.text and busy.hits, ended
    assert ended.code == 42 and ended.result["reason"] == "workspace-replaced", ended


@pytest.mark.parametrize("where", ["sandbox", "local"])
def test_ecr(bed, where, tmp_path):
    """The repository is made, the role's own credentials push, and an image that is there is found by DescribeImages."""
    with bed_ecr.Ecr(str(tmp_path), bed.gate.issued.get) as ecr:
        spec = images.spec(bed, {"Dockerfile": "FROM busybox\nRUN echo hi >/x\n"}, to=f"{bed_ecr.HOST}/team/shop",
                           image={"tags": ["one"], "skip_existing": True, "create": {"keep": 3, "scan": True}})
        services = ecr.services(bed.world.authority)
        ended = images.run(bed, spec, where, services=services)
        image = ended.result["image"]
        assert ended.code == 0 and image["created_repository"], ended
        assert ecr.images("team/shop") == {image["digest"]: ["one"]} and ecr.mistakes == []
        again = images.run(bed, spec, where, services=services)
        assert again.result["status"] == "skipped" and again.result["image"]["digest"] == image["digest"], again
        assert ecr.asked[-1][0] == "DescribeImages"
