"""Runs one attack as the build of a job, and says what it got."""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass

from bed import sigv4
from bed.world import BUCKET

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
OFF_FILE = "/etc/caisson/protections-off"
# What a kernel of some years ago answers ENOSYS to.
NEW_CALLS = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "openat2", "clone3",
             "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "close_range"]
GIT_TOKEN = "canary-git-" + secrets.token_hex(12)
HIDDEN = "canary-hidden-" + secrets.token_hex(12)  # a secret of another step


def build_programs(folder):
    """Compiles the attacks of C into `folder` and copies the scripts there."""
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    for name in sorted(os.listdir(PROGRAMS)):
        source, target = os.path.join(PROGRAMS, name), os.path.join(folder, name.removesuffix(".c"))
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


def fight(bed, attack, programs, binary=None, off=(), older_kernel=False, root=None):
    """One job whose build runs the attack. binary: another caisson than the release; off: protections of it."""
    bed.git.tokens = {GIT_TOKEN}
    witness = os.path.join(bed.folder, f"witness-{secrets.token_hex(4)}")
    os.mkdir(witness)
    os.chmod(witness, 0o777)
    root = attack.root if root is None else root
    commands = ["mkdir -p dist; echo fine >dist/index.html", f"export WITNESS=/witness/it; echo began >$WITNESS; {attack.command} || true"]
    files = {"README.md": "x\n", **attack.repository}
    spec = bed.spec(bed.repository(files), build={"builder": "commands", "commands": commands, "output": "dist",
                                                  "test": "true"})
    spec["source"]["auth"] = {"token": {"env": "REPOSITORY_TOKEN"}}
    spec["secrets"] = {"HIDDEN": {"env": "OTHER_SECRET", "steps": ["test"]}}
    spec["timeouts"] = {"build": "40s"}
    if attack.change:
        attack.change(spec)
    environment = {"REPOSITORY_TOKEN": GIT_TOKEN, "OTHER_SECRET": HIDDEN}
    laid = {path: content(programs) if callable(content) else content for path, content in attack.files.items()}
    if binary:
        with open(binary, "rb") as file:
            laid["/usr/local/bin/caisson"] = (file.read(), 0o755)
    if off:
        laid[OFF_FILE] = "".join(f"{name}\n" for name in off)
    arguments = [*(["--build-uid", "0"] if root else []), *attack.arguments]
    options = {"refuse_calls": NEW_CALLS} if older_kernel else {}
    task = bed.start(spec, arguments=arguments, environment=environment, issue=issue(bed.gate), files=laid,
                     volumes={"/attack": programs, "/witness": witness}, **options, **attack.options)
    if attack.during:
        attack.during(bed, task)
    ended = bed.finish(task, 90)
    path = os.path.join(witness, "it")
    got = b""
    if os.path.exists(path):
        with open(path, "rb") as file:
            got = file.read(1 << 24)
    assert got.startswith(b"began") or not attack.begins, f"the attack never ran: {ended}"
    given = [part for keys in task.endpoint.given for part in (keys.secret, keys.token)]
    return Fought(ended, got, bed.storage.tree(BUCKET, bed.folder_of(spec)), spec,
                  [*given, GIT_TOKEN, HIDDEN, task.endpoint.credentials_path])
