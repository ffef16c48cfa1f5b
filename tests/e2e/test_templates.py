"""The Dockerfile templates: each really built for each package manager, and the image run."""

import http.client
import json
import os

import pytest

from bed import images, world as bed_world

pytestmark = pytest.mark.usefixtures("kaniko")

SERVICE = os.path.join(bed_world.ROOT, "tests", "fixtures", "node-service")
LOCKS = {"npm": "package-lock.json", "yarn": "yarn.lock", "pnpm": "pnpm-lock.yaml", "berry": "yarn.lock",
         "berry3": "yarn.lock"}
QUICK = [("node20", "npm")]
MATRIX = [pytest.param(template, manager, marks=[] if (template, manager) in QUICK else pytest.mark.rare)
          for template in ("node18", "node20", "node22", "node24") for manager in ("npm", "yarn", "pnpm")]


def read(*path):
    with open(os.path.join(SERVICE, *path)) as file:
        return file.read()


def service(manager=None, **changes):
    """The files of a service that listens on PORT, with a lockfile of that package manager."""
    package = {**json.loads(read("package.json")), **changes}
    files = {name: read(name) for name in ("build.js", "server.source.js")}
    files["package.json"] = json.dumps(package, indent=2) + "\n"
    if manager:
        files[LOCKS[manager]] = read("locks", manager)
    if manager in ("berry", "berry3"):  # reads no proxy from the environment
        files[".yarnrc.yml"] = "httpsProxy: http://127.0.0.1:3128\n"
    return files


def build(bed, hub, folder, files, template="node20", when="missing", where="sandbox", **more):
    spec = images.spec(bed, files, hub, build={"template": {"name": template, "when": when}}, **more)
    ended = images.run(bed, spec, where, hub)
    assert ended.code == 0, ended
    return hub.pull("shop/app", "latest", str(folder / "layout")), ended


def ask(container, port):
    def call():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        return json.loads(connection.getresponse().read())

    return container.inside(call)


def serves(bed, layout, major):
    """It listens where PORT says, as nobody in particular, and ends when it is told to."""
    with images.started(bed, layout, environment={"PORT": "4000"}) as container:
        container.wait_for("listening on 4000")
        answer = ask(container, 4000)
        container.signal("TERM")
        assert container.wait(10) == 143
    assert answer.pop("version").startswith(f"v{major}.")
    assert answer.pop("pid") > 1
    assert answer == {"uid": 1000, "folder": "/app", "environment": "production", "production": 3600000,
                      "development": False}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("template, manager", MATRIX)
def test_a_service_is_built_and_serves(bed, hub, tmp_path, template, manager):
    layout, ended = build(bed, hub, tmp_path, service(manager), template)
    shown = [line for line in ended.text.splitlines() if "] RUN mkdir -p /opt/package-manager/bin" in line]
    assert shown and all(line.endswith("…") and len(line) < 240 for line in shown), shown
    assert max(len(said["text"]) for said in ended.result["image"]["instructions"]) <= 161
    serves(bed, layout, template.removeprefix("node"))
    says = images.config(layout)["config"]
    assert says["User"] == "node" and says["WorkingDir"] == "/app" and "PORT=3000" in says["Env"]
    held = images.files(layout)
    assert "/app/dist/server.js" in held and f"/app/{LOCKS[manager]}" in held
    assert not [path for path in held if path.startswith("/app/.git") or "is-number" in path]
    assert "/app/Dockerfile" not in held and "/app/.dockerignore" not in held
    assert held["/app"].uid == 1000 and held["/app/dist"].uid == 1000 and held["/opt/start/run"].uid == 0


# -- what projects have besides


def workspaces():
    """Two packages, of which one is the other's dependency, and a script that wants the sources at the install."""
    files = service(workspaces=["packages/*"], dependencies={"ms": "2.1.3", "hours": "1.0.0"})
    package = json.loads(files["package.json"])
    package["scripts"]["postinstall"] = "test -f server.source.js"
    hours = {"name": "hours", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}, "devDependencies": {"is-odd": "3.0.1"}}
    return {**files, "package.json": json.dumps(package), "packages/hours/package.json": json.dumps(hours),
            "packages/hours/index.js": "module.exports = require('ms');\n"}


PROJECTS = {
    "yarn 4": lambda: service("berry"),
    "yarn 3": lambda: service("berry3", packageManager="yarn@3.8.6"),
    "no lockfile": service,
    "npm's version": lambda: service("npm", packageManager="npm@10.8.0", scripts={
        "build": "node build.js && test $(npm --version) = 10.8.0", "start": "node dist/server.js"}),
    "workspaces": workspaces,
    "pnpm's version": lambda: service("pnpm", packageManager="pnpm@10.34.8"),
    "two commands": lambda: service("npm", scripts={"build": "node build.js", "prestart": "true",
                                                    "start": "A=1 node dist/server.js"}),
}


@pytest.mark.rare
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_is_built_as_it_is(bed, hub, tmp_path, name):
    layout, _ = build(bed, hub, tmp_path, PROJECTS[name](), "node22", where="local")
    serves(bed, layout, 22)
    held = images.files(layout)
    assert not [path for path in held if path.startswith("/app/") and ("is-number" in path or "is-odd" in path)]


@pytest.mark.rare
def test_the_template_replaces_a_dockerfile_when_it_is_said_to(bed, hub, tmp_path):
    files = {**service("npm"), "Dockerfile": "FROM nowhere\n"}
    layout, _ = build(bed, hub, tmp_path, files, when="always")
    assert "/app/Dockerfile" in images.files(layout)  # the project's, like every file of it
    serves(bed, layout, 20)


@pytest.mark.rare
def test_what_nobody_can_start_is_not_built(bed, hub):
    files = service("npm", scripts={"build": "node build.js"})
    spec = images.spec(bed, files, hub, build={"template": {"name": "node20"}})
    ended = images.run(bed, spec, "sandbox", hub)
    assert ended.code == 31 and 'package.json has no script "start"' in ended.text, ended
