"""A stop signal at every edge of a job: nothing is published, the result is written, within the budget."""

import os
import pty
import signal
import subprocess
import threading
import time

import pytest

from bed import s3
from bed.world import BUCKET, JOBS_BUCKET, PROGRAM, RUNNER_PROGRAM

BUDGET_S = 25
FILES = {"index.html": b"new\n", "a.js": b"a\n", "b.css": b"b\n"}


def stopped(ended, name="interrupted", code=143):
    assert ended.code == code, ended
    assert ended.result is not None and ended.result["status"] == name, ended
    assert ended.result["retryable"] is (name == "interrupted"), ended


class GitGate:
    """Holds the request `number` of a checkout until release()."""

    def __init__(self, bed, number):
        self.reached, self.free, self.number, self.count = threading.Event(), threading.Event(), number, 0
        bed.git.before = self

    def __call__(self, request):
        self.count += 1
        if self.count == self.number:
            self.reached.set()
            self.free.wait(60)


@pytest.mark.parametrize("number", [1, 2])
def test_during_checkout(bed, number):
    held = GitGate(bed, number)
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    task = bed.start(spec)
    assert held.reached.wait(20), task.text()
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    held.free.set()
    stopped(ended)
    assert time.monotonic() - at < BUDGET_S
    assert bed.published(spec) == {}


def test_while_storage_says_slow_down(bed):
    """What waits for its turn is not sent any more."""
    spec = bed.commands("mkdir dist; for i in $(seq 600); do echo $i >dist/$i.txt; done; echo x >dist/index.html")
    of_files = lambda seen: seen.bucket == BUCKET and seen.method == "PUT" and not seen.key.startswith(".caisson/")
    limit = bed.gate.add(s3.Throttle(of_files, 2, 5))
    task = bed.start(spec)
    while limit.hits < 20 and task.process.poll() is None:
        time.sleep(0.05)
    sent = len([seen for seen in list(bed.gate.requests) if of_files(seen)])
    at = time.monotonic()
    task.signal("TERM")
    ended = bed.finish(task)
    stopped(ended)
    assert time.monotonic() - at < BUDGET_S
    # up to 256 may have been on their way when the first answer came
    assert len([seen for seen in bed.gate.requests if of_files(seen)]) < sent + 300
    assert "index.html" not in bed.published(spec), ended


def await_blocked(pid):
    """Until PID 1 holds SIGTERM back. Before that, in the container's runtime, the kernel drops it."""
    while True:
        with open(f"/proc/{pid}/status") as file:
            blocked = int(next(line for line in file if line.startswith("SigBlk:")).split()[1], 16)
        with open(f"/proc/{pid}/cmdline") as file:
            ours = file.read().startswith((PROGRAM, RUNNER_PROGRAM))
        if ours and blocked >> (signal.SIGTERM - 1) & 1:
            return


def test_at_any_moment_of_the_start(bed):
    """PID 1 is never deaf: from its first instructions on a stop ends it."""
    for delay_ms in (0, 1, 2, 4, 6, 8, 12, 20, 40):
        spec = bed.commands("sleep 30", "mkdir dist; echo x >dist/index.html")
        task = bed.start(spec)
        await_blocked(task.pid())
        time.sleep(delay_ms / 1000)
        task.signal("TERM")
        at = time.monotonic()
        code = task.wait(30)
        assert code == 143, (delay_ms, task.text())
        assert time.monotonic() - at < BUDGET_S


NODE = {"package.json": '{"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"}}\n',
        "build.sh": "echo build-runs; sleep 60\n"}


@pytest.mark.parametrize("step, manners", [
    ("install", "obeys"), ("build", "obeys"), ("test", "obeys"), ("build", "ignores"),
])
def test_during_a_command(bed, step, manners):
    trap = "trap '' TERM INT; " if manners == "ignores" else ""
    waiting = f"{trap}echo {step}-runs; while :; do sleep 0.2; done"
    build = {"builder": "node", "output": "dist", "install": "true", "command": "mkdir dist; echo x >dist/index.html"}
    build.update({{"install": "install", "build": "command", "test": "test"}[step]: waiting})
    spec = bed.spec(bed.repository(NODE), build=build)
    task = bed.start(spec)
    task.wait_for(f"| {step}-runs")
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task)
    stopped(ended)
    assert ended.result["step"] == step, ended
    assert time.monotonic() - at < (5 if manners == "obeys" else BUDGET_S)
    assert bed.published(spec) == {}


def test_between_the_steps(bed):
    """Signals spread over a whole short job: it is either interrupted with nothing published, or done."""
    codes = []
    for delay_ms in range(60, 900, 70):
        spec = bed.commands("sleep 0.1; mkdir dist; echo new >dist/index.html", "sleep 0.1; echo a >dist/a.js")
        task = bed.start(spec)
        time.sleep(delay_ms / 1000)
        if task.process.poll() is None:
            task.signal("TERM")
        ended = bed.finish(task)
        codes.append(ended.code)
        if ended.code == 0:
            assert bed.published(spec) == {"index.html": b"new\n", "a.js": b"a\n"}, ended
        else:
            stopped(ended)
            assert "index.html" not in bed.published(spec), ended
    assert 143 in codes


