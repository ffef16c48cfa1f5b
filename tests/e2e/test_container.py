"""PID 1 of a container as ECS starts it, and what a build can see and leave behind there."""

import json
import os
import re
import time

import pytest

from bed import container, world


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_the_container_is_like_one_of_fargate(bed):
    task = bed.start(bed.commands("echo building", "sleep 60"), executor="local")
    task.wait_for("| building")
    pid = task.pid()
    status = status_of(pid)
    assert status["NSpid"].split()[-1] == "1"
    assert int(status["CapEff"], 16) == container.CAPABILITY_MASK
    assert status["Seccomp"] == "2"
    with open(f"/proc/{pid}/uid_map") as file:
        assert file.read().split() == ["0", "0", "4294967295"]
    with open(f"/proc/{pid}/cmdline") as file:
        assert file.read() == f"{world.PROGRAM}\0run\0"
    assert os.path.samestat(os.stat(f"/proc/{pid}/exe"), os.stat(f"/proc/{pid}/root{world.PROGRAM}"))
    task.signal("TERM")
    assert bed.finish(task).code == 143


def test_a_step_has_no_privilege(bed):
    ended = bed.run(bed.commands("cat /proc/self/status; id -u; id -G", "mkdir dist; echo x >dist/index.html"))
    assert ended.code == 0, ended
    assert re.search(r"Uid:\s+1000\s+1000\s+1000\s+1000", ended.text), ended
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert re.search(rf"{name}:\s+0000000000000000", ended.text), ended
    assert re.search(r"NoNewPrivs:\s+1", ended.text), ended
    assert not re.search(r"\| 0$", ended.text, re.M), ended


LOOK_AROUND = r"""
env | sort
for process in /proc/[0-9]*; do
    echo "== $process"
    cat $process/environ 2>&1 | tr '\0' '\n'
    cat $process/cmdline 2>&1 | tr '\0' '\n'
    ls -l $process/fd 2>&1
    head -c 100 $process/mem 2>&1
done
find / -xdev -name '.git' -prune -exec cat {}/config \; 2>/dev/null
grep -rsl "$MARK" /tmp /home /etc /run /var /root 2>/dev/null
"""


def test_the_build_sees_its_variables_and_no_credential(bed):
    bed.git.tokens = {"t0ken-of-the-repository"}
    repository = bed.repository({"look.sh": LOOK_AROUND})
    spec = bed.spec(repository, env={"VITE_API": "https://api.example.test", "PORT": "03000"},
                    secrets={"NPM_TOKEN": {"env": "TASK_NPM_TOKEN"}},
                    build={"builder": "commands", "output": "dist",
                           "commands": ["sh look.sh || true", "mkdir dist; sh look.sh >dist/seen.txt 2>&1 || true"]},
                    artifacts=[{"to": "file:/out/site/"}])
    spec["source"] = {"repository": repository.url("token"), "auth": {"token": {"env": "REPOSITORY_TOKEN"}}}
    out = os.path.join(bed.folder, "out")
    os.mkdir(out)
    os.chmod(out, 0o777)
    secrets = {"REPOSITORY_TOKEN": "t0ken-of-the-repository", "TASK_NPM_TOKEN": "npm-t0ken-for-the-build"}
    task = bed.start(spec, environment=secrets, volumes={"/out": out})
    ended = bed.finish(task)
    # The build's own secret may not be published, and its output holds it here.
    assert ended.code == 42, ended
    text = ended.text
    assert "VITE_API=https://api.example.test" in text and "PORT=03000" in text, ended
    assert f"CAISSON_JOB_ID={spec['id']}" in text and "CAISSON_REF=" in text and "CI=true" in text, ended
    assert "NPM_TOKEN=" in text and "npm-t0ken-for-the-build" not in text, ended
    assert "t0ken-of-the-repository" not in text, ended
    keys = task.endpoint.given[0] if task.endpoint.given else bed.gate.issue()
    for secret in (keys.secret, keys.token, task.endpoint.credentials_path):
        assert secret not in text, ended
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=", "ECS_CONTAINER_METADATA_URI", "REPOSITORY_TOKEN=",
                 "TASK_NPM_TOKEN=", "CAISSON_JOB="):
        assert name not in text, ended
    assert "== /proc/1\n" in re.sub(r"^.*\| ", "", text, flags=re.M), ended
    assert os.listdir(out) == [] or os.listdir(os.path.join(out, "site")) == [], ended


