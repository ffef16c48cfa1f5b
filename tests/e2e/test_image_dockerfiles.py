"""Dockerfiles as people write them, built by Kaniko, pushed, pulled back and run."""

import subprocess

import pytest

from bed import images, registry, relay

pytestmark = pytest.mark.usefixtures("kaniko")

SERVER = """\
const http = require('http');
http.createServer((request, answer) => answer.end('hello from ' + process.version))
    .listen(process.env.PORT, () => console.log('listening on ' + process.env.PORT));
"""
NODE = {
    "Dockerfile": """\
ARG NODE=20
FROM node:${NODE}-bookworm-slim AS build
WORKDIR /app
COPY package.json ./
RUN npm install --ignore-scripts && npm run build

FROM node:${NODE}-bookworm-slim
ENV PORT=8080 NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=node:node /app/package.json ./
COPY --chown=node:node . .
USER node
EXPOSE 8080
CMD ["node", "server.js"]
""",
    "package.json": '{"name": "backend", "version": "1.0.0", "scripts": {"build": "echo built"}}',
    "server.js": SERVER,
}
PYTHON = {
    "Dockerfile": """\
FROM python:3-slim
RUN apt-get update && apt-get install -y --no-install-recommends bc && rm -rf /var/lib/apt/lists/*
COPY main.py /
CMD ["python3", "/main.py"]
""",
    "main.py": "import subprocess; print('six times seven is', subprocess.getoutput('echo 6*7 | bc'))\n",
}
HEREDOCS = {
    "Dockerfile": """\
# syntax=docker/dockerfile:1
FROM busybox
COPY <<EOF /greeting
hello from a heredoc
EOF
RUN <<EOF
set -e
cat /greeting >/copy
echo and a script >>/copy
EOF
CMD ["cat", "/copy"]
""",
}
SCRATCH = {"Dockerfile": "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\nCMD [\"from scratch\"]\n"}
COPIES = {
    "Dockerfile": """\
FROM busybox AS one
RUN mkdir /made && echo one >/made/one && ln -s one /made/link && chmod 600 /made/one
FROM one AS two
RUN echo two >/made/two
FROM debian:bookworm-slim
COPY --from=two /made /made
COPY --from=0 /made/one /first
COPY --from=busybox /bin/busybox /busybox
RUN rm /made/two && mkdir /var/run/kept && touch /var/run/kept/it
WORKDIR /workspace
RUN echo here >made
CMD ["sh", "-c", "cat /made/link /first && ls /made /run/kept && stat -c %a /made/one && readlink /var/run && cat made"]
""",
}


@pytest.fixture(params=["sandbox", pytest.param("local", marks=pytest.mark.rare)])
def executor(request):
    return request.param


def built(bed, hub, tmp_path, files, executor, **build):
    ended = images.run(bed, images.spec(bed, files, hub, build=build), executor, hub)
    assert ended.code == 0, ended
    layout = hub.pull("shop/app", "latest", str(tmp_path / "layout"))
    assert ended.result["image"]["digest"] == hub.digest("shop/app", "latest")
    return ended, layout


def test_node_backend(bed, hub, tmp_path, executor):
    _, layout = built(bed, hub, tmp_path, NODE, executor, args={"NODE": "22"})
    said = images.config(layout)["config"]
    assert said["User"] == "node" and "8080/tcp" in said["ExposedPorts"] and "NODE_ENV=production" in said["Env"]
    with images.started(bed, layout) as container:
        container.wait_for("listening on 8080")


@pytest.mark.parametrize("executor", ["sandbox", "local"])  # not rare: what is a mount differs
def test_copies_between_stages(bed, hub, tmp_path, executor):
    _, layout = built(bed, hub, tmp_path, COPIES, executor)
    with images.started(bed, layout) as container:
        container.wait(20)
        assert container.text() == "one\none\n/made:\nlink\none\n\n/run/kept:\nit\n600\n/run\nhere\n"


def test_heredocs(bed, hub, tmp_path, executor):
    _, layout = built(bed, hub, tmp_path, HEREDOCS, executor)
    with images.started(bed, layout) as container:
        container.wait_for("hello from a heredoc\nand a script\n")


@pytest.mark.rare  # most of it is apt's own time
def test_python_with_packages_of_apt(bed, hub, tmp_path, executor):
    _, layout = built(bed, hub, tmp_path, PYTHON, executor)
    with images.started(bed, layout) as container:
        container.wait_for("six times seven is 42")


