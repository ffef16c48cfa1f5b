"""Container registries: the real servers, Debian's docker-registry (generation 2) and distribution (generation 3).

    with registry.Registry(folder) as hub:                      # no authentication, http, on 127.0.0.1
        hub.add_base("node:20-bookworm-slim")                   # as library/node, hard-linked: takes no time
        hub.add(layout_folder, "shop/app", "one")               # any OCI layout of one image
    registry.Registry(folder, auth="basic")                     # htpasswd; registry.USER, registry.PASSWORD
    registry.Registry(folder, auth="bearer", token_seconds=3)   # a token server, hub.tokens; tokens run out
    registry.Registry(folder, tls=bed.world.authority)          # https; clients trust bed.world.authority.bundle
    registry.Registry(folder, generation=3, read_only=True)

From the host a registry is `hub.host` ("127.0.0.1:PORT"; with TLS "localhost:PORT"). A task reaches it with
`bed.start(…, services=hub.services())`: at its name, `hub.name` ("registry.test" unless it was told another of
world.ADDRESSES), and at the same 127.0.0.1:PORT as on the host. A bearer registry's token server comes along; say
reach="host" when the host is to reach it over TLS.

What the server has seen: hub.requests() -> [Entry(method, path, status, agent)]. What it holds, read from its own
files: hub.tags(repository), hub.digest(repository, tag), hub.manifest(repository, tag), hub.blob(digest).
By skopeo, as clients do it: hub.pull(repository, tag, folder) -> an OCI layout with that tag; hub.push(layout, …).

bed.world.mirror is one for all tests: read-only, TLS, "mirror.test", with every base image as library/NAME:TAG. In a spec:
image: {mirrors: {docker.io: mirror.test}}, in bed.start: services=bed.world.mirror.services().
"""

import base64
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

from . import http1, relay

USER, PASSWORD = "builder", "canary-push-" + secrets.token_hex(8)
PULLER, PULL_PASSWORD = "puller", "canary-pull-" + secrets.token_hex(8)  # may not push, where auth is bearer
LEEWAY = 60  # seconds that the registries go on taking a token that has run out
ACCESS = re.compile(r'^\S+ \S+ (?P<user>\S+) \[[^]]*\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d+) \S+ '
                    r'"[^"]*" "(?P<agent>[^"]*)"', re.M)
# How what runs in a task's network gets out (relay.ConnectProxy): in the environment of the base images there.
WAY_OUT = ["https_proxy=http://127.0.0.1:3128", "HTTPS_PROXY=http://127.0.0.1:3128",
           "NO_PROXY=127.0.0.1,localhost,169.254.170.2,.test"]
BASE_IMAGES = ["debian:bookworm-slim", "python:3-slim", "busybox:latest",
               *(f"node:{major}-bookworm-slim" for major in (18, 20, 22, 24))]


@dataclass
class Entry:
    """A line of the access log."""

    method: str
    path: str  # with its query
    status: int
    agent: str


class TokenServer:
    """Gives the tokens of the bearer flow: JWTs signed by a key of its own, for what was asked and the user may do.

    Source: https://distribution.github.io/distribution/spec/auth/token/"""

    SERVICE, ISSUER = "caisson-test-registry", "caisson-test-tokens"

    def __init__(self, folder, users, token_seconds, anonymous=("pull",)):
        self.users, self.seconds, self.anonymous = users, token_seconds, anonymous
        self.key, self.certificate = os.path.join(folder, "token.key"), os.path.join(folder, "token.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
                        "-keyout", self.key, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        with open(self.certificate) as file:
            self.chain = ["".join(file.read().splitlines()[1:-1])]
        self.requests, self.refuse = [], False
        self.given = []  # every token, to look for where none belongs

    def handle(self, request):
        self.requests.append(request)
        user = self._user(request)
        if self.refuse or user is None or request.path != "/token" or request.method != "GET":
            return _document({"errors": [{"code": "UNAUTHORIZED", "message": "no token for you"}]}, 401)
        scopes = [scope for name, value in request.query if name == "scope" for scope in value.split()]
        token = self.token(user, scopes)
        self.given.append(token)
        return _document({"token": token, "access_token": token, "expires_in": self.seconds})

    def _user(self, request):
        """None: wrong; "": nobody in particular."""
        kind, _, value = request.header("authorization").partition(" ")
        if not kind:
            return ""
        name, _, password = base64.b64decode(value).decode().partition(":")
        return name if kind.lower() == "basic" and self.users.get(name) == password else None

    def _allowed(self, user, action):
        return action in self.anonymous if user == "" else user == USER or action == "pull"

    def token(self, user, scopes):
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name,
                           "actions": [action for action in actions.split(",") if self._allowed(user, action)]})
        now = int(time.time())
        claims = {"iss": self.ISSUER, "sub": user, "aud": self.SERVICE, "exp": now + self.seconds - LEEWAY,
                  "nbf": now - 2 * LEEWAY, "iat": now - 2 * LEEWAY, "jti": secrets.token_hex(8), "access": access}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (
            {"typ": "JWT", "alg": "RS256", "x5c": self.chain}, claims))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True,
                                stdout=subprocess.PIPE).stdout
        return f"{text}.{_base64(signed)}"


