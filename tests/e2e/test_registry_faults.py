"""`caisson image push` through a proxy that spoils requests: what the network and a registry may do to a push."""

import contextlib
import json
import os
import time

import pytest

from bed import layouts, registry, registry_faults
from bed.registry_faults import answer, call, cut, error, hang_up, late, lose_answer, redirect, with_headers, without_body

BIG = 3 << 20  # more than a socket's buffers hold
HOME = {"HOME": "/nonexistent"}


class Push:
    def __init__(self, caisson, proxy, hub, folder, *login, environment=HOME):
        self.caisson, self.proxy, self.hub = caisson, proxy, hub
        self.login, self.environment = login, environment
        self.layout = os.path.join(str(folder), "layout")
        self.digest = layouts.write(self.layout, {"big": os.urandom(BIG)}, {"small": b"small"})

    def __call__(self, *options):
        done = self.caisson("image", "push", self.layout, f"{self.proxy.host}/shop:one", "--json", *self.login, *options,
                            environment=self.environment)
        self.said = json.loads(done.stdout)
        assert done.returncode == self.said.get("exit_code", 0), done
        return self.said

    def succeeds(self):
        said = self()
        assert said.get("digest") == self.digest, said
        assert self.hub.tags("shop") == {"one": self.digest}
        assert not self.proxy.requests("PATCH")
        return said

    def fails(self, reason, code=41):
        said = self()
        assert (said.get("reason"), said["exit_code"]) == (reason, code), said
        assert self.hub.tags("shop") == {}
        return said


@pytest.fixture(params=[2, pytest.param(3, marks=pytest.mark.rare)])
def push(request, caisson, tmp_path):
    with registry.Registry(str(tmp_path), generation=request.param) as hub, registry_faults.Proxy(hub.host) as proxy:
        yield Push(caisson, proxy, hub, tmp_path)


@pytest.fixture
def bearer(caisson, tmp_path):
    """As `push`, where every token lives for three seconds."""
    with registry.Registry(str(tmp_path), auth="bearer", token_seconds=3) as hub:
        with registry_faults.Proxy(hub.host) as proxy:
            yield Push(caisson, proxy, hub, tmp_path, "--username", registry.USER,
                       environment={**HOME, "CAISSON_REGISTRY_PASSWORD": registry.PASSWORD})


def uploads(push):
    return [seen for seen in push.proxy.requests("PUT", "/blobs/uploads/") if seen.body >= BIG]


def test_nothing_is_wrong(push):
    push.succeeds()
    assert len(uploads(push)) == 1


