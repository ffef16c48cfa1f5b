"""Runs one attack as the build of a job, and says what it got."""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field

from bed import sigv4
from bed.world import BUCKET

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
OFF_FILE = "/etc/caisson/protections-off"
PEER = os.path.join(os.path.dirname(os.path.dirname(PROGRAMS)), "sandbox_peer.c")
PLACE = "/var/tmp/witness"  # of the witness, in the containers: where builds may write whatever the kernel confines
GIT_TOKEN = "canary-git-" + secrets.token_hex(12)
HIDDEN = "canary-hidden-" + secrets.token_hex(12)  # a secret of another step


def build_programs(folder):
    """Compiles the attacks of C into `folder` and copies the scripts there."""
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    for name in [*sorted(os.listdir(PROGRAMS)), PEER]:
        source, target = os.path.join(PROGRAMS, name), os.path.join(folder, os.path.basename(name).removesuffix(".c"))
        if name.endswith(".c"):
            subprocess.run(["gcc", "-O1", "-static", "-Wall", "-o", target, source], check=True)
        elif not name.endswith(".h"):
            shutil.copyfile(source, target)
            os.chmod(target, 0o755)
    return folder


def program(name, mode):
    """For `files` of an attack: one of the programs, laid over the image with this mode."""

    def content(programs):
        with open(os.path.join(programs, name), "rb") as file:
            return file.read(), mode

    return content


@dataclass
class Fought:
    """A job whose build attacked."""

    ended: object
    witness: bytes
    published: dict
    spec: dict
    secrets: list
    visitors: list  # of the server that nobody should visit
    # of a Dockerfile's RUN
    registry: dict = field(default_factory=dict)  # {digest: bytes} of all that it holds
    tag: str = None  # the digest that was pushed, None: nothing
    sent: list = field(default_factory=list)  # requests that would have changed the registry
    alive: bool = False  # something of the build still ran when the push began

    def loot(self):
        """What the attack got hold of, as far as its witness shows; empty when it lost."""
        found = [value for value in self.secrets if value.encode() in self.witness]
        return found + [line for line in self.witness.decode("utf-8", "replace").splitlines() if "WON" in line]

    def __str__(self):
        return f"{self.witness.decode('utf-8', 'replace')[:4000]}\n{self.ended}"


def issue(gate):
    """Credentials of the task's role whose secret parts are easy to find again."""

    def new():
        plain = gate.issue()
        keys = sigv4.Keys(plain.access, "canary-key-" + plain.secret, "canary-session-" + plain.token, plain.expires)
        gate.issued[keys.access] = keys
        return keys

    return new


@dataclass(frozen=True)
class Ground:
    """Where an attack is fought: in which executor, and as whom."""

    executor: str = "local"  # or sandbox
    root: bool = False  # a build as root (--build-uid 0)
    kaniko: bool = False  # a RUN of a Dockerfile, which is root; see in_a_run.py

    def __str__(self):
        return ("kaniko-" if self.kaniko else "") + self.executor + ("-root" if self.root else "")


def _spec(bed, attack):
    commands = ["mkdir -p dist; echo fine >dist/index.html",
                f"export WITNESS={PLACE}/it; echo began >$WITNESS; chmod 666 $WITNESS; {attack.command} || true"]
    build = {"builder": "commands", "commands": commands, "output": "dist", "test": attack.later}
    spec = bed.spec(bed.repository({"README.md": "x\n", **attack.repository}), build=build)
    spec["source"]["auth"] = {"token": {"env": "REPOSITORY_TOKEN"}}
    spec["secrets"] = {"HIDDEN": {"env": "OTHER_SECRET", "steps": ["test"]}}
    spec["timeouts"] = {"build": "40s"}
    if attack.change:
        attack.change(spec)
    return spec


def _start(bed, attack, spec, ground, witness, programs, binary, off):
    files = {path: content(programs) if callable(content) else content for path, content in attack.files.items()}
    if off:
        files[OFF_FILE] = "".join(f"{name}\n" for name in off)
    as_root = ["--build-uid", "0"] if ground.root else []
    sandbox = {"stop_timeout": 2, "command": ["sandbox", *as_root], **attack.sandbox}
    return bed.start(spec, executor=ground.executor, arguments=[*as_root, *attack.arguments], binary=binary,
                     environment={"REPOSITORY_TOKEN": GIT_TOKEN, "OTHER_SECRET": HIDDEN}, issue=issue(bed.gate),
                     files=files, sandbox=sandbox, volumes={"/attack": programs, PLACE: witness}, **attack.options)


def fight(bed, attack, programs, ground, binary=None, off=()):
    """One job whose build runs the attack. binary: another caisson than the release; off: protections of it."""
    bed.git.tokens = {GIT_TOKEN}
    witness = os.path.join(bed.folder, f"witness-{secrets.token_hex(4)}")
    os.mkdir(witness)
    os.chmod(witness, 0o777)
    spec = _spec(bed, attack)
    task = _start(bed, attack, spec, ground, witness, programs, binary, off)
    ended = bed.finish(task, 90)
    path = os.path.join(witness, "it")
    got = b""
    if os.path.exists(path):
        with open(path, "rb") as file:
            got = file.read(1 << 24)
    assert got.startswith(b"began") or not attack.begins, f"the attack never ran: {ended}"
    given = [part for keys in task.endpoint.given for part in (keys.secret, keys.token)]
    return Fought(ended, got, bed.storage.tree(BUCKET, bed.folder_of(spec)), spec,
                  [*given, GIT_TOKEN, HIDDEN, task.endpoint.credentials_path], list(bed.world.trap.visitors))
