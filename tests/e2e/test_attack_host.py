"""Odd beginnings and hostile projects on a machine without a container."""

import json
import os
import signal
import subprocess
import time

import pytest

from bed import repositories


@pytest.fixture
def local(open_path):
    """A job from a local repository to a local folder: make(files, **changes of the spec)."""

    def make(files, **changes):
        root = open_path / "repositories"
        root.mkdir(exist_ok=True)
        repository = repositories.Repository(str(root), files)
        return {"version": 1, "id": "j1", "project": "shop", "source": {"repository": f"file://{repository.folder}"},
                "artifacts": [{"to": f"file:{open_path}/out/"}], "result": f"file:{open_path}/result.json", **changes}

    return make


def start(program, spec, open_path, **options):
    (open_path / "job.json").write_text(json.dumps(spec))
    return subprocess.Popen([program, "run", str(open_path / "job.json")],
                            env={"PATH": os.environ["PATH"], "TMPDIR": str(open_path)}, **options)


def result(open_path):
    return json.loads((open_path / "result.json").read_text())


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_standard_descriptors_that_are_closed_are_not_taken_by_others(program, local, open_path, closed):
    """What we open must not become "standard output": our log would go into it."""

    def close():
        for fd in closed:
            os.close(fd)

    spec = local({"a": "a\n"}, build={"builder": "commands", "output": "dist", "commands": [
        f"mkdir dist; echo x >dist/index.html; touch {open_path}/go; sleep 1"]})
    open_path.chmod(0o777)
    process = start(program, spec, open_path, preexec_fn=close)
    while not (open_path / "go").exists() and process.poll() is None:
        time.sleep(0.02)
    for fd in closed:
        assert os.readlink(f"/proc/{process.pid}/fd/{fd}") == "/dev/null"
    assert process.wait(30) == 0
    assert (open_path / "out/index.html").exists()
    assert result(open_path)["status"] == "succeeded"


@pytest.mark.parametrize("ignored", ["SIGCHLD", "SIGTERM"])
def test_signals_that_our_starter_ignores_reach_us(program, local, open_path, ignored):
    """An ignored SIGCHLD would be inherited: the kernel would reap our children, and we wait for ever."""
    spec = local({"a": "a\n"}, build={"builder": "commands", "commands": ["sleep 3" if ignored == "SIGTERM" else "true",
                                                                           "mkdir dist; echo x >dist/index.html"],
                                      "output": "dist"})
    process = start(program, spec, open_path, stdout=subprocess.PIPE,
                    preexec_fn=lambda: signal.signal(getattr(signal, ignored), signal.SIG_IGN))
    try:
        if ignored == "SIGTERM":
            while b"sleep 3" not in process.stdout.readline():
                pass
            process.terminate()
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == (143 if ignored == "SIGTERM" else 0)


@pytest.mark.parametrize("says", ["", "printf '%0300d' 1"])
def test_a_node_that_says_nonsense_does_not_crash_us(program, local, open_path, says):
    tools = open_path / "tools"
    tools.mkdir()
    for name in ("node", "npm"):
        (tools / name).write_text(f"#!/bin/sh\n{says}\n")
        (tools / name).chmod(0o755)
    spec = local({"package.json": '{"scripts": {"build": "true"}, "engines": {"node": ">=20"}}'})
    (open_path / "job.json").write_text(json.dumps(spec))
    ran = subprocess.run([program, "run", str(open_path / "job.json")], capture_output=True, text=True, timeout=30,
                         env={"PATH": f"{tools}:/usr/bin:/bin", "TMPDIR": str(open_path)}, check=False)
    assert ran.returncode == 31, ran.stdout + ran.stderr
    assert result(open_path)["reason"] in ("node-missing", "node-version-mismatch")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root builds as somebody else")
