"""Layouts that a hostile build may leave: refused with 42, and the registry has seen nothing."""

import hashlib
import json
import os
import socket

import pytest

from bed import layouts, registry, registry_faults

CANARY = "canary-of-the-environment"


class Hostile:
    def __init__(self, caisson, hub, folder):
        self.caisson, self.hub, self.folder = caisson, hub, os.path.join(str(folder), "layout")
        self.digest = layouts.write(self.folder, {"hello": b"there"}, {"more": b"of it"})
        with open(self.blob(self.digest)) as file:
            self.manifest = json.load(file)
        self.layer = self.manifest["layers"][0]

    def blob(self, digest):
        return os.path.join(self.folder, "blobs", *digest.split(":"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def replace(self, path, make):
        os.unlink(path)
        make(path)

    def put(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        with open(self.blob(digest), "wb") as file:
            file.write(content)
        return {"digest": digest, "size": len(content)}

    def write_manifest(self, manifest=None, **more):
        described = self.put(json.dumps({**(manifest or self.manifest), **more}).encode())
        self.write_index(manifests=[{"mediaType": layouts.MANIFEST, **described}])

    def write_index(self, **more):
        with open(self.path("index.json"), "w") as file:
            json.dump({"schemaVersion": 2, **more}, file)

    def push(self, host=None):
        done = self.caisson("image", "push", self.folder, f"{host or self.hub.host}/shop:one", "--json",
                            environment={"HOME": "/nonexistent", "CANARY": CANARY})
        said = json.loads(done.stdout)
        assert CANARY not in done.stdout + done.stderr
        return done.returncode, said.get("reason"), said.get("message")

    def refused(self, reason):
        code, found, message = self.push()
        assert (code, found) == (42, reason), message
        assert self.hub.requests() == [] and self.hub.repositories() == []
        return message


@pytest.fixture
def hostile(caisson, tmp_path):
    with registry.Registry(str(tmp_path)) as hub:
        yield Hostile(caisson, hub, tmp_path)


def test_the_layout_is_sound_before_it_is_spoiled(hostile):
    assert hostile.push()[0] == 0
    assert hostile.hub.tags("shop") == {"one": hostile.digest}


@pytest.mark.parametrize("target", ["/proc/1/environ", "/proc/self/environ", "/etc/passwd", "/dev/zero"])
@pytest.mark.parametrize("which", ["layer", "config", "manifest", "index.json", "oci-layout"])
def test_a_link(hostile, which, target):
    path = {"layer": hostile.blob(hostile.layer["digest"]), "config": hostile.blob(hostile.manifest["config"]["digest"]),
            "manifest": hostile.blob(hostile.digest)}.get(which) or hostile.path(which)
    hostile.replace(path, lambda path: os.symlink(target, path))
    hostile.refused("layout-link")


def test_a_linked_folder(hostile, tmp_path):
    os.rename(hostile.path("blobs"), tmp_path / "blobs")
    os.symlink(tmp_path / "blobs", hostile.path("blobs"))
    hostile.refused("layout-link")


@pytest.mark.parametrize("which", ["layer", "index.json"])
def test_a_fifo(hostile, which):
    path = hostile.blob(hostile.layer["digest"]) if which == "layer" else hostile.path(which)
    hostile.replace(path, os.mkfifo)
    hostile.refused("layout-link")


def test_a_socket_and_a_folder_and_a_hard_link(hostile, tmp_path):
    path = hostile.blob(hostile.layer["digest"])
    os.link(path, tmp_path / "other")
    hostile.refused("layout-link")
    os.unlink(tmp_path / "other")
    os.rename(path, tmp_path / "kept")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(os.path.dirname(path))
        listener.bind(os.path.basename(path))
        os.chdir(here)
        hostile.refused("layout-link")
    os.unlink(path)
    os.mkdir(path)
    hostile.refused("layout-link")


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_two_gigabytes_of_nothing(hostile, name):
    os.truncate(hostile.path(name), 2 << 30)
    hostile.refused("layout-too-large")


def test_a_manifest_of_gigabytes(hostile):
    hostile.write_index(manifests=[{"mediaType": layouts.MANIFEST, "digest": hostile.digest, "size": 3 << 30}])
    os.truncate(hostile.blob(hostile.digest), 3 << 30)
    hostile.refused("layout-too-large")


def test_an_index_within_the_index(hostile):
    inner = hostile.put(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": layouts.MANIFEST, "digest": hostile.digest, "size": 1}]}).encode())
    hostile.write_index(manifests=[{"mediaType": "application/vnd.oci.image.index.v1+json", **inner}])
    hostile.refused("layout-many")


def test_several_manifests(hostile):
    with open(hostile.path("index.json")) as file:
        entry = json.load(file)["manifests"][0]
    hostile.write_index(manifests=[entry, entry])
    hostile.refused("layout-many")


def test_a_layer_from_elsewhere(hostile):
    layers = hostile.manifest["layers"]
    hostile.write_manifest(layers=[{**layers[0], "urls": ["https://evil.test/layer"]}, layers[1]])
    hostile.refused("layout-foreign")
    hostile.write_manifest(layers=[{**layers[0], "mediaType":
                                    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}, layers[1]])
    hostile.refused("layout-foreign")


@pytest.mark.parametrize("size", [-1, 0, 7, 1 << 62])
def test_a_wrong_size(hostile, size):
    layers = hostile.manifest["layers"]
    hostile.write_manifest(layers=[{**layers[0], "size": size}, layers[1]])
    hostile.refused("layout-invalid" if size in (-1, 1 << 62) else "blob-mismatch")


def test_a_file_of_another_size(hostile):
    os.truncate(hostile.blob(hostile.layer["digest"]), 5 << 40)
    hostile.refused("blob-mismatch")


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_other_content(hostile, which):
    digest = {"layer": hostile.layer["digest"], "config": hostile.manifest["config"]["digest"],
              "manifest": hostile.digest}[which]
    with open(hostile.blob(digest), "r+b") as file:
        last = file.read()[-1]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    hostile.refused("blob-mismatch")


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "sha512:" + "0" * 128,
                                    "md5:0", "", "sha256:" + "0" * 63 + "/"])
def test_an_odd_digest(hostile, digest):
    hostile.write_index(manifests=[{"mediaType": layouts.MANIFEST, "digest": digest, "size": 1}])
    hostile.refused("layout-invalid")


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, '{"a":' * 100000, '"text"', "\0\0\0\0", "\xff\xfe",
                                  '{"schemaVersion":2,"schemaVersion":2,"manifests":[]}'],
                         ids=["empty", "unfinished", "deep-lists", "deep-objects", "text", "zeros", "latin", "twice"])
