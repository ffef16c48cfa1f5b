"""`caisson image push` to two implementations of a registry, of layouts that others' tools have made."""

import base64
import hashlib
import json
import os
import re
import subprocess
import time

import pytest

from bed import layouts, real_layouts, registry, registry_faults

LOGIN = {"CAISSON_REGISTRY_PASSWORD": registry.PASSWORD}
KINDS = [(2, "basic", False), (2, "bearer", True), (3, "basic", True), (3, "bearer", False),
         *(pytest.param(*kind, marks=pytest.mark.rare) for kind in (
             (2, "basic", True), (2, "bearer", False), (3, "basic", False), (3, "bearer", True)))]


@pytest.fixture(scope="module", params=["umoci", "buildah"])
def layout(request, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("layout"))
    return getattr(real_layouts, f"by_{request.param}")(folder)


def only_digest(layout):
    with open(os.path.join(layout, "index.json")) as file:
        entries = json.load(file)["manifests"]
    assert len(entries) == 1
    return entries[0]["digest"]


def push(caisson, layout, reference, *options, environment=None, **more):
    done = caisson("image", "push", layout, reference, "--json", *options,
                   environment={"HOME": "/nonexistent", **(environment or {})}, **more)
    said = json.loads(done.stdout)
    assert done.returncode == said.get("exit_code", 0), done
    return said


@pytest.mark.parametrize("generation, auth, tls", KINDS)
def test_an_image_comes_back_as_it_went(caisson, world, tmp_path, layout, generation, auth, tls):
    authority = world.authority if tls else None
    with registry.Registry(str(tmp_path), auth=auth, tls=authority, generation=generation, reach="host") as hub:
        environment = {**LOGIN, **({"SSL_CERT_FILE": authority.bundle} if tls else {})}
        said = push(caisson, layout, f"{hub.host}/team/shop:one", "--tag", "two,three", "--username", registry.USER,
                    environment=environment)
        assert said["digest"] == only_digest(layout), said
        assert said["tags_written"] == ["one", "two", "three"] and said["blobs_there"] == 0
        assert hub.tags("team/shop") == dict.fromkeys(("one", "two", "three"), said["digest"])
        for tag in ("one", "three"):
            assert only_digest(hub.pull("team/shop", tag, str(tmp_path / tag))) == said["digest"]
        requests = hub.requests()
        blobs = said["blobs_sent"]
        uploads = [entry for entry in requests if entry.method == "PUT" and "/uploads/" in entry.path]
        assert len(uploads) == blobs and {entry.status for entry in uploads} == {201}
        assert not any(entry.method == "PATCH" for entry in requests)
        again = push(caisson, layout, f"{hub.host}/team/shop:one", "--username", registry.USER,
                     environment=environment)
        assert again["bytes_sent"] == 0 and again["blobs_there"] == blobs and again["tags_there"] == ["one"]


@pytest.mark.parametrize("generation", [2, 3])
def test_layers_are_mounted_from_a_neighbour(caisson, tmp_path, layout, generation):
    with registry.Registry(str(tmp_path), auth="bearer", generation=generation) as hub:
        first = push(caisson, layout, f"{hub.host}/base/image:one", "--username", registry.USER, environment=LOGIN)
        second = push(caisson, layout, f"{hub.host}/shop:one", "--mount-from", "nothing/there,base/image", "--username",
                      registry.USER, environment=LOGIN)
        assert second["bytes_sent"] == 0 and second["blobs_mounted"] == first["blobs_sent"], second
        assert only_digest(hub.pull("shop", "one", str(tmp_path / "pulled"))) == first["digest"]


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_wrong_password_is_said(caisson, tmp_path, auth):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    with registry.Registry(str(tmp_path), auth=auth) as hub:
        wrong = "wrong-" + registry.PASSWORD
        for environment, login in (({"CAISSON_REGISTRY_PASSWORD": wrong}, ["--username", registry.USER]), ({}, [])):
            said = push(caisson, layout, f"{hub.host}/shop:one", *login, environment=environment)
            assert said["class"] == "push-failed", said
            assert said["reason"] in ("registry-unauthorized", "registry-denied") and wrong not in json.dumps(said)
        assert hub.repositories() == []


