"""The ways out of a network of one's own: proxies by their variables and by the operator, certificates of one's own."""

import base64
import json

import pytest

from bed import http1
from bed.world import ADDRESSES, BUCKET, JOBS_BUCKET, storage_options

PROXY_HOST, PROXY_PORT = "dead.test", 3128
CA = {"SSL_CERT_FILE": "/etc/test-ca.pem"}
BUILDS = ("mkdir dist", "echo x >dist/index.html")


class Proxy:
    """Knows CONNECT and absolute URLs, and answers for the servers behind it itself."""

    def __init__(self, bed, password=None):
        self.bed, self.password, self.targets, self.refused = bed, password, [], 0
        self.behind = {"git.test": bed.git, "s3.test": bed.gate, "spec.test": bed.world.documents}

    def service(self):
        return ADDRESSES[PROXY_HOST], PROXY_PORT, self.on_connection

    def allowed(self, request):
        expected = "Basic " + base64.b64encode((self.password or "").encode()).decode()
        if self.password is None or request.header("proxy-authorization") == expected:
            return True
        self.refused += 1
        return False

    def on_connection(self, client):
        connection = http1.Connection(client, self, False)
        try:
            request = connection.read_request()
            if request is None:
                return
            if request.method != "CONNECT":
                connection.send(request.method, self.handle(request), close=True)
                return
            if not self.allowed(request):
                connection.send("CONNECT", http1.Response(407, b"", [("Proxy-Authenticate", 'Basic realm="p"')]), True)
                return
            self.targets.append(request.target)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            tls = self.bed.world.authority.context.wrap_socket(client, server_side=True)
            http1.Connection(tls, self.behind[request.target.partition(":")[0]], True).serve()
        except OSError:
            pass
        finally:
            client.close()

    def handle(self, request):
        if not self.allowed(request):
            return http1.Response(407, b"", [("Proxy-Authenticate", 'Basic realm="p"')])
        _, _, rest = request.target.partition("://")
        host, _, path = rest.partition("/")
        self.targets.append(host)
        inner = http1.Request(request.method, "/" + path, request.headers, request.body)
        return self.behind[host.partition(":")[0]].handle(inner)


def url(user=""):
    return f"http://{user}{PROXY_HOST}:{PROXY_PORT}"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_clone_through_a_proxy(bed, name):
    proxy = Proxy(bed, "job:pa55word-of-the-proxy")
    repository = bed.repository({"README.md": "x\n"})
    spec = bed.commands(*BUILDS)
    spec["source"]["repository"] = repository.url(host="https://git.test")
    ended = bed.run(spec, services=[proxy.service()],
                    environment={name: url("job:pa55word-of-the-proxy@"), "no_proxy": "s3.test", **CA})
    assert ended.code == 0, ended
    assert set(proxy.targets) == {"git.test:443"}, proxy.targets
    assert "pa55word-of-the-proxy" not in ended.text


def test_plain_http_through_its_own_proxy(bed):
    proxy = Proxy(bed)
    spec = bed.commands(*BUILDS)
    ended = bed.run(spec, services=[proxy.service()], environment={"http_proxy": url(), "NO_PROXY": "git.test"})
    assert ended.code == 0, ended
    assert set(proxy.targets) == {"s3.test:9000"}, proxy.targets
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_plain_http_clone_does_not_go_past_a_proxy(bed):
    """What clones speaks plain http to servers only, so it says so instead of going around the proxy."""
    proxy = Proxy(bed)
    ended = bed.run(bed.commands(*BUILDS), services=[proxy.service()],
                    environment={"http_proxy": url(), "NO_PROXY": "s3.test"})
    assert ended.code == 20 and ended.result["reason"] == "proxy-needs-https", ended
    assert bed.git.requests == []


def test_exceptions_are_honoured(bed):
    proxy = Proxy(bed)
    spec = bed.commands(*BUILDS)
    ended = bed.run(spec, services=[proxy.service()],
                    environment={"http_proxy": url(), "https_proxy": url(), "no_proxy": "other.test,.test"})
    assert ended.code == 0, ended
    assert proxy.targets == []


