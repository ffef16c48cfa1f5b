"""`caisson logs`: what a job has stored, read as a person reads it, who wants a part of it."""

import gzip
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

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

    def run(*arguments, **options):
        return caisson(*arguments, environment=environment, **options)

    run.environment = environment
    yield run
    http1.close_listener(sock)


def stored(bed, name, *commands, **changes):
    """A job's log in S3, and how the job ended."""
    spec = bed.commands(*(commands or ("seq 3; echo warned >&2", *BUILDS)), log=f"s3://{JOBS_BUCKET}/{name}", **changes)
    return spec["log"], bed.run(spec)


def text_of(bed, name):
    data = bed.storage.get(JOBS_BUCKET, name)
    if name.endswith(".gz"):
        return gzip.decompress(data).decode()
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout.decode()
    return data.decode()


def fetched(bed, name):
    """Bytes of the log that were asked for."""
    total = 0
    for seen in bed.gate.seen(method="GET", key=name):
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", {k.lower(): v for k, v in seen.headers.items()}["range"]).groups()
        total += int(last) - int(first) + 1
    return total


def of_step(text, step):
    return [line for line in text.splitlines() if line[9:].startswith(f"{step:<8} ")]


@pytest.mark.parametrize("name", ["logs/a.log", "logs/a.log.gz", "logs/a.log.zst"])
def test_whole_step_tail(bed, reader, name):
    if name.endswith(".zst") and not shutil.which("zstd"):
        pytest.skip("no zstd here")
    log, ended = stored(bed, name)
    assert ended.code == 0, ended
    text = text_of(bed, name)
    assert "| 3\n" in text and "build    begins\n" in text
    whole = reader("logs", log)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, text, "")
    assert reader("logs", log, "--no-index").stdout == text
    for options in ((), ("--no-index",)):
        step = reader("logs", log, "--step", "build", *options)
        assert step.stdout.splitlines() == of_step(text, "build"), step
        last = reader("logs", log, "--step", "build", "--tail", "2", *options)
        assert last.stdout.splitlines() == of_step(text, "build")[-2:], last
        assert reader("logs", log, "--tail", "1", *options).stdout == text.splitlines()[-1] + "\n"


def test_json(bed, reader):
    log, ended = stored(bed, "logs/json.log.gz")
    assert ended.code == 0, ended
    lines = [json.loads(line) for line in reader("logs", log, "--json").stdout.splitlines()]
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))
    started = ended.result["started_at"][:10]
    assert all(line["time"].startswith(started) for line in lines), lines[0]
    build = [line for line in lines if line.get("step") == "build"]
    assert (build[0]["type"], build[-1]["type"]) == ("step-begin", "step-end")
    assert [line["text"] for line in build if line["type"] == "output"] == ["1", "2", "3", "warned"]
    assert (lines[-1]["type"], json.loads(lines[-1]["text"])["id"]) == ("result", ended.result["id"])
    # numbers, times and steps of a piece are those of the whole
    assert [json.loads(line) for line in reader("logs", log, "--json", "--step", "build").stdout.splitlines()] == build


def test_an_unknown_step_names_those_there_are(bed, reader):
    log, _ = stored(bed, "logs/steps.log.gz")
    for options in ((), ("--no-index",)):
        done = reader("logs", log, "--step", "deploy", *options)
        assert done.returncode == 2 and done.stdout == ""
        assert "no step deploy" in done.stderr and "checkout, detect, build, publish" in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["logs/long.log", "logs/long.log.gz"])
def test_only_what_is_wanted_is_fetched(bed, reader, name):
    log, ended = stored(bed, name, "seq -f '%012.0f of many lines that say nothing at all' 500000", *BUILDS)
    assert ended.code == 0, ended
    size = int(bed.storage.head(JOBS_BUCKET, name)["content-length"])
    text = text_of(bed, name)
    assert len(text) > 25_000_000
    for arguments, wanted in ((("--step", "publish"), of_step(text, "publish")),
                              (("--step", "checkout"), of_step(text, "checkout")),
                              (("--tail", "3"), text.splitlines()[-3:])):
        bed.gate.requests.clear()
        done = reader("logs", log, *arguments)
        assert done.stdout.splitlines() == wanted, (arguments, done)
        # a part of 256 KiB of text, and the first byte to see whether log and index belong together
        assert fetched(bed, name) < max(size / 50, 40_000), (arguments, fetched(bed, name), size)
    time_of = text.splitlines()[-1][:8]
    since = reader("logs", log, "--since", time_of).stdout.splitlines()
    assert since and since == text.splitlines()[-len(since):] and all(line[:8] >= time_of for line in since)


