"""Who receives HTTP callbacks: strict about Standard Webhooks' signatures, and as difficult as a test wants it.

    hook = webhook.Webhook(authority, stranger)
    bed.start(…, services=hook.services())      # http://hooks.test/…, https://hooks.test/…, and by a stranger :8443
    hook.secret                                 # "whsec_…", what the job gets
    hook.answers += [500, webhook.answer(429, retry_after="1"), webhook.slow(2), webhook.reset()]
    hook.by_path["/status"] = [401]             # the same for one path; the last one of such a list stays
    hook.received, hook.events()                # requests that were answered with success, and their JSON
    hook.mistakes                               # of every request: to be empty

Answers are taken one a request; when none is left, and for what a number of 200 to 299 is, the request is accepted. With
`secret` None nothing is signed. Source: the Standard Webhooks specification, by its own library; CloudEvents' HTTP binding.
"""

import base64
import contextlib
import http.client
import json
import secrets
import ssl
import threading
import time

import standardwebhooks

from . import http1
from .link import reset_connection

NAME = "hooks.test"
STRANGER_PORT = 8443


class Webhook:
    name = NAME

    def __init__(self, authority, stranger=None, signed=True):
        self.authority, self.stranger = authority, stranger
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode() if signed else None
        self.headers = {}  # wanted, name in lower case: value; others are refused with 401
        self.answers, self.by_path = [], {}
        self.requests, self.received, self.mistakes, self.ids = [], [], [], {}
        self.lock = threading.Lock()

    def services(self):
        from .world import ADDRESSES

        found = [(ADDRESSES[self.name], 80, self._on(None)), (ADDRESSES[self.name], 443, self._on(self.authority))]
        if self.stranger:
            found.append((ADDRESSES[self.name], STRANGER_PORT, self._on(self.stranger)))
        return found

    def _on(self, authority):
        context = authority.context if authority else None

        def on_connection(client):
            http1.answerer(_Of(self, client), context)(client)

        return on_connection

    # -- requests

    def answer_to(self, request, client):
        with self.lock:
            self.requests.append(request)
            self.mistakes += self._mistakes_of(request)
            script = self.by_path.get(request.path, self.answers)
            stays = script is not self.answers and len(script) == 1
            what = (script[0] if stays else script.pop(0)) if script else 204
        if any(request.header(name) != value for name, value in self.headers.items()):
            what = 401
        made = what(request, client) if callable(what) else http1.Response(what)
        if made is None:
            made = http1.Response(204)
        if 200 <= made.status < 300:
            with self.lock:
                self.received.append(request)
        return made

    def _mistakes_of(self, request):
        """What a receiver of today would refuse. A signature is of the id, the time of this attempt and the body."""
        found = []
        if self.secret:
            try:
                standardwebhooks.Webhook(self.secret).verify(request.body, dict(request.headers), json_parse=False)
            except (standardwebhooks.WebhookVerificationError, ValueError) as error:
                found.append(f"{request.target}: {error}")
            name, digest = request.header("webhook-id"), hash(request.body)
            if self.ids.setdefault(name, digest) != digest:
                found.append(f"{request.target}: {name} has another body than before")
        kind = request.header("content-type")
        if request.method in ("POST", "PUT") and not kind:
            found.append(f"{request.target}: no Content-Type")
        if request.header("authorization") and not request.tls:
            found.append(f"{request.target}: credentials without TLS")
        return found

    def events(self, path=None):
        """CloudEvents that were accepted, structured or binary, each as one document; an id that comes again is dropped,
        as receivers do."""
        found = {}
        for request in list(self.received):
            if path in (None, request.path):
                event = cloudevent(request)
                found.setdefault((event.get("source"), event.get("id")), event)
        return list(found.values())

    def documents(self, path=None):
        return [json.loads(request.body) for request in list(self.received) if path in (None, request.path)]

    def call(self, method, path, body, headers):
        """As somebody else calls it, from this machine: the status."""
        listener = http1.listen("127.0.0.1")
        http1.accept_on(listener, self._on(self.authority))
        try:
            context = ssl.create_default_context(cafile=self.authority.bundle)
            with contextlib.closing(http.client.HTTPSConnection(
                    "localhost", listener.getsockname()[1], timeout=20, context=context)) as connection:
                connection.request(method, path, body, {"Content-Type": "application/json", **headers})
                return connection.getresponse().status
        finally:
            http1.close_listener(listener)

    def wait(self, condition, limit_s=20):
        """Until condition(self)."""
        deadline = time.monotonic() + limit_s
        while not condition(self):
            assert time.monotonic() < deadline, f"not received within {limit_s} s; {self.evidence()[1]}"
            time.sleep(0.02)

    def evidence(self):
        lines = [f"{request.method} {request.target} {request.body[:300]!r}" for request in self.requests[-20:]]
        counts = f"{len(self.requests)} requests, {len(self.received)} accepted"
        return "webhook", "\n".join([counts, *lines, *self.mistakes])


class _Of:
    """The webhook for one connection."""

    def __init__(self, hook, client):
        self.hook, self.client = hook, client

    def handle(self, request):
        return self.hook.answer_to(request, self.client)


def cloudevent(request):
    """Source: HTTP Protocol Binding for CloudEvents 1.0.2, sections 3.1 and 3.2."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind == "application/cloudevents+json":
        return json.loads(request.body)
    event = {name[3:]: _decoded(value) for name, value in request.headers if name.startswith("ce-")}
    if request.body:
        event["datacontenttype"] = request.header("content-type")
        event["data"] = json.loads(request.body) if kind.endswith("json") else request.body.decode()
    return event


def _decoded(value):
    """Percent-encoded UTF-8, section 3.1.3.2."""
    return http1.urllib.parse.unquote(value)


# -- what may be among the answers


def answer(status, body=b"", **headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda request, client: http1.Response(status, body, pairs)


def redirect(where, status=302):
    return answer(status, location=where)


def slow(seconds, status=204):
    """Accepted, late."""
    def wait(request, client):
        time.sleep(seconds)
        return http1.Response(status)
    return wait


def hang(seconds=600):
    """No answer for so long, then the connection ends."""
    def wait(request, client):
        time.sleep(seconds)
        raise http1.Drop
    return wait


def drop():
    """Ends the connection without an answer."""
    def end(request, client):
        raise http1.Drop
    return end


def reset():
    def end(request, client):
        reset_connection(client)
        raise http1.Drop
    return end


def lost_answer(hook):
    """Accepted, but the sender does not hear of it."""
    def take(request, client):
        with hook.lock:
            hook.received.append(request)
        raise http1.Drop
    return take


def flood(size, status=200):
    """An answer of so many bytes."""
    return lambda request, client: http1.Response(status, b"x" * size)
