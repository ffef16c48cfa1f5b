"""A network namespace like that of an ECS task: nothing but a loopback that carries 169.254.170.2 and the addresses of
the test servers. Servers of this process get their listening sockets inside, so neither routes, bridges nor name
servers are needed and nothing of the host's network changes. The namespace goes when its last holder does.
"""

import ctypes
import os
import subprocess
import threading

from . import http1

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _in_thread(call):
    """Runs call() in a thread of its own, because a namespace is entered by a thread for good."""
    result = []

    def body():
        try:
            result.append((call(), None))
        except BaseException as error:  # handed to the caller below
            result.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


def _check(status, what):
    if status != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


class NetworkNamespace:
    def __init__(self, addresses):
        self.listeners = []
        self.fd = _in_thread(lambda: self._create(addresses))

    @staticmethod
    def _create(addresses):
        _check(_libc.unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)")
        batch = "link set lo up\n" + "".join(f"addr add {address}/32 dev lo\n" for address in addresses)
        subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def inside(self, call):
        def enter():
            _check(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            return call()

        return _in_thread(enter)

    def listen(self, address, port):
        sock = self.inside(lambda: http1.listen(address, port))
        self.listeners.append(sock)
        return sock

    def close(self):
        for sock in self.listeners:
            http1.close_listener(sock)
        self.listeners = []
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
