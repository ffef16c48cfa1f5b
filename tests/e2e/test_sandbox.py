"""A task of two containers: the runner, which holds the credentials and the job, and the sandbox, which runs the build.

The build's container proves nothing by its own word: nothing is published before the agent says that it has stopped."""

import os
import signal
import subprocess
import time

import pytest

from bed import ecs
from bed.world import JOBS_BUCKET

SITE = "mkdir dist; echo site >dist/index.html"
TIMEOUT = ["--sandbox-timeout", "4s"]  # for what must fail; a busy machine needs more to succeed


def start(bed, spec, **options):
    return bed.start(spec, executor="sandbox", **options)


def run(bed, spec, **options):
    return bed.finish(start(bed, spec, **options), timeout=90)


def lost(bed, spec, ended, reason):
    """The sandbox is lost, in so many words, and nothing was published."""
    assert ended.code == 52 and ended.result["class"] == "sandbox-lost", ended
    assert ended.result["reason"] == reason, ended
    assert ended.result["retryable"] is True, ended
    assert ended.result["hint"], ended
    assert bed.published(spec) == {}, ended
    return ended.result["message"]


def test_a_site_is_built_there_and_published_from_here(bed):
    spec = bed.commands("id -u; echo in $PPID; cat /proc/1/cmdline | tr '\\0' ' '; ls /usr/local/bin/node",
                        SITE, "env | sort", "setsid sleep 600 >/dev/null 2>&1 &")
    ended = run(bed, spec)
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"site\n"}
    assert "| 1000" in ended.text and "caisson sandbox" in ended.text and "/usr/local/bin/node" in ended.text, ended
    for name in ("AWS_", "ECS_", "CAISSON_JOB="):
        assert f"| {name}" not in ended.text, ended
    task = ended.container
    assert task.endpoint.container("sandbox").exit_code == 0, task.evidence()
    assert "everything has ended" in task.container("sandbox").text(), task.evidence()
    assert not os.path.exists(os.path.join(task.on_host("workspace"), "sandbox.sock"))


def test_secrets_and_credentials_stay_on_this_side(bed):
    """The role's address is in both containers' variables; over there it is wiped before anything runs."""
    look = "for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/environ; done 2>/dev/null | sort -u >>dist/seen; true"
    spec = bed.commands(SITE, look, "grep -c CREDENTIALS dist/seen || echo none of it")
    ended = run(bed, spec)
    assert ended.code == 0, ended
    assert "| none of it" in ended.text, ended
    assert b"AWS_" not in bed.published(spec)["seen"] and b"ECS_" not in bed.published(spec)["seen"], ended


def test_much_output_comes_whole_and_in_order(bed):
    spec = bed.commands(SITE, "seq 200000")
    ended = run(bed, spec)
    assert ended.code == 0, ended
    numbers = [line.rpartition("| ")[2] for line in ended.text.splitlines()]
    numbers = [int(number) for number in numbers if number.isdigit()]
    assert numbers == list(range(1, 200001))


def test_a_failed_build_has_its_exit_code(bed):
    spec = bed.commands(SITE, "echo broken >&2; exit 7")
    ended = run(bed, spec)
    assert ended.code == 31 and ended.result["reason"] == "build-failed" and ended.result["child_exit_code"] == 7, ended
    assert "broken" in ended.text and bed.published(spec) == {}, ended


def test_a_build_that_takes_too_long_or_says_nothing(bed):
    spec = bed.commands(SITE, "sleep 600", timeouts={"build": "2s"})
    ended = run(bed, spec)
    assert ended.code == 124 and ended.result["reason"] == "step-timeout", ended
    spec = bed.commands(SITE, "sleep 600", timeouts={"idle": "2s"})
    ended = run(bed, spec)
    assert ended.code == 124 and ended.result["reason"] == "idle-timeout", ended


def test_a_job_without_commands_needs_no_sandbox(bed):
    spec = bed.spec(bed.repository({"site/index.html": "x\n"}), build={"builder": "none", "output": "site"})
    ended = run(bed, spec, sandbox={"entry_point": ["/bin/sleep"], "command": ["600"], "stop_timeout": 0.2})
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}


# -- the sandbox that is not there, or not any more


def in_a_shell(script):
    return {"entry_point": ["/bin/sh", "-c"], "command": [script], "stop_timeout": 0.2}


def test_one_that_starts_late_is_waited_for(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, sandbox=in_a_shell("sleep 3; exec caisson sandbox"))
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"site\n"}


def test_one_that_never_listens(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, arguments=TIMEOUT, sandbox=in_a_shell("sleep 600"))
    message = lost(bed, spec, ended, "sandbox-absent")
    assert "was not there within 4s" in message and "/var/lib/caisson/sandbox.sock" in message, message
    assert ended.seconds < 20, ended


