"""Git over smart HTTP by `git http-backend`, with the ways in which such servers say no.

The first folder of the path says how the server behaves; the rest is a repository beneath `root`:

    /open/R         for everybody
    /basic/R        Basic, user and password of `users`
    /token/R        Basic, the token as password (GitHub's and GitLab's way) or as user, or Bearer
    /forbidden/R    403 whatever comes         /missing/R   404
    /moved/R        redirects to /open/R of `elsewhere`, another host
    /flaky/R        answers 503 to the first `flaky` requests, then as /open/R
"""

import base64
import os
import subprocess
import threading

from . import http1

CHALLENGE = [("WWW-Authenticate", 'Basic realm="git"')]


class GitServer:
    def __init__(self, root, elsewhere="http://elsewhere.test"):
        self.root, self.elsewhere = os.path.abspath(root), elsewhere
        self.users = {}
        self.tokens = set()
        self.requests = []
        self.lock = threading.Lock()
        self.flaky = 0
        self.before = None  # called with each request first: tests block or observe here

    def handle(self, request):
        self.requests.append(request)
        if self.before is not None:
            self.before(request)
        mode, _, rest = request.path[1:].partition("/")
        answer = self._refusal(mode, request)
        if answer is not None:
            return answer
        if mode == "moved":
            query = request.target.partition("?")[2]
            target = f"{self.elsewhere}/open/{rest}" + (f"?{query}" if query else "")
            return http1.Response(301, b"", [("Location", target)])
        return self._backend(request, "/" + rest)

    def _refusal(self, mode, request):
        if mode == "forbidden":
            return http1.Response(403, b"Forbidden\n")
        if mode == "basic" and not self._authorized_user(request):
            return http1.Response(401, b"Unauthorized\n", list(CHALLENGE))
        if mode == "token" and not self._authorized_token(request):
            return http1.Response(401, b"Unauthorized\n", list(CHALLENGE))
        if mode == "flaky":
            with self.lock:
                if self.flaky > 0:
                    self.flaky -= 1
                    return http1.Response(503, b"try later\n", [("Retry-After", "0")])
        if mode not in ("open", "basic", "token", "moved", "flaky"):
            return http1.Response(404, b"Not Found\n")
        return None

    def _authorized_user(self, request):
        user, password = credentials_of(request)
        return user is not None and self.users.get(user) == password

    def _authorized_token(self, request):
        user, password = credentials_of(request)
        return bool({user, password} & self.tokens)

    def _backend(self, request, path):
        if not os.path.isdir(os.path.join(self.root, path.strip("/").split("/")[0])):
            return http1.Response(404, b"Not Found\n")
        environment = {
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": request.target.partition("?")[2],
            "REQUEST_METHOD": request.method, "CONTENT_TYPE": request.header("content-type"),
            "CONTENT_LENGTH": str(len(request.body)), "HTTP_CONTENT_ENCODING": request.header("content-encoding"),
            "GIT_PROTOCOL": request.header("git-protocol"), "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }
        output = subprocess.run(["git", "http-backend"], input=request.body, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, env=environment, check=False).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        response = http1.Response(200, body)
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                response.status = int(value.split()[0])
            elif name:
                response.headers.append((name, value))
        return response


def credentials_of(request):
    """(user, password) of a Basic header, (None, token) of a Bearer one, (None, None) without."""
    kind, _, value = request.header("authorization").partition(" ")
    if kind.lower() == "bearer":
        return None, value
    if kind.lower() != "basic":
        return None, None
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None, None
    return user, password
