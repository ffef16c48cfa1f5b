"""The bed itself: servers that let mistakes pass would prove nothing about the program."""

import json
import os
import subprocess
import time
import urllib.request

import pytest

from bed import ecs, git_server, http1, repositories, s3, sigv4
from bed.world import BUCKET, JOBS_BUCKET


@pytest.fixture
def gate_address(bed):
    sock = http1.listen("127.0.0.1")
    http1.serve(sock, bed.gate)
    yield sock.getsockname()
    http1.close_listener(sock)


def answer(address, keys, method="GET", path=f"/{BUCKET}/bed/object", body=b"", change=None, region=s3.REGION,
           now=None):
    """Sends a signed request that `change(headers)` may spoil after signing; returns (status, S3 code)."""
    client = s3.Client(address, keys, region)
    headers = dict(sigv4.sign(keys, region, method, client.host, path, body=body, now=now))
    if change:
        change(headers)
    body = headers.pop(":body", body)
    client.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        client.connection.putheader(name, value)
    client.connection.putheader("content-length", str(len(body)))
    client.connection.endheaders(body or None)
    got = client.connection.getresponse()
    text = got.read().decode()
    return got.status, text.partition("<Code>")[2].partition("</Code>")[0]


def test_gate_accepts_what_is_signed_right(bed, gate_address):
    keys = bed.gate.issue()
    assert answer(gate_address, keys, "PUT", body=b"hello") == (200, "")
    client = s3.Client(gate_address, keys)
    client.put(BUCKET, "bed/a b/ü+%.txt", b"x", cache_control="no-cache")
    assert client.keys_under(BUCKET, "bed/") == ["bed/a b/ü+%.txt", "bed/object"]
    assert client.head(BUCKET, "bed/a b/ü+%.txt")["cache-control"] == "no-cache"
    conditional = [("if-none-match", "*")]
    assert client.request("PUT", f"/{BUCKET}/bed/object", headers=conditional, body=b"y").status == 412
    assert bed.storage.get(BUCKET, "bed/object") == b"hello"


SPOILED = {
    "wrong secret": (403, "SignatureDoesNotMatch", {"keys": lambda k: sigv4.Keys(k.access, "x" * 40, k.token)}),
    "unknown key": (403, "InvalidAccessKeyId", {"keys": lambda k: sigv4.Keys("ASIAUNKNOWN", k.secret, k.token)}),
    "no token": (400, "InvalidToken", {"keys": lambda k: sigv4.Keys(k.access, k.secret)}),
    "other token": (400, "InvalidToken", {"keys": lambda k: sigv4.Keys(k.access, k.secret, k.token[:-1])}),
    "no authorization": (403, "AccessDenied", {"change": lambda h: h.pop("authorization")}),
    "body changed": (400, "XAmzContentSHA256Mismatch", {"change": lambda h: h.update({":body": b"jello"})}),
    "header not signed": (403, "AccessDenied", {"change": lambda h: h.update({"x-amz-meta-a": "1"})}),
    "signed header changed": (403, "SignatureDoesNotMatch", {"change": lambda h: h.update({"host": "other"})}),
    "date of another time": (403, "RequestTimeTooSkewed", {"now": 1000}),
    "wrong region": (400, "AuthorizationHeaderMalformed", {"region": "us-west-2"}),
}


@pytest.mark.parametrize("name", SPOILED)
def test_gate_refuses(bed, gate_address, name):
    status, code, how = SPOILED[name]
    how = dict(how)
    keys = how.pop("keys", lambda k: k)(bed.gate.issue())
    if "now" in how:
        how["now"] = time.time() - how["now"]
    assert answer(gate_address, keys, "PUT", body=b"hello", **how) == (status, code)


def test_gate_refuses_expired_keys_and_what_the_policy_forbids(bed, gate_address):
    keys = bed.gate.issue(seconds=-1)
    assert answer(gate_address, keys) == (400, "ExpiredToken")
    bed.gate.allow = lambda seen: seen.method == "PUT"
    assert answer(gate_address, bed.gate.issue()) == (403, "AccessDenied")


def test_gate_faults(bed, gate_address):
    keys = bed.gate.issue()
    everything = lambda seen: True
    bed.gate.add(s3.Refuse(everything, 503, "SlowDown", times=2))
    assert [answer(gate_address, keys, "PUT")[0] for _ in range(3)] == [503, 503, 200]
    bed.gate.faults = [s3.CloseConnection(everything, times=1)]
    with pytest.raises((OSError, s3.http.client.HTTPException)):
        answer(gate_address, keys)
    assert answer(gate_address, keys)[0] == 200
    assert [seen.status for seen in bed.gate.requests][:3] == [503, 503, 200]


def test_versitygw_itself_refuses_a_wrong_secret(world):
    wrong = sigv4.Keys(world.versity.keys.access, "x" * 40)
    assert answer(world.versity.address, wrong, path=f"/{JOBS_BUCKET}")[0] == 403


def clone(address, mode, repository, folder, user=""):
    url = f"http://{user}{address[0]}:{address[1]}/{mode}/{repository.name}"
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", "clone", "--quiet", "--depth", "1", url, str(folder)], capture_output=True, text=True,
                          env=environment, check=False)
    return done.returncode == 0, done.stderr


def test_git_server_with_gits_own_client(tmp_path):
    (tmp_path / "repositories").mkdir()
    server = git_server.GitServer(str(tmp_path / "repositories"))
    server.users, server.tokens, server.flaky = {"ann": "p:w"}, {"t0ken"}, 0
    sock = http1.listen("127.0.0.1")
    http1.serve(sock, server)
    address = sock.getsockname()
    repository = repositories.Repository(server.root, {"a/b.txt": "hello\n"})
    for number, (mode, user, works) in enumerate([
        ("open", "", True), ("basic", "ann:p%3Aw@", True), ("basic", "ann:no@", False), ("basic", "", False),
        ("token", "x-access-token:t0ken@", True), ("token", "t0ken:@", True), ("token", "x:no@", False),
        ("forbidden", "x:t0ken@", False), ("missing", "", False), ("flaky", "", True),
    ]):
        cloned, said = clone(address, mode, repository, tmp_path / f"clone{number}", user)
        assert cloned == works, (mode, user, said)
    assert (tmp_path / "clone0/a/b.txt").read_text() == "hello\n"
    server.flaky = 1
    assert not clone(address, "flaky", repository, tmp_path / "late")[0]
    http1.close_listener(sock)


def test_credential_and_metadata_endpoint(bed):
    endpoint = ecs.TaskEndpoint(s3.REGION, lambda: bed.gate.issue(60))
    sock = http1.listen("127.0.0.1")
    http1.serve(sock, endpoint)
    base = "http://{}:{}".format(*sock.getsockname())

    def get(path):
        with urllib.request.urlopen(base + path) as answered:
            return json.load(answered)

    variables = endpoint.environment()
    first, second = (get(variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]) for _ in range(2))
    assert first["AccessKeyId"] != second["AccessKeyId"] and first["Token"]
    metadata = variables["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")
    assert get(metadata + "/task")["TaskARN"] == endpoint.arn
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get("/v2/credentials/other")
    http1.close_listener(sock)
