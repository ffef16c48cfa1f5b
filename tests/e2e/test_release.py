"""What a release of the builder images does: bases by digest, images by digest, one index, the tag last."""

import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml

from bed import layouts, registry
from bed.world import ROOT, tool

FOLDER = os.path.join(ROOT, "builder-images")
PLAIN = {"SKOPEO_FLAGS": "--tls-verify=false", "SKOPEO_COPY_FLAGS": "--src-tls-verify=false --dest-tls-verify=false"}
VERSION = {"org.opencontainers.image.version": "1.2.3", "org.opencontainers.image.title": "an image"}


@pytest.fixture
def hub(tmp_path):
    with registry.Registry(str(tmp_path)) as made:
        yield made


def call(name, *words, **environment):
    return subprocess.run([os.path.join(FOLDER, name), *words], env={**os.environ, **PLAIN, **environment},
                          capture_output=True, text=True, check=False, timeout=600)


def joined(tmp_path, name="joined", content=b"x\n"):
    """(the layout of an index over two images, its digest)"""
    parts = [str(tmp_path / f"{name}-{architecture}") for architecture in ("arm64", "amd64")]
    for part in parts:
        layouts.write(part, {"file": content}, architecture=part[-5:], labels=VERSION)
    done = call("join", str(tmp_path / name), *parts)
    assert done.returncode == 0, done.stderr
    return str(tmp_path / name), done.stdout.strip()


def published(hub, layout, repository, tag=None):
    done = call("publish", "push", layout, f"{hub.host}/{repository}")
    assert done.returncode == 0, done.stderr
    reference = done.stdout.strip()
    if tag:
        done = call("publish", "tag", reference, tag)
    return reference, done


def test_an_index_is_pushed_by_digest_and_tagged_last(tmp_path, hub):
    layout, digest = joined(tmp_path)
    reference, _ = published(hub, layout, "caisson/node")
    assert reference == f"{hub.host}/caisson/node@{digest}" and hub.tags("caisson/node") == {}
    assert call("publish", "tag", reference, "1.2.3").returncode == 0
    assert hub.tags("caisson/node") == {"1.2.3": digest}
    index = hub.manifest("caisson/node", "1.2.3")
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": machine, "os": "linux"} for machine in ("amd64", "arm64")]
    assert index["annotations"] == VERSION
    for entry in index["manifests"]:
        manifest = json.loads(hub.blob(entry["digest"]))
        assert all(hub.blob(part["digest"]) for part in [manifest["config"], *manifest["layers"]])


def test_a_version_that_is_out_never_changes(tmp_path, hub):
    layout, digest = joined(tmp_path)
    published(hub, layout, "caisson/node", "1.2.3")
    again, done = published(hub, layout, "caisson/node", "1.2.3")
    assert done.returncode == 0 and again.endswith(digest)
    other, other_digest = joined(tmp_path, "other", b"y\n")
    _, refused = published(hub, other, "caisson/node", "1.2.3")
    assert refused.returncode == 1 and "is " + digest + " already" in refused.stderr
    assert hub.tags("caisson/node") == {"1.2.3": digest}
    _, moved = published(hub, other, "caisson/node", "+1.2.3")
    assert moved.returncode == 0 and hub.tags("caisson/node") == {"1.2.3": other_digest}


def test_a_joined_index_is_the_same_each_time_and_of_one_version(tmp_path):
    assert joined(tmp_path, "one")[1] == joined(tmp_path, "two")[1]
    layouts.write(str(tmp_path / "later"), {"file": b"x\n"}, labels={**VERSION, "org.opencontainers.image.version": "2"})
    mixed = call("join", str(tmp_path / "mixed"), str(tmp_path / "one-arm64"), str(tmp_path / "later"))
    assert mixed.returncode == 1 and "different versions" in mixed.stderr
    twice = call("join", str(tmp_path / "twice"), str(tmp_path / "one-arm64"), str(tmp_path / "two-arm64"))
    assert twice.returncode == 1 and "two images for one architecture: arm64, arm64" in twice.stderr


