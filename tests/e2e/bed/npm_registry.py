"""A private package registry: one scoped package, and nothing without the token. npm's own protocol."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import urllib.parse

from . import http1

ADDRESS = "127.0.0.1", 4873
URL = f"http://{ADDRESS[0]}:{ADDRESS[1]}"
PACKAGE = "@shop/pad"


class PrivateRegistry:
    def __init__(self, token):
        self.token, self.requests, self.refused = token, [], 0
        self.tarball = _tarball({"package.json": json.dumps({"name": PACKAGE, "version": "1.0.0", "main": "index.js"}),
                                 "index.js": 'exports.name = "the private pad is here";\n'})

    def handle(self, request):
        self.requests.append(request)
        if request.header("authorization") != f"Bearer {self.token}":
            self.refused += 1
            return _json({"error": "authentication required"}, 401, [("WWW-Authenticate", "Bearer")])
        path = urllib.parse.unquote(request.path)
        if path == f"/{PACKAGE}":
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
            version = {"name": PACKAGE, "version": "1.0.0",
                       "dist": {"tarball": f"{URL}/{PACKAGE}/-/pad-1.0.0.tgz", "integrity": integrity}}
            return _json({"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}})
        if path == f"/{PACKAGE}/-/pad-1.0.0.tgz":
            return http1.Response(200, self.tarball)
        return _json({"error": "not found"}, 404)

    def service(self):
        return *ADDRESS, lambda client: http1.Connection(client, self, False).serve()


def npmrc(token):
    """What such a registry's user has in the home folder. (The task's own proxy is for the public registry.)"""
    return (f"@shop:registry={URL}/\n//{ADDRESS[0]}:{ADDRESS[1]}/:_authToken={token}\n"
            "noproxy=127.0.0.1\nfetch-retries=0\n")


def _json(document, status=200, headers=()):
    return http1.Response(status, json.dumps(document).encode(), [("Content-Type", "application/json"), *headers])


def _tarball(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue())