def test_a_workspace_made_under_a_strict_umask_lets_the_build_in(program, local, open_path):
    spec = local({"a": "a\n"}, build={"builder": "commands", "commands": ["mkdir dist", "cp a dist/index.html"],
                                      "output": "dist"})
    (open_path / "job.json").write_text(json.dumps(spec))
    ran = subprocess.run([program, "run", "--workspace", str(open_path / "new/work"), str(open_path / "job.json")],
                         capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"]}, check=False,
                         preexec_fn=lambda: os.umask(0o077))
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_build_of_our_own_uid_cannot_look_into_us(program, local, open_path):
    """Where nobody is root the build has our uid: our environment, memory and descriptors are closed to it all the same."""
    spec = local({"a": "a\n"}, build={"builder": "commands", "output": "dist", "commands": [
        "mkdir dist; cd dist", "echo x >index.html",
        "cat /proc/$PPID/environ >environ || true", "ls -l /proc/$PPID/fd/ >fd || true",
        "head -c1 /proc/$PPID/mem 2>mem || true", "cat /proc/self/oom_score_adj >score"]})
    (open_path / "job.json").write_text(json.dumps(spec))
    os.chown(open_path, 1000, 1000)
    ran = subprocess.run([program, "run", str(open_path / "job.json")], capture_output=True, text=True, timeout=30,
                         user=1000, group=1000, extra_groups=[], check=False,
                         env={"PATH": os.environ["PATH"], "TMPDIR": str(open_path),
                              "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "of-the-task-itself"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    out = open_path / "out"
    assert (out / "environ").read_bytes() == b"" and (out / "fd").read_bytes() == b""
    assert "Permission denied" in (out / "mem").read_text()
    assert (out / "score").read_text() == "800\n"


def test_in_a_task_with_an_init_the_rules_of_pid_1_hold(caisson):
    """`initProcessEnabled` puts an init before us: we are root in the task all the same, and its files are not the job's."""
    spec = {"version": 1, "project": "shop", "source": {"repository": "https://git.example.test/user/repo"},
            "build": {"builder": "none"}, "artifacts": [{"to": "file:/etc/"}],
            "secrets": {"KEYS": {"file": "/proc/1/environ"}}}
    told = caisson("validate", "-", input=json.dumps(spec),
                   environment={"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0123456789abcdef-1"})
    assert told.returncode == 10
    assert "artifacts[0].to" in told.stdout + told.stderr and "secrets.KEYS.file" in told.stdout + told.stderr


def test_the_password_of_a_proxy_stays_out_of_the_log(program, local, open_path):
    """The build is given the proxy, and prints its environment, as builds do."""
    spec = local({"a": "a\n"}, log=f"file:{open_path}/log.txt", build={
        "builder": "commands", "output": "dist", "commands": ["mkdir dist; echo x >dist/index.html", "env"]})
    (open_path / "job.json").write_text(json.dumps(spec))
    ran = subprocess.run([program, "run", str(open_path / "job.json")], capture_output=True, text=True, timeout=30,
                         check=False, env={"PATH": os.environ["PATH"], "TMPDIR": str(open_path),
                                           "HTTPS_PROXY": "http://me:proxy-pass%2Fword@127.0.0.1:9",
                                           "all_proxy": "me:another-password@127.0.0.1:9"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "HTTPS_PROXY=http://me:" in ran.stdout and "all_proxy=me:" in ran.stdout
    for place in (ran.stdout, (open_path / "log.txt").read_text(), (open_path / "result.json").read_text()):
        assert "proxy-pass" not in place and "another-password" not in place


def test_the_log_is_whole_where_the_workspace_is_still_to_be_made(program, local, open_path):
    """The spool lies there too: kept in memory alone it would lose its beginning."""
    spec = local({"a": "a\n"}, log=f"file:{open_path}/log.txt", build={
        "builder": "commands", "output": "dist", "commands": ["mkdir dist; echo x >dist/index.html", "seq 1000000"]})
    (open_path / "job.json").write_text(json.dumps(spec))
    ran = subprocess.run([program, "run", "--workspace", str(open_path / "new/work"), str(open_path / "job.json")],
                         stdout=subprocess.DEVNULL, timeout=60, env={"PATH": os.environ["PATH"]}, check=False)
    assert ran.returncode == 0
    log = (open_path / "log.txt").read_text()
    assert "| 1\n" in log and "| 1000000\n" in log and "lost" not in log