def test_connections_are_kept_and_used_at_once(caisson, tmp_path):
    with registry.Registry(str(tmp_path)) as hub, registry_faults.Proxy(hub.host) as proxy:
        layout = str(tmp_path / "layout")
        layouts.write(layout, *({"data": os.urandom(50000)} for _ in range(12)))
        # The first upload waits until others have come: one after the other it would wait in vain.
        proxy.on("PUT", "/blobs/uploads/", call(lambda: wait_for(lambda: len(proxy.requests("PUT", "/uploads/")) >= 4)))
        done = caisson("image", "push", layout, f"{proxy.host}/shop:one", environment=HOME)
        assert done.returncode == 0, done
        assert len(proxy.seen) > 13 * 3 and 4 <= proxy.connections <= 5


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("after", [1, BIG // 2, BIG - 1])
def test_a_connection_is_cut_in_a_blob(push, after):
    fault = push.proxy.on("PUT", "/blobs/uploads/", cut(after))
    push.succeeds()
    assert len(fault.hits) == 1
    # Whether it has come is asked before it is sent again.
    digest = fault.hits[0].path.rpartition("digest=")[2].replace("%3A", ":")
    asked = [seen for seen in push.proxy.seen if seen.path.endswith("/blobs/" + digest)]
    assert len(asked) >= 2 or len(push.proxy.requests("PUT", digest)) == 2


def test_connections_are_cut_until_nothing_helps(push):
    push.proxy.on("PUT", "/blobs/uploads/", cut(1000), times=100)
    said = push.fails("connection-lost")
    assert "after 5 attempts" in said["message"]


def test_the_answer_to_a_blob_is_lost(push):
    """It is there: sending it again would be in vain."""
    fault = push.proxy.on("PUT", "/blobs/uploads/", lose_answer)
    said = push.succeeds()
    assert len(fault.hits) == 1 and len(uploads(push)) == 1 and said["blobs_there"] == 1


def test_the_answer_to_a_manifest_is_lost(push):
    fault = push.proxy.on("PUT", "/manifests/", lose_answer)
    push.succeeds()
    assert len(fault.hits) == 1


@pytest.mark.parametrize("method, part", [("GET", "/v2/"), ("HEAD", "/blobs/"), ("POST", "/blobs/"), ("PUT", "/blobs/"),
                                          ("HEAD", "/manifests/"), ("PUT", "/manifests/")])
@pytest.mark.parametrize("act", [answer(500, b"<html>oops</html>"), answer(503, b"", retry_after=0), answer(502),
                                 answer(429), hang_up], ids=["500", "503", "502", "429", "hang-up"])
def test_what_passes_by_itself(push, method, part, act):
    fault = push.proxy.on(method, part, act, times=2)
    push.succeeds()
    assert len(fault.hits) == 2


def test_it_waits_as_long_as_it_is_told(push):
    push.proxy.on("POST", "/blobs/", error(429, "TOOMANYREQUESTS", "slow down", ("Retry-After", "2")))
    began = time.monotonic()
    push.succeeds()
    assert time.monotonic() - began >= 2


def test_a_registry_that_wants_to_be_left_alone(push):
    push.proxy.on("POST", "/blobs/", error(429, "TOOMANYREQUESTS", "slow down"), times=100)
    said = push.fails("rate-limited")
    assert "TOOMANYREQUESTS: slow down" in said["message"]


def test_a_lying_range(push):
    """The answer to POST claims to have the bytes already."""
    push.proxy.on("POST", "/blobs/uploads/", with_headers(("Range", f"0-{BIG * 2}")), times=100)
    push.succeeds()
    assert len(uploads(push)) == 1


def test_a_registry_that_loses_the_bodies_of_patches(push):
    """ECR's way: so there must be none."""
    push.proxy.on("PATCH", "/", without_body, times=100)
    push.succeeds()


def test_an_upload_is_sent_to_another_host(push):
    with registry_faults.Proxy(push.hub.host) as other:
        push.proxy.on("PUT", "/blobs/uploads/", redirect(307, other.origin), times=100)
        push.succeeds()
        assert len(other.requests("PUT")) == 3
        assert [seen.body for seen in other.requests("PUT")].count(0) == 0


def test_the_password_does_not_go_to_another_host(caisson, tmp_path):
    with registry.Registry(str(tmp_path), auth="basic") as hub, contextlib.ExitStack() as stack:
        proxy = stack.enter_context(registry_faults.Proxy(hub.host))
        push = Push(caisson, proxy, hub, tmp_path, "--username", registry.USER,
                    environment={**HOME, "CAISSON_REGISTRY_PASSWORD": registry.PASSWORD})

        def signature():
            """The other host is let in by what it brings itself, as an object store is by a signed address."""
            return {"authorization": next(seen.headers["authorization"] for seen in proxy.seen
                                          if "authorization" in seen.headers)}

        others = []
        for method in ("HEAD", "POST", "PUT"):
            others.append(stack.enter_context(registry_faults.Proxy(hub.host, inject=signature)))
            proxy.on(method, "/blobs/", redirect(307, others[-1].origin), skip=1)
        push.succeeds()
        for other in others:
            assert other.seen and not any("authorization" in seen.headers for seen in other.seen)
        assert all("authorization" in seen.headers for seen in proxy.requests("PUT", "/manifests/"))


def test_it_follows_to_no_plain_http_elsewhere(push):
    push.proxy.on("PUT", "/blobs/uploads/", redirect(307, "http://169.254.170.2"), times=100)
    said = push.fails("redirect-refused")
    assert "169.254.170.2" in said["message"]


def test_redirects_in_circles(push):
    push.proxy.on("PUT", "/blobs/uploads/", redirect(308, push.proxy.origin), times=100)
    push.fails("redirect-refused")


def test_a_token_is_renewed_before_it_runs_out(bearer):
    bearer.proxy.on("POST", "/blobs/uploads/", late(4))
    bearer.succeeds()
    assert len(bearer.hub.tokens.given) >= 2
    assert not [seen for seen in bearer.proxy.seen if seen.status == 401 and "authorization" in seen.headers]


def test_a_token_runs_out_too_early(bearer):
    """It says that it lives for three seconds, and the registry has forgotten it already."""
    challenge = f'Bearer realm="{bearer_realm(bearer)}",service="caisson-test-registry",error="invalid_token"'
    for method, part in (("POST", "/blobs/"), ("PUT", "/blobs/"), ("PUT", "/manifests/")):
        bearer.proxy.on(method, part, error(401, "UNAUTHORIZED", "ran out", ("WWW-Authenticate", challenge)))
    bearer.succeeds()
    assert len(bearer.hub.tokens.given) >= 3


def bearer_realm(bearer):
    port = bearer.hub.token_listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/token"


def test_the_token_server_turns_us_away(bearer):
    bearer.proxy.on("POST", "/blobs/uploads/", call(lambda: setattr(bearer.hub.tokens, "refuse", True), late(4)))
    bearer.fails("registry-unauthorized")


@pytest.mark.parametrize("act", [
    error(400, "TAG_INVALID", "The image tag 'one' already exists in the 'shop' repository and cannot be overwritten "
                              "because the tag is immutable."),
    error(409, "CONFLICT", "exists"),
    error(412, "PRECONDITION", "Failed to process request due to 'shop:one' configured as immutable."),
], ids=["ecr", "409", "harbor"])
def test_a_tag_that_stays(push, act, tmp_path):
    """Written by somebody else between our look and our word: the same image is as good as ours."""
    other = str(tmp_path / "other")
    other_digest = layouts.write(other, {"other": b"other"})

    def somebody(layout):
        return lambda: push.hub.add(layout, "shop", "one")

    push.proxy.on("PUT", "/manifests/", call(somebody(push.layout), act))
    push.succeeds()
    push.hub.add(other, "shop", "one")
    push.proxy.on("PUT", "/manifests/", act)
    said = push()
    assert (said["reason"], said["exit_code"]) == ("tag-immutable", 41), said
    assert push.digest in said["message"] and other_digest in said["message"]
    assert push.hub.tags("shop") == {"one": other_digest}


@pytest.mark.parametrize("method, part, act, reason", [
    ("POST", "/blobs/", error(404, "NAME_UNKNOWN", "no shop"), "repository-missing"),
    ("POST", "/blobs/", error(403, "DENIED", "not yours"), "registry-denied"),
    ("PUT", "/blobs/", answer(413), "too-large"),
    ("PUT", "/blobs/", error(400, "DIGEST_INVALID", "not that"), "digest-refused"),
    ("PUT", "/manifests/", error(400, "MANIFEST_INVALID", "no"), "manifest-refused"),
    ("POST", "/blobs/", answer(202, b""), "redirect-refused"),
    ("POST", "/blobs/", answer(202, b"", ("Location", "gopher://x")), "redirect-refused"),
    ("POST", "/blobs/", answer(400, b"[" * 100000), "response-too-large"),
    ("POST", "/blobs/", answer(400, b"\x1b[2J" + b"[" * 5000), "registry-error"),
])
def test_refusals(push, method, part, act, reason):
    push.proxy.on(method, part, act, times=100)
    said = push.fails(reason)
    assert "\x1b" not in said["message"]
