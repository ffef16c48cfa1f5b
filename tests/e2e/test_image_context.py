"""What a Dockerfile's build finds in its context, by the real engine, and what is refused before it is asked."""

import pytest

from bed import images, repositories

pytestmark = pytest.mark.usefixtures("kaniko")

COPY = "FROM busybox\nCOPY . /src/\n"
TREE = {
    "Dockerfile": COPY, "main.c": "x", "deep/main.c": "x",
    ".env": "A=1\n", "deep/.env.production": "A=1\n", ".env.example": "A=\n",
    "node_modules/x/index.js": "x", "deep/node_modules/x/index.js": "x", "deep/.git-credentials": "x",
    "server.pem": "x", "deep/ca-bundle.pem": "x", "deep/id_ed25519": "x", "deep/id_ed25519.pub": "x", ".npmrc": "x",
}
LEFT_IN = {"Dockerfile", "main.c", "deep/main.c", ".env.example", "deep/ca-bundle.pem", "deep/id_ed25519.pub", ".npmrc"}


def held(bed, hub, tmp_path, files, **more):
    """The files that COPY . took, and how the job ended."""
    ended = images.run(bed, images.spec(bed, files, hub, **more), "sandbox", hub)
    assert ended.code == 0, ended
    layout = hub.pull("shop/app", "latest", str(tmp_path / "layout"))
    found = {path.removeprefix("/src/") for path, entry in images.files(layout).items()
             if path.startswith("/src/") and not entry.isdir()}
    return found, ended, layout


def test_a_context_without_dockerignore_gets_one(bed, hub, tmp_path):
    found, ended, _ = held(bed, hub, tmp_path, TREE)
    assert found == LEFT_IN
    assert ".env is not in the build's context" in ended.text and "server.pem is not in" in ended.text
    assert ".env.example is not" not in ended.text


def test_what_dotenv_writes_is_in_the_context(bed, hub, tmp_path):
    found, ended, layout = held(bed, hub, tmp_path, TREE, build={"dotenv": True}, env={"GREETING": "good day"})
    assert found == LEFT_IN | {".env"}
    assert ".env is not in the build's context" not in ended.text
    root = images.unpack(layout, str(tmp_path / "root"))
    with open(f"{root}/src/.env") as file:
        assert "GREETING='good day'" in file.read()


def test_the_users_own_dockerignore_decides(bed, hub, tmp_path):
    files = {"Dockerfile": COPY, ".dockerignore": "*\n!.env\n!kept\n", ".env": "A=1\n", "kept": "x", "other": "x"}
    found, _, _ = held(bed, hub, tmp_path, files)
    assert found == {".env", "kept"}


def test_a_dockerfiles_own_dockerignore_goes_before_it(bed, hub, tmp_path):
    files = {"docker/Dockerfile": "FROM busybox\nCOPY . /src/\n", "docker/Dockerfile.dockerignore": "docker\n.git\nother\n",
             ".dockerignore": "kept\n", "kept": "x", "other": "x"}
    found, _, _ = held(bed, hub, tmp_path, files, build={"dockerfile": "docker/Dockerfile"})
    assert found == {".dockerignore", "kept"}


REFUSED = {
    "no Dockerfile": ({"x": "x"}, {}, 31, "dockerfile-missing"),
    "unknown instruction": ({"Dockerfile": "FROM busybox\nRUM true\n"}, {}, 31, "dockerfile-invalid"),
    "no such stage": ({"Dockerfile": "FROM busybox AS one\n"}, {"target": "two"}, 31, "target-missing"),
    "no such context": ({"Dockerfile": COPY}, {"context": "two"}, 31, "context-missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_is_said_before_an_engine_is_asked(bed, hub, name):
    files, build, code, reason = REFUSED[name]
    ended = images.run(bed, images.spec(bed, files, hub, build=build), "sandbox", hub)
    assert (ended.code, ended.result["reason"]) == (code, reason), ended
    assert ended.result["hint"]
    assert not hub.requests() and not ended.result["image"]["instructions"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd"])
def test_a_link_out_of_the_repository_is_not_followed(bed, hub, target):
    ended = images.run(bed, images.spec(bed, {"Dockerfile": repositories.Link(target)}, hub), "sandbox", hub)
    assert (ended.code, ended.result["reason"]) == (23, "path-outside"), ended
