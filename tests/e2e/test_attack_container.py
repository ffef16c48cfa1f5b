"""What a hostile build tries against PID 1 and its children."""

import os
import time

import pytest

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
