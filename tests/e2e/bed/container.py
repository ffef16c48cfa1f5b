"""A container as ECS on Fargate starts it: the program is PID 1 and root, with Docker's capabilities and system call
filter, no user namespace, the task's network, a writable layer of its own and nothing of the host.

crun runs it from an OCI configuration written here, so nothing stands between the tests and what they ask for. The
mounts are made in a private mount namespace and go with the process, however it ends.
"""

import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid

from . import memory_group, seccomp

CAPABILITIES = """
    CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP
    CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE
""".split()
CAPABILITY_MASK = 0xA80425FB  # the same fourteen, as /proc/PID/status shows them
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# $1: working folder, $2: the image's layers as overlayfs wants them, $3: size of the writable layer, $4: the memory
# group or nothing, then the command.
# crun refuses hosts that have version 2 of cgroups beside version 1, so this namespace does not see it.
START = r"""
set -e
[ -z "$4" ] || echo $$ >"$4/cgroup.procs"
umount /sys/fs/cgroup/unified 2>/dev/null || true
mount -t tmpfs -o "size=$3,mode=755" layer "$1/layer"
cp -a "$1/seed" "$1/layer/upper"
mkdir "$1/layer/work" "$1/layer/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/layer/upper,workdir=$1/layer/work" root "$1/layer/root"
ln -s "$1/layer/root" "$1/bundle/rootfs"
shift 4
exec "$@"
"""


