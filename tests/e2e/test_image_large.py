"""A layer of 1 GiB, from the RUN that makes it to the registry and back: what it costs is Kaniko's and the disk's."""

import hashlib
import os
import tarfile

import pytest

from bed import images, processes

pytestmark = [pytest.mark.usefixtures("kaniko"), pytest.mark.rare, pytest.mark.timeout(900)]

SIZE = 1 << 30
DOCKERFILE = """\
FROM busybox
RUN dd if=/dev/urandom of=/big bs=1M count=1024 && sha256sum /big >/sum
"""
OURS_MIB = 16


def contents(layout):
    """(SHA-256 of /big, text of /sum) as the pulled image has them."""
    layer = images.manifest(layout)["layers"][-1]
    assert layer["size"] > SIZE  # noise does not get smaller
    with tarfile.open(os.path.join(layout, "blobs", *layer["digest"].split(":")), "r|*") as archive:
        found = {}
        for entry in archive:
            hashed, file = hashlib.sha256(), archive.extractfile(entry) if entry.isfile() else None
            while file and (data := file.read(1 << 20)):
                hashed.update(data)
                found[entry.name.lstrip("./")] = data if entry.size < 1000 else hashed.hexdigest()
    return found["big"], found["sum"].decode()


@pytest.mark.parametrize("executor", ["sandbox", "local"])
def test_a_layer_of_a_gigabyte(bed, hub, tmp_path, executor):
    # Here the containers' disks are memory, so it takes more of that than a machine with disks needs.
    spec = images.spec(bed, {"Dockerfile": DOCKERFILE}, hub, timeout="20m", limits={"memory": "100%"})
    task = images.start(bed, spec, executor, hub, size="8g", memory=8 << 30)
    watched = [processes.OurMemory(made) for made in {task.pid(): task, task.builder.pid(): task.builder}.values()]
    ended = bed.finish(task, 600)
    for watch in watched:
        watch.stop()
    assert ended.code == 0, ended
    image = ended.result["image"]
    assert image["digest"] == hub.digest("shop/app", "latest") and image["bytes"] > SIZE, image
    big, said = contents(hub.pull("shop/app", "latest", str(tmp_path / "layout")))
    assert said.split() == [big, "/big"]

    # PID 1 of each container, and in the first the workers: the largest of them has pushed.
    for watch in watched:
        assert 0 < watch.of_pid_1() <= OURS_MIB, watch.peaks
    assert 0 < watched[0].of_workers() <= OURS_MIB, watched[0].peaks