def test_one_that_never_listens_is_not_a_missing_tool(bed):
    """The first thing that a Node project's job asks over there is which Node there is."""
    spec = bed.spec(bed.repository({"package.json": '{"name": "x", "scripts": {"build": "true"}}'}))
    ended = run(bed, spec, arguments=TIMEOUT, sandbox=in_a_shell("sleep 600"))
    lost(bed, spec, ended, "sandbox-absent")


def test_one_that_ended_before(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, arguments=TIMEOUT, sandbox={"command": ["version"]})
    lost(bed, spec, ended, "sandbox-absent")


def test_secrets_that_the_platform_lays_there_are_hidden(bed):
    """As in one container, where the kernel has Landlock: which protections there are is said over there."""
    spec = bed.commands("cat /run/secrets/token || echo refused", SITE)
    ended = run(bed, spec, files={"/run/secrets/token": ("canary\n", 0o644)})
    assert ended.code == 0 and "whose own log lists what protects there" in ended.text, ended
    there = ended.container.container("sandbox").text()
    assert ("| refused" in ended.text) is ("files confined (Landlock" in there), (ended, there)
    assert ("| canary" in ended.text) is ("missing here: confined files" in there), (ended, there)


def test_one_that_goes_away_while_it_works(bed):
    spec = bed.commands(SITE, "echo working; sleep 600")
    task = start(bed, spec, arguments=["--sandbox-timeout", "10s"])
    task.wait_for("| working")
    os.kill(task.container("sandbox").pid(), signal.SIGKILL)
    ended = bed.finish(task, timeout=60)
    # Only the kernel, for memory, or somebody outside can kill the first process of a container: which, nobody says.
    assert ended.code == 33 and ended.result["reason"] == "out-of-memory", ended
    assert "(exit code 137), most likely" in ended.result["message"] and bed.published(spec) == {}, ended


def test_one_that_is_stopped_by_somebody(bed):
    spec = bed.commands(SITE, "echo working; sleep 600")
    task = start(bed, spec, arguments=["--sandbox-timeout", "10s"],
                 sandbox={"command": ["sandbox", "--stop-budget", "1s"]})
    task.wait_for("| working")
    task.container("sandbox").signal("TERM")
    ended = bed.finish(task, timeout=60)
    assert "exit code 143" in lost(bed, spec, ended, "sandbox-gone"), ended


def test_memory_of_the_sandbox_runs_out(bed):
    spec = bed.commands(SITE, "head -c 900000000 /dev/zero | tail")
    task = start(bed, spec, memory=256 << 20)
    if task.container("sandbox").group.folder is None:
        pytest.skip("no group of processes can be limited in memory here")
    ended = bed.finish(task)
    assert ended.code == 33 and ended.result["class"] == "out-of-memory", ended
    assert bed.published(spec) == {}


def test_one_that_falls_silent(bed):
    spec = bed.commands(SITE, "echo working; sleep 600")
    task = start(bed, spec, arguments=TIMEOUT, sandbox={"stop_timeout": 0.2})
    task.wait_for("| working")
    os.kill(task.container("sandbox").pid(), signal.SIGSTOP)
    ended = bed.finish(task, timeout=60)
    assert "has not answered" in lost(bed, spec, ended, "sandbox-silent"), ended


@pytest.fixture(scope="session")
def peer(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("peer") / "sandbox_peer")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sandbox_peer.c")
    subprocess.run(["gcc", "-static", "-o", program, source], check=True)
    with open(program, "rb") as file:
        return file.read()


@pytest.mark.parametrize("kind, reason, words", [
    ("held", "sandbox-held-open", "its connection is still open"),
    ("mute", "sandbox-overdue", "did not end everything within 4s"),
    ("noisy", "sandbox-nonsense", "does not keep to the protocol"),
    ("liar", "sandbox-not-stopped", 'the container "sandbox" is RUNNING'),
])
def test_one_that_has_been_taken_over(bed, peer, kind, reason, words):
    spec = bed.commands(SITE)
    ended = run(bed, spec, arguments=TIMEOUT, files={"/peer": (peer, 0o755)},
                sandbox={"entry_point": ["/peer"], "command": [kind], "stop_timeout": 0.2})
    assert words in lost(bed, spec, ended, reason), ended
    assert ended.seconds < 25, ended


# -- the agent's word


def twice(name):
    def fault(_, truth):
        truth = dict(truth)
        if "Containers" in truth:
            truth["Containers"] = truth["Containers"] + [
                entry for entry in truth["Containers"] if entry["Name"] == name]
        return ecs.answer(truth)

    return fault


