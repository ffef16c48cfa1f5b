"""What a hostile build tries against PID 1 and its children."""

import contextlib
import os
import threading
import time

import pytest

from bed import s3, story
from bed.world import JOBS_BUCKET

PIDS = "/sys/fs/cgroup/pids"


@pytest.fixture
def few_processes():
    """Puts a task into a cgroup of at most so many processes."""
    folder = f"{PIDS}/caisson-e2e-{os.getpid()}"
    try:
        os.mkdir(folder)
    except OSError as error:
        pytest.skip(f"no cgroup that limits processes: {error}")

    def limit(task, most):
        with open(f"{folder}/cgroup.procs", "w") as file:
            file.write(str(task.pid()))
        with open(f"{folder}/pids.max", "w") as file:
            file.write(str(most))

    yield limit
    for _ in range(100):
        try:
            os.rmdir(folder)
            break
        except OSError:
            time.sleep(0.1)


def test_a_fork_bomb_that_takes_every_process_is_ended(bed, few_processes):
    """There is no room for the process that ends the others: they end all the same, and the job goes on."""
    bomb = "setsid perl -e 'for (;;) { fork; select(undef, undef, undef, 0.005) }' >/dev/null 2>&1 & sleep 2"
    spec = bed.spec(bed.repository({"README.md": "x\n"}),
                    build={"builder": "commands", "output": "dist", "test": bomb,
                           "commands": ["mkdir dist; echo x >dist/index.html; sleep 2"]})
    task = bed.start(spec)
    task.wait_for("$ ")
    few_processes(task, 24)
    ended = bed.finish(task, 60)
    assert ended.code in (0, 35), ended  # a shell that cannot fork fails
    assert "left-over" in ended.text


def test_a_fork_bomb_while_a_broker_goes_does_not_end_pid_1(bed, few_processes):
    """The client library of Kafka is ended by a thread, and just then there is none to be had."""
    full = threading.Event()

    def broker(connection, *_):
        full.wait(30)
        connection.sendall(b"this is no TLS")

    bomb = "setsid perl -e 'for (;;) { fork; select(undef, undef, undef, 0.005) }' >/dev/null 2>&1 & sleep 6"
    spec = bed.commands(bomb, notify=[{"kafka": "10.98.0.60:9093", "topic": "t", "username": "u",
                                       "password": {"env": "PASSWORD"}, "events": ["status"]}])
    task = bed.start(spec, services=[("10.98.0.60", 9093, broker)], environment={"PASSWORD": "a-password"},
                     arguments=["--stop-budget", "5s"])
    task.wait_for("$ ")
    few_processes(task, 24)
    time.sleep(3)
    full.set()
    ended = bed.finish(task, 90)
    assert ended.result and ended.code == ended.result["exit_code"] and ended.code not in (134, 139), ended
    assert "kafka 10.98.0.60:9093" in story.undelivered(ended), ended


def test_a_stop_while_the_log_hangs_is_obeyed(bed):
    """The job is done, S3 does not answer for its log: a stop must not wait for the minute that this may take."""
    spec = bed.commands("mkdir dist; echo x >dist/index.html", log=f"s3://{JOBS_BUCKET}/hanging/log.gz")
    hold = bed.gate.add(s3.Hold(lambda seen: seen.bucket == JOBS_BUCKET and seen.key == "hanging/log.gz", times=None))
    task = bed.start(spec, arguments=["--stop-budget", "4s"])
    assert hold.reached.wait(30), task.text()
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task)
    assert time.monotonic() - at < 4.5, ended
    hold.release()
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended


def test_the_budget_holds_when_nothing_answers_any_more(bed):
    """A build that ignores the signal, S3 that hangs for the result, and nobody who reads the log."""
    spec = bed.commands("trap '' TERM; seq 100000; echo done-$((40 + 2)) >&2; sleep 60",
                        log=f"s3://{JOBS_BUCKET}/hanging/log.gz")
    hold = bed.gate.add(s3.Hold(lambda seen: seen.bucket == JOBS_BUCKET, times=None))
    task = bed.start(spec, arguments=["--stop-budget", "6s"], read_output=False)
    time.sleep(3)
    task.signal("TERM")
    at = time.monotonic()
    code = task.wait(60)
    hold.release()
    assert code == 143
    assert time.monotonic() - at < 12  # its own clock says 6; the machine may be busy


def test_receivers_that_never_answer_keep_no_result_waiting(bed):
    """More of them than a client has connections: result and log go to S3 at once, not when those have given up."""
    def receiver(connection, *_):
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    name = f"{JOBS_BUCKET}/unanswered"
    notify = [{"http": f"http://10.98.0.61:8080/{i}", "events": ["status", "log"]} for i in range(20)]
    task = bed.start(bed.commands("echo go; sleep 60", notify=notify, result=f"s3://{name}/result.json", log=f"s3://{name}/log.gz"),
                     services=[("10.98.0.61", 8080, receiver)], arguments=["--stop-budget", "10s"])
    task.wait_for("| go")
    time.sleep(2)  # all of them have been called
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and "was not written" not in ended.text and "not done in the time" not in ended.text, ended
    assert bed.storage.get(JOBS_BUCKET, "unanswered/log.gz")
    assert "10.98.0.61" in story.undelivered(ended, 20)
