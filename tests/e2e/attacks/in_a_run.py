"""Runs one attack as a RUN of a Dockerfile that Kaniko builds, and says what it got."""

import os
import secrets
import time

import pytest

from bed import images, registry, world

from . import field

REPOSITORY, TAG = "shop/app", "one"
BASE = "busybox"
MINE = "canary-mine-" + secrets.token_hex(12)  # a secret that the spec gives to the build


class Door:
    """The registry's, as the task sees it: looks, when somebody first comes, whether something of the build lives."""

    def __init__(self, hub, witness):
        self.hub, self.beats, self.visited, self.alive = hub, os.path.join(witness, "beats"), False, False

    def services(self):
        (address, port, forward), *others = self.hub.services()

        def on_connection(client):
            if not self.visited:
                self.visited = True
                before = self._beats()
                time.sleep(0.25)
                self.alive = self._beats() > before
            forward(client)

        return [(address, port, on_connection), *others]

    def _beats(self):
        return os.path.getsize(self.beats) if os.path.exists(self.beats) else 0


def _spec(bed, attack, hub):
    script = (f"export WITNESS={field.PLACE}/it TMPDIR=/tmp HOME=/root; echo began >>$WITNESS; chmod 666 $WITNESS\n"
              f"{attack.command} || true\n")
    dockerfile = f"FROM {attack.base or BASE}\nCOPY attack.sh /\nRUN {attack.mount} sh /attack.sh\nRUN echo done\n"
    spec = images.spec(bed, {"Dockerfile": dockerfile, "attack.sh": script}, hub, REPOSITORY, TAG,
                       secrets={"HIDDEN": {"env": "OTHER_SECRET"}})
    spec["source"]["auth"] = {"token": {"env": "REPOSITORY_TOKEN"}}
    spec["timeouts"] = {"build": "60s"}
    if attack.change:
        attack.change(spec)
    return spec


def _start(bed, attack, spec, ground, witness, programs, binary, off, door):
    files = {path: content(programs) if callable(content) else content for path, content in attack.files.items()}
    if off:
        files[field.OFF_FILE] = "".join(f"{name}\n" for name in off)
    options = {"sandbox": {"stop_timeout": 2, **attack.sandbox}} if ground.executor == "sandbox" else {}
    return images.start(bed, spec, ground.executor, arguments=list(attack.arguments), binary=binary,
                        environment={"REPOSITORY_TOKEN": field.GIT_TOKEN, "OTHER_SECRET": field.HIDDEN,
                                     "PULL_PASSWORD": registry.PULL_PASSWORD, "MY_SECRET": MINE},
                        issue=field.issue(bed.gate), files=files, services=door.services(),
                        volumes={"/attack": programs, field.PLACE: witness}, **options, **attack.options)


def _fight(bed, attack, programs, ground, binary, off, hub):
    bed.git.tokens = {field.GIT_TOKEN}
    witness = os.path.join(bed.folder, f"witness-{secrets.token_hex(4)}")
    os.mkdir(witness)
    os.chmod(witness, 0o777)
    spec = _spec(bed, attack, hub)
    door = Door(hub, witness)
    task = _start(bed, attack, spec, ground, witness, programs, binary, off, door)
    ended = bed.finish(task, 120)
    got = b""
    if os.path.exists(os.path.join(witness, "it")):
        with open(os.path.join(witness, "it"), "rb") as file:
            got = file.read(1 << 24)
    assert got.startswith(b"began") or not attack.begins, f"the attack never ran: {ended}"
    given = [part for keys in task.endpoint.given for part in (keys.secret, keys.token)]
    stored = bed.storage.tree(world.BUCKET, attack.stored(spec)) if attack.stored else {}
    return field.Fought(ended, got, stored, spec,
                        [*given, field.GIT_TOKEN, field.HIDDEN, task.endpoint.credentials_path, registry.PASSWORD],
                        list(bed.world.trap.visitors), hub.blobs(), hub.digest(REPOSITORY, TAG),
                        [entry for entry in hub.requests() if entry.method not in ("GET", "HEAD")], door.alive)


def fight(bed, attack, programs, ground, binary=None, off=()):
    """As field.fight. What has to be quicker than Kaniko says that it was, else it has another try."""
    if not ground.kaniko:
        return field.fight(bed, attack, programs, ground, binary, off)
    if images.why_no_kaniko():
        pytest.skip(f"{images.NO_KANIKO}: {images.why_no_kaniko()}")
    for _ in range(3):
        with registry.Registry(bed.folder, auth="basic", tls=bed.world.authority) as hub:
            fought = _fight(bed, attack, programs, ground, binary, off, hub)
        if not attack.hurries or b"changed" in fought.witness:
            return fought
    raise AssertionError(f"the attack was never quick enough: {fought}")


def lies(fought):
    """What the result says of the image is true: pushed is what the tag points to, whole."""
    told = (fought.ended.result or {}).get("image") or {}
    if fought.ended.code == 0:
        return told.get("digest") != fought.tag
    return fought.tag is not None
