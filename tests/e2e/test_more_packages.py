"""Package managers as they are: npm against a registry that fails, pnpm and yarn through corepack."""

import base64
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import time

import pytest

from bed import http1

REGISTRY = "http://127.0.0.1:4873"
COREPACK = "0.34.0"
BUILD = 'node -e \'console.log(require("pad").name)\' >dist.txt && mkdir -p dist && cp dist.txt dist/index.html'
PACKAGE = {"name": "site", "version": "1.0.0", "scripts": {"build": BUILD}}


def tarball(name):
    """A package of one module, as `npm pack` makes it."""
    out = io.BytesIO()
    files = {"package.json": json.dumps({"name": name, "version": "1.0.0", "main": "index.js"}),
             "index.js": f'exports.name = "{name} is here";\n'}
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue())


class Registry:
    """A package registry that holds `pad`. `troubles`: what happens to the first requests, a callable each."""

    def __init__(self, troubles=()):
        self.tarball, self.troubles, self.requests = tarball("pad"), list(troubles), []

    def handle(self, request):
        self.requests.append(request.path)
        if self.troubles:
            return self.troubles.pop(0)()
        if request.path == "/pad":
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
            version = {"name": "pad", "version": "1.0.0",
                       "dist": {"tarball": f"{REGISTRY}/pad/-/pad-1.0.0.tgz", "integrity": integrity}}
            body = {"name": "pad", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            return http1.Response(200, json.dumps(body).encode(), [("Content-Type", "application/json")])
        if request.path == "/pad/-/pad-1.0.0.tgz":
            return http1.Response(200, self.tarball)
        return http1.Response(404, b'{"error": "not found"}', [("Content-Type", "application/json")])

    def service(self):
        return "127.0.0.1", 4873, lambda client: http1.Connection(client, self, False).serve()


def answer(status):
    return lambda: http1.Response(status, b"no\n")


def drop():
    raise http1.Drop


def hang():
    time.sleep(5)
    raise http1.Drop


def npm_spec(bed, registry=REGISTRY, dependency="pad", **changes):
    npmrc = f"registry={registry}/\nnoproxy=127.0.0.1,registry.invalid\nfetch-retries=0\nfetch-timeout=2000\n"
    repository = bed.repository({"package.json": json.dumps({**PACKAGE, "dependencies": {dependency: "1.0.0"}}),
                                 ".npmrc": npmrc})
    return bed.spec(repository, build={"output": "dist"}, **{"retry": {"max_attempts": 3, "backoff": "50ms"}, **changes})


def step(ended, name):
    return next(item for item in ended.result["steps"] if item["name"] == name)


@pytest.mark.parametrize("trouble", [answer(503), answer(502), answer(429), drop, hang],
                         ids=["503", "502", "429", "reset", "timeout"])
def test_registry_that_recovers(bed, trouble):
    registry = Registry([trouble])
    ended = bed.run(spec := npm_spec(bed), services=[registry.service()])
    assert ended.code == 0, ended
    assert step(ended, "install")["attempts"] == 2 and registry.requests.count("/pad") == 2, ended
    assert bed.published(spec) == {"index.html": b"pad is here\n"}


def test_registry_that_stays_away(bed):
    registry = Registry([answer(503)] * 100)
    ended = bed.run(npm_spec(bed, retry={"max_attempts": 2, "backoff": "50ms"}), services=[registry.service()])
    assert ended.code == 30 and step(ended, "install")["attempts"] == 2, ended
    assert ended.result["reason"] == "registry-unreachable" and ended.result["retryable"] is True, ended
    assert registry.requests.count("/pad") == 2


def test_registry_whose_name_is_unknown(bed):
    ended = bed.run(npm_spec(bed, "http://registry.invalid", retry={"max_attempts": 2, "backoff": "50ms"}))
    assert ended.code == 30 and step(ended, "install")["attempts"] == 2, ended
    assert ended.result["reason"] == "registry-unreachable", ended


def test_package_that_is_not_there(bed):
    registry = Registry()
    ended = bed.run(npm_spec(bed, dependency="no-such-package"), services=[registry.service()])
    assert ended.code == 30 and step(ended, "install")["attempts"] == 1, ended
    assert ended.result["retryable"] is False, ended


@pytest.fixture(scope="module")
def corepack(tmp_path_factory):
    """corepack as npm carries it: the folder of the package."""
    folder = tmp_path_factory.mktemp("corepack")
    folder.chmod(0o755)
    subprocess.run(["npm", "pack", "--silent", f"corepack@{COREPACK}"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["tar", "xzf", f"corepack-{COREPACK}.tgz", "--no-same-owner"], cwd=folder, check=True)
    subprocess.run(["chmod", "-R", "a+rX", "."], cwd=folder, check=True)
    return str(folder / "package")


LOCAL = {"local/package.json": '{"name": "pad", "version": "1.0.0", "main": "index.js"}',
         "local/index.js": 'exports.name = "pad is here";\n'}
PNPM_LOCK = """lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      pad:
        specifier: link:./local
        version: link:local
"""


YARN_LOCK = """# yarn lockfile v1


"pad@link:./local":
  version "0.0.0"
  uid ""
"""

BERRY_LOCK = """# This file is generated by running "yarn install" inside your project.
# Manual changes might be lost - proceed with caution!

__metadata:
  version: 8
  cacheKey: 10c0

"pad@link:./local::locator=site%40workspace%3A.":
  version: 0.0.0-use.local
  resolution: "pad@link:./local::locator=site%40workspace%3A."
  languageName: node
  linkType: soft

"site@workspace:.":
  version: 0.0.0-use.local
  resolution: "site@workspace:."
  dependencies:
    pad: "link:./local"
  languageName: unknown
  linkType: soft
"""


@pytest.mark.parametrize("manager, files", [
    ("pnpm@9.15.9", {"pnpm-lock.yaml": PNPM_LOCK}),
    ("yarn@1.22.22", {"yarn.lock": YARN_LOCK}),
    ("yarn@4.5.3", {"yarn.lock": BERRY_LOCK, ".yarnrc.yml": "nodeLinker: node-modules\nenableTelemetry: false\n"}),
], ids=["pnpm", "yarn", "yarn berry"])
def test_manager_through_corepack(bed, corepack, manager, files):
    package = {**PACKAGE, "packageManager": manager, "dependencies": {"pad": "link:./local"}}
    repository = bed.repository({"package.json": json.dumps(package), **LOCAL, **files})
    # Of yarn 2 and later corepack would ask yarn's own server.
    registry = subprocess.run(["npm", "config", "get", "registry"], check=True, capture_output=True, text=True).stdout
    spec = bed.spec(repository, build={"output": "dist"}, timeouts={"install": "60s"},
                    env={"COREPACK_INTEGRITY_KEYS": "0", "COREPACK_NPM_REGISTRY": registry.strip().rstrip("/")})
    place = "/usr/local/lib/node_modules/corepack"
    image = {"/usr/local/bin/corepack": (f'#!/bin/sh\nexec node {place}/dist/corepack.js "$@"\n', 0o755)}
    way_out = {"HTTPS_PROXY": "http://127.0.0.1:3128", "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"}
    ended = bed.run(spec, files=image, volumes={place: corepack}, environment=way_out)
    assert ended.code == 0, ended
    name = manager.partition("@")[0]
    assert f"{name} comes through corepack" in ended.text and f"$ {name} install" in ended.text, ended
    assert bed.published(spec) == {"index.html": b"pad is here\n"}
