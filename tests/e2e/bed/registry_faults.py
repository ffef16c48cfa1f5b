"""What stands between a client and its registry: a proxy that notes every request and spoils those that it is told to.

    with registry_faults.Proxy(hub.host) as proxy:
        proxy.on("PUT", "/blobs/uploads/", cut(1000))          # the first such request, after 1000 bytes of its body
        proxy.on("POST", "/blobs/", answer(429, retry_after=1), times=2)
        ...
        proxy.seen                                             # every request, as the client sent it

It streams: a body of gigabytes goes through it in pieces.
"""

import hashlib
import http.client
import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field

from . import http1

PIECE = 1 << 17


@dataclass
class Seen:
    method: str
    path: str  # with its query
    headers: dict
    body: int = 0  # bytes that came
    status: int = 0


@dataclass
class Fault:
    method: str
    part: str  # of the path
    act: object
    times: int
    skip: int = 0
    hits: list = field(default_factory=list)


class Gone(Exception):
    """The connection ends here."""


# -- what may be done to a request


def cut(after):
    """Both sides lose the connection after so many bytes of the body."""

    def act(exchange):
        exchange.send_head()
        exchange.pump_body(after)
        raise Gone

    return act


def lose_answer(exchange):
    """The registry gets it all, and its answer does not come."""
    exchange.send_head()
    exchange.pump_body()
    exchange.upstream_response().read()
    raise Gone


def hang_up(exchange):
    raise Gone


def answer(status, body=b"", *headers, retry_after=None):
    """In the registry's place."""
    more = [("Retry-After", str(retry_after))] if retry_after is not None else []

    def act(exchange):
        exchange.drain_body()
        exchange.answer(status, [*headers, *more], body)

    return act


def error(status, code, message, *headers):
    return answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(),
                  ("Content-Type", "application/json"), *headers)


def redirect(status, origin):
    """To the same path at another origin."""

    def act(exchange):
        exchange.drain_body()
        exchange.answer(status, [("Location", origin + exchange.seen.path)], b"")

    return act


def with_headers(*headers):
    """The registry's answer, with headers that it did not give."""

    def act(exchange):
        exchange.forward(headers)

    return act


def late(seconds):
    """The registry's answer, after a while."""

    def act(exchange):
        exchange.forward(delay=seconds)

    return act


def without_body(exchange):
    """As ECR does with every PATCH but the first: it takes the body, and keeps nothing of it."""
    exchange.drain_body()
    exchange.length = 0
    exchange.seen.headers["content-length"] = "0"
    exchange.forward()


def call(action, act=None):
    """Does something first; then the request goes on, or what else is to be done with it."""

    def both(exchange):
        action()
        (act or Exchange.forward)(exchange)

    return both


class Exchange:
    def __init__(self, proxy, reader, client, seen):
        self.proxy, self.reader, self.client, self.seen = proxy, reader, client, seen
        self.length = int(seen.headers.get("content-length", "0"))
        self.left = self.length
        self.upstream = None

    def send_head(self):
        self.upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=300)
        self.upstream.putrequest(self.seen.method, self.seen.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**self.seen.headers, **self.proxy.inject()}.items():
            if name != "connection":
                self.upstream.putheader(name, value)
        self.upstream.endheaders()

    def pieces(self):
        while self.left:
            piece = self.reader.read1(min(PIECE, self.left))
            if not piece:
                raise Gone
            self.left -= len(piece)
            self.seen.body += len(piece)
            yield piece

    def drain_body(self):
        for _ in self.pieces():
            pass

    def pump_body(self, limit=None):
        for piece in self.pieces():
            self.upstream.send(piece)
            if limit is not None and self.seen.body >= limit:
                return

    def upstream_response(self):
        response = self.upstream.getresponse()
        self.seen.status = response.status
        return response

    def forward(self, headers=(), delay=0):
        self.send_head()
        self.pump_body()
        response = self.upstream_response()
        body = response.read()
        replaced = {name.lower() for name, _ in headers}
        time.sleep(delay)
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in replaced]
        self.answer(response.status, [*kept, *headers], body)
        self.upstream.close()

    def answer(self, status, headers, body):
        self.seen.status = status
        lines = [f"HTTP/1.1 {status} {http1.REASONS.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not any(name.lower() == "content-length" for name, _ in headers) and status != 204:
            lines.append(f"Content-Length: {len(body)}")
        self.client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if self.seen.method == "HEAD" else body))


class Proxy:
    """upstream: "host:port" of a registry that speaks http. inject(): headers that every request gets on its way."""

    def __init__(self, upstream, inject=dict):
        self.upstream, self.inject = upstream, inject
        self.seen, self.faults, self.lock = [], [], threading.Lock()
        self.connections = 0
        self.listener = http1.listen("127.0.0.1")
        self.port = self.listener.getsockname()[1]
        self.host, self.origin = f"127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port}"
        http1.accept_on(self.listener, self._on_connection)

    def on(self, method, part, act, times=1, skip=0):
        """The next `times` requests of that method whose path has that part (after `skip` of them)."""
        fault = Fault(method, part, act, times, skip)
        self.faults.append(fault)
        return fault

    def _choose(self, seen):
        with self.lock:
            self.seen.append(seen)
            for fault in self.faults:
                if fault.method == seen.method and fault.part in seen.path and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    fault.hits.append(seen)
                    return fault.act
        return Exchange.forward

    def _on_connection(self, client):
        reader = client.makefile("rb", PIECE)
        with self.lock:
            self.connections += 1
        try:
            while (seen := _read_head(reader)) is not None:
                self._choose(seen)(Exchange(self, reader, client, seen))
        except (Gone, OSError, http.client.HTTPException):
            pass
        finally:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            reader.close()
            client.close()

    def requests(self, method, part=""):
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        http1.close_listener(self.listener)


def _read_head(reader):
    if not reader.peek(1)[:1].isalpha():
        return None  # somebody speaks TLS, or has gone
    first = reader.readline(65536).split()
    if len(first) != 3:
        return None
    headers = {}
    while line := reader.readline(65536).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Seen(first[0].decode(), first[1].decode(), headers)


class Sink(Proxy):
    """A registry that hashes what it is sent and keeps none of it: for bodies that no disk of a test should hold."""

    def __init__(self):
        super().__init__("")
        self.blobs, self.manifests = {}, {}

    def _choose(self, seen):
        self.seen.append(seen)
        return self._serve

    def _serve(self, exchange):
        seen, path = exchange.seen, exchange.seen.path.partition("?")[0]
        if seen.method == "PUT":
            self._take(exchange)
        elif seen.method == "POST":
            exchange.answer(202, [("Location", path + secrets.token_hex(8))], b"")
        else:
            exchange.answer(200 if path == "/v2/" else 404, [], b"")

    def _take(self, exchange):
        hashed, length = hashlib.sha256(), 0
        for piece in exchange.pieces():
            hashed.update(piece)
            length += len(piece)
        digest = "sha256:" + hashed.hexdigest()
        path, _, wanted = exchange.seen.path.partition("digest=")
        if "/manifests/" in path:
            self.manifests[path.rpartition("/")[2]] = digest
        elif digest == wanted:
            self.blobs[digest] = length
        exchange.answer(201 if "/manifests/" in path or digest == wanted else 400, [], b"")
