"""A strict S3 for the tests.

`Versity` runs versitygw, an S3 server that verifies Signature Version 4. `Gate` stands before it: it also knows
session tokens and their expiry (versitygw refuses every token), decides who may do what, records each request, and
injects faults. `Client` is what the tests themselves look with.
"""

import http.client
import itertools
import os
import re
import secrets
import signal
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from . import http1, sigv4

REGION = "eu-central-1"
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "expect", "content-length", "date", "server"}
NEVER_FORWARDED = HOP_BY_HOP | {"host", "authorization", "x-amz-date", "x-amz-security-token"}


class Client:
    """Signed S3 requests over one connection. Not safe for several threads."""

    def __init__(self, address, keys, region=REGION):
        self.keys, self.region = keys, region
        self.host = f"{address[0]}:{address[1]}"
        self.connection = http.client.HTTPConnection(*address, timeout=60)

    def request(self, method, path, query=(), headers=(), body=b""):
        signed = sigv4.sign(self.keys, self.region, method, self.host, path, query, headers, body)
        target = urllib.parse.quote(path, safe="/-_.~")
        if query:
            target += "?" + sigv4.canonical_query(query)
        self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in signed:
            self.connection.putheader(name, value)
        self.connection.putheader("content-length", str(len(body)))
        self.connection.endheaders(body or None)
        answer = self.connection.getresponse()
        return http1.Response(answer.status, answer.read(), answer.getheaders())

    def must(self, method, path, **arguments):
        answer = self.request(method, path, **arguments)
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        return answer

    def make_bucket(self, bucket):
        self.must("PUT", f"/{bucket}", body=(
            '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>'
            f"{self.region}</LocationConstraint></CreateBucketConfiguration>"
        ).encode())

    def put(self, bucket, key, body, **headers):
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.must("PUT", f"/{bucket}/{key}", headers=pairs, body=body)

    def get(self, bucket, key):
        return self.must("GET", f"/{bucket}/{key}").body

    def head(self, bucket, key):
        """Headers of an object, names in lower case; None when there is no such object."""
        answer = self.request("HEAD", f"/{bucket}/{key}")
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return {name.lower(): value for name, value in answer.headers}

    def keys_under(self, bucket, prefix=""):
        found, token = [], None
        while True:
            query = [("list-type", "2"), ("prefix", prefix)]
            if token:
                query.append(("continuation-token", token))
            text = self.must("GET", f"/{bucket}", query=query).body.decode()
            found += [_unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", text)]
            token = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if token is None:
                return sorted(found)
            token = _unescape(token[1])

    def tree(self, bucket, prefix=""):
        """{key below the prefix: bytes}"""
        return {key[len(prefix):]: self.get(bucket, key) for key in self.keys_under(bucket, prefix)}


def _unescape(text):
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, char)
    return text


class Versity:
    """A versitygw process over a folder, on a free port of the host's loopback."""

    def __init__(self, program, folder):
        self.keys = sigv4.Keys("ROOT" + secrets.token_hex(8).upper(), secrets.token_hex(20))
        probe = http1.listen("127.0.0.1")
        self.address = probe.getsockname()
        probe.close()
        data, users = os.path.join(folder, "data"), os.path.join(folder, "users")
        os.makedirs(data)
        os.makedirs(users)
        self.log = open(os.path.join(folder, "versitygw.log"), "wb")
        self.process = subprocess.Popen(
            [program, "--access", self.keys.access, "--secret", self.keys.secret, "--region", REGION,
             "--port", f"127.0.0.1:{self.address[1]}", "--iam-dir", users, "posix", data],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)
        self._await_start()

    def _await_start(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                Client(self.address, self.keys).request("GET", "/")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"versitygw does not start; see {self.log.name}") from None
                time.sleep(0.05)

    def client(self):
        return Client(self.address, self.keys)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@dataclass
class Seen:
    """One request as the gate saw it."""

    number: int
    method: str
    bucket: str
    key: str
    query: dict
    headers: dict
    size: int
    access: str = ""
    status: int = 0
    code: str = ""  # S3 error code
    at: float = field(default_factory=time.monotonic)

    def __str__(self):
        query = "?" + "&".join(f"{k}={v}" if v else k for k, v in self.query.items()) if self.query else ""
        return f"{self.number}: {self.method} {self.bucket}/{self.key}{query} -> {self.status} {self.code}"


class Fault:
    """What the gate does instead of, or around, forwarding a request that `match(seen)` selects."""

    def __init__(self, match, times=None):
        self.match, self.left = match, times
        self.hits = 0
        self.lock = threading.Lock()

    def takes(self, seen):
        if not self.match(seen):
            return False
        with self.lock:
            if self.left == 0:
                return False
            if self.left is not None:
                self.left -= 1
            self.hits += 1
            return True

    def before(self, seen):
        """A Response to answer with, or None to go on."""

    def after(self, seen, response):
        return response


class Refuse(Fault):
    def __init__(self, match, status, code, times=None, headers=()):
        super().__init__(match, times)
        self.status, self.code, self.headers = status, code, list(headers)

    def before(self, seen):
        response = error_response(self.status, self.code, "injected by the test")
        response.headers += self.headers
        return response


