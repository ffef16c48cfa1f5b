"""The registries, base images and Kaniko containers of the tests, proved with their ordinary clients."""

import http.client
import os
import subprocess
import time

import pytest

from bed import container, images, registry, world as bed_world

REGISTRIES = [(generation, auth, tls) for generation in (2, 3) for auth in (None, "basic", "bearer")
              for tls in (False, True)]


@pytest.mark.parametrize("generation, auth, tls", REGISTRIES)
def test_a_client_pulls_what_was_laid_there_and_pushes_it_elsewhere(world, tmp_path, generation, auth, tls):
    authority = world.authority if tls else None
    with registry.Registry(str(tmp_path), auth=auth, tls=authority, generation=generation, reach="host",
                           token_seconds=60) as hub:
        digest = hub.add_base("busybox:latest", "shop/base", "one")
        layout = hub.pull("shop/base", "one", str(tmp_path / "pulled"))
        done = hub.push(layout, "one", "shop/app", "two")
        assert done.returncode == 0, done.stderr + hub.words()
        assert hub.tags("shop/app") == {"two": digest} and hub.repositories() == ["shop/app", "shop/base"]
        assert ("PUT", "/v2/shop/app/manifests/two", 201) in [
            (entry.method, entry.path, entry.status) for entry in hub.requests()]
        if auth:
            assert hub.push(layout, "one", "shop/other", "two", password="wrong").returncode != 0
            assert hub.tags("shop/other") == {}
        if auth == "bearer":
            assert hub.push(layout, "one", "shop/other", "two", registry.PULLER, registry.PULL_PASSWORD).returncode != 0
            assert hub.tags("shop/other") == {} and hub.tokens.given


def test_a_token_runs_out_when_it_says(tmp_path):
    def status(hub, token):
        connection = http.client.HTTPConnection(hub.host)
        connection.request("GET", "/v2/shop/base/manifests/one", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status

    for generation in (2, 3):
        with registry.Registry(str(tmp_path), auth="bearer", generation=generation, token_seconds=3) as hub:
            hub.add_base("busybox:latest", "shop/base", "one")
            token = hub.tokens.token(registry.PULLER, ["repository:shop/base:pull"])
            assert status(hub, token) in (200, 404)  # 404: a client that takes no OCI manifest
            time.sleep(4)
            assert status(hub, token) == 401


def test_the_mirror_takes_nothing(world, tmp_path):
    layout = world.mirror.pull("library/busybox", "latest", str(tmp_path / "pulled"))
    assert world.mirror.push(layout, "latest", "library/other", "two").returncode != 0
    assert "library/other" not in world.mirror.repositories()
    assert set(world.mirror.tags("library/node")) >= {"18-bookworm-slim", "20-slim", "22-bookworm-slim", "24-slim"}


def kaniko(bed, dockerfile, *options, **more):
    """Kaniko alone in its container, without the program; its context and layout are in a folder of the host."""
    layers, _ = bed.world.image("kaniko")
    folder = os.path.join(bed.folder, "shared")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "Dockerfile"), "w") as file:
        file.write(dockerfile)
    network = bed.network(bed_world.ecs.TaskEndpoint("eu-central-1"), bed.world.mirror.services())
    made = container.Container(
        bed.folder, layers,
        ["/kaniko/executor", "--context=dir:///workspace", "--dockerfile=/workspace/Dockerfile", "--no-push",
         "--oci-layout-path=/workspace/layout", "--registry-map=index.docker.io=mirror.test", "--pre-cleanup",
         "--ignore-var-run=false", "--image-format=oci", "--credential-helpers=", *options],
        environment={"HOME": "/root", "USER": "root", "container": "docker",
                     "SSL_CERT_FILE": bed_world.KANIKO_CA_BUNDLE, "SSL_CERT_DIR": "/kaniko/ssl"},
        volumes={"/workspace": folder, **bed.world.network_files(bed.folder, layers)}, network=network.path, size="6g",
        **more)
    bed.started.append(made)
    made.start()
    assert made.wait(120) == 0, made.text()
    layout = os.path.join(folder, "layout")
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}", f"oci:{layout}-tagged:one"], check=True)
    return layout + "-tagged", made


@pytest.mark.usefixtures("kaniko")
def test_kaniko_builds_in_its_container_and_the_image_runs(bed):
    layout, _ = kaniko(bed, "FROM debian:bookworm-slim AS first\nRUN echo built >/made\n"
                       "FROM node:20-bookworm-slim\nCOPY --from=first /made /made\nUSER node\nENV GREETING=hello\n"
                       'CMD ["node", "-e", "console.log(process.env.GREETING, require(\'fs\').readFileSync(\'/made\')+\'\', '
                       'process.getuid()); setInterval(() => {}, 1000)"]\n')
    assert images.config(layout)["config"]["User"] == "node"
    assert "/made" in images.files(layout) and not any(path.startswith("/kaniko") for path in images.files(layout))
    with images.started(bed, layout) as running:
        running.wait_for("hello built\n 1000", 20)


REACHING = """
FROM node:22-bookworm-slim AS node
RUN apt-get update && apt-get install -y --no-install-recommends tini && npm install -g is-odd && yarn --version
RUN corepack enable && corepack prepare pnpm@10.34.9 --activate && pnpm --version >/pnpm && grep -q mirror.test /etc/hosts
FROM python:3-slim
RUN pip install --break-system-packages six
COPY --from=node /pnpm /usr/bin/tini /
"""


@pytest.mark.rare
@pytest.mark.usefixtures("kaniko")
def test_what_runs_in_a_build_reaches_package_servers(bed):
    layout, made = kaniko(bed, REACHING)
    assert {"/tini", "/pnpm"} <= set(images.files(layout)), made.text()
