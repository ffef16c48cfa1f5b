"""Image jobs: a Dockerfile built by Kaniko in the builder image `kaniko`, and what can be done with the image.

    @pytest.mark.usefixtures("kaniko")                  # skips, loudly, where there is no Kaniko
    def test_it(bed, hub):                              # hub: a registry with basic auth (see registry.py)
        spec = images.spec(bed, {"Dockerfile": "FROM busybox\\nRUN echo hi >/x\\n"}, hub, "shop/app", "one")
        ended = images.run(bed, spec, "sandbox", hub)   # or "local": Kaniko in the container of PID 1
        layout = hub.pull("shop/app", "one", folder)
        with images.started(bed, layout) as container:  # runs the image with its own entry point, user, environment
            container.wait_for("hi")

`images.spec` takes what spec's `build` and `image` shall have more (build={"target": …}, image={"create": …}); base images
come from bed.world.mirror by image.mirrors, the registry's user and password by its secrets. Without a registry:
images.spec(bed, files, to="oci:/var/lib/caisson/…"). `images.start` is bed.start with the image, the services and the
environment that such a spec needs; its options are bed.start's.

What Kaniko finds in its container is what it finds on Fargate: a writable root file system that it may wipe (an overlay
of each container's own), /etc/hosts and /etc/resolv.conf mounted, no other mount but the shared volume at /var/lib/caisson, and
no route but to the servers of the tests. The bed's authority is in /kaniko/ssl/ca-certificates.crt.

With an image: images.config(layout) is what it says of itself, images.unpack(layout, folder) its root file system,
images.files(layout) {path: TarInfo} of all layers, the uppermost winning. images.why_no_kaniko() is None where Kaniko is.
"""

import contextlib
import functools
import json
import os
import subprocess
import tarfile

from . import container, netns, registry, world

IMAGE = "kaniko"
NO_KANIKO = "skipped for want of Kaniko"  # why tests are skipped
PUSH_VARIABLE = "REGISTRY_PASSWORD"  # of the task, named by the specs' secrets


@functools.cache
def why_no_kaniko():
    done = subprocess.run([os.path.join(world.TOOLS, "ensure-kaniko")], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().removeprefix("tools: ") or "ensure-kaniko failed"


# -- jobs


def spec(bed, files, hub=None, repository="shop/app", *tags, to=None, build=None, image=None, **changes):
    """A spec that builds the Dockerfile of a repository of `files` and pushes to a registry, or to `to`."""
    changes.setdefault("artifacts", None)
    made = bed.spec(bed.repository(files), build={"builder": "dockerfile", **(build or {})}, **changes)
    made["image"] = {"repository": to or f"{hub.name}/{repository}", "tags": list(tags) or ["latest"],
                     "mirrors": {"docker.io": bed.world.mirror.name}, **(image or {})}
    if hub is not None and hub.auth and "auth" not in (image or {}):
        made["image"]["auth"] = {"username": registry.USER, "password": {"env": PUSH_VARIABLE}}
    return made


def start(bed, spec, executor, *hubs, environment=None, services=(), **options):
    more = [service for hub in (bed.world.mirror, *hubs) for service in hub.services()]
    variables = {PUSH_VARIABLE: registry.PASSWORD, "CAISSON_CA_BUNDLE": "/etc/test-ca.pem", **(environment or {})}
    options.setdefault("size", "6g")
    return bed.start(spec, image=IMAGE, executor=executor, environment=variables, services=[*more, *services],
                     arguments=[*(["--executor", "local"] if executor == "local" else []),
                                *options.pop("arguments", ())], **options)


def run(bed, spec, executor, *hubs, timeout=180, **options):
    return bed.finish(start(bed, spec, executor, *hubs, **options), timeout)


# -- images


def _blob(layout, digest):
    return os.path.join(layout, "blobs", *digest.split(":"))


def manifest(layout):
    """Of the layout's first image."""
    with open(os.path.join(layout, "index.json")) as file:
        digest = json.load(file)["manifests"][0]["digest"]
    with open(_blob(layout, digest)) as file:
        return json.load(file)


def config(layout):
    with open(_blob(layout, manifest(layout)["config"]["digest"])) as file:
        return json.load(file)


def files(layout):
    """{path: tarfile.TarInfo} of what the image holds."""
    found = {}
    for layer in manifest(layout)["layers"]:
        with tarfile.open(_blob(layout, layer["digest"])) as archive:
            for entry in archive:
                _lay(found, entry)
    return found


def _lay(found, entry):
    path = os.path.normpath("/" + entry.name)
    folder, name = os.path.split(path)
    if name == ".wh..wh..opq":
        gone = [old for old in found if old.startswith(folder + "/")]
    elif name.startswith(".wh."):
        target = os.path.join(folder, name.removeprefix(".wh."))
        gone = [old for old in found if old == target or old.startswith(target + "/")]
    else:
        gone, found[path] = [], entry
    for old in gone:
        del found[old]


def unpack(layout, folder):
    """Its root file system, made by umoci: `folder`/rootfs."""
    with open(os.path.join(layout, "index.json")) as file:
        tag = json.load(file)["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    done = subprocess.run(["umoci", "unpack", "--image", f"{layout}:{tag}", folder], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return os.path.join(folder, "rootfs")


def _user(root, name):
    """(uid, gid) of what an image calls its user."""
    user, _, group = (name or "0").partition(":")

    def entry(path, key):
        with contextlib.suppress(FileNotFoundError), open(root + path) as file:
            for line in file:
                fields = line.rstrip("\n").split(":")
                if fields[0] == key or fields[2] == key:
                    return fields
        return [key, "x", key, key]

    passwd = entry("/etc/passwd", user)
    uid = int(passwd[2])
    gid = int(entry("/etc/group", group)[2]) if group else int(passwd[3]) if not user.isdigit() else 0
    return uid, gid


@contextlib.contextmanager
def started(bed, layout, command=None, environment=None):
    """The image as a container, with a loopback of its own: made.inside(call) calls from within its network."""
    folder = os.path.join(bed.folder, f"image-{os.path.basename(layout)}-{len(os.listdir(bed.folder))}")
    root = unpack(layout, folder)
    says = config(layout)["config"]
    network = netns.NetworkNamespace([])
    arguments = [*(says.get("Entrypoint") or []), *(command if command is not None else says.get("Cmd") or [])]
    variables = dict(pair.split("=", 1) for pair in says.get("Env") or [])
    made = container.Container(bed.folder, [root], arguments, environment={**variables, **(environment or {})},
                               network=network.path, user=_user(root, says.get("User")),
                               cwd=says.get("WorkingDir") or "/")
    made.inside = network.inside
    try:
        yield made.start()
    finally:
        made.close()
        network.close()