def test_a_log_that_was_cut(bed, reader):
    log, ended = stored(bed, "logs/cut.log.gz", "seq 100000", *BUILDS, limits={"log": "100KiB"})
    assert ended.code == 0, ended
    text = text_of(bed, "logs/cut.log.gz")
    assert reader("logs", log).stdout == text
    lines = of_step(text, "build")
    assert reader("logs", log, "--step", "build").stdout.splitlines() == lines
    assert any("warning: " in line for line in lines) and "| 100000\n" not in text
    assert len(of_step(text, "publish")) >= 2 and reader("logs", log, "--step", "publish").stdout.splitlines() == of_step(
        text, "publish")


def test_what_ordinary_programs_make_of_it(bed, tmp_path):
    """zcat, and clients that undo Content-Encoding by themselves."""
    _, ended = stored(bed, "logs/plain.log.gz", "seq 200000", *BUILDS)
    assert ended.code == 0, ended
    headers = bed.storage.head(JOBS_BUCKET, "logs/plain.log.gz")
    assert (headers["content-encoding"], headers["content-type"]) == ("gzip", "text/plain; charset=utf-8")
    data = bed.storage.get(JOBS_BUCKET, "logs/plain.log.gz")
    unpacked = subprocess.run(["zcat"], input=data, capture_output=True, check=True).stdout
    assert unpacked == gzip.decompress(data) and b"| 200000\n" in unpacked
    index = json.loads(bed.storage.get(JOBS_BUCKET, "logs/plain.log.gz.index.json"))
    assert index["lines"] == unpacked.count(b"\n") and index["text_bytes"] == len(unpacked)


@pytest.mark.parametrize("name", ["copied.log.gz", "copied.log"])
def test_a_copy_on_this_machine(bed, caisson, tmp_path, name):
    """As `aws s3 cp` brings it: with its index beside it, alone, and under another name."""
    log, ended = stored(bed, f"logs/{name}", "seq 300000", *BUILDS)
    assert ended.code == 0, ended
    text = text_of(bed, f"logs/{name}")
    for part in (name, f"{name}.index.json"):
        (tmp_path / part).write_bytes(bed.storage.get(JOBS_BUCKET, f"logs/{part}"))
    step = of_step(text, "publish")
    for options in ((), ("--no-index",)):
        done = caisson("logs", str(tmp_path / name), "--step", "publish", *options)
        assert (done.stdout.splitlines(), done.stderr) == (step, ""), done
    assert caisson("logs", str(tmp_path / name), "--tail", "3").stdout.splitlines() == text.splitlines()[-3:]
    assert caisson("logs", str(tmp_path / name), "--follow").stdout == text
    os.unlink(tmp_path / f"{name}.index.json")
    assert caisson("logs", str(tmp_path / name)).stdout == text
    done = caisson("logs", str(tmp_path / name), "--step", "publish")
    assert done.stdout.splitlines() == step, done


def test_a_copy_that_was_unpacked_on_the_way(bed, caisson, tmp_path):
    """Browsers undo Content-Encoding and keep the name."""
    _, ended = stored(bed, "logs/unpacked.log.gz", "seq 3000", *BUILDS)
    assert ended.code == 0, ended
    text = text_of(bed, "logs/unpacked.log.gz")
    (tmp_path / "unpacked.log.gz").write_text(text)
    done = caisson("logs", str(tmp_path / "unpacked.log.gz"), "--step", "build")
    assert done.returncode == 0 and done.stdout.splitlines() == of_step(text, "build"), done.stderr


