"""What the brokers have in common: programs of their own on free ports of the host's loopback.

    with redis.Redis(folder) as broker:         # one of a test's own
    broker.kill(); broker.start()               # SIGKILL; back with the same ports and data
    broker.restart()                            # asked to end, and back
    broker.pause(); broker.resume()             # SIGSTOP: connections stand, nobody answers
    bed.start(…, services=broker.services())    # reachable in a task's network

A server that takes seconds to start is one for all workers of a run (`shared`): it starts when the first test wants it and
ends with its last user, whatever became of that one (keeper.py). Tests of a shared server keep apart by names of their
own. One that kills, pauses or fills it uses it `alone`; the fixtures of brokers.py see to that.

In a task's network a broker is reached through links (link.py), one a port, in broker.links: they cut, hold and slow what
passes. A killed broker's port resets whoever connects; to have a port refuse, leave its service out.
"""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time

from . import http1
from .link import Link, StrangersLink

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORDS = "canary-broker-"


def password():
    return PASSWORDS + secrets.token_hex(8)


class DoesNotStart(AssertionError):
    pass


class Server:
    """A subclass names its `ports`, and says command(), environment() and is_ready(). setup() is called once for a folder,
    before the first start; what it leaves in self.kept (JSON) every user of a shared server gets."""

    name = ""  # in a task's network
    what = "server"  # for people
    start_limit_s = 150  # on a machine that does ten other things

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.log_path = os.path.join(folder, "log")
        self.seconds = 0.0  # the last start took
        self.links = {}
        self.users = open(os.path.join(folder, "users"), "a")
        fcntl.flock(self.users, fcntl.LOCK_SH)
        self.kept = self._keep()

    def _keep(self):
        path = os.path.join(self.folder, "kept.json")
        with open(os.path.join(self.folder, "setup"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                kept = self.setup()
                with open(path, "w") as file:
                    json.dump(kept, file)
            with open(path) as file:
                return json.load(file)

    # -- what a subclass says

    def setup(self):
        return {}

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def is_ready(self):
        """Asked again and again; an OSError means no."""
        raise NotImplementedError

    # -- life

    def start(self):
        began = time.monotonic()
        with open(self.log_path, "ab") as log:
            keeper = subprocess.Popen([sys.executable, os.path.join(HERE, "keeper.py"), self.folder, *self.command()],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                      cwd=self.folder, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                                                            **self.environment()})
        while not self._ready():
            if time.monotonic() - began > self.start_limit_s or keeper.poll() is not None:
                raise DoesNotStart(f"{self.what} does not start: {self.words()[-3000:]}")
            time.sleep(0.02)
        self.seconds = time.monotonic() - began
        print(f"{self.what} started in {self.seconds:.1f} s")
        return self

    def _ready(self):
        try:
            return self.alive() and self.is_ready()
        except OSError:
            return False

    def alive(self):
        with open(os.path.join(self.folder, "alive"), "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def group(self):
        with open(os.path.join(self.folder, "pid")) as file:
            return int(file.read())

    def signal(self, number):
        os.killpg(self.group(), number)

    def _await_end(self, limit_s=20):
        deadline = time.monotonic() + limit_s
        while self.alive():
            assert time.monotonic() < deadline, f"{self.what} does not end"
            time.sleep(0.01)

    def kill(self):
        self.signal(signal.SIGKILL)
        self._await_end()

    def end(self):
        """Asked to end, as a service manager does. start() has it back."""
        if self.alive():
            self.signal(signal.SIGTERM)
            self._await_end()

    def restart(self):
        self.end()
        self.start()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        """This user is done with it; the server ends with its last one."""
        for link in self.links.values():
            link.cut()
        self.users.close()

    def __enter__(self):
        return self if self.alive() else self.start()

    def __exit__(self, *_):
        self.stop()

    # -- evidence and access

    def words(self):
        with contextlib.suppress(FileNotFoundError), open(self.log_path, errors="replace") as file:
            return file.read()
        return ""

    def evidence(self):
        """(title, text) for the report of a failed test."""
        return f"log of {self.what}", self.words()[-4000:]

    def link(self, task_port, host_port, stranger=None):
        """What a task finds at this port: the broker's, or before it TLS whose authority nobody knows."""
        address = ("127.0.0.1", host_port)
        self.links[task_port] = StrangersLink(address, stranger) if stranger else Link(address)

    def services(self):
        """For Bed.start and Bed.network."""
        from .world import ADDRESSES

        return [(ADDRESSES[self.name], port, link.on_connection) for port, link in self.links.items()]


def answers(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


class Shared:
    """The servers that all workers of a run share. `make[name](folder)` gives a Server that is not yet started."""

    def __init__(self, folder, make):
        self.folder, self.make, self.made, self.in_use = folder, make, {}, set()

    def _lock(self, name, kind):
        return open(os.path.join(self.folder, f"{name}.{kind}.lock"), "a")

    @contextlib.contextmanager
    def use(self, name, alone=False):
        if name in self.in_use:  # by another fixture of this test
            yield self.made[name]
            return
        with self._lock(name, "use") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            server = self._server(name)
            self.in_use.add(name)
            try:
                yield server
            finally:
                self.in_use.discard(name)
                if alone and server.alive():
                    server.resume()
                for link in server.links.values():
                    link.reset()

    def _server(self, name):
        with self._lock(name, "start") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if name not in self.made:
                self.made[name] = self.make[name](os.path.join(self.folder, name))
            server = self.made[name]
            if not server.alive():
                server.start()
            return server

    def close(self):
        for server in self.made.values():
            server.stop()
        self.made = {}