class Throttle(Fault):
    """Takes so many requests a second, and a few at once; the rest is answered with SlowDown. Its hits are those."""

    def __init__(self, match, per_second, burst):
        super().__init__(match)
        self.rate, self.burst, self.tokens, self.filled = per_second, burst, float(burst), time.monotonic()

    def takes(self, seen):
        if not self.match(seen):
            return False
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.burst, self.tokens + self.rate * (now - self.filled))
            self.filled = now
            if self.tokens >= 1:
                self.tokens -= 1
                return False
            self.hits += 1
            return True

    def before(self, seen):
        return error_response(503, "SlowDown", "Please reduce your request rate.")


class Delay(Fault):
    def __init__(self, match, seconds, times=None):
        super().__init__(match, times)
        self.seconds = seconds

    def before(self, seen):
        time.sleep(self.seconds)


class CloseConnection(Fault):
    """Ends the connection: before the request takes effect or, with `lost_answer`, after it did."""

    def __init__(self, match, times=None, lost_answer=False):
        super().__init__(match, times)
        self.lost_answer = lost_answer

    def before(self, seen):
        if not self.lost_answer:
            raise http1.Drop

    def after(self, seen, response):
        if self.lost_answer:
            raise http1.Drop
        return response


class Hold(Fault):
    """Keeps requests waiting, not yet in effect, until release()."""

    def __init__(self, match, times=1, limit_s=120):
        super().__init__(match, times)
        self.reached, self.free, self.limit_s = threading.Event(), threading.Event(), limit_s
        self.seen = None

    def before(self, seen):
        self.seen = seen
        self.reached.set()
        if not self.free.wait(self.limit_s):
            raise http1.Drop

    def release(self):
        self.free.set()


def error_response(status, code, message):
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
            f"<Message>{escape(message)}</Message><RequestId>{secrets.token_hex(8).upper()}</RequestId></Error>")
    return http1.Response(status, body.encode(), [("Content-Type", "application/xml")])


class Gate:
    """The S3 endpoint of the tasks: `handle` is safe for any number of threads."""

    def __init__(self, versity, domain="s3.test"):
        self.versity, self.domain = versity, domain
        self.issued = {}
        self.allow = lambda seen: True  # the policy
        self.faults = []
        self.requests = []
        self.clock_offset_s = 0
        self._numbers = itertools.count(1)
        self._local = threading.local()

    # -- credentials

    def issue(self, seconds=3600.0, session=True):
        """New credentials that this gate accepts for `seconds`."""
        prefix = "ASIA" if session else "AKIA"
        keys = sigv4.Keys(prefix + secrets.token_hex(8).upper(), secrets.token_urlsafe(30),
                          secrets.token_urlsafe(180) + "/+=" if session else "", self.now() + seconds)
        self.issued[keys.access] = keys
        return keys

    def expire(self, access):
        """The credentials end now, whatever their document said."""
        self.issued[access].expires = 0

    def now(self):
        return time.time() + self.clock_offset_s

    # -- faults and records

    def reset(self):
        self.faults, self.requests, self.clock_offset_s = [], [], 0
        self.allow = lambda seen: True

    def add(self, fault):
        self.faults.append(fault)
        return fault

    def seen(self, **wanted):
        """Requests whose attributes equal those given."""
        return [s for s in list(self.requests) if all(getattr(s, name) == value for name, value in wanted.items())]

    # -- requests

    def handle(self, request):
        bucket, key, path = self._address(request)
        seen = Seen(next(self._numbers), request.method, bucket, key, dict(request.query), dict(request.headers),
                    len(request.body))
        self.requests.append(seen)
        try:
            response = self._answer(request, seen, path)
        except sigv4.Refused as refused:
            response = error_response(refused.status, refused.code, refused.message)
        seen.status = response.status
        code = re.search(rb"<Code>(.*?)</Code>", response.body[:4096]) if response.status >= 300 else None
        seen.code = code[1].decode() if code else ""
        response.headers.append(("Date", http1.http_date(self.now())))
        return response

    def _address(self, request):
        host = request.header("host").rpartition(":")[0] or request.header("host")
        path = urllib.parse.unquote(request.path)
        if host.endswith("." + self.domain):
            path = "/" + host[: -len(self.domain) - 1] + path
        bucket, _, key = path[1:].partition("/")
        return bucket, key, path

    def _answer(self, request, seen, path):
        keys = sigv4.verify(request, self.issued.get, REGION, self.now())
        seen.access = keys.access
        if not self.allow(seen):
            raise sigv4.Refused(403, "AccessDenied", "Access Denied")
        taken = [fault for fault in list(self.faults) if fault.takes(seen)]
        for fault in taken:
            if (response := fault.before(seen)) is not None:
                return response
        response = self._forward(request, path)
        for fault in taken:
            response = fault.after(seen, response)
        return response

    def _forward(self, request, path):
        headers = [(name, value) for name, value in request.headers
                   if name not in NEVER_FORWARDED and name != "x-amz-content-sha256"]
        try:
            answer = self._upstream().request(request.method, path, request.query, headers, request.body)
        except (OSError, http.client.HTTPException):
            self._local.client = None  # a kept-alive connection that the other side has closed
            answer = self._upstream().request(request.method, path, request.query, headers, request.body)
        kept = [(n, v) for n, v in answer.headers if n.lower() not in HOP_BY_HOP or
                (request.method == "HEAD" and n.lower() == "content-length")]
        return http1.Response(answer.status, answer.body, kept)

    def _upstream(self):
        if getattr(self._local, "client", None) is None:
            self._local.client = self.versity.client()
        return self._local.client
