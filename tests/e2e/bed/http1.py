"""A small HTTP/1.1 server for test doubles.

A service is an object with `handle(request) -> Response`. It answers on any number of listening sockets, each of which
may live in another network namespace, so that one server is reachable from several containers. Parsing is strict:
a client that passes here sends well-formed requests.
"""

import random
import socket
import ssl
import threading
import time
import traceback
import urllib.parse
from dataclasses import dataclass, field

REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    302: "Found", 304: "Not Modified", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type",
    422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable",
}
HEADER_LIMIT = 65536


class Drop(Exception):
    """Raised by a service to close the connection without an answer."""


class BadRequest(Exception):
    pass


@dataclass
class Request:
    method: str
    target: str
    headers: list  # (name in lower case, value), in the order sent
    body: bytes = b""
    tls: bool = False
    started: float = 0.0
    path: str = ""  # still percent-encoded
    query: list = field(default_factory=list)  # (name, value), decoded

    def __post_init__(self):
        path, _, query = self.target.partition("?")
        self.path = path
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)

    def header(self, name, default=""):
        return ",".join(value for key, value in self.headers if key == name.lower()) or default

    def has(self, name):
        return any(key == name.lower() for key, _ in self.headers)

    def parameter(self, name, default=None):
        return dict(self.query).get(name, default)


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: list = field(default_factory=list)


class Connection:
    """One client connection: requests one after the other until either side closes."""

    def __init__(self, sock, service, tls):
        self.sock, self.service, self.tls = sock, service, tls
        self.reader = sock.makefile("rb", 65536)

    def serve(self):
        try:
            while self.serve_one():
                pass
        except (OSError, Drop):
            pass
        except BadRequest as error:
            self.send("GET", Response(400, str(error).encode()), close=True)
        finally:
            self.reader.close()
            self.sock.close()

    def serve_one(self):
        request = self.read_request()
        if request is None:
            return False
        close = "close" in request.header("connection").lower()
        try:
            response = self.service.handle(request)
        except (Drop, OSError):
            raise
        except Exception:
            traceback.print_exc()  # a mistake of the double, not the client's: it shows among the test's output
            response = Response(500, b"the test double failed\n")
        self.send(request.method, response, close)
        return not close

    def read_line(self):
        line = self.reader.readline(HEADER_LIMIT)
        if line and not line.endswith(b"\r\n"):
            raise BadRequest("a line is cut off, too long or does not end in CR LF")
        return line[:-2].decode("latin-1")

    def read_request(self):
        first = self.read_line()
        if not first:
            return None
        words = first.split(" ")
        if len(words) != 3 or words[2] != "HTTP/1.1":
            raise BadRequest(f"not a request line: {first!r}")
        headers = []
        while line := self.read_line():
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest(f"not a header: {line!r}")
            headers.append((name.lower(), value.strip()))
        request = Request(words[0], words[1], headers, tls=self.tls, started=time.monotonic())
        if not request.has("host"):
            raise BadRequest("no Host header")
        request.body = self.read_body(request)
        return request

    def read_body(self, request):
        if request.header("expect").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding").lower() == "chunked":
            return self.read_chunks()
        length = request.header("content-length", "0")
        if not length.isdigit():
            raise BadRequest("not a Content-Length")
        body = self.reader.read(int(length))
        if len(body) != int(length):
            raise Drop
        return body

    def read_chunks(self):
        parts = []
        while size := int(self.read_line().partition(";")[0], 16):
            parts.append(self.reader.read(size))
            self.reader.read(2)
        while self.read_line():
            pass
        return b"".join(parts)

    def send(self, method, response, close):
        head = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}"]
        head += [f"{name}: {value}" for name, value in response.headers]
        names = {name.lower() for name, _ in response.headers}
        if "content-length" not in names and response.status not in (204, 304):
            head.append(f"Content-Length: {len(response.body)}")
        if "date" not in names:
            head.append("Date: " + http_date(time.time()))
        if close:
            head.append("Connection: close")
        body = b"" if method == "HEAD" else response.body
        self.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)


def http_date(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


_GIVEN = set()


def free_port():
    """For a server that is told its port. Below those that the kernel gives to connections, which come and go, and none
    twice: a port that is free now is somebody else's a moment later."""
    for port in random.SystemRandom().sample(range(10000, 32000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
    raise OSError("no port is free")


def listen(address, port=0):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(512)
    return sock


def accept_on(sock, on_connection):
    """Calls on_connection(connected socket) in a thread of its own for each client, until `sock` is shut down."""

    def loop():
        while True:
            try:
                client, _ = sock.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=on_connection, args=(client,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def answerer(service, tls_context=None):
    """on_connection(connected socket) that answers HTTP requests."""

    def on_connection(client):
        if tls_context is not None:
            try:
                client = tls_context.wrap_socket(client, server_side=True)
            except (OSError, ssl.SSLError):
                client.close()
                return
        Connection(client, service, tls_context is not None).serve()

    return on_connection


def serve(sock, service, tls_context=None):
    """Answers HTTP requests that reach the listening socket until close_listener(sock)."""
    accept_on(sock, answerer(service, tls_context))


def close_listener(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
