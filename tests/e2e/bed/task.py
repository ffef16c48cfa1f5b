"""A task as ECS on Fargate runs it: containers that share a network and volumes and nothing else, started in order,
stopped together.

- When an essential container ends, or the task is stopped, the others get SIGTERM, and SIGKILL after their stopTimeout.
- One that is not essential may end or be killed, and the task goes on.
- The task metadata says what is true: PENDING, RUNNING once its process is there, STOPPED once that has ended.

Source: Amazon ECS Developer Guide, "Task definition parameters for Fargate" and "Task lifecycle".
"""

import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field

from . import container

NEVER = float("inf")
HOLD = 'mount -t tmpfs -o "size=$2,mode=755" volumes "$1" && echo ready && exec cat'
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass
class Definition:
    """One of a task definition's containerDefinitions. memory: the hard limit in bytes. mounts: {path: volume}.
    drop: capabilities. start_after: seconds between its turn and its start, NEVER to keep it PENDING.
    options: more of container.Container."""

    name: str
    layers: list
    command: list = None  # without it the image's
    entry_point: list = None
    image: dict = field(default_factory=dict)  # what the image says: Entrypoint, Cmd, Env
    environment: dict = field(default_factory=dict)
    essential: bool = True
    read_only: bool = False
    memory: int = None
    drop: tuple = ()
    stop_timeout: float = 30
    depends_on: tuple = ()  # names; condition START
    mounts: dict = field(default_factory=dict)
    start_after: float = 0
    options: dict = field(default_factory=dict)

    def arguments(self):
        entry = self.image.get("Entrypoint") if self.entry_point is None else self.entry_point
        # an entry point of the task definition's own drops the image's command
        command = self.image.get("Cmd") if self.command is None and self.entry_point is None else self.command
        return [*(entry or []), *(command or [])]

    def variables(self):
        return {**dict(pair.split("=", 1) for pair in self.image.get("Env") or []), **self.environment}


