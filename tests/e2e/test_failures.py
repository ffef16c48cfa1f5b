"""Each way to fail has its class, and the result says it."""

import pytest

from bed import http1, s3, world
from bed.world import BUCKET, storage_options


def fails(ended, code, status="failed", retryable=None):
    assert ended.code == code, ended
    assert ended.result["status"] == status, ended
    assert ended.result["message"] and ended.result["reason"], ended
    if retryable is not None:
        assert ended.result["retryable"] is retryable, ended


def untouched(bed, spec):
    assert bed.storage.keys_under(BUCKET, bed.folder_of(spec)) == []


PACKAGE = '{"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"}}\n'


def node_spec(bed, build_script="mkdir -p dist; echo x >dist/index.html\n", **build):
    repository = bed.repository({"package.json": PACKAGE, "build.sh": build_script})
    return bed.spec(repository, build={"builder": "node", "output": "dist", **build})


def test_failing_install(bed):
    spec = node_spec(bed, install="echo 'no such package: left-pad-9' >&2; exit 7")
    ended = bed.run(spec)
    fails(ended, 30)
    assert ended.result["child_exit_code"] == 7 and ended.result["step"] == "install", ended
    assert "no such package: left-pad-9" in ended.text
    untouched(bed, spec)


def test_failing_build(bed):
    spec = node_spec(bed, "echo 'syntax error in App.jsx' >&2\nexit 3\n", install=False)
    ended = bed.run(spec)
    fails(ended, 31)
    assert ended.result["step"] == "build", ended
    assert "syntax error in App.jsx" in ended.text
    untouched(bed, spec)


def test_killed_build_names_the_signal(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "kill -KILL $$")
    ended = bed.run(spec)
    fails(ended, 31)
    assert ended.result["child_signal"] == 9 and "SIGKILL" in ended.result["message"], ended
    untouched(bed, spec)


@pytest.mark.parametrize("command, code, word", [
    ("frobnicate --fast", 127, "frobnicate"),
    ("./not-executable.txt", 126, "not-executable.txt"),
])
def test_shell_cannot_run_the_command(bed, command, code, word):
    spec = bed.commands(command, files={"not-executable.txt": "text\n"})
    ended = bed.run(spec)
    fails(ended, 31)
    assert ended.result["child_exit_code"] == code, ended
    assert word in ended.result["message"] + ended.result.get("hint", ""), ended


@pytest.mark.parametrize("command", ["true", "mkdir dist"], ids=["missing", "empty"])
def test_no_output(bed, command):
    spec = bed.commands(command)
    ended = bed.run(spec)
    fails(ended, 32)
    assert "dist" in ended.result["message"], ended
    untouched(bed, spec)