def test_pins_are_what_a_registry_holds(tmp_path, hub):
    layout, digest = joined(tmp_path)
    published(hub, layout, "library/node", "20-bookworm-slim")
    published(hub, layout, "library/debian", "bookworm-slim")
    names = [f"{hub.host}/library/node:20-bookworm-slim", f"{hub.host}/library/debian:bookworm-slim"]
    pins = tmp_path / "pins.txt"
    done = call("pin", *names, PINS=str(pins))
    assert done.returncode == 0, done.stderr
    lines = [line for line in pins.read_text().splitlines() if not line.startswith("#")]
    assert lines == [f"{name} {digest}" for name in names]


def test_no_pin_is_written_when_one_base_cannot_be_resolved(tmp_path, hub):
    layout, _ = joined(tmp_path)
    published(hub, layout, "library/node", "20-bookworm-slim")
    layouts.write(str(tmp_path / "single"), {"file": b"x\n"})
    published(hub, str(tmp_path / "single"), "library/one", "latest")
    pins = tmp_path / "pins.txt"
    for name, why in (("library/none:latest", "manifest unknown"), ("library/one:latest", "no image for linux/amd64")):
        done = call("pin", f"{hub.host}/library/node:20-bookworm-slim", f"{hub.host}/{name}", PINS=str(pins))
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert not pins.exists()


def build(tmp_path, *names, **environment):
    """What `build` asks its engine for: the engine is a script that writes down its arguments."""
    engine = tmp_path / "engine"
    if not engine.exists():
        engine.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/asked\nexit 9\n')
        engine.chmod(0o755)
    done = call("build", *names, ENGINE=str(engine), **environment)
    return done, (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("name, missing", [
    ("runner", "debian:bookworm-slim"), ("node", "node:20-bookworm-slim"),
    ("kaniko", "debian:bookworm-slim")])
def test_a_release_refuses_a_base_without_a_digest(tmp_path, name, missing):
    pins = tmp_path / "pins.txt"
    pins.write_text("# none\n")
    done, asked = build(tmp_path, name, PINNED="1", PINS=str(pins))
    assert done.returncode == 1 and f"{missing} has no digest: make pin" in done.stderr and asked == ""


@pytest.mark.usefixtures("program")
def test_a_release_builds_from_the_digests_of_the_pins(tmp_path):
    digests = {"debian:bookworm-slim": "sha256:" + "1" * 64, "node:22-bookworm-slim": "sha256:" + "2" * 64}
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{name} {digest}\n" for name, digest in digests.items()))
    for name, argument, base in (("runner", "CERTIFICATES_IMAGE", "debian:bookworm-slim"),
                                 ("node", "BASE_IMAGE", "node:22-bookworm-slim")):
        _, asked = build(tmp_path, name, PINNED="1", PINS=str(pins), NODE_MAJOR="22")
        assert f"{argument}={base}@{digests[base]}\n" in asked
    own = "mirror.test/debian@sha256:" + "3" * 64
    _, asked = build(tmp_path, "runner", PINNED="1", PINS=str(pins), CERTIFICATES_IMAGE=own)
    assert f"CERTIFICATES_IMAGE={own}\n" in asked
    pins.write_text("debian:bookworm-slim latest\n")
    done, _ = build(tmp_path, "runner", PINS=str(pins))
    assert done.returncode == 1 and "'latest' is no digest" in done.stderr


@pytest.mark.rare
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.getuid() != 0, reason="making images needs root")
def test_from_a_pin_to_an_image_that_the_tests_can_run(tmp_path, hub, program):
    """A registry's base, pinned, built from, written as a layout, and unpacked as test-images does."""
    layouts.write(str(tmp_path / "other"), {"file": b"x\n"}, architecture="arm64")
    done = call("join", str(tmp_path / "base"), registry.base_layout("debian:bookworm-slim"), str(tmp_path / "other"))
    assert done.returncode == 0, done.stderr
    name, pins, made = f"{hub.host}/library/debian:bookworm-slim", str(tmp_path / "pins.txt"), str(tmp_path / "made")
    published(hub, str(tmp_path / "base"), "library/debian", "bookworm-slim")
    assert call("pin", name, PINS=pins).returncode == 0
    hub.forget()
    engine = f"buildah --root {tmp_path}/store --runroot {tmp_path}/run --storage-driver vfs"
    done = call("build", "runner", ENGINE=engine, CERTIFICATES_IMAGE=name, PINS=pins, PINNED="1", LAYOUTS=made,
                CAISSON=program, VERSION="1.2.3", BUILD_FLAGS="--isolation chroot --network host --tls-verify=false")
    assert done.returncode == 0, done.stderr
    asked = {entry.path for entry in hub.requests() if "/manifests/" in entry.path}
    assert asked and all("/manifests/sha256:" in path for path in asked)
    size = re.search(r"^caisson-runner:latest: (\d+) bytes compressed", done.stdout, re.M)
    assert 1_000_000 < int(size[1]) < 3_000_000
    folder = tool("ensure-released-images", made, "runner")
    assert {"caisson", "etc", "usr"} == set(os.listdir(os.path.join(folder, "root")))
    with open(os.path.join(folder, "image.json")) as file:
        config = json.load(file)["OCIv1"]["config"]
    assert config["Entrypoint"] == ["/caisson"] and config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    with open(os.path.join(folder, "compressed")) as file:
        assert int(file.read()) == int(size[1])
    shutil.rmtree(folder)