class Registry:
    """folder: where its own is made. name: what a task calls it. settings: laid over the server's configuration."""

    def __init__(self, folder, name="registry.test", auth=None, tls=None, generation=2, token_seconds=300,
                 reach="task", read_only=False, settings=None):
        self.name, self.auth, self.tls, self.generation = name, auth, tls, generation
        self.folder = os.path.join(folder, f"registry-{secrets.token_hex(4)}")
        self.store = os.path.join(self.folder, "store", "docker", "registry", "v2")
        os.makedirs(self.store)
        self.port = http1.free_port()
        self.host = f"{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self.tokens = self.token_listener = None
        self.log_path, self.words_path = os.path.join(self.folder, "access.log"), os.path.join(self.folder, "log")
        configuration = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": os.path.join(self.folder, "store")},
                        "delete": {"enabled": True}, "maintenance": {"readonly": {"enabled": read_only}}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "of the tests"},
        }
        if tls:
            configuration["http"]["tls"] = {"certificate": tls.certificate, "key": tls.key}
        if auth == "basic":
            configuration["auth"] = {"htpasswd": {"realm": "tests", "path": self._passwords()}}
        elif auth == "bearer":
            configuration["auth"] = {"token": self._token_server(token_seconds, reach)}
        for key, value in (settings or {}).items():
            configuration.setdefault(key, {}).update(value)
        self._start(configuration)

    # -- the server

    def _passwords(self):
        path = os.path.join(self.folder, "passwords")
        with open(path, "wb") as file:
            for user, password in ((USER, PASSWORD), (PULLER, PULL_PASSWORD)):
                subprocess.run(["htpasswd", "-iBnC", "4", user], input=password.encode(), stdout=file, check=True)
        return path

    def _token_server(self, token_seconds, reach):
        self.tokens = TokenServer(self.folder, {USER: PASSWORD, PULLER: PULL_PASSWORD}, token_seconds)
        self.token_listener = http1.listen("127.0.0.1")
        port = self.token_listener.getsockname()[1]
        http1.serve(self.token_listener, self.tokens, self.tls.context if self.tls else None)
        where = f"http://127.0.0.1:{port}" if not self.tls else (
            "https://auth.test" if reach == "task" else f"https://localhost:{port}")
        return {"realm": f"{where}/token", "service": TokenServer.SERVICE, "issuer": TokenServer.ISSUER,
                "rootcertbundle": self.tokens.certificate}

    def _start(self, configuration):
        from .world import tool

        path = os.path.join(self.folder, "config.yml")
        with open(path, "w") as file:
            json.dump(configuration, file)  # JSON is YAML
        program = tool("ensure-registry", str(self.generation))
        with open(self.log_path, "wb") as out, open(self.words_path, "wb") as words:
            self.process = subprocess.Popen([program, "serve", path], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=words, env={"PATH": os.environ["PATH"],
                                                               "OTEL_TRACES_EXPORTER": "none"})
        deadline = time.monotonic() + 20
        while True:
            try:
                http1.socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError(f"the registry does not start: {self.words()[-2000:]}") from None
                time.sleep(0.01)

    def services(self):
        """For Bed.start and Bed.network: where it listens in a task's network."""
        from .world import ADDRESSES

        forward = relay.Forward(("127.0.0.1", self.port)).on_connection
        found = [(ADDRESSES[self.name], 443 if self.tls else 80, forward), ("127.0.0.1", self.port, forward)]
        if self.token_listener is not None:
            port = self.token_listener.getsockname()[1]
            forward = relay.Forward(("127.0.0.1", port)).on_connection
            found += [("127.0.0.1", port, forward), (ADDRESSES["auth.test"], 443 if self.tls else 80, forward)]
        return found

    def words(self):
        """What the server says of itself, mistakes included."""
        with open(self.words_path, errors="replace") as file:
            return file.read()

    def requests(self):
        with open(self.log_path, errors="replace") as file:
            return [Entry(found["method"], found["path"], int(found["status"]), found["agent"])
                    for found in ACCESS.finditer(file.read())]

    def forget(self):
        """The access log begins anew."""
        os.truncate(self.log_path, 0)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.token_listener is not None:
            http1.close_listener(self.token_listener)
            self.token_listener = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # -- what it holds

    def add_base(self, image, repository=None, tag=None, environment=WAY_OUT):
        """One of tests/tools/ensure-base-images, with more in its environment (the way out of a task's network)."""
        name, _, image_tag = image.partition(":")
        return self.add(base_layout(image), repository or f"library/{name}", tag or image_tag, environment)

    def add(self, layout, repository, tag, environment=()):
        """Puts a layout's first image where the server keeps such, and says its digest."""
        with open(os.path.join(layout, "index.json")) as file:
            manifest = json.loads(_read(_blob(layout, json.load(file)["manifests"][0]["digest"])))
        config = json.loads(_read(_blob(layout, manifest["config"]["digest"])))
        if environment:
            config.setdefault("config", {})["Env"] = [*(config["config"].get("Env") or []), *environment]
            # As builders of images leave it: buildah counts layers by it.
            config.setdefault("history", [{"created_by": "the tests"} for _ in manifest["layers"]])
            content = json.dumps(config).encode()
            manifest["config"].update(digest=self._put(content), size=len(content))
        else:
            self._put(_read(_blob(layout, manifest["config"]["digest"])))
        for layer in manifest["layers"]:
            self._link(_blob(layout, layer["digest"]), layer["digest"])
        digest = self._put(json.dumps(manifest).encode())
        home = os.path.join(self.store, "repositories", repository)
        for blob in [manifest["config"], *manifest["layers"]]:
            _note(os.path.join(home, "_layers", *blob["digest"].split(":"), "link"), blob["digest"])
        tags = os.path.join(home, "_manifests", "tags", tag)
        for place in (os.path.join(home, "_manifests", "revisions", *digest.split(":"), "link"),
                      os.path.join(tags, "current", "link"), os.path.join(tags, "index", *digest.split(":"), "link")):
            _note(place, digest)
        return digest

    def _data(self, digest):
        kind, value = digest.split(":")
        return os.path.join(self.store, "blobs", kind, value[:2], value, "data")

    def _put(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        _note(self._data(digest), content)
        return digest

    def _link(self, path, digest):
        target = self._data(digest)
        if os.path.exists(target):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another file system
            shutil.copyfile(path, target)

    def tags(self, repository):
        """{tag: digest}"""
        folder = os.path.join(self.store, "repositories", repository, "_manifests", "tags")
        return {tag: self.digest(repository, tag) for tag in (os.listdir(folder) if os.path.isdir(folder) else ())
                if self.digest(repository, tag)}

    def digest(self, repository, tag):
        """None: there is no such tag."""
        try:
            return _read(os.path.join(self.store, "repositories", repository, "_manifests", "tags", tag, "current",
                                      "link")).decode()
        except FileNotFoundError:
            return None

    def manifest(self, repository, tag):
        return json.loads(self.blob(self.digest(repository, tag)))

    def blob(self, digest):
        return _read(self._data(digest))

    def blobs(self):
        """{digest: bytes} of all of them."""
        root = os.path.join(self.store, "blobs", "sha256")
        digests = [digest for _, names, _ in os.walk(root) for digest in names if len(digest) == 64]
        return {f"sha256:{digest}": self.blob(f"sha256:{digest}") for digest in digests
                if os.path.exists(self._data(f"sha256:{digest}"))}

    def repositories(self):
        """Those that something was sent to."""
        root = os.path.join(self.store, "repositories")
        return sorted(os.path.relpath(folder, root) for folder, names, _ in os.walk(root) if "_manifests" in names)

    def pull(self, repository, tag, folder, user=USER, password=PASSWORD):
        """As a client does it: a layout in `folder`, whose image has the tag too."""
        done = self._skopeo(*self._login("src", user, password), f"docker://{self.host}/{repository}:{tag}",
                            f"oci:{folder}:{tag}")
        assert done.returncode == 0, done.stderr
        return folder

    def push(self, layout, layout_tag, repository, tag, user=USER, password=PASSWORD):
        """As a client does it; what skopeo ended with."""
        return self._skopeo(*self._login("dest", user, password), f"oci:{layout}:{layout_tag}",
                            f"docker://{self.host}/{repository}:{tag}")

    def _skopeo(self, *words):
        return subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", *words], capture_output=True, text=True,
                              check=False)

    def _login(self, side, user, password):
        words = [f"--{side}-creds", f"{user}:{password}"] if self.auth else []
        if not self.tls:
            return [*words, f"--{side}-tls-verify=false"]
        certificates = os.path.join(self.folder, "certificates")
        os.makedirs(certificates, exist_ok=True)
        shutil.copyfile(self.tls.bundle, os.path.join(certificates, "ca.crt"))
        return [*words, f"--{side}-cert-dir", certificates]


@functools.cache
def base_layout(image):
    """The folder of a base image's OCI layout."""
    from .world import tool

    return tool("ensure-base-images", image)


def base_images(folder, authority):
    """The mirror of docker.io for all tests; golang:1-bookworm is for add_base where it is needed."""
    made = Registry(folder, "mirror.test", tls=authority, read_only=True)
    for image in BASE_IMAGES:
        made.add_base(image)
        if image.startswith("node:"):
            made.add_base(image, tag=image.removeprefix("node:").replace("-bookworm", ""))
    return made


def _document(document, status=200):
    return http1.Response(status, json.dumps(document).encode(), [("Content-Type", "application/json")])


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _blob(layout, digest):
    return os.path.join(layout, "blobs", *digest.split(":"))


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _note(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