class Container:
    """args: the command line, args[0] being the program's path in the container.
    layers: folders that make the image, the uppermost first.
    files: {absolute path: text, bytes or (content, mode)} laid over the image. volumes: {path: folder of the host}.
    memory: limit in bytes. refuse_calls: system calls that answer ENOSYS, as an older kernel would. filtered: by a
    profile like Docker's.
    read_only: the root file system, after `files` were laid. drop: capabilities of Docker's that it lacks.
    beside: pid of a process in whose mount namespace `volumes` are found. user: (uid, gid) of PID 1. nofile: (soft,
    hard), as far as this machine allows."""

    def __init__(self, folder, layers, args, environment=None, files=None, volumes=None, network=None,
                 size="2g", terminal=False, read_output=True, refuse_calls=(), memory=None, read_only=False, drop=(),
                 beside=None, filtered=True, user=(0, 0), cwd="/", nofile=(1024, 65536)):
        self.id = "caisson-e2e-" + uuid.uuid4().hex[:12]
        self.folder = os.path.join(folder, self.id)
        self.layers, self.size, self.terminal = list(layers), size, terminal
        self.output = b""
        self.changed = threading.Condition()
        self.process = self.started = self.ended = self.reader = None
        self.read_output, self.read_only, self.beside = read_output, read_only, beside
        self.capabilities = [name for name in CAPABILITIES if name not in drop]
        self.filtered, self.nofile = filtered, nofile
        self.group = memory_group.MemoryGroup(self.id, memory)
        for part in ("layer", "seed", "bundle", "crun"):
            os.makedirs(os.path.join(self.folder, part), mode=0o755)
        for part in (".", "layer", "seed"):  # the umask may have taken what the build user needs
            os.chmod(os.path.join(self.folder, part), 0o755)
        for path, content in (files or {}).items():
            self._lay(path, content)
        config = self._config(args, environment or {}, volumes or {}, network, refuse_calls)
        config["process"].update(user={"uid": user[0], "gid": user[1]}, cwd=cwd)
        with open(os.path.join(self.folder, "bundle", "config.json"), "w") as file:
            json.dump(config, file)

    def _lay(self, path, content):
        content, mode = content if isinstance(content, tuple) else (content, 0o644)
        seed = os.path.join(self.folder, "seed")
        target = os.path.join(seed, path.lstrip("/"))
        make_folders(seed, os.path.dirname(path))
        with open(target, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(target, mode)

    def _config(self, args, environment, volumes, network, refuse_calls):
        variables = {"PATH": PATH, "HOSTNAME": "ip-10-0-0-1", **environment}
        if self.terminal:
            variables.setdefault("TERM", "xterm")
        soft, hard = (min(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) for limit in self.nofile)
        namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        namespaces.append({"type": "network", **({"path": network} if network else {})})
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": self.terminal, "args": args,
                "env": [f"{name}={value}" for name, value in variables.items()],
                "capabilities": {kind: self.capabilities for kind in ("bounding", "effective", "permitted")},
                "rlimits": [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}],
            },
            "root": {"path": "rootfs", "readonly": self.read_only},
            "hostname": "ip-10-0-0-1",
            "mounts": _mounts(volumes) + self.group.mounts(),
            "linux": {
                "namespaces": namespaces,
                "seccomp": seccomp.profile(refuse_calls, self.filtered),
                "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                                "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        }

    # -- life

    def start(self):
        enter = ["nsenter", f"--mount=/proc/{self.beside}/ns/mnt"] if self.beside else []
        command = [*enter, "unshare", "--mount", "--propagation", "private", "sh", "-c", START, "sh", self.folder,
                   ":".join(self.layers), self.size, self.group.folder or "",
                   *self._crun("run", "--bundle", os.path.join(self.folder, "bundle"), "--pid-file",
                               os.path.join(self.folder, "pid"), self.id)]
        self.started = time.monotonic()
        if self.terminal:
            self.master, slave = pty.openpty()
            self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
            os.close(slave)
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, start_new_session=True)
            self.master = self.process.stdout.fileno()
        if self.read_output:
            reader = threading.Thread(target=self._read, daemon=True)
            reader.start()
            self.reader = reader  # who sees it sees it alive
        return self

    def _crun(self, *words):
        return ["crun", "--root", os.path.join(self.folder, "crun"), "--cgroup-manager=disabled", *words]

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # a terminal whose other side is gone
                data = b""
            with self.changed:
                self.output += data
                self.changed.notify_all()
            if not data:
                return

    def pid(self):
        """Of the container's PID 1, as the host sees it."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not self.has_ended():
            try:
                with open(os.path.join(self.folder, "crun", self.id, "status")) as file:
                    return json.load(file)["pid"]
            except (FileNotFoundError, ValueError):
                time.sleep(0.005)
        raise AssertionError(f"the container does not start: {self.text()}")

    @property
    def builder(self):
        """The container where the build runs; of a task another than where it is reported from."""
        return self

    def has_begun(self):
        """Its program has been started, and may have ended since."""
        return os.path.exists(os.path.join(self.folder, "pid"))

    def has_ended(self):
        return self.process is not None and self.process.poll() is not None

    def killed_for_memory(self):
        """Whether the kernel has killed a process of it for its memory limit."""
        return self.group.kills() > 0

    def signal(self, name):
        """Nothing happens when the container has ended meanwhile."""
        try:
            self.pid()
        except AssertionError:
            if self.has_ended():
                return
            raise
        subprocess.run(self._crun("kill", self.id, name), check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def type(self, data):
        """Keys pressed at the terminal."""
        os.write(self.master, data)

    def wait(self, timeout=120):
        """The exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {timeout} s:\n{self.text()[-4000:]}") from None
        self.ended = time.monotonic()
        if self.read_output:
            self.reader.join(10)
        return code

    @property
    def seconds(self):
        return self.ended - self.started

    def text(self):
        return self.output.decode("utf-8", "replace")

    def wait_for(self, text, timeout=60):
        """Until the output contains `text`."""
        wanted, deadline = text.encode(), time.monotonic() + timeout
        with self.changed:
            while wanted not in self.output:
                left = deadline - time.monotonic()
                ended = self.reader is not None and not self.reader.is_alive()
                if left <= 0 or ended:
                    raise AssertionError(f"no {text!r} in the output:\n{self.text()[-4000:]}")
                self.changed.wait(min(left, 0.2))

    def unread(self, limit=1 << 20):
        """What waits in the pipe that nobody has read (read_output=False)."""
        parts = []
        while select.select([self.master], [], [], 0)[0] and (data := os.read(self.master, limit)):
            parts.append(data)
        return b"".join(parts)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.signal("KILL")
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def close(self):
        self.kill()
        if self.process is not None:
            if self.terminal:
                os.close(self.master)
            else:
                self.process.stdout.close()
        self.group.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_folders(root, path):
    """The folders of `path` beneath `root`, with the modes of an image whatever the umask."""
    for part in path.strip("/").split("/"):
        root = os.path.join(root, part)
        if not os.path.isdir(root):
            os.mkdir(root)
            os.chmod(root, 0o1777 if part == "tmp" else 0o755)


def _mounts(volumes):
    def mount(destination, kind, *options):
        return {"destination": destination, "type": kind, "source": kind, "options": ["nosuid", *options]}

    standard = [
        mount("/proc", "proc", "noexec", "nodev"),
        mount("/dev", "tmpfs", "strictatime", "mode=755", "size=65536k"),
        mount("/dev/pts", "devpts", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        mount("/dev/mqueue", "mqueue", "noexec", "nodev"),
        mount("/dev/shm", "tmpfs", "noexec", "nodev", "mode=1777", "size=65536k"),
        mount("/sys", "sysfs", "noexec", "nodev", "ro"),
    ]
    return standard + [{"destination": path, "type": "bind", "source": folder, "options": ["rbind", "rw"]}
                       for path, folder in volumes.items()]


def why_impossible():
    """None where containers can run, else the reason."""
    if not sys.platform.startswith("linux"):
        return "containers need Linux"
    if os.geteuid() != 0:
        return "containers need root"
    missing = [tool for tool in ("crun", "unshare", "ip") if shutil.which(tool) is None]
    if missing:
        return "not installed: " + ", ".join(missing)
    probe = subprocess.run(["unshare", "--mount", "--net", "--propagation", "private", "mount", "-t", "tmpfs", "probe",
                            "/tmp"], capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else "namespaces or mounts are forbidden here: " + probe.stderr.strip()