def test_a_secret_of_another_step_is_not_seen(bed):
    spec = bed.commands("mkdir dist", "echo \"token:${NPM_TOKEN-none}:\" >dist/index.html",
                        secrets={"NPM_TOKEN": {"env": "TASK_NPM_TOKEN", "steps": ["install"]}})
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": "abcdefghijkl"})
    assert ended.code == 0, ended
    assert bed.published(spec)["index.html"] == b"token:none:\n"


def test_orphans_are_reaped(bed):
    task = bed.start(bed.commands(
        "for i in $(seq 200); do (setsid sh -c 'sleep 0.2' &) ; done", "sleep 1", "echo counted", "sleep 60"))
    task.wait_for("| counted")
    pid = task.builder.pid()
    states = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                status = status_of(name)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if status.get("PPid") == str(pid):
                states.append(status["State"])
    assert states and not [state for state in states if state.startswith("Z")], states
    task.signal("TERM")
    assert bed.finish(task).code == 143


@pytest.mark.parametrize("daemon", [
    pytest.param("sleep 600 &", id="holds its output open"),
    pytest.param("setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &", id="escapes, ignores signals"),
])
def test_a_daemon_of_the_build_holds_nothing_up(bed, daemon):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", f"{daemon} echo started", "ps -e || ls /proc; echo done")
    ended = bed.run(spec, timeout=30)
    assert ended.code == 0, ended
    assert ended.seconds < 15, ended
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_much_output_is_neither_lost_nor_in_the_way(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "seq 300000")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert len(ended.text) > 1 << 20
    numbers = [int(n) for n in re.findall(r"\b(\d{1,6})$", ended.text, re.M) if n]
    assert len(set(numbers) & set(range(1, 300001))) == 300000


def test_a_reader_that_never_reads_does_not_stop_the_job(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "seq 300000",
                        log=f"s3://{world.JOBS_BUCKET}/unread/log.gz")
    task = bed.start(spec, read_output=False)
    ended = bed.finish(task, timeout=90)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert ended.seconds < 60, ended
    assert bed.published(spec) == {"index.html": b"x\n"}
    assert bed.storage.head(world.JOBS_BUCKET, "unread/log.gz") is not None


def test_no_line_is_longer_than_the_log_driver_takes(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "head -c 100000 /dev/zero | tr '\\0' a; echo")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert max(len(line) for line in ended.container.output.split(b"\n")) <= 16384
    assert ended.text.count("a") >= 100000


def test_the_last_line_is_the_result(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", labels={"serviceId": "s1"})
    ended = bed.run(spec, arguments=["--log", "json"])
    lines = [json.loads(line) for line in ended.text.strip().split("\n")]
    assert spec["id"] in json.dumps(lines[-1]) and "succeeded" in json.dumps(lines[-1]), lines[-1]
    assert ended.result["labels"] == {"serviceId": "s1"}
    assert ended.result["status"] == "succeeded"
    assert ended.result["artifacts"][0]["files"] == 1
    assert [step["name"] for step in ended.result["steps"]][0] == "checkout"


def test_openat2_and_landlock_are_not_needed(bed):
    spec = bed.commands("mkdir -p dist/a; echo x >dist/a/index.html")
    ended = bed.run(spec, refuse_calls=["openat2", "landlock_create_ruleset", "landlock_add_rule",
                                        "landlock_restrict_self", "pidfd_open", "close_range"])
    assert ended.code == 0, ended
    assert bed.published(spec) == {"a/index.html": b"x\n"}


def test_start_is_quick(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html")
    began = time.monotonic()
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert time.monotonic() - began < 10


def test_memory_of_the_task_runs_out(bed):
    """The kernel ends the build; PID 1, whose score is lower, says so."""
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "head -c 900000000 /dev/zero | tail")
    task = bed.start(spec, memory=256 << 20)
    if task.group.folder is None:
        pytest.skip("no group of processes can be limited in memory here")
    ended = bed.finish(task)
    assert ended.code == 33 and ended.result["class"] == "out-of-memory", ended
    assert bed.published(spec) == {}