class Task:
    """What a test asks of a container (text, wait_for, signal, pid, …) is asked of the first essential one.

    overrides: {container's name: {"command": …, "environment": {…}}}, as RunTask takes them.
    size: of all volumes together, as a number for tmpfs."""

    def __init__(self, folder, endpoint, network, definitions, overrides=None, size="2g"):
        self.endpoint = endpoint
        self.definitions = {definition.name: definition for definition in definitions}
        self.folder = os.path.join(folder, "task-" + endpoint.id[:12])
        self.containers, self.threads = {}, []
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.stop_code = self.stopped_reason = None
        self.created = time.time()
        endpoint.status = "PENDING"
        endpoint.containers = [
            endpoint.add_container(definition.name, number, memory=definition.memory)
            for number, definition in enumerate(definitions, 1)]
        self.volumes = os.path.join(self.folder, "volumes")
        os.makedirs(self.volumes, mode=0o755)
        os.chmod(self.folder, 0o755)
        # Holds the volumes' mount; when we end, however it happens, it reads the end of its input.
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", HOLD, "sh",
                                        self.volumes, size], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"ready\n"
        for definition in definitions:
            override = (overrides or {}).get(definition.name, {})
            self.containers[definition.name] = self._container(definition, override, network)
        self.main_name = next(definition.name for definition in definitions if definition.essential)

    def _container(self, definition, override, network):
        options = dict(definition.options)
        volumes = {path: self.volume(name) for path, name in definition.mounts.items()}
        volumes.update(options.pop("volumes", {}))
        if "command" in override:
            definition.command = override["command"]
        environment = {**definition.variables(), **self.endpoint.environment(definition.name),
                       **override.get("environment", {})}
        return container.Container(
            self.folder, definition.layers, definition.arguments(), environment=environment, volumes=volumes,
            network=network, memory=definition.memory, read_only=definition.read_only, drop=definition.drop,
            beside=self.holder.pid, **options)

    def volume(self, name):
        """Where a volume is in the containers' mount namespace. Fargate's are empty and root's."""
        folder = self.on_host(name)
        if not os.path.isdir(folder):
            os.mkdir(folder)
            os.chmod(folder, 0o755)
        return os.path.join(self.volumes, name)

    def on_host(self, volume):
        """The folder of a volume, for the test to look into while the task is there."""
        return os.path.join(f"/proc/{self.holder.pid}/root" + self.volumes, volume)

    def container(self, name):
        return self.containers[name]

    @property
    def builder(self):
        """The container where the build runs."""
        return self.containers.get("sandbox", self.main)

    @property
    def main(self):
        return self.containers[self.main_name]

    def __getattr__(self, name):
        if name in ("containers", "main_name"):  # not made yet
            raise AttributeError(name)
        return getattr(self.main, name)

    # -- life

    def start(self):
        for name in self.definitions:
            thread = threading.Thread(target=self._life, args=(name,), daemon=True)
            self.threads.append(thread)
        for thread in self.threads:
            thread.start()
        return self

    def _life(self, name):
        definition, record = self.definitions[name], self.endpoint.container(name)
        if self._may_start(definition, record) and self._starts(name, record):
            code = self.containers[name].wait(None)
            if self.containers[name].killed_for_memory():
                record.reason = OUT_OF_MEMORY
            record.to("STOPPED", code if code >= 0 else 128 - code)
        elif record.status != "STOPPED":
            record.to("STOPPED")
        if definition.essential:
            self.stop("Essential container in task exited", "EssentialContainerExited")
        with self.lock:
            if all(other.status == "STOPPED" for other in self.endpoint.containers):
                self.stop("Essential container in task exited", "EssentialContainerExited")
                self.endpoint.status = "STOPPED"

    def _may_start(self, definition, record):
        """Waits for its turn. False: the task is stopped first, or what it depends on never ran."""
        for name in definition.depends_on:
            while (other := self.endpoint.container(name)).status == "PENDING":
                if self.stopping.wait(0.005):
                    return False
            if all(status != "RUNNING" for _, status, _ in other.states):
                record.reason = f"dependency {name} did not start"
                self.stop(f"{name} did not start", "TaskFailedToStart")
                return False
        wait = None if definition.start_after == NEVER else definition.start_after
        return not self.stopping.is_set() and not (wait != 0 and self.stopping.wait(wait))

    def _starts(self, name, record):
        started = self.containers[name]
        with self.lock:
            if self.stopping.is_set():
                return False
            started.start()
        while not started.has_begun():
            if started.process.poll() is not None and not started.has_begun():
                started.wait()
                record.reason = f"CannotStartContainerError: {started.text().strip()[-400:]}"
                return False
            time.sleep(0.002)
        record.to("RUNNING")
        if self.endpoint.status == "PENDING":
            self.endpoint.status = "RUNNING"
        return True

    def stop(self, reason="Task stopped by user", code="UserInitiated"):
        """StopTask: returns at once; wait() waits."""
        if self.stopping.is_set():
            return
        self.stop_code, self.stopped_reason = code, reason
        self.endpoint.desired = "STOPPED"
        for record in self.endpoint.containers:
            record.desired = "STOPPED"
        self.stopping.set()
        for name in self.definitions:
            threading.Thread(target=self._end, args=(name,), daemon=True).start()

    def _end(self, name):
        ending = self.containers[name]
        if ending.process is None or ending.process.poll() is not None:
            return
        ending.signal("TERM")
        deadline = time.monotonic() + self.definitions[name].stop_timeout
        while ending.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if ending.process.poll() is None:
            ending.signal("KILL")

    def wait(self, timeout=120):
        """Until the whole task is STOPPED; the exit code of the first essential container."""
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self.threads):
            self.kill()
            raise AssertionError(f"still running after {timeout} s:\n{self.evidence()}")
        if self.main.ended is None:
            raise AssertionError(f"{self.main_name} never started: {self.stopped_reason}\n{self.evidence()}")
        return self.endpoint.container(self.main_name).exit_code

    def describe(self):
        """The task as DescribeTasks tells it."""
        containers = []
        for record in self.endpoint.containers:
            entry = {"name": record.name, "containerArn": record.arn, "taskArn": self.endpoint.arn,
                     "lastStatus": record.status}
            if record.exit_code is not None:
                entry["exitCode"] = record.exit_code
            if record.reason is not None:
                entry["reason"] = record.reason
            containers.append(entry)
        document = {"taskArn": self.endpoint.arn, "clusterArn": self.endpoint.cluster_arn,
                    "lastStatus": self.endpoint.status, "desiredStatus": self.endpoint.desired,
                    "createdAt": self.created, "launchType": "FARGATE", "containers": containers}
        if self.stop_code:
            document.update(stopCode=self.stop_code, stoppedReason=self.stopped_reason)
        return document

    def await_start(self):
        """Until the first essential container has been started, or the task has been stopped before."""
        while self.main.process is None and not self.stopping.wait(0.005):
            pass

    def signal(self, name):
        """ECS signals tasks, not containers: TERM stops it."""
        if name == "TERM":
            self.stop()
        else:
            self.main.signal(name)

    def evidence(self):
        parts = [json.dumps(self.describe(), indent=1)]
        parts += [f"-- {name}\n{one.text()[-4000:]}" for name, one in self.containers.items()]
        return "\n".join(parts)

    def kill(self):
        self.stopping.set()
        for one in self.containers.values():
            one.kill()

    def close(self):
        self.kill()
        for thread in self.threads:
            thread.join(15)
        for one in self.containers.values():
            one.close()
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