@pytest.mark.rare
@pytest.mark.parametrize("name", ["logs/huge.log.gz", "logs/huge.log"])
def test_a_hundred_megabytes(bed, reader, program, name):
    """A step, its last lines and what came since a time are found by the index, in a few requests and little memory."""
    log, ended = stored(bed, name, "seq -f '%012.0f of many lines that say nothing at all' 1600000", *BUILDS,
                        limits={"log": "200MiB"})
    assert ended.code == 0, ended
    text = text_of(bed, name)
    assert len(text) > 100_000_000
    size = int(bed.storage.head(JOBS_BUCKET, name)["content-length"])
    for arguments, wanted in ((("--step", "publish"), of_step(text, "publish")),
                              (("--step", "build", "--tail", "5"), of_step(text, "build")[-5:])):
        bed.gate.requests.clear()
        done = reader("logs", log, *arguments)
        assert done.stdout.splitlines() == wanted, (arguments, done.stderr)
        assert fetched(bed, name) < size / 50 + 40_000 and len(bed.gate.requests) < 10, (arguments, fetched(bed, name))
    used = subprocess.run(["/usr/bin/env", "python3", "-c", MEASURED, program, "logs", log], capture_output=True, text=True,
                          timeout=200, env={"PATH": os.environ["PATH"], **reader.environment}, check=True)
    assert [int(number) for number in used.stdout.split()] == [0, pytest.approx(16 << 10, abs=16 << 10)], used


MEASURED = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


# -- places

@pytest.fixture
def folder(tmp_path):
    """A log in a folder of this machine, made by hand, with its index."""
    text = "".join(["12:00:00 caisson 0.1.0, job j1\n", "12:00:01 build    begins\n", "12:00:01 build    | 1\n",
                    "12:00:02 build    error: no\n", "12:00:02 build    failed in 1s\n",
                    '12:00:02 result {"schema":"caisson.result/1","id":"j1"}\n'])
    (tmp_path / "j.log").write_text(text)
    (tmp_path / "j.log.index.json").write_text(json.dumps({
        "schema": "caisson.log-index/1", "log": "j.log", "encoding": "identity", "bytes": len(text), "text_bytes": len(text),
        "lines": 6, "parts": [{"offset": 0, "bytes": len(text), "text_offset": 0, "line": 1, "time": "2026-01-09T12:00:00.500Z"}],
        "steps": [{"name": "build", "status": "failed", "line": 2, "lines": 4, "text_offset": 31, "text_bytes": 95}]}))
    return tmp_path