@pytest.mark.parametrize("fault, words", [
    pytest.param(ecs.changed("sandbox", KnownStatus="RUNNING"), 'the container "sandbox" is RUNNING', id="running"),
    pytest.param(ecs.changed("sandbox", KnownStatus=None), 'the container "sandbox" is in no state', id="no state"),
    pytest.param(ecs.changed("sandbox", KnownStatus=["STOPPED"]), 'the container "sandbox" is in no state', id="list"),
    pytest.param(ecs.changed("sandbox", Name="other"), 'names no container "sandbox"', id="other"),
    pytest.param(ecs.without("sandbox"), 'names no container "sandbox"', id="none"),
    pytest.param(twice("sandbox"), 'names two containers "sandbox"', id="two"),
    pytest.param(ecs.says(500, b"{}"), "answered 500", id="500"),
    pytest.param(ecs.says(200, b"{"), "the task's metadata", id="garbage"),
    pytest.param(ecs.says(200, b" " * 400_000), "is larger than", id="oversized"),
    pytest.param(ecs.redirects(), "answered 307", id="redirect"),
])
def test_metadata_that_does_not_say_stopped(bed, fault, words):
    spec = bed.commands("sleep 1", SITE)
    task = start(bed, spec, arguments=TIMEOUT)
    task.endpoint.fault = fault
    ended = bed.finish(task, timeout=60)
    message = lost(bed, spec, ended, "sandbox-not-stopped")
    assert words in message, message
    assert 4 < ended.seconds < 20, ended


def test_metadata_that_hangs(bed):
    spec = bed.commands("sleep 1", SITE)
    task = start(bed, spec, arguments=TIMEOUT)
    task.endpoint.fault = hang = ecs.Hang()
    ended = bed.finish(task, timeout=60)
    hang.release()
    assert "not done within" in lost(bed, spec, ended, "sandbox-not-stopped"), ended
    assert ended.seconds < 20, ended


def test_metadata_that_lags(bed):
    spec = bed.commands(SITE)
    task = start(bed, spec)
    task.endpoint.lag = 2
    ended = bed.finish(task, timeout=60)
    assert ended.code == 0 and bed.published(spec) == {"index.html": b"site\n"}, ended


def test_another_name_for_the_container(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, arguments=[*TIMEOUT, "--sandbox-container", "kitchen"])
    assert 'names no container "kitchen"' in lost(bed, spec, ended, "sandbox-not-stopped"), ended


# -- stopping


def interrupted(bed, spec, ended, began):
    assert ended.code == 143 and ended.result["class"] == "interrupted", ended
    assert bed.published(spec) == {}, ended
    assert time.monotonic() - began < 25, ended


def test_a_stop_before_the_sandbox_is_there(bed):
    spec = bed.commands(SITE)
    task = start(bed, spec, sandbox=in_a_shell("sleep 600"))
    task.wait_for("checked out")
    began = time.monotonic()
    task.stop()
    interrupted(bed, spec, bed.finish(task), began)


@pytest.mark.parametrize("command", [
    pytest.param("trap 'echo asked; exit 3' TERM; echo working; while :; do sleep 0.1; done", id="polite"),
    pytest.param("trap '' TERM; echo working; while :; do sleep 0.1; done", id="stubborn"),
])
def test_a_stop_while_it_builds(bed, command):
    spec = bed.commands(SITE, command)
    task = start(bed, spec, arguments=["--stop-budget", "8s"])
    task.wait_for("| working")
    began = time.monotonic()
    task.stop()
    ended = bed.finish(task)
    interrupted(bed, spec, ended, began)
    assert time.monotonic() - began < 14, ended
    assert ("| asked" in ended.text) == ("asked" in command), ended
    assert task.endpoint.container("sandbox").exit_code in (0, 52, 143), task.evidence()


def test_a_stop_while_the_agent_is_asked(bed):
    spec = bed.commands("sleep 1", SITE)
    task = start(bed, spec)
    task.endpoint.fault = ecs.changed("sandbox", KnownStatus="RUNNING")
    task.container("sandbox").wait_for("everything has ended")
    began = time.monotonic()
    task.stop()
    interrupted(bed, spec, bed.finish(task), began)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 1.0, 1.4, 1.8, 2.3, 3.0])
def test_a_stop_at_any_moment(bed, seconds):
    """Nothing, or everything with the point of no return behind it; always a result, and soon."""
    spec = bed.commands("sleep 1", SITE)
    task = start(bed, spec, arguments=["--stop-budget", "10s"])
    time.sleep(seconds)
    began = time.monotonic()
    task.stop()
    try:
        ended = bed.finish(task)
    except AssertionError:
        if "never started" in task.evidence() or task.main.ended is None:
            return  # the task was stopped before its runner was started
        raise
    assert time.monotonic() - began < 14, ended
    assert ended.code in (0, 143) and ended.result is not None, ended
    assert bed.published(spec) == ({"index.html": b"site\n"} if ended.code == 0 else {}), ended


