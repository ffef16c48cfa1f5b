"""A stop while a worker reads what is large: it ends at once, not when it has read all of it."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

from bed import layouts

HUGE = 64 << 30  # of zeros, on no disk: hashing them takes half a minute at the least


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "cache" / "entry").mkdir(parents=True)
    layouts.write(str(tmp_path / "layout"), {"hello": b"there"})
    return tmp_path


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(HUGE)


def enlarge_the_layer(folder):
    """Another size in all documents; the layer's digest is wrong, which nobody can know before it is hashed."""
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)
    manifest_path = os.path.join(folder, "blobs", *index["manifests"][0]["digest"].split(":"))
    with open(manifest_path) as file:
        manifest = json.load(file)
    sparse(os.path.join(folder, "blobs", *manifest["layers"][0]["digest"].split(":")))
    manifest["layers"][0]["size"] = HUGE
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(folder, "blobs", "sha256", digest), "wb") as file:
        file.write(content)
    index["manifests"][0].update(digest=f"sha256:{digest}", size=len(content))
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump(index, file)


def stopped(program, name, workspace, request):
    """The worker's last message, when it was stopped while it read; and how long it took it to end."""
    at = os.stat(workspace)
    request = {"workspace": str(workspace), "device": at.st_dev, "inode": at.st_ino, **request}
    with subprocess.Popen([program, "--worker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={}) as process:
        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
            wait_for_reading(process.pid)
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            took = time.monotonic() - begin
        finally:
            process.kill()
        return json.loads(process.stdout.read().splitlines()[-1]), took


def wait_for_reading(pid):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/io") as file:
            if int(file.readline().split()[1]) > 64 << 20:
                return
        time.sleep(0.01)
    raise AssertionError("it does not read")


def test_a_stop_while_the_image_is_hashed(program, workspace):
    enlarge_the_layer(str(workspace / "layout"))
    said, took = stopped(program, "image", workspace, {
        "action": "save", "layout": "layout", "folder": str(workspace / "out"), "tags": ["one"]})
    assert said["type"] == "error" and said["reason"] == "interrupted" and took < 1, (said, took)
    assert not (workspace / "out").exists()


def test_a_stop_while_a_cache_is_listed(program, workspace):
    sparse(workspace / "cache" / "entry" / "layer")
    said, took = stopped(program, "cache", workspace, {
        "action": "save", "folder": "cache", "to": f"file:{workspace}/store", "project": "shop", "ref": "refs/heads/a",
        "time_ms": 600000})
    assert said["type"] == "error" and said["reason"] == "stopped" and took < 1, (said, took)


def test_a_stop_while_a_cache_is_restored_from_a_folder(program, workspace):
    sparse(workspace / "layer")
    content, now = "a" * 64, int(time.time() * 1000)
    place = workspace / "store" / "shop" / "refs~2fheads~2fa"
    (place / "blobs" / "sha256").mkdir(parents=True)
    os.rename(workspace / "layer", place / "blobs" / "sha256" / content)
    (place / "manifest.json").write_text(json.dumps({
        "schema": "caisson.cache/1", "project": "shop", "ref": "refs/heads/a", "pending": {}, "dead": {},
        "entries": {"entry": {"used_ms": now, "written_ms": now, "files": {"layer": {
            "size": HUGE, "sha256": content}}}}}))
    (workspace / "cache" / "entry").rmdir()
    said, took = stopped(program, "cache", workspace, {
        "action": "restore", "folder": "cache", "to": f"file:{workspace}/store", "project": "shop",
        "ref": "refs/heads/a", "time_ms": 600000})
    assert said["type"] == "error" and said["reason"] == "stopped" and took < 1, (said, took)
