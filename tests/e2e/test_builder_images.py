"""The builder images: what is in them, and the main job with them, alone and as a task of two containers."""

import filecmp
import json
import os
import re
import stat

import pytest

from bed import images, repositories, seccomp
from bed.world import KANIKO_CA_BUNDLE, KANIKO_PROGRAM, ROOT, RUNNER_PROGRAM, program_of, tool

MEGABYTE = 1 << 20
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
NOTICES = ["LICENSE", "NOTICE", "third-party.txt"]
HACKERS_FRIENDS = ["git", "gcc", "cc", "g++", "make", "python3", "curl", "wget", "ssh", "sudo"]


def files_of(root):
    """{path: mode} of all that is no folder."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            found[path.removeprefix(root)] = os.lstat(path).st_mode
    return found


@pytest.fixture(params=["runner", "node", pytest.param("node-full", marks=pytest.mark.rare), "kaniko"])
def image(request, world):
    """(name, root folder, what it says of itself)"""
    if request.param == "kaniko":
        request.getfixturevalue("kaniko")
    layers, config = world.image(request.param)
    return request.param, layers[-1], config


def test_an_image_starts_the_program_as_root_and_hears_sigterm(image):
    name, _, config = image
    assert config["Entrypoint"] == [program_of(name)] and config["Cmd"] == ["run"]
    assert config["User"] == "0:0" and config["StopSignal"] == "SIGTERM"
    assert set(config["Labels"]) >= {f"org.opencontainers.image.{label}" for label in (
        "title", "description", "licenses", "version", "revision")}
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", config["Labels"]["org.opencontainers.image.version"])
    assert [pair for pair in config.get("Env") or [] if re.match(r"\w*(KEY|SECRET|TOKEN|PASSWORD)(_\w*)?=", pair)] == []


def test_no_program_of_an_image_changes_its_user(image):
    files = files_of(image[1])
    assert [path for path, mode in files.items() if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID)] == []


def notices(folder, *more):
    return {f"{folder}/{name}": stat.S_IFREG | 0o644 for name in [*NOTICES, *more]}


def test_an_image_brings_the_licences_of_what_is_in_the_program(image):
    name, root, _ = image
    folder = root + ("/kaniko/doc" if name == "kaniko" else "/usr/share/doc/caisson")
    with open(os.path.join(folder, "third-party.txt")) as file:
        text = file.read()
    with open(os.path.join(ROOT, "cmake", "deps", "sources.lock")) as file:
        locked = {tuple(line.split()[:2]) for line in file if line.strip() and not line.startswith("#")}
    assert len(locked) >= 10
    for library, version in locked - {("cmocka", "1.1.7")}:
        assert re.search(rf"^=+\n{library} {re.escape(version)}\nSPDX: ", text, re.M), library
    assert filecmp.cmp(os.path.join(folder, "LICENSE"), os.path.join(ROOT, "LICENSE"), shallow=False)


def test_the_runner_is_the_program_and_a_bundle(world, program):
    root = world.image("runner")[0][-1]
    assert files_of(root) == {RUNNER_PROGRAM: stat.S_IFREG | 0o755, CA_BUNDLE: stat.S_IFREG | 0o644,
                              **notices("/usr/share/doc/caisson", "ca-certificates.txt")}
    size = os.path.getsize(program) + os.path.getsize(root + CA_BUNDLE)
    print(f"the runner's image: {size / MEGABYTE:.1f} MB")
    assert size <= 6.5 * MEGABYTE


@pytest.mark.usefixtures("kaniko")
def test_the_kaniko_image_is_kaniko_the_program_and_a_bundle(world, program):
    layers, config = world.image("kaniko")
    root, executor = layers[-1], "/kaniko/executor"
    assert files_of(root) == {executor: stat.S_IFREG | 0o755, KANIKO_PROGRAM: stat.S_IFREG | 0o755,
                              KANIKO_CA_BUNDLE: stat.S_IFREG | 0o644,
                              **notices("/kaniko/doc", "ca-certificates.txt")}
    assert {os.lstat(path).st_uid for path in (root + executor, root + KANIKO_PROGRAM, root + "/kaniko")} == {0}
    assert filecmp.cmp(root + executor, tool("ensure-kaniko"), shallow=False)
    assert [pair for pair in config.get("Env") or [] if not pair.startswith("PATH=")] == []
    size = sum(os.path.getsize(path) for path in (program, root + KANIKO_CA_BUNDLE))
    print(f"the kaniko image: {(size + os.path.getsize(root + executor)) / MEGABYTE:.1f} MB")
    assert size <= 6.5 * MEGABYTE


def test_kaniko_is_the_maintained_one_by_a_version():
    with open(os.path.join(ROOT, "builder-images", "kaniko", "Dockerfile")) as file:
        named = re.findall(r"^ARG KANIKO_IMAGE=(.*)$", file.read(), re.M)
    assert len(named) == 1
    assert re.fullmatch(r"ghcr\.io/osscontainertools/kaniko:v\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", named[0])


@pytest.mark.usefixtures("kaniko")
@pytest.mark.parametrize("kernel", ["this", "older"])
@pytest.mark.parametrize("executor", ["local", "sandbox"])
def test_a_dockerfile_in_the_kaniko_image(bed, hub, tmp_path, executor, kernel):
    """Alone, and beside a runner; nothing of the image, nor of the job, is in what was built."""
    spec = images.spec(bed, {"Dockerfile": "FROM busybox AS first\nRUN echo built >/made\n"
                             "FROM scratch\nCOPY --from=first /made /\nCOPY data /\n", "data": "x\n"},
                       hub, "shop/app", "one")
    ended = images.run(bed, spec, executor, hub)
    assert ended.code == 0, ended
    assert ended.result["image"]["digest"] == hub.digest("shop/app", "one")
    assert set(images.files(hub.pull("shop/app", "one", str(tmp_path / "pulled")))) <= {"/", "/made", "/data"}


def test_the_node_image_has_node_and_nothing_that_helps_an_attack(world):
    root = world.image("node")[0][-1]
    files = files_of(root)
    names = {os.path.basename(path): path for path in files
             if os.path.dirname(path) in ("/bin", "/usr/bin", "/usr/local/bin", "/usr/sbin")}
    assert {"node", "npm", "npx", "sh", "caisson"} <= set(names)
    assert not set(HACKERS_FRIENDS) & set(names)
    assert CA_BUNDLE in files
    leftovers = [path for path in files if path.startswith(("/var/lib/apt/lists/", "/tmp/", "/root/.npm"))]
    assert leftovers == []
    with open(root + "/etc/passwd") as file:
        assert "node:x:1000:1000:" in file.read()
    print(f"the node image: {sum(os.lstat(root + path).st_size for path in files) / MEGABYTE:.0f} MB")


@pytest.mark.rare
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.getuid() != 0, reason="making images needs root")
def test_the_node_image_is_little_more_than_half_of_what_it_replaces(world):
    """In a registry, which is what a task waits for."""
    sizes = []
    for folder in (os.path.dirname(world.image("node")[0][-1]), tool("ensure-old-image")):
        with open(os.path.join(folder, "compressed")) as file:
            sizes.append(int(file.read()))
    print(f"compressed: {sizes[0] / 1e6:.0f} MB, the old kind {sizes[1] / 1e6:.0f} MB: {sizes[0] / sizes[1]:.2f}")
    assert 0 < sizes[0] <= 0.55 * sizes[1]


@pytest.mark.rare
def test_the_full_image_has_what_native_modules_need(world):
    files = files_of(world.image("node-full")[0][-1])
    assert {f"/usr/bin/{name}" for name in ("git", "make", "g++", "python3")} <= set(files)


NATIVE_MODULE = {
    "package.json": json.dumps({"name": "x", "version": "1.0.0", "dependencies": {"addon": "file:addon"}}),
    "addon/package.json": json.dumps({"name": "addon", "version": "1.0.0", "gypfile": True}),
    "addon/binding.gyp": json.dumps({"targets": [{"target_name": "addon", "sources": ["addon.c"]}]}),
    "addon/addon.c": "int addon;\n",
}


def git_dependency(bed):
    addon = bed.repository({"package.json": json.dumps({"name": "addon", "version": "1.0.0"})})
    return {"package.json": json.dumps({"name": "x", "version": "1.0.0", "dependencies": {"addon": "git+" + addon.url()},
                                        "scripts": {"build": "mkdir dist && ls node_modules >dist/index.html"}})}


@pytest.mark.parametrize("files, words", [(lambda bed: NATIVE_MODULE, "gyp ERR! find Python"),
                                          (git_dependency, "npm error syscall spawn git")], ids=["python", "git"])
def test_what_only_the_full_image_builds_names_it(bed, files, words):
    spec = bed.spec(bed.repository(files(bed)), build={"builder": "node", "output": "dist"})
    ended = bed.run(spec, image="node", executor="local")
    assert ended.code == 30 and words in ended.text, ended
    assert ended.result["reason"] == "build-tools-missing" and ended.result["retryable"] is False, ended
    assert "builder image node-full" in ended.result["hint"] and ended.result["hint"] in ended.text, ended


@pytest.mark.rare
def test_the_full_image_builds_it(bed):
    spec = bed.spec(bed.repository(git_dependency(bed)), build={"builder": "node", "output": "dist"})
    ended = bed.run(spec, image="node-full", executor="local")
    assert ended.code == 0 and bed.published(spec) == {"index.html": b"addon\n"}, ended


def react_site(bed, ended, spec):
    """What a job with the example site must have left."""
    assert ended.code == 0, ended
    tree = bed.published(spec)
    script, style = (next(path for path in tree if path.endswith(end)) for end in (".js", ".css"))
    assert set(tree) == {"index.html", "mark.svg", script, style}
    assert {step["name"] for step in ended.result["steps"]} >= {"checkout", "install", "build", "publish"}


def test_a_site_in_the_node_image_alone(bed):
    spec = bed.spec(bed.repository(repositories.fixture("vite-react")))
    task = bed.start(spec, image="node", executor="local")
    ended = bed.finish(task, 180)
    react_site(bed, ended, spec)
    assert f"node {os.environ.get('NODE_MAJOR', '20')}." in ended.text, ended


def test_a_site_in_a_runner_beside_a_sandbox(bed):
    spec = bed.spec(bed.repository(repositories.fixture("vite-react")))
    task = bed.start(spec, executor="sandbox")
    ended = bed.finish(task, 180)
    react_site(bed, ended, spec)
    told = task.describe()
    codes = {container["name"]: container["exitCode"] for container in told["containers"]}
    assert codes == {"runner": 0, "sandbox": 0}, json.dumps(told)
    credentials = task.endpoint.credentials_path
    assert task.endpoint.requests.count(credentials) >= 1 and credentials not in task.container("sandbox").text()


def test_the_sandbox_holds_no_credential_and_shares_only_the_volume(bed):
    """Seen by the build: the environment of PID 1 and its own, and what of the runner it can reach."""
    spec = bed.commands("mkdir dist; echo none >dist/environ; tr '\\0' '\\n' </proc/1/environ >>dist/environ || true",
                        "env >dist/env; ls /proc | grep -c '^[0-9]' >dist/processes; test ! -e /caisson")
    ended = bed.run(spec, executor="sandbox")
    assert ended.code == 0, ended
    tree = {path: content.decode() for path, content in bed.published(spec).items()}
    for seen in (tree["environ"], tree["env"]):
        assert "AWS_CONTAINER" not in seen and "ECS_" not in seen and "CAISSON_JOB=" not in seen
    assert int(tree["processes"]) < 10


def test_a_job_under_an_older_kernel(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    for executor in ("local", "sandbox"):
        ended = bed.run(spec, executor=executor, image="node", refuse_calls=seccomp.OLDER_KERNEL)
        assert ended.code == 0, ended