def test_at_every_request_of_publishing(bed):
    """Before the point of no return nobody sees anything new; after it the job runs on and succeeds."""
    old = {"index.html": "old\n", "b.css": "old\n", "gone.js": "old\n"}
    repositories = {"old": bed.repository({f"public/{path}": text for path, text in old.items()}),
                    "new": bed.repository({f"public/{path}": text for path, text in FILES.items()})}
    outcomes, number = [], 0
    while True:
        number += 1
        base = bed.spec(repositories["old"], build={"builder": "none", "output": "public"},
                        created_at="2026-01-01T00:00:00Z")
        assert bed.run(base).code == 0
        spec = bed.spec(repositories["new"], build={"builder": "none", "output": "public"},
                        created_at="2026-01-02T00:00:00Z", artifacts=base["artifacts"])
        counter = iter(range(1, 10000))
        hold = s3.Hold(lambda seen: seen.bucket == BUCKET and next(counter) == number)
        bed.gate.faults = [hold]
        task = bed.start(spec)
        while not hold.reached.wait(0.05) and task.process.poll() is None:
            pass
        if not hold.reached.is_set():
            assert bed.finish(task).code == 0
            break
        task.signal("TERM")
        task.wait_for("SIGTERM")
        time.sleep(0.3)  # until the publisher has heard of it too
        hold.release()
        ended = bed.finish(task)
        seen_by_all = bed.published(spec)
        outcomes.append(ended.code)
        if ended.code == 143:
            stopped(ended)
            assert {path: seen_by_all.get(path) for path in old} == {path: b"old\n" for path in old}, (hold.seen, ended)
        else:
            assert ended.code == 0 and ended.result["status"] == "succeeded", (hold.seen, ended)
            assert seen_by_all == FILES, (hold.seen, ended)
        assert ended.seconds < BUDGET_S + 5
        # Whatever came of it, the next run ends right.
        bed.gate.faults = []
        again = {**spec, "id": spec["id"] + "-again", "created_at": "2026-01-03T00:00:00Z"}
        assert bed.run(again).code == 0
        assert bed.published(spec) == FILES, (hold.seen, ended)
    assert outcomes == sorted(outcomes, reverse=True), outcomes  # once past the point of no return, always past it
    assert outcomes[0] == 143 and outcomes[-1] == 0, outcomes


def test_while_the_result_is_written(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    hold = bed.gate.add(s3.Hold(lambda seen: seen.bucket == JOBS_BUCKET))
    task = bed.start(spec)
    assert hold.reached.wait(30), task.text()
    task.signal("TERM")
    time.sleep(0.3)
    hold.release()
    ended = bed.finish(task)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended


def test_budget_ends_after_the_point_of_no_return(bed):
    """S3 hangs during the overwrites: the result says what the state is, in time."""
    repositories = [bed.repository({"public/index.html": text, "public/a.js": text}) for text in ("old\n", "new\n")]
    base = bed.spec(repositories[0], build={"builder": "none", "output": "public"}, created_at="2026-01-01T00:00:00Z")
    assert bed.run(base).code == 0
    spec = bed.spec(repositories[1], build={"builder": "none", "output": "public"}, created_at="2026-01-02T00:00:00Z",
                    artifacts=base["artifacts"])
    of_page = lambda seen: seen.bucket == BUCKET and seen.method == "PUT" and seen.key.endswith("/index.html")
    hold = bed.gate.add(s3.Hold(of_page, times=None))
    task = bed.start(spec, arguments=["--stop-budget", "4s"])
    assert hold.reached.wait(30), task.text()
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task)
    hold.release()
    assert time.monotonic() - at < 8, ended
    assert ended.code == 143 and ended.result["reason"] == "publish-incomplete", ended
    bed.gate.faults = []
    assert bed.run(spec).code == 0
    assert bed.published(spec) == {"index.html": b"new\n", "a.js": b"new\n"}


def test_forged_signal_from_the_build_is_no_stop(bed):
    """The build cannot end the job by signalling PID 1."""
    spec = bed.commands("kill -TERM 1 || true; kill -INT 1 || true; sleep 0.5", "mkdir dist; echo x >dist/index.html")
    ended = bed.run(spec)
    assert ended.code == 0, ended


def test_interrupt_at_a_terminal_is_a_cancel(bed):
    spec = bed.commands("echo now-$((40 + 2)); sleep 60")
    task = bed.start(spec, terminal=True)
    task.wait_for("now-42")
    task.type(b"\x03")
    ended = bed.finish(task)
    stopped(ended, "cancelled", 130)
    assert bed.published(spec) == {}


def test_interrupt_at_a_terminal_without_a_container(program, open_path):
    """On a developer's machine, beneath a shell."""
    (open_path / "site").mkdir()
    for words in (["init", "-q", "-b", "main", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q",
                                                       "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], cwd=open_path / "site", check=True)
    spec = open_path / "job.yaml"
    spec.write_text(f"version: 1\nproject: x\nsource: {{repository: 'file://{open_path}/site'}}\n"
                    "build: {builder: commands, commands: [echo now-$((40 + 2)); sleep 60], output: dist}\n"
                    f"artifacts: [{{to: 'file:{open_path}/out/'}}]\nresult: 'file:{open_path}/result.json'\n")
    process, master = pty.fork()
    if process == 0:
        os.environ.pop("CAISSON_JOB", None)
        os.execv(program, [program, "run", "--workspace", str(open_path / "work"), str(spec)])
    output = b""
    sent = False
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        output += data
        if not data:
            break
        if b"now-42" in output and not sent:
            time.sleep(0.3)
            os.write(master, b"\x03")
            sent = True
    _, status = os.waitpid(process, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 130, output.decode()
    assert '"cancelled"' in (open_path / "result.json").read_text()
    assert not (open_path / "out").exists() or not any((open_path / "out").iterdir())
    assert os.listdir(open_path / "work") == []