def test_a_user_who_may_only_pull(caisson, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    with registry.Registry(str(tmp_path), auth="bearer") as hub:
        said = push(caisson, layout, f"{hub.host}/shop:one", "--username", registry.PULLER,
                    environment={"CAISSON_REGISTRY_PASSWORD": registry.PULL_PASSWORD})
        assert said["reason"] in ("registry-unauthorized", "registry-denied"), said


def test_what_docker_login_left_is_used(caisson, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    with registry.Registry(str(tmp_path), auth="basic") as hub:
        (tmp_path / ".docker").mkdir()
        auth = base64.b64encode(f"{registry.USER}:{registry.PASSWORD}".encode()).decode()
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({
            "auths": {"ghcr.io": {"auth": "eDp5"}, f"https://{hub.host}/v2/": {"auth": auth}}}))
        said = push(caisson, layout, f"{hub.host}/shop:one", environment={"HOME": str(tmp_path)})
        assert said["tags_written"] == ["one"], said
        # In a task it is the image's or the build's, and no person's.
        said = push(caisson, layout, f"{hub.host}/shop:two", environment={
            "HOME": str(tmp_path), "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"})
        assert said["reason"] == "registry-unauthorized", said


def test_a_password_file(caisson, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    (tmp_path / "password").write_text(registry.PASSWORD + "\n")
    with registry.Registry(str(tmp_path), auth="basic") as hub:
        said = push(caisson, layout, f"{hub.host}/shop:one", "--username", registry.USER, "--password-file",
                    str(tmp_path / "password"))
        assert said["tags_written"] == ["one"], said


@pytest.mark.parametrize("generation", [2, 3])
def test_an_image_with_the_types_of_docker(caisson, tmp_path, generation):
    """Other tools keep such in layouts, and the digest is that of their bytes."""
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    digest = retype(layout, {
        layouts.MANIFEST: "application/vnd.docker.distribution.manifest.v2+json",
        layouts.CONFIG: "application/vnd.docker.container.image.v1+json",
        layouts.LAYER: "application/vnd.docker.image.rootfs.diff.tar.gzip"})
    with registry.Registry(str(tmp_path), generation=generation) as hub:
        said = push(caisson, layout, f"{hub.host}/shop:one")
        assert said["digest"] == digest and hub.tags("shop") == {"one": digest}, said
        assert hub.manifest("shop", "one")["mediaType"].endswith("docker.distribution.manifest.v2+json")


def retype(layout, types):
    with open(os.path.join(layout, "index.json")) as file:
        index = json.load(file)
    entry = index["manifests"][0]
    with open(os.path.join(layout, "blobs", *entry["digest"].split(":"))) as file:
        text = file.read()
    for old, new in types.items():
        text = text.replace(old, new)
    manifest = json.loads(text)
    manifest["mediaType"] = types[layouts.MANIFEST]
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(layout, "blobs", "sha256", digest), "wb") as file:
        file.write(content)
    entry.update(mediaType=manifest["mediaType"], digest="sha256:" + digest, size=len(content))
    with open(os.path.join(layout, "index.json"), "w") as file:
        json.dump(index, file)
    return entry["digest"]


def test_plain_http_is_for_this_machine_alone(caisson, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    with registry.Registry(str(tmp_path)) as hub:
        # 0.0.0.0 reaches this machine and does not say so.
        elsewhere = hub.host.replace("127.0.0.1", "0.0.0.0")
        said = push(caisson, layout, f"{elsewhere}/shop:one")
        assert said["reason"] == "tls-failed" and "insecure" in said["hint"], said
        assert hub.requests() == [] or all(entry.status == 400 for entry in hub.requests())
        said = push(caisson, layout, f"{elsewhere}/shop:one", "--insecure")
        assert said["tags_written"] == ["one"], said


# -- memory


def measured(program, *words):
    """What it said, and its peak memory in KiB: what the kernel says of the program itself, for rusage counts what the
    test's own process held at the fork."""
    peak = 0
    with subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}) as process:
        while process.poll() is None:
            with open(f"/proc/{process.pid}/status") as file:
                found = re.search(r"^Name:\s+caisson$.*^VmHWM:\s+(\d+) kB$", file.read(), re.M | re.S)
            peak = max(peak, int(found[1])) if found else peak
            time.sleep(0.005)
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert peak > 0
    return json.loads(said), peak


def large_layout(folder, size):
    """One layer of zeros: a file with a hole takes no room."""
    blobs = os.path.join(folder, "blobs", "sha256")
    digest = layouts.write(folder, {"hello": b"there"})
    hashed, zeros = hashlib.sha256(), bytes(1 << 20)
    for _ in range(size >> 20):
        hashed.update(zeros)
    with open(os.path.join(blobs, hashed.hexdigest()), "wb") as file:
        file.truncate(size)
    with open(os.path.join(blobs, digest.split(":")[1])) as file:
        manifest = json.load(file)
    manifest["layers"][0].update(digest="sha256:" + hashed.hexdigest(), size=size)
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(content)
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [
            {"mediaType": layouts.MANIFEST, "digest": "sha256:" + digest, "size": len(content)}]}, file)
    return "sha256:" + digest


def test_memory_stays_flat_for_a_large_layer(program, tmp_path):
    small, large = str(tmp_path / "small"), str(tmp_path / "large")
    layouts.write(small, {"hello": b"there"})
    digest = large_layout(large, 300 << 20)
    with registry.Registry(str(tmp_path)) as hub:
        _, little = measured(program, "image", "push", small, f"{hub.host}/small:one", "--json")
        said, much = measured(program, "image", "push", large, f"{hub.host}/large:one", "--json")
        assert hub.tags("large") == {"one": digest} and said["bytes_sent"] > 300 << 20
    assert much <= 16 << 10 and much - little <= 4 << 10, (little, much)


@pytest.mark.rare
def test_a_layer_of_five_gigabytes(program, tmp_path):
    """Over what 32 bits hold."""
    size = 5 << 30
    digest = large_layout(str(tmp_path / "large"), size)
    with registry_faults.Sink() as sink:
        said, much = measured(program, "image", "push", str(tmp_path / "large"), f"{sink.host}/large:one", "--json")
        assert said["bytes_sent"] > size and size in sink.blobs.values() and sink.manifests == {"one": digest}
        assert [seen.body for seen in sink.requests("PUT", "/uploads/") if seen.body >= size] == [size]
    assert much <= 16 << 10, much
