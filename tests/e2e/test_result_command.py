"""`caisson result`: how a job ended, in words."""

import json
import re
import subprocess

import pytest

from bed import http1, s3
from bed.world import JOBS_BUCKET

BUILDS = ("mkdir dist", "echo x >dist/index.html")


@pytest.fixture
def reader(bed, caisson):
    """The program on this machine, with rights to the bucket, before the same gate as the tasks."""
    sock = http1.listen("127.0.0.1")
    http1.serve(sock, bed.gate)
    keys = bed.gate.issue(session=False)
    environment = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{sock.getsockname()[1]}", "AWS_REGION": s3.REGION,
                   "AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret}
    yield lambda *arguments, **options: caisson(*arguments, environment=environment, **options)
    http1.close_listener(sock)


@pytest.mark.parametrize("name", ["log", "log.gz", "log.zst"])
def test_a_build_that_failed(bed, reader, name):
    spec = bed.commands("seq 3000; echo 'the last words' >&2; exit 3", log=f"s3://{JOBS_BUCKET}/explained/{name}")
    ended = bed.run(spec)
    assert ended.code == 31, ended
    done = reader("result", spec["result"])
    assert (done.returncode, done.stderr) == (0, ""), done
    out = done.stdout
    assert out.startswith(f"job {spec['id']} of shop failed after ") and " in step build\n" in out
    assert ended.result["message"] in out
    assert "build-failed: the build command failed, exit code 31" in out and "ended with exit code 3\n" in out
    assert "will end the same way" in out and ended.result["source"]["commit"] in out
    lines = [line for line in out.splitlines() if re.match(r"  \d\d:\d\d:\d\d build ", line)]
    assert len(lines) == 20 and lines[-1].endswith("failed in " + lines[-1].rpartition(" ")[2])
    assert any(line.endswith("| the last words") for line in lines) and not any(line.endswith("| 2900") for line in lines)
    assert f"caisson logs {spec['log']} --step build" in out
    assert reader("result", spec["result"], "--exit-code").returncode == 31
    document = json.loads(reader("result", spec["result"], "--json").stdout)
    assert document == ended.result


def test_a_job_that_succeeded(bed, reader):
    spec = bed.commands("echo '::warning'", *BUILDS, log=f"s3://{JOBS_BUCKET}/explained/good.log")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    out = reader("result", spec["result"], "--exit-code")
    assert out.returncode == 0 and out.stdout.startswith(f"job {spec['id']} of shop succeeded in "), out
    assert f"published 1 files (2 B) to {spec['artifacts'][0]['to']}" in out.stdout
    assert "class" not in out.stdout and "again?" not in out.stdout and "build      succeeded" in out.stdout
    assert f"caisson logs {spec['log']}" in out.stdout


def test_what_was_not_delivered(bed, reader):
    spec = bed.commands(*BUILDS, notify=[{"http": f"http://{at}"} for at in
                                         ("nobody.test/hook", "nobody.test/other", "nowhere.test/hook")])
    ended = bed.run(spec)
    assert ended.code == 0 and ended.result["undelivered"], ended
    out = reader("result", spec["result"]).stdout
    assert "not delivered:\n" in out and "nobody.test" in out, out
    stored = json.loads(reader("result", spec["result"], "--json").stdout)
    assert [text for text in stored["warnings"] if text.startswith("not told: ")], stored
    assert "  not told: " not in out, out  # once is enough
    for server in ("nobody.test", "nowhere.test"):
        assert ended.text.count(f"warning: http http://{server} is spoken to without TLS") == 1, ended


def test_a_log_that_was_not_stored(bed, reader):
    spec = bed.commands("exit 1", log=None)
    bed.run(spec)
    assert "stored no log" in reader("result", spec["result"]).stdout


def test_a_log_that_is_gone(bed, reader):
    spec = bed.commands("exit 1", log=f"s3://{JOBS_BUCKET}/explained/gone.log")
    bed.run(spec)
    bed.gate.allow = lambda seen: "gone.log" not in seen.key
    done = reader("result", spec["result"])
    assert done.returncode == 0 and "The log was not read: " in done.stdout, done
    assert f"caisson logs {spec['log']} --step build" in done.stdout


# -- documents that anybody wrote

@pytest.fixture
def written(tmp_path, caisson):
    def run(document, *options):
        path = tmp_path / "result.json"
        path.write_text(document if isinstance(document, str) else json.dumps({"schema": "caisson.result/1", **document}))
        return caisson("result", str(path), *options)

    run.folder = tmp_path
    return run