@pytest.fixture
def web(folder):
    """A server that knows no ranges, and says nothing but what stands in the folder."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(folder), **options)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_files_and_urls(caisson, folder, web):
    text = (folder / "j.log").read_text()
    for place in (folder / "j.log", f"file:{folder}/j.log", f"file://{folder}/j.log", f"{web}/j.log", f"{web}/j.log?X-Signed=s3cret"):
        done = caisson("logs", str(place))
        assert (done.returncode, done.stdout, done.stderr) == (0, text, ""), place
        assert caisson("logs", str(place), "--step", "build").stdout.splitlines() == text.splitlines()[1:5]
    with urllib.request.urlopen(f"{web}/j.log") as answer:
        assert answer.read().decode() == text


def test_a_large_log_from_a_server_without_ranges(caisson, folder, web):
    text = "".join(f"12:00:01 | line {number} with some words behind it\n" for number in range(200_000))
    (folder / "large.log").write_text(text)
    assert caisson("logs", f"{web}/large.log").stdout == text


@pytest.mark.parametrize("place, words", [("none.log", "there is no"), ("", "not a regular file")])
def test_what_is_not_there(caisson, folder, place, words):
    done = caisson("logs", f"{folder}/{place}")
    assert done.returncode == 2 and words in done.stderr, done


def test_not_there_over_http_keeps_the_signature(caisson, web):
    done = caisson("logs", f"{web}/none.log?X-Signed=s3cret")
    assert done.returncode == 2 and "none.log" in done.stderr and "s3cret" not in done.stderr, done.stderr


def test_nobody_may_read_it(bed, reader):
    log, _ = stored(bed, "logs/closed.log")
    bed.gate.allow = lambda seen: seen.method != "GET"
    done = reader("logs", log)
    assert done.returncode == 2 and "refused" in done.stderr and "s3:ListBucket" in done.stderr, done


def test_an_index_that_may_not_be_read_is_none(bed, reader):
    log, _ = stored(bed, "logs/half.log.gz")
    bed.gate.allow = lambda seen: not seen.key.endswith(".index.json")
    done = reader("logs", log, "--step", "build")
    assert done.stdout.splitlines() == of_step(text_of(bed, "logs/half.log.gz"), "build"), done


# -- what is wrong with it

@pytest.mark.parametrize("change", [
    {"bytes": 10}, {"lines": 10 ** 12}, {"parts": []}, {"steps": [{"name": "build", "line": 2, "lines": 999}]}, {"schema": "x"},
    {"parts": [{"offset": -1, "bytes": 1, "text_offset": 0, "line": 1, "time": "2026-01-09T12:00:00Z"}]},
], ids=lambda change: next(iter(change)))
def test_an_index_that_is_wrong_is_not_used(caisson, folder, change):
    index = json.loads((folder / "j.log.index.json").read_text())
    (folder / "j.log.index.json").write_text(json.dumps({**index, **change}))
    done = caisson("logs", str(folder / "j.log"), "--step", "build")
    assert done.returncode == 0 and "reading the whole log" in done.stderr, done
    assert done.stdout.splitlines() == (folder / "j.log").read_text().splitlines()[1:5]


def test_an_index_of_another_log_of_the_same_size(caisson, folder):
    text = (folder / "j.log").read_text()
    (folder / "j.log").write_text("x" * (len(text) - 1) + "\n")
    done = caisson("logs", str(folder / "j.log"), "--step", "build")
    assert done.returncode == 2 and "not of one log" in done.stderr and "--no-index" in done.stderr, done


def test_a_damaged_log(caisson, folder):
    packed = gzip.compress((folder / "j.log").read_bytes() * 1000)
    (folder / "d.log.gz").write_bytes(packed[:-200])
    done = caisson("logs", str(folder / "d.log.gz"))
    assert done.returncode == 2 and "damaged" in done.stderr and done.stdout.startswith("12:00:00 caisson"), done.stderr


def test_a_bomb_takes_no_memory(program, folder):
    """4 GiB of nothing in 4 MiB: read as lines, in little memory, and ended when nobody wants more."""
    zeros = gzip.compress(bytes(64 << 20))
    (folder / "bomb.log.gz").write_bytes(zeros * 64)
    done = subprocess.run(["bash", "-c", f"ulimit -v 300000; {program} logs {folder}/bomb.log.gz | head -c 50000000 | wc -c"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "50000000" and done.stderr == "", done


def test_a_terminal_is_not_driven_by_it(program, folder):
    (folder / "e.log").write_bytes(b"12:00:01 build    | \x1b]0;title\x07\x1b[2Jgone\x9b\xc2\x9b1m\n")
    done = subprocess.run(["script", "-qec", f"{program} logs {folder}/e.log", "/dev/null"], capture_output=True, timeout=30,
                          stdin=subprocess.DEVNULL, check=True)
    assert b"gone" in done.stdout and b"\x1b]" not in done.stdout and b"\x1b[2J" not in done.stdout, done.stdout
    assert b"\xc2\x9b" not in done.stdout


@pytest.mark.parametrize("options", [["--json"], ["--step", "build"], ["--step", "build", "--json"]])
def test_nor_by_what_is_said_of_it(program, folder, options):
    """As JSON, and where a message names what the log has."""
    evil = "\x1b]0;title\x07\x1b[2Jstep\u009b1m"
    (folder / "e.jsonl").write_text(json.dumps({"type": "output", "step": evil, "text": evil, "time": evil}) + "\n")
    done = subprocess.run(["script", "-qec", " ".join([program, "logs", f"{folder}/e.jsonl", *options]), "/dev/null"],
                          capture_output=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
    said = done.stdout.decode()
    assert "step" in said and not [c for c in said if (ord(c) < 0x20 and c not in "\n\t\r") or 0x7f <= ord(c) < 0xa0], said


# -- as it grows

def follow(program, place, *options, environment=None):
    return subprocess.Popen([program, "logs", place, "--follow", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, text=True, env={"PATH": os.environ["PATH"], **(environment or {})})


def test_follow_a_file_that_grows(program, folder):
    path = folder / "growing.log"
    reading = follow(program, str(path), "--step", "build")
    time.sleep(0.5)
    with open(path, "w", buffering=1) as file:
        file.write("12:00:00 caisson\n12:00:01 build    begins\n12:00:01 build    | on")
        assert reading.stdout.readline() == "12:00:01 build    begins\n"
        file.write("e\n12:00:01 build    | 12:00:02 result {\n")
        assert reading.stdout.readline() == "12:00:01 build    | one\n"
        assert reading.stdout.readline() == "12:00:01 build    | 12:00:02 result {\n"
        time.sleep(0.5)
        assert reading.poll() is None  # what a build says is no end
        file.write('12:00:03 build    done in 2s\n12:00:03 result {"id":"j1"}\n')
    out, err = reading.communicate(timeout=20)
    assert (reading.returncode, out) == (0, "12:00:03 build    done in 2s\n") and "waiting" in err


@pytest.mark.parametrize("how", ["cut", "replaced"])
def test_follow_a_file_that_begins_again(program, folder, how):
    """As a second job of the same place does."""
    path = folder / "again.log"
    path.write_text("12:00:00 caisson\n12:00:01 build    | of the first\n")
    reading = follow(program, str(path))
    assert [reading.stdout.readline() for _ in range(2)][1] == "12:00:01 build    | of the first\n"
    second = '12:00:02 build    | two\n12:00:03 result {"id":"j2"}\n'
    if how == "cut":
        path.write_text("")
        time.sleep(0.5)
        path.write_text(second)
    else:
        (folder / "new").write_text(second)
        (folder / "new").rename(path)
    out, err = reading.communicate(timeout=20)
    assert (reading.returncode, out) == (0, second) and f"the file was {how}" in err, err


@pytest.mark.parametrize("format_name", ["cloudevents", "plain"])
def test_follow_the_file_of_a_sink(bed, program, format_name):
    spec = bed.commands("for i in 1 2 3; do echo line $i; sleep 0.3; done", *BUILDS,
                        notify=[{"file": "/results/events", "format": format_name, "events": ["status", "log"]}])
    task = bed.start(spec, volumes={"/results": bed.results_folder()})
    reading = follow(program, os.path.join(bed.results_folder(), "events"))
    ended = bed.finish(task)
    out, err = reading.communicate(timeout=30)
    assert reading.returncode == 0 and ended.code == 0, (out, err)
    texts = [line[9:] for line in out.splitlines()]
    assert [text for text in texts if "| line" in text] == [f"build    | line {number}" for number in (1, 2, 3)], out
    assert "succeeded" in out.splitlines()[-1]


def test_follow_an_object_until_it_is_there(bed, program, reader):
    log = f"s3://{JOBS_BUCKET}/logs/later.log.gz"
    reading = follow(program, log, "--step", "build", environment=reader.environment)
    ended = bed.run(bed.commands("seq 3", *BUILDS, log=log))
    out, err = reading.communicate(timeout=60)
    assert reading.returncode == 0 and ended.code == 0 and "waiting" in err, err
    assert out.splitlines() == of_step(text_of(bed, "logs/later.log.gz"), "build")


def test_follow_says_that_it_may_not_read(bed, program, reader):
    log = f"s3://{JOBS_BUCKET}/logs/unlisted.log.gz"
    bed.gate.allow = lambda seen: seen.method != "GET"  # as S3 without s3:ListBucket
    reading = follow(program, log, environment=reader.environment)
    assert "refused" in reading.stderr.readline()
    bed.gate.allow = lambda seen: True
    ended = bed.run(bed.commands("seq 3", *BUILDS, log=log))
    out, err = reading.communicate(timeout=60)
    assert reading.returncode == 0 and ended.code == 0 and out == text_of(bed, "logs/unlisted.log.gz"), err


def test_an_interrupt_ends_it(program, folder):
    (folder / "open.log").write_text("12:00:00 caisson\n")
    reading = follow(program, str(folder / "open.log"))
    assert reading.stdout.readline() == "12:00:00 caisson\n"
    reading.send_signal(signal.SIGINT)
    assert reading.wait(timeout=10) != 0 and reading.communicate()[0] == ""


def test_a_disk_that_filled_up(bed, reader):
    """The gap is said in the log itself, and steps are found behind it."""
    spec = bed.commands("dd if=/dev/zero of=fill bs=1M 2>/dev/null || true; seq 300000; rm fill; mkdir dist; echo x >dist/index.html",
                        log="s3://" + JOBS_BUCKET + "/logs/full.log.gz", limits={"disk": "100%"})
    ended = bed.run(spec, size="64m")
    text = text_of(bed, "logs/full.log.gz")
    assert reader("logs", spec["log"]).stdout == text, ended
    for step in {line["name"] for line in json.loads(bed.storage.get(JOBS_BUCKET, "logs/full.log.gz.index.json"))["steps"]}:
        found = reader("logs", spec["log"], "--step", step).stdout.splitlines()
        assert found and all(line in text for line in found), step
    assert any("lost" in line or "full" in line or "missing" in line for line in text.splitlines() if "warning: " in line), text[-3000:]