def test_spec_result_and_upload_through_a_proxy(bed):
    proxy = Proxy(bed)
    spec = bed.commands(*BUILDS)
    spec["artifacts"][0]["s3"] = storage_options(endpoint="https://s3.test")
    bed.storage.put(JOBS_BUCKET, "specs/proxied.json", json.dumps(spec).encode())
    ended = bed.run(f"s3://{JOBS_BUCKET}/specs/proxied.json", services=[proxy.service()],
                    endpoint_url="https://s3.test", environment={"HTTPS_PROXY": url(), **CA})
    assert ended.code == 0, ended
    assert set(proxy.targets) == {"s3.test:443"}, proxy.targets
    assert bed.published(spec) == {"index.html": b"x\n"}
    # The endpoint of the task's credentials is never reached through a proxy.
    assert ended.endpoint.given


def test_proxy_that_refuses(bed):
    proxy = Proxy(bed, "job:right")
    spec = bed.commands(*BUILDS, retry={"max_attempts": 1})
    spec["source"]["repository"] = spec["source"]["repository"].replace("http://", "https://")
    ended = bed.run(spec, services=[proxy.service()],
                    environment={"HTTPS_PROXY": url("job:wr0ng-password@"), "no_proxy": "s3.test", **CA})
    assert ended.code in (20, 21), ended
    assert "proxy" in ended.result["message"] + ended.result.get("hint", ""), ended
    assert "wr0ng-password" not in ended.text


def test_operator_pins_the_proxy_even_under_a_profile(bed):
    proxy = Proxy(bed)
    repository = bed.repository({"index.html": "x\n"})
    variables = {"GIT_REPOSITORY__URL": repository.url(host="https://git.test"), "PROJECT_ID": "proxied",
                 "S3_BUCKET": BUCKET, "HTTPS_PROXY": "http://trap.test:3128", "NO_PROXY": "git.test",
                 "SSL_CERT_FILE": "/etc/none.pem"}
    pins = f"pins: {{proxy: '{url()}', no_proxy: s3.test, ca_bundle: /etc/test-ca.pem, endpoint: 'http://s3.test:9000'}}\n"
    ended = bed.run(None, arguments=["--profile", "vercel-clone"], environment=variables, operator=pins,
                    services=[proxy.service()])
    assert ended.code == 0, ended
    assert set(proxy.targets) == {"git.test:443"}, proxy.targets
    assert bed.world.trap.visitors == []


def test_build_gets_the_way_out(bed):
    """The variables reach the build as they are: package managers need them."""
    given = {"HTTPS_PROXY": url(), "HTTP_PROXY": url(), "NO_PROXY": "git.test,s3.test", **CA}
    script = "".join(f'echo "{name}=${name}"; ' for name in (*given, "NODE_EXTRA_CA_CERTS"))
    ended = bed.run(bed.commands(script, *BUILDS), environment=given)
    assert ended.code == 0, ended
    for name, value in given.items():
        assert f"| {name}={value}\n" in ended.text, ended
    assert "| NODE_EXTRA_CA_CERTS=/etc/test-ca.pem\n" in ended.text, ended


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "CAISSON_CA_BUNDLE"])
def test_bundle_by_any_of_its_names(bed, name):
    spec = bed.commands(*BUILDS)
    spec["source"]["repository"] = spec["source"]["repository"].replace("http://", "https://")
    spec["artifacts"][0]["s3"] = storage_options(endpoint="https://s3.test")
    ended = bed.run(spec, environment={name: "/etc/test-ca.pem"})
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_certificate_that_nobody_signed(bed):
    spec = bed.commands(*BUILDS)
    spec["source"]["repository"] = spec["source"]["repository"].replace("http://", "https://")
    ended = bed.run(spec)
    assert ended.code == 20 and ended.result["retryable"] is False, ended
    assert "certificate" in ended.result["message"] and "git.test" in ended.result["message"], ended
    assert "CA" in ended.result["hint"] or "ca_bundle" in ended.result["hint"], ended


def test_bundle_that_is_not_there(bed):
    spec = bed.commands(*BUILDS)
    spec["source"]["repository"] = spec["source"]["repository"].replace("http://", "https://")
    ended = bed.run(spec, environment={"SSL_CERT_FILE": "/etc/none.pem"})
    assert ended.code in (20, 59), ended
    assert "/etc/none.pem" in ended.text, ended