FAILED = {"id": "j1", "status": "failed", "class": "build-failed", "exit_code": 31, "step": "build", "message": "no"}


def test_nothing_of_it_drives_a_terminal(written):
    evil = "\x1b]0;x\x07\x1b[2Jtext\r\n\x9b1m\u009b2m\u202eover"
    document = {**FAILED, "id": evil, "project": evil, "message": evil, "hint": evil, "reason": evil, "class": evil,
                "status": evil, "step": evil, "steps": [{"name": evil, "status": evil, "started_at": evil}],
                "warnings": [evil], "undelivered": [evil], "log_url": "s3://" + evil, "artifacts": [{"url": evil}],
                "image": {"repository": evil, "digest": evil, "published": True, "tags": [evil]},
                "source": {"repository": evil, "subject": evil}}
    done = written(document)
    assert done.returncode == 0 and "text" in done.stdout, done
    assert not [c for c in done.stdout + done.stderr if (ord(c) < 0x20 and c not in "\n\t") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"]


@pytest.mark.parametrize("document", [
    {}, {"exit_code": "x", "steps": {}, "artifacts": 5, "image": [], "warnings": {"a": 1}, "source": "x"},
    {**FAILED, "exit_code": 10 ** 12, "seconds": 1e300, "steps": [5, None, {}], "warnings": [1, None]},
    {**FAILED, "exit_code": -5, "seconds": -1e300, "log_url": "s3://"},
    {**FAILED, "log_url": "nowhere://x"}, {**FAILED, "warnings": ["w"] * 100000},
], ids=range(6))
def test_documents_that_are_not_as_they_should_be(written, document):
    done = written(document)
    assert done.returncode == 0 and len(done.stdout) < 20000, done
    assert written(document, "--exit-code").returncode in (59, 31)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other/1"}', "null"])
def test_what_is_no_result(written, text):
    done = written(text)
    assert done.returncode == 2 and done.stdout == "" and "result.json" in done.stderr, done
    assert "caisson logs reads a log" in done.stderr


def test_too_large(written):
    done = written('{"a": "' + "x" * (9 << 20) + '"}')
    assert done.returncode == 2 and "larger than" in done.stderr, done


def test_a_document_from_elsewhere_names_no_file_of_this_machine(bed, reader, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("12:00:01 build    begins\n12:00:01 build    | hunter2\n")
    document = {"schema": "caisson.result/1", **FAILED, "log_url": f"file:{secret}"}
    bed.storage.put(JOBS_BUCKET, "explained/evil.json", json.dumps(document).encode())
    done = reader("result", f"s3://{JOBS_BUCKET}/explained/evil.json")
    assert done.returncode == 0 and "hunter2" not in done.stdout and f"caisson logs file:{secret}" in done.stdout, done
    # a document of this machine may
    (tmp_path / "result.json").write_text(json.dumps(document))
    assert "hunter2" in reader("result", str(tmp_path / "result.json")).stdout


def test_no_server_is_asked_that_the_document_chose(written):
    asked = []
    sock = http1.listen("127.0.0.1")
    http1.accept_on(sock, lambda client: (asked.append(1), client.close()))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}/latest/meta-data"
    done = written({**FAILED, "log_url": url})
    http1.close_listener(sock)
    assert done.returncode == 0 and f"caisson logs {url}" in done.stdout and not asked, done


def test_not_there(caisson, tmp_path):
    done = caisson("result", str(tmp_path / "none.json"))
    assert done.returncode == 2 and "there is no" in done.stderr and "spec's `result`" in done.stderr, done
    assert json.loads(caisson("result", str(tmp_path / "none.json"), "--json").stdout)["reason"] == "not-found"


def test_on_a_terminal(program, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"schema": "caisson.result/1", **FAILED, "log_url": f"file:{tmp_path}/l.log"}))
    (tmp_path / "l.log").write_text("12:00:01 build    begins\n12:00:01 build    error: broken\n12:00:01 build    failed in 1s\n")
    done = subprocess.run(["script", "-qec", f"{program} result {tmp_path}/r.json", "/dev/null"], capture_output=True,
                          timeout=30, stdin=subprocess.DEVNULL, check=True)
    assert b"\x1b[31m12:00:01 build    error: broken" in done.stdout, done.stdout
