"""GitHub's API of commit statuses: https://api.github.com in a task.

    github = github.GitHub(authority)
    bed.start(…, services=github.services())
    github.token, github.commit("shop/site", SHA)   # who may, and what there is
    github.statuses["shop/site", SHA]                # [{state, context, description, target_url}], oldest first
    github.faults += [github.rate_limited(1), …]     # what happens first, one a request
    github.mistakes                                  # to be empty

Source: https://docs.github.com/en/rest/commits/statuses and /rest/using-the-rest-api (versions, limits, errors)
"""

import json
import re
import secrets
import threading
import time

from . import http1

NAME = "api.github.com"
STATES = ("error", "failure", "pending", "success")
DESCRIPTION_MAX = 140
STATUSES_MAX = 1000  # a commit and context
ROUTE = re.compile(r"/repos/([A-Za-z0-9-]+/[A-Za-z0-9._-]+)/statuses/([0-9a-f]{40})")
VERSIONS = ("2022-11-28", "2026-03-10")


class Failed(Exception):
    def __init__(self, status, message, **more):
        super().__init__(status, message)
        self.status, self.message, self.more = status, message, more


class GitHub:
    name = NAME

    def __init__(self, authority):
        self.authority = authority
        self.token = "ghp_" + secrets.token_hex(18)
        self.readers = set()  # tokens that may read, not write
        self.statuses, self.requests, self.mistakes, self.faults = {}, [], [], []
        self.lock = threading.Lock()

    def services(self):
        from .world import ADDRESSES

        return [(ADDRESSES[NAME], 443, http1.answerer(self, self.authority.context))]

    def commit(self, repository, sha):
        self.statuses[repository, sha] = []

    def combined(self, repository, sha):
        """What a person sees beside the commit: {context: state}, the newest of each."""
        return {status["context"]: status["state"] for status in self.statuses[repository, sha]}

    def handle(self, request):
        with self.lock:
            self.requests.append(request)
            fault = self.faults.pop(0) if self.faults else None
        try:
            made = fault(request) if fault else None
            return made or self._create(request)
        except Failed as error:
            return _answer(error.status, {"message": error.message, **error.more, "status": str(error.status),
                                          "documentation_url": "https://docs.github.com/rest"})

    def _create(self, request):
        self._check_headers(request)
        route = ROUTE.fullmatch(request.path)
        if request.method != "POST" or route is None or request.query:
            raise self._mistake(404, f"{request.method} {request.target}")
        kind, _, token = request.header("authorization").partition(" ")
        if kind.lower() not in ("bearer", "token") or token not in {self.token, *self.readers}:
            raise Failed(401, "Bad credentials" if token else "Requires authentication")
        if (repository := route[1]) not in {known for known, _ in self.statuses}:
            raise Failed(404, "Not Found")  # private ones are not told from those that are not there
        if token in self.readers:
            raise Failed(403, "Resource not accessible by personal access token")
        sha = route[2]
        if (repository, sha) not in self.statuses:
            raise Failed(422, f"No commit found for SHA: {sha}")
        status = self._validated(request)
        with self.lock:
            known = self.statuses[repository, sha]
            if sum(one["context"] == status["context"] for one in known) >= STATUSES_MAX:
                raise Failed(422, "Validation Failed", errors=[{"resource": "Status", "code": "custom", "message": (
                    "This SHA and context has reached the maximum number of statuses.")}])
            known.append(status)
        return _answer(201, {"id": len(known), "url": f"https://{NAME}{request.path}", **status})

    def _check_headers(self, request):
        if not request.tls or request.header("host") != NAME:
            raise self._mistake(400, f"Host is {request.header('host')}")
        if not request.header("user-agent"):
            raise self._mistake(403, "Request forbidden by administrative rules. Please make sure your request has a "
                                     "User-Agent header")
        version = request.header("x-github-api-version", VERSIONS[0])
        if version not in VERSIONS:
            raise self._mistake(400, f"X-GitHub-Api-Version is {version}")

    def _validated(self, request):
        try:
            body = json.loads(request.body)
        except ValueError:
            raise self._mistake(400, "Problems parsing JSON") from None
        if not isinstance(body, dict) or not set(body) <= {"state", "target_url", "description", "context"}:
            raise self._mistake(422, f"Invalid request: {sorted(body)}")
        context = body.get("context", "default")
        problems = []
        if body.get("state") not in STATES:
            problems.append(f"state: {body.get('state')!r}")
        if len(body.get("description") or "") > DESCRIPTION_MAX:
            problems.append(f"description is too long (maximum is {DESCRIPTION_MAX} characters)")
        if not isinstance(context, str) or not 1 <= len(context) <= 255:
            problems.append("context is too long (maximum is 255 characters)")
        if not re.match(r"https?://", body.get("target_url") or "https://"):
            problems.append("target_url must use http(s) scheme")
        if problems:
            raise self._mistake(422, "Validation Failed", errors=problems)
        return {"context": context, "description": None, "target_url": None, **body}

    def _mistake(self, status, message, **more):
        """What the program must never send."""
        self.mistakes.append(f"{message} {more or ''}".strip())
        return Failed(status, message, **more)

    def evidence(self):
        return "GitHub", "\n".join([f"{one.method} {one.target} {one.body[:300]!r}" for one in self.requests[-20:]]
                                   + self.mistakes)


def _answer(status, document, headers=()):
    return http1.Response(status, json.dumps(document).encode(),
                          [("Content-Type", "application/json; charset=utf-8"), *headers])


# -- what may be among the faults


def unavailable(status=502):
    return lambda request: http1.Response(status, b"<html>Unicorn!</html>", [("Content-Type", "text/html")])


def rate_limited(seconds):
    """The primary limit: 403, and when it ends."""
    return lambda request: _answer(403, {"message": "API rate limit exceeded"}, [
        ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(time.time() + seconds)))])


def secondary_limit(seconds):
    """429 with Retry-After."""
    return lambda request: _answer(429, {"message": "You have exceeded a secondary rate limit."},
                                   [("Retry-After", str(seconds))])


def drop():
    def end(request):
        raise http1.Drop
    return end