def test_every_base_is_an_argument_and_pin_finds_it(tmp_path):
    """No FROM of a Dockerfile goes past the ARGs that are pinned."""
    for name in ("runner", "node", "kaniko"):
        with open(os.path.join(FOLDER, name, "Dockerfile")) as file:
            text = file.read()
        stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.M)) | {"scratch"}
        arguments = {f"${{{argument}}}" for argument in re.findall(r"^ARG ([A-Z]+_IMAGE)=", text, re.M)}
        assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= stages | arguments
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "skopeo").write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >>{tmp_path}/asked\n'
                                 'echo \'{"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}},'
                                 '{"platform": {"os": "linux", "architecture": "arm64"}}]}\'\n')
    (fake / "skopeo").chmod(0o755)
    done = call("pin", PINS=str(tmp_path / "pins"), PATH=f"{fake}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().split()
    assert {name for name in asked if "kaniko" not in name} == {"docker://docker.io/library/debian:bookworm-slim", *(
        f"docker://docker.io/library/node:{major}-bookworm-slim" for major in (18, 20, 22, 24))}
    assert [name for name in asked if name.startswith("docker://ghcr.io/osscontainertools/kaniko:v")]


def test_the_steps_of_a_release(tmp_path, hub):
    """What the workflow does with what two machines built, to two registries."""
    for architecture in ("amd64", "arm64"):
        layouts.write(str(tmp_path / "build" / f"images-{architecture}" / "node-22"), {
            "var/lib/dpkg/status": b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2+b1\n\n"
                                   b"Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n",
            "usr/local/lib/node_modules/npm/package.json": b'{"name": "npm", "version": "10.9.9", "license": "Artistic-2.0"}',
        }, architecture=architecture, labels=VERSION)
    repositories = [f"{hub.host}/Owner/caisson-node", f"{hub.host}/caisson/builders/node"]
    settings = {"BUILD": str(tmp_path / "build"), "NAME": "node-22", "VERSION": "1.2.3", "TAG": "1.2.3-node22",
                "REPOSITORIES": " ".join(repositories)}
    done = call("release", "image", **settings)
    assert done.returncode == 0, done.stderr
    said = dict(line.split("=") for line in done.stdout.splitlines())
    assert set(said) == {"digest", "digest_amd64", "digest_arm64"}
    joined_folder = tmp_path / "build" / "joined"
    for architecture in ("amd64", "arm64"):
        document = json.loads((joined_folder / f"node-22.{architecture}.spdx.json").read_text())
        held = {part["name"]: part["versionInfo"] for part in document["packages"]}
        assert held["bash"] == "5.2+b1" and held["npm"] == "10.9.9" and held["caisson"] == "1.2.3"
        assert {"openssl", "libgit2", "musl"} <= set(held) and not {"gone", "cmocka"} & set(held)
        image = next(part for part in document["packages"] if part["name"] == "node-22")
        assert image["checksums"] == [{"algorithm": "SHA256", "checksumValue": said[f"digest_{architecture}"][7:]}]
        names = [part["SPDXID"] for part in document["packages"]]
        assert len(names) == len(set(names)) and all(
            relation[end] in [*names, "SPDXRef-DOCUMENT"] for relation in document["relationships"]
            for end in ("spdxElementId", "relatedSpdxElement"))
    assert hub.repositories() == ["caisson/builders/node", "owner/caisson-node"]
    assert hub.tags("owner/caisson-node") == hub.tags("caisson/builders/node") == {}
    (tmp_path / "build" / "published").mkdir()
    (joined_folder / "node-22.references").rename(tmp_path / "build" / "published" / "node-22.references")
    assert call("release", "tags", **settings).returncode == 0
    assert hub.tags("owner/caisson-node") == hub.tags("caisson/builders/node") == {"1.2.3-node22": said["digest"]}


def workflow(name):
    """(what starts it, its jobs)"""
    with open(os.path.join(ROOT, ".github", "workflows", f"{name}.yml")) as file:
        document = yaml.safe_load(file)
    assert document["permissions"] == {} and document["concurrency"]["group"]
    return document[True], document["jobs"]  # `on` is true in YAML 1.1


def uses(job, action):
    return [step for step in job["steps"] if step.get("uses", "").startswith(action + "@")]


def runs(job):
    return [step["run"].removeprefix("make ").removeprefix("--no-print-directory ").split(" >>")[0]
            for step in job["steps"] if "run" in step]


def test_the_workflow_publishes_what_is_built_and_tags_last():
    starts, jobs = workflow("release-images")
    assert set(starts) == {"push", "schedule", "workflow_dispatch"} and starts["push"] == {"tags": ["v*"]}
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "prepare": None, "build": "prepare", "publish": ["prepare", "build"], "tag": ["prepare", "publish"],
        "assets": ["prepare", "tag"]}
    machines = {row["architecture"]: row["runner"] for row in jobs["build"]["strategy"]["matrix"]["include"]}
    assert machines == {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"} and "fail-fast" not in jobs["build"]["strategy"]
    assert runs(jobs["build"]) == ["dist images-all", "test-images"] and runs(jobs["tag"])[-1] == "tag-images"
    with open(os.path.join(ROOT, "Makefile")) as file:
        makefile = file.read()
    majors = re.search(r"^NODE_MAJORS \?= (.*)$", makefile, re.M)[1].split()
    built = re.search(r"builder-images/build (runner .*);", makefile)[1].split()
    published = [row["name"] for row in jobs["publish"]["strategy"]["matrix"]["include"]]
    assert sorted(published) == sorted([name + ("-20" if name.startswith("node") else "") for name in built]
                                       + [f"node-{major}" for major in majors])
    provenance, *bills = uses(jobs["publish"], "actions/attest")
    assert "sbom-path" not in provenance["with"] and [
        (re.search("digest_(.*) }}", step["with"]["subject-digest"])[1], step["with"]["sbom-path"].split(".")[-3])
        for step in bills] == [("amd64", "amd64"), ("arm64", "arm64")]
    assert uses(jobs["assets"], "actions/attest")[0]["with"] == {"subject-checksums": "build/dist/SHA256SUMS"}


def test_what_may_write_stands_behind_an_environment_and_no_fork_gets_it():
    for name in ("ci", "terraform", "release-images"):
        starts, jobs = workflow(name)
        for title, job in jobs.items():
            rights = {key for key, value in job["permissions"].items() if value == "write"}
            if uses(job, "aws-actions/configure-aws-credentials"):
                assert "id-token" in rights
            if not rights:
                continue
            assert "pull_request" not in starts or "github.event" in job["if"], title
            reads_only = name == "terraform" and title == "plan"
            assert ("environment" in job) is not reads_only, title
    _, jobs = workflow("terraform")
    assert "head.repo.full_name == github.repository" in jobs["plan"]["if"] and runs(jobs["plan"]) == ["terraform-plan"]
    assert jobs["apply"]["if"].startswith("github.event_name == 'push'") and jobs["apply"]["environment"] == "production"
    assert runs(workflow("ci")[1]["test"]) == ["test"]


def test_a_release_is_of_a_tag_that_agrees_with_its_sources(tmp_path):
    """`name` in a repository of its own: a release, a rebuild of the newest, and tags that are none."""
    tree = tmp_path / "tree"
    (tree / "builder-images").mkdir(parents=True)
    shutil.copy(os.path.join(FOLDER, "release"), tree / "builder-images")

    def git(*words):
        subprocess.run(["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@test", *words], check=True,
                       capture_output=True)

    def name(**environment):
        done = subprocess.run([str(tree / "builder-images" / "release"), "name"], capture_output=True, text=True,
                              check=False, env={"PATH": os.environ["PATH"], **environment})
        return dict(line.split("=") for line in done.stdout.splitlines()) if done.returncode == 0 else done.stderr

    git("init", "--quiet")
    assert "no tag vX.Y.Z" in name()
    for version in ("0.9.0", "0.10.0"):
        (tree / "CMakeLists.txt").write_text(f"project(caisson VERSION {version} LANGUAGES C)\n")
        git("add", "."), git("commit", "--quiet", "-m", version), git("tag", f"v{version}")
    git("tag", "v0.11.0"), git("tag", "vnext")
    assert name(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v0.9.0") == {"ref": "v0.9.0", "version": "0.9.0", "tag": "0.9.0"}
    assert "CMakeLists.txt of v0.11.0 says version 0.10.0" in name(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v0.11.0")
    assert "'vnext' is not vX.Y.Z" in name(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="vnext")
    git("tag", "--delete", "v0.11.0")
    rebuilt = name(GITHUB_REF_TYPE="branch", GITHUB_REF_NAME="main")
    assert re.fullmatch(r"0\.10\.0-20\d{6}", rebuilt.pop("tag")) and rebuilt == {"ref": "v0.10.0", "version": "0.10.0"}


def test_a_download_is_the_same_each_time_and_brings_its_licences(tmp_path, program):
    sums = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        done = subprocess.run([os.path.join(ROOT, "cmake", "dist.sh"), program, "x86_64", str(folder)],
                              capture_output=True, text=True, check=True, env={**os.environ, "VERSION": "1.2.3",
                                                                        "SOURCE_DATE_EPOCH": "1700000000"})
        sums.append(done.stdout)
    assert sums[0] == sums[1] and len(sums[0].splitlines()) == 2
    with tarfile.open(tmp_path / "one" / "caisson-1.2.3-linux-x86_64.tar.gz") as archive:
        assert {os.path.basename(entry.name) for entry in archive if entry.isfile()} == {
            "caisson", "caisson.1", "LICENSE", "NOTICE", "third-party.txt"}
        assert archive.getmember("caisson-1.2.3-linux-x86_64/caisson").mode == 0o755