def test_failing_test(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    spec["build"]["test"] = "echo '1 of 3 failed'; exit 1"
    ended = bed.run(spec)
    fails(ended, 35)
    untouched(bed, spec)


def test_type_test_publishes_nothing(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", type="test", artifacts=None)
    spec["build"]["test"] = "test -f dist/index.html"
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert ended.result["type"] == "test" and ended.result["artifacts"] == [], ended


def test_full_disk(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "head -c 200000000 /dev/zero >dist/big || exit 1")
    ended = bed.run(spec, size="40m")
    fails(ended, 34)
    untouched(bed, spec)


def test_time_limit(bed):
    spec = bed.commands("sleep 60", timeouts={"build": "1s"})
    ended = bed.run(spec)
    fails(ended, 124, "timed_out")
    assert ended.seconds < 20, ended
    untouched(bed, spec)


def test_idle_limit(bed):
    spec = bed.commands("echo once; sleep 60", timeouts={"idle": "1s"})
    ended = bed.run(spec)
    fails(ended, 124, "timed_out")
    assert "printed nothing" in ended.result["message"], ended


def test_s3_unreachable(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", result="file:/results/result.json",
                        retry={"max_attempts": 2, "backoff": "100ms"})
    spec["artifacts"][0]["s3"] = storage_options(endpoint="http://dead.test:9000")
    ended = bed.run(spec, volumes={"/results": bed.results_folder()})
    fails(ended, 40, retryable=True)
    assert "dead.test" in ended.result["message"], ended


def test_access_denied(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    bed.gate.allow = lambda seen: seen.bucket != BUCKET
    ended = bed.run(spec)
    fails(ended, 40, retryable=False)
    assert "AccessDenied" in ended.result["message"] or "denied" in ended.result["message"], ended
    untouched(bed, spec)


def test_no_such_bucket(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    spec["artifacts"][0]["to"] = "s3://no-such-bucket/x/"
    ended = bed.run(spec)
    fails(ended, 40, retryable=False)
    assert "no-such-bucket" in ended.result["message"], ended


def test_no_credentials(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", result="file:/results/result.json")
    ended = bed.run(spec, issue=False, volumes={"/results": bed.results_folder()})
    fails(ended, 50)
    assert bed.gate.requests == []


def test_slow_down_is_waited_out(bed):
    spec = bed.commands("mkdir dist; for i in 1 2 3 4; do echo $i >dist/$i.txt; done; echo x >dist/index.html")
    of_puts = lambda seen: seen.bucket == BUCKET and seen.method == "PUT"
    fault = bed.gate.add(s3.Refuse(of_puts, 503, "SlowDown", times=6))
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert fault.hits == 6
    assert sorted(bed.published(spec)) == ["1.txt", "2.txt", "3.txt", "4.txt", "index.html"]


def test_slow_storage_makes_the_publish_slow_not_fail(bed):
    spec = bed.commands("mkdir dist; for i in $(seq 150); do echo $i >dist/$i.txt; done; echo x >dist/index.html")
    limit = bed.gate.add(s3.Throttle(lambda seen: seen.bucket == BUCKET and seen.method == "PUT", 30, 10))
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert len(bed.published(spec)) == 151
    # All that were under way are refused together, once; from then on few are.
    assert 0 < limit.hits < 400, limit.hits


def test_broken_connections_are_tried_again(bed):
    spec = bed.commands("mkdir dist; for i in 1 2 3 4; do echo $i >dist/$i.txt; done; echo x >dist/index.html")
    of_files = lambda seen: seen.bucket == BUCKET and seen.method == "PUT" and seen.key.endswith(".txt")
    before = bed.gate.add(s3.CloseConnection(of_files, times=2))
    after = bed.gate.add(s3.CloseConnection(of_files, times=2, lost_answer=True))
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert before.hits == 2 and after.hits == 2
    assert sorted(bed.published(spec)) == ["1.txt", "2.txt", "3.txt", "4.txt", "index.html"]


def test_lost_answers_of_every_request(bed):
    """A request that took effect though its answer was lost is no reason to fail or to be superseded by oneself."""
    probe = bed.commands("mkdir dist; echo x >dist/index.html; echo a >dist/a.txt")
    assert bed.run(probe).code == 0
    count = len(bed.gate.seen(bucket=BUCKET))
    for number in range(1, count + 1):
        spec = {**probe, "id": f"{probe['id']}-{number}"}
        spec["result"] = f"s3://{world.JOBS_BUCKET}/{spec['id']}/result.json"
        spec["artifacts"] = [{**probe["artifacts"][0], "to": f"s3://{BUCKET}/lost{number}-{probe['id']}/"}]
        passed = iter(range(1, 10000))
        bed.gate.faults = [s3.CloseConnection(
            lambda seen: seen.bucket == BUCKET and next(passed) == number, lost_answer=True)]
        ended = bed.run(spec)
        assert ended.code == 0, (number, bed.gate.requests[-1], ended)
        assert bed.published(spec) == {"index.html": b"x\n", "a.txt": b"a\n"}, number


def test_clock_skew_is_corrected(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    bed.gate.clock_offset_s = 3600
    ended = bed.run(spec, issue=lambda: bed.gate.issue(7200))
    assert ended.code == 0, ended
    assert len([seen for seen in bed.gate.requests if seen.code == "RequestTimeTooSkewed"]) >= 1
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_credentials_revoked_before_their_time_are_renewed(bed):
    spec = bed.commands("mkdir dist; for i in 1 2 3 4; do echo $i >dist/$i.txt; done; echo x >dist/index.html")
    class Revoke(s3.Fault):
        def before(self, seen):
            bed.gate.expire(seen.access)
            return s3.error_response(400, "ExpiredToken", "The provided token has expired.")

    bed.gate.add(Revoke(lambda seen: seen.bucket == BUCKET and seen.key.endswith(".txt"), times=1))
    task = bed.start(spec)
    ended = bed.finish(task)
    assert ended.code == 0, ended
    assert len(task.endpoint.given) >= 2
    assert sorted(bed.published(spec)) == ["1.txt", "2.txt", "3.txt", "4.txt", "index.html"]


def test_credential_endpoint_that_fails_at_first(bed):
    spec = bed.commands("mkdir dist; sleep 0.5; echo x >dist/index.html")
    task = bed.start(spec)
    task.endpoint.failures = [http1.Response(500, b"oops"), http1.Response(429, b"slow down")]
    ended = bed.finish(task)
    assert ended.code == 0, ended
    assert task.endpoint.failures == []


@pytest.mark.parametrize("text, code, word", [
    ("version: 1\nsource: {repositry: http://git.test/x}\n", 10, "repository"),
    ("version: 7\n", 10, "version"),
    ("{", 10, "CAISSON_JOB"),
    ("version: 1\nsource: {repository: http://git.test/x}\nsecrets: {A: {env: AWS_SECRET_ACCESS_KEY}}\n"
     "artifacts: [{to: 's3://site-bucket/p/'}]\n", 10, "reserved"),
    ("version: 1\nsource: {repository: http://git.test/open/x.git, auth: {token: {env: NOT_THERE}}}\n"
     "artifacts: [{to: 's3://site-bucket/p/'}]\n", 12, "NOT_THERE"),
    ("version: 1\nsource: {repository: http://git.test/x}\n"
     "cache: [{paths: [x], key: k, to: 's3://site-bucket/c/'}]\n", 10, "cache"),
])
def test_spec_mistakes(bed, text, code, word):
    ended = bed.run(text)
    assert ended.code == code, ended
    assert word in ended.text, ended


def test_file_targets_need_the_operators_word(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", artifacts=[{"to": "file:/out/"}])
    ended = bed.run(spec, operator=None)
    assert ended.code == 10, ended
    assert "file" in ended.text and "operator" in ended.text, ended
