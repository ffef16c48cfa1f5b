"""Checkout over smart HTTP: ways in, and ways to be turned away."""

import base64
import os
import re

import pytest

from bed import git_server

TOKEN = "ghp_t0kenOfTheRepository123"
FILES = {"public/index.html": "<h1>hello</h1>\n", "look.sh": "cat .git/config; find .git -type f | xargs cat\n"}


def spec_for(bed, repository, mode="open", host="http://git.test", auth=None, **source):
    spec = bed.spec(repository, build={"builder": "none", "output": "public"})
    spec["source"] = {"repository": repository.url(mode, host), **source}
    if auth:
        spec["source"]["auth"] = auth
    return spec


@pytest.fixture
def repository(bed):
    return bed.repository(FILES)


def test_basic(bed, repository):
    bed.git.users = {"ann": "p:w ü"}
    spec = spec_for(bed, repository, "basic", auth={"username": "ann", "password": {"env": "REPOSITORY_PASSWORD"}})
    ended = bed.run(spec, environment={"REPOSITORY_PASSWORD": "p:w ü"})
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"<h1>hello</h1>\n"}
    assert ended.result["source"]["commit"] == repository.commit
    assert "p:w ü" not in ended.text


def test_token_is_nowhere_to_be_seen(bed, repository):
    bed.git.tokens = {TOKEN}
    spec = spec_for(bed, repository, "token", auth={"token": {"env": "REPOSITORY_TOKEN"}})
    spec["build"] = {"builder": "commands", "commands": ["sh look.sh", "sleep 30"], "output": "public"}
    seen = []

    def look(request):
        """While the checkout runs: argv and environment of every process of the container."""
        pid = str(task.pid())
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.stat(f"/proc/{name}/ns/pid").st_ino == os.stat(f"/proc/{pid}/ns/pid").st_ino:
                    for part in ("cmdline",) if name == pid else ("cmdline", "environ"):
                        with open(f"/proc/{name}/{part}", "rb") as file:
                            seen.append(file.read())
            except OSError:  # it has ended
                pass

    bed.git.before = look
    task = bed.start(spec, environment={"REPOSITORY_TOKEN": TOKEN})
    task.wait_for('[core]')
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143, ended
    everything = b"\0".join(seen)
    assert b"caisson" in everything
    for form in (TOKEN, base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()):
        assert form.encode() not in everything
        assert form not in ended.text, ended
    given = [git_server.credentials_of(request) for request in bed.git.requests]
    assert any(password == TOKEN for _, password in given)


def test_wrong_token(bed, repository):
    bed.git.tokens = {"another"}
    spec = spec_for(bed, repository, "token", auth={"token": {"env": "REPOSITORY_TOKEN"}}, ref="main")
    ended = bed.run(spec, environment={"REPOSITORY_TOKEN": TOKEN})
    assert ended.code == 21, ended
    assert ended.result["retryable"] is False and "git.test" in ended.result["message"], ended
    assert ended.result["hint"], ended
    assert TOKEN not in ended.text
    assert len(bed.git.requests) <= 4, [request.target for request in bed.git.requests]


@pytest.mark.parametrize("mode, code", [("token", 21), ("forbidden", 21), ("missing", 22)])
def test_refused_without_credentials(bed, repository, mode, code):
    ended = bed.run(spec_for(bed, repository, mode))
    assert ended.code == code, ended
    assert ended.result["retryable"] is False, ended
    assert len(bed.git.requests) <= 3, [request.target for request in bed.git.requests]


def test_unknown_branch(bed, repository):
    ended = bed.run(spec_for(bed, repository, ref="no-such-branch"))
    assert ended.code == 22, ended
    assert "no-such-branch" in ended.result["message"] and "git.test" in ended.result["message"], ended
    assert ended.result["retryable"] is False, ended


def test_unknown_commit(bed, repository):
    ended = bed.run(spec_for(bed, repository, commit="0123456789abcdef0123456789abcdef01234567"))
    assert ended.code == 22, ended


def test_unreachable(bed, repository):
    spec = spec_for(bed, repository, host="http://dead.test")
    spec["retry"] = {"max_attempts": 2, "backoff": "100ms"}
    ended = bed.run(spec)
    assert ended.code == 20, ended
    assert ended.result["retryable"] is True and "dead.test" in ended.result["message"], ended


def test_unknown_host(bed, repository):
    spec = spec_for(bed, repository, host="http://no-such-host.test")
    spec["retry"] = {"max_attempts": 2, "backoff": "100ms"}
    ended = bed.run(spec)
    assert ended.code == 20, ended
    assert "no-such-host.test" in ended.result["message"], ended


def test_server_errors_are_tried_again(bed, repository):
    bed.git.flaky = 2
    spec = spec_for(bed, repository, "flaky")
    spec["retry"] = {"max_attempts": 4, "backoff": "100ms"}
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert [step["attempts"] for step in ended.result["steps"] if step["name"] == "checkout"] == [3], ended


def test_redirect_to_another_host_drops_credentials(bed, repository):
    bed.git.tokens = {TOKEN}
    spec = spec_for(bed, repository, "moved", auth={"token": {"env": "REPOSITORY_TOKEN"}})
    ended = bed.run(spec, environment={"REPOSITORY_TOKEN": TOKEN})
    there = bed.world.git_elsewhere.requests
    assert not [request for request in there if request.header("authorization")], ended
    assert ended.code in (0, 21), ended
    assert TOKEN not in ended.text


def test_tls_with_a_ca_of_our_own(bed, repository):
    spec = spec_for(bed, repository, host="https://git.test")
    assert bed.run(spec, environment={"SSL_CERT_FILE": "/etc/test-ca.pem"}).code == 0
    refused = bed.run({**spec, "id": spec["id"] + "-2"})
    assert refused.code == 20, refused
    assert "certificate" in refused.text.lower(), refused


def test_branch_tag_and_commit(bed):
    repository = bed.repository({"public/index.html": "one\n"})
    first = repository.commit
    repository.add({"public/index.html": "two\n"}, tag="v2")
    repository.add({"public/index.html": "three\n"})
    for source, text in (({"ref": "v2"}, b"two\n"), ({"ref": "main"}, b"three\n"), ({}, b"three\n"),
                         ({"commit": first}, b"one\n"), ({"commit": first, "ref": "main"}, b"one\n")):
        spec = spec_for(bed, repository, **source)
        ended = bed.run(spec)
        assert ended.code == 0, (source, ended)
        assert bed.published(spec) == {"index.html": text}, source


def test_only_the_tip_is_fetched(bed):
    repository = bed.repository({"big.bin": os.urandom(3_000_000), "public/index.html": "one\n"})
    repository.add({"public/index.html": "two\n"})
    spec = spec_for(bed, repository)
    spec["build"] = {"builder": "commands", "commands": ["du -sk .git", "cat .git/shallow"], "output": "public"}
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"two\n"}
    packs = [size for size in map(int, re.findall(r"(\d+)\s+\.git$", ended.text, re.M))]
    assert packs and max(packs) < 1000, ended


def test_directory_of_a_repository(bed):
    repository = bed.repository({"site/public/index.html": "deep\n", "public/index.html": "top\n"})
    spec = spec_for(bed, repository, directory="site")
    assert bed.run(spec).code == 0
    assert bed.published(spec) == {"index.html": b"deep\n"}


@pytest.mark.parametrize("directory", ["$(touch /tmp/x)", "../..", "no/such"])
def test_hostile_directory(bed, repository, directory):
    ended = bed.run(spec_for(bed, repository, directory=directory))
    assert ended.code in (10, 22), ended