def test_from_scratch(bed, hub, tmp_path, executor):
    source = tmp_path / "program.c"
    source.write_text('#include <stdio.h>\nint main(int n, char **v) { printf("hello %s\\n", v[n - 1]); return 0; }\n')
    subprocess.run(["gcc", "-static", "-Os", str(source), "-o", str(tmp_path / "program")], check=True)
    files = {**SCRATCH, "program": ((tmp_path / "program").read_bytes(), 0o755)}
    _, layout = built(bed, hub, tmp_path, files, executor)
    assert set(images.files(layout)) == {"/program"}
    with images.started(bed, layout) as container:
        container.wait_for("hello from scratch")


@pytest.mark.rare
def test_go_service(bed, hub, tmp_path, executor):
    files = {
        "Dockerfile": """\
FROM golang:1-bookworm AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /service .
FROM scratch
COPY --from=build /service /service
ENTRYPOINT ["/service"]
""",
        "go.mod": "module service\n\ngo 1.21\n",
        "main.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello from go") }\n',
    }
    hub.add_base("golang:1-bookworm")
    spec = images.spec(bed, files, hub, image={"mirrors": {"docker.io": hub.name}, "pull_auth": {
        "registry": hub.name, "username": registry.USER, "password": {"env": images.PUSH_VARIABLE}}})
    ended = images.run(bed, spec, executor, hub, timeout=400)
    assert ended.code == 0, ended
    layout = hub.pull("shop/app", "latest", str(tmp_path / "layout"))
    with images.started(bed, layout) as container:
        container.wait_for("hello from go")


def test_onbuild(bed, hub, tmp_path, executor):
    base = {"Dockerfile": "FROM busybox\nONBUILD COPY greeting /greeting\nONBUILD RUN echo ran >/ran\n"}
    ended = images.run(bed, images.spec(bed, base, hub, "library/base", "1"), executor, hub)
    assert ended.code == 0, ended
    files = {"Dockerfile": f"FROM {hub.name}/library/base:1\nCMD cat /greeting /ran\n", "greeting": "hello\n"}
    spec = images.spec(bed, files, hub, image={"pull_auth": {
        "registry": hub.name, "username": registry.USER, "password": {"env": images.PUSH_VARIABLE}}})
    ended = images.run(bed, spec, executor, hub)
    assert ended.code == 0, ended
    with images.started(bed, hub.pull("shop/app", "latest", str(tmp_path / "layout"))) as container:
        container.wait_for("hello\nran\n")


def test_sixty_layers(bed, hub, tmp_path, executor):
    steps = "".join(f"RUN echo {number} >/f{number}\n" for number in range(60))
    ended, layout = built(bed, hub, tmp_path, {"Dockerfile": f"FROM busybox\n{steps}"}, executor)
    assert ended.result["image"]["layers"] == 61 and "[61/61] RUN echo 59" in ended.text
    assert {f"/f{number}" for number in range(60)} <= set(images.files(layout))


def test_a_copy_from_an_image_on_loopback(bed, hub, tmp_path):
    """In plain http, as a FROM of such a registry; Kaniko does so by itself for 127.0.0.1 only."""
    with registry.Registry(bed.folder, name="other-registry.test") as near:
        near.add_base("busybox:latest", "tools/busy", "1")
        files = {"Dockerfile": f"FROM scratch\nCOPY --from=127.0.0.2:{near.port}/tools/busy:1 /bin/busybox /busybox\n"}
        services = [("127.0.0.2", near.port, relay.Forward(("127.0.0.1", near.port)).on_connection)]
        ended = images.run(bed, images.spec(bed, files, hub), "sandbox", hub, services=services)
    assert ended.code == 0, ended
    assert "/busybox" in images.files(hub.pull("shop/app", "latest", str(tmp_path / "layout")))


@pytest.mark.rare  # test_templates.py has quick ones
def test_a_template_when_there_is_no_dockerfile(bed, hub, tmp_path, executor):
    files = {"package.json": '{"name": "x", "version": "1.0.0", "scripts": {"start": "node server.js"}}',
             "server.js": SERVER}
    _, layout = built(bed, hub, tmp_path, files, executor, template={"name": "node20", "when": "missing"})
    with images.started(bed, layout) as container:
        container.wait_for("listening on")