def test_an_index_that_is_none(hostile, text):
    with open(hostile.path("index.json"), "w", encoding="latin-1") as file:
        file.write(text)
    hostile.refused("layout-invalid")


def test_a_manifest_that_is_an_index_too(hostile):
    """Two readers of such a document may see two images."""
    hostile.write_manifest(manifests=[])
    hostile.refused("layout-invalid")


def test_a_manifest_with_too_many_layers(hostile):
    hostile.write_manifest(layers=hostile.manifest["layers"] * 300)
    hostile.refused("layout-too-large")


def test_a_blob_is_swapped_after_it_was_hashed(hostile):
    """At the first request all has been hashed: from there on another file bears the name, or other bytes are in it."""
    path = hostile.blob(hostile.layer["digest"])
    with open(path, "rb") as file:
        content = file.read()

    def swap():
        with open(path + ".new", "wb") as file:
            file.write(b"#" * len(content))
        os.rename(path + ".new", path)

    def write():
        with open(path, "r+b") as file:
            file.write(b"#")

    for change in (write, swap):
        with open(path, "wb") as file:
            file.write(content)
        with registry_faults.Proxy(hostile.hub.host) as proxy:
            proxy.on("GET", "/v2/", registry_faults.call(change))
            code, reason, message = hostile.push(proxy.host)
            assert (code, reason) == (42, "blob-changed"), message
            assert not [seen for seen in proxy.requests("PUT") if hostile.layer["digest"][7:] in seen.path]
            assert hostile.hub.tags("shop") == {}