# -- who may choose


def test_the_socket_can_be_elsewhere(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, arguments=["--sandbox-socket", "/var/lib/caisson/in/another/place"],
                sandbox={"command": ["sandbox", "--socket", "/var/lib/caisson/in/another/place"]})
    assert ended.code == 0, ended


def test_the_environment_may_name_the_socket_but_not_a_tenants(caisson, tmp_path):
    spec = tmp_path / "job.yaml"
    spec.write_text("version: 1\nsource: {repository: file:///none}\nartifacts: [{to: 'file:out/'}]\n")
    named = {"CAISSON_SANDBOX_SOCKET": "/var/lib/caisson/sandbox.sock"}
    for arguments, environment in ((["--executor", "sandbox"], {}), (["--sandbox-socket", "/s"], {}), ([], named)):
        ended = caisson("run", "--workspace", str(tmp_path / "w"), *arguments, str(spec), environment=environment)
        assert ended.returncode == 2 and "must be confirmed by the task's metadata" in ended.stdout, ended
    ended = caisson("run", "--workspace", str(tmp_path / "w"), "--executor", "local", str(spec), environment=named)
    assert "local executor" in ended.stdout, ended
    ended = caisson("run", "--workspace", str(tmp_path / "w"), "--profile", "veren-frontend", environment=named)
    assert ended.returncode == 10 and "sandbox" not in ended.stdout + ended.stderr, ended


def test_users_must_agree(bed):
    spec = bed.commands(SITE)
    ended = run(bed, spec, sandbox={"command": ["sandbox", "--build-uid", "1001"], "stop_timeout": 0.2})
    assert ended.code == 52 and ended.result["reason"] == "sandbox-build-uid", ended
    assert "user 1001" in ended.result["message"] and "--build-uid" in ended.result["hint"], ended
    assert bed.published(spec) == {}


def test_the_result_and_the_log_of_a_lost_sandbox_get_out(bed):
    spec = bed.commands(SITE, "echo working; sleep 600")
    spec["log"] = f"s3://{JOBS_BUCKET}/{spec['id']}/log.gz"
    task = start(bed, spec, arguments=TIMEOUT, sandbox={"stop_timeout": 0.2})
    task.wait_for("| working")
    os.kill(task.container("sandbox").pid(), signal.SIGSTOP)
    ended = bed.finish(task, timeout=60)
    lost(bed, spec, ended, "sandbox-silent")
    assert bed.storage.head(JOBS_BUCKET, f"{spec['id']}/log.gz") is not None


ROOT = {"arguments": ["--build-uid", "0"], "sandbox": {"command": ["sandbox", "--build-uid", "0"]}}


def test_a_workspace_that_root_replaced_leads_us_nowhere(bed):
    """The next step has a file of a secret: its folder is made anew, and that must not be done where a link leads."""
    private = os.path.join(bed.folder, "private-" + os.urandom(4).hex())
    os.makedirs(os.path.join(private, "secrets"))
    keep = os.path.join(private, "secrets", "keep")
    with open(keep, "w", encoding="ascii") as file:
        file.write("x\n")
    spec = bed.commands(SITE, "W=$(dirname $PWD); cd /; mv $W $W.old; mkdir /private/source; ln -s /private $W")
    spec["build"]["test"] = "pwd -P"
    spec["secrets"] = {"TOKEN": {"env": "OTHER_SECRET", "steps": ["test"], "as": "file"}}
    ended = run(bed, spec, volumes={"/private": private}, environment={"OTHER_SECRET": "canary-in-a-file"}, **ROOT)
    assert os.listdir(os.path.join(private, "secrets")) == ["keep"], ended
    assert "| /private/source" in ended.text, ended
    assert ended.code == 42 and ended.result["reason"] == "checkout-replaced", ended
    assert bed.published(spec) == {}, ended


def test_a_build_that_is_root_over_there(bed):
    """The operator's word on both sides. Its daemons end, too, and nobody can come to the socket again."""
    again = "for i in 1 2 3; do ls -l /var/lib/caisson; done; test ! -e /var/lib/caisson/sandbox.sock"
    spec = bed.commands("id -u", again, SITE, "setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 &")
    ended = run(bed, spec, arguments=["--build-uid", "0"], sandbox={"command": ["sandbox", "--build-uid", "0"]})
    assert ended.code == 0, ended
    assert "| 0" in ended.text and bed.published(spec) == {"index.html": b"site\n"}, ended
