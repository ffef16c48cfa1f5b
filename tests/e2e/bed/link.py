"""What stands between a task's network and a broker, one for each port, and what may happen to a connection there."""

import contextlib
import ctypes
import socket
import struct
import threading
import time

PIECE = 16384
NOTHING = struct.pack("H14x", socket.AF_UNSPEC)
_libc = ctypes.CDLL(None, use_errno=True)


class Link:
    """Pipes to a server of the host's loopback. A server that is not there resets who connects.

        link.cut()                  # every connection is reset now
        link.hold(); link.flow()    # nothing passes, nothing ends: a black hole
        link.lose_answers = True    # what clients send arrives, what the server says is lost
        link.refuse = 3             # so many connections from now on are reset at once
        link.rate = 100_000         # bytes a second, each way of each connection; None: no limit
        link.cut_after = 5_000      # a connection is reset once so many bytes of the client have passed; once
        link.delay = 0.1            # seconds that each piece waits, both ways
    """

    def __init__(self, address):
        self.address = address
        self.connections = 0  # that were made to the server
        self.attempts = 0
        self.to_server = self.to_client = 0  # bytes
        self.lose_answers, self.refuse, self.rate, self.cut_after, self.delay = False, 0, None, None, 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs, self._lock = set(), threading.Lock()

    def reset(self):
        """As it was made, for the next test."""
        self.cut()
        self.connections = self.attempts = self.to_server = self.to_client = 0
        self.lose_answers, self.refuse, self.rate, self.cut_after, self.delay = False, 0, None, None, 0.0
        self.flow()

    def hold(self):
        self._flowing.clear()

    def flow(self):
        self._flowing.set()

    def cut(self):
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for sock in pair:
                reset_connection(sock)

    def on_connection(self, client):
        with self._lock:
            self.attempts += 1
            refused, self.refuse = self.refuse > 0, max(0, self.refuse - 1)
        try:
            if refused:
                raise ConnectionResetError
            client = self.greet(client)
            server = socket.create_connection(self.address, timeout=5)
        except OSError:
            reset_connection(client)
            client.close()
            return
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, server)
        with self._lock:
            self.connections += 1
            self._pairs.add(pair)
        back = threading.Thread(target=self._pump, args=(server, client, pair), daemon=True)
        back.start()
        self._pump(client, server, pair)
        back.join()
        with self._lock:
            self._pairs.discard(pair)
        for sock in pair:
            sock.close()

    def greet(self, client):
        return client

    def _pump(self, source, target, pair):
        upwards = source is pair[0]
        try:
            while data := source.recv(PIECE):
                self._flowing.wait()
                self._wait(len(data))
                if upwards:
                    self.to_server += len(data)
                    if self._is_over(pair):
                        return
                else:
                    self.to_client += len(data)
                    if self.lose_answers:
                        continue
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # how one side ended is how the other shall
            for sock in pair:
                reset_connection(sock)

    def _wait(self, size):
        if self.rate or self.delay:
            time.sleep(self.delay + (size / self.rate if self.rate else 0))

    def _is_over(self, pair):
        if self.cut_after is None or self.to_server < self.cut_after:
            return False
        self.cut_after = None
        for sock in pair:
            reset_connection(sock)
        return True


class StrangersLink(Link):
    """TLS with a certificate by an authority that no client knows, before the server's plain port: who does not look at
    certificates gets through and is noticed, for then there are connections."""

    def __init__(self, address, authority):
        super().__init__(address)
        self.context = authority.context

    def greet(self, client):
        return self.context.wrap_socket(client, server_side=True)


def reset_connection(sock):
    """RST, at once, though other threads may be reading: to disconnect is to connect to nothing."""
    with contextlib.suppress(OSError):
        if sock.fileno() >= 0:
            _libc.connect(sock.fileno(), NOTHING, len(NOTHING))
