"""The double of an ECS task, proved with programs that are none of ours."""

import json
import threading
import time
import urllib.error
import urllib.request

import pytest

from bed import ecs, http1, netns, s3, seccomp, task as ecs_task
from bed.task import NEVER, Definition
from bed.world import SHARED

SHELL = ["/bin/sh", "-c"]
SLOW = "trap '' TERM; while :; do sleep 0.1; done"  # hears no SIGTERM


@pytest.fixture
def tasks(world, tmp_path):
    made = []

    class Made(ecs_task.Task):
        """Its definitions are {name: {field: …}}, of containers of the base image; `script` is for its shell."""

        def __init__(self, **definitions):
            endpoint = ecs.TaskEndpoint(s3.REGION, world.gate.issue)
            self.netns = netns.NetworkNamespace([ecs.ADDRESS])
            http1.serve(self.netns.listen(ecs.ADDRESS, 80), endpoint)
            listed = [Definition(name, world.layers, **{"entry_point": SHELL, **fields, "command": [script]})
                      for name, fields in definitions.items() for script in [fields.pop("script", "exit 0")]]
            super().__init__(str(tmp_path), endpoint, self.netns.path, listed)
            made.append(self)

        def get(self, path):
            return self.netns.inside(lambda: json.load(urllib.request.urlopen(f"http://{ecs.ADDRESS}{path}")))

        def metadata(self):
            containers = self.get(f"/v4/{self.endpoint.containers[0].token}/task")["Containers"]
            return {container["Name"]: container for container in containers}

        def states(self):
            return {name: container["KnownStatus"] for name, container in self.metadata().items()}

        def reach(self, name, status, timeout=20):
            until(lambda: self.states()[name] == status, timeout, self)

    tmp_path.chmod(0o755)
    yield lambda **definitions: Made(**definitions).start()
    for task in made:
        task.close()
        task.netns.close()


def until(condition, timeout=20, evidence=""):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, evidence
        time.sleep(0.02)


def test_containers_share_network_and_volume_and_nothing_else(tasks):
    listen = "node -e 'require(\"net\").createServer(c => process.exit(0)).listen(7777, () => console.log(\"up\"))'"
    task = tasks(one={"script": f"echo here >{SHARED}/file; echo private >/private; {listen}; ls {SHARED}",
                      "mounts": {SHARED: "shared"}},
                 two={"script": f"while ! (echo >/dev/tcp/127.0.0.1/7777) 2>/dev/null; do sleep 0.1; done; "
                                f"cat {SHARED}/file; ls /private; echo $$; echo >{SHARED}/answer",
                      "entry_point": ["/bin/bash", "-c"], "essential": False, "mounts": {SHARED: "shared"}})
    assert task.wait(60) == 0, task.evidence()
    said = task.container("two").text()
    assert "here\n" in said and "cannot access '/private'" in said and said.endswith("\n1\n"), said


def test_each_container_has_its_own_metadata_and_the_roles_credentials(tasks):
    task = tasks(one={"script": "env; sleep 60"}, two={"script": "env; sleep 60", "memory": 64 << 20})
    task.reach("two", "RUNNING")
    task.reach("one", "RUNNING")
    said = []
    for name in ("one", "two"):
        task.container(name).wait_for("AWS_REGION")
        variables = dict(line.split("=", 1) for line in task.container(name).text().splitlines() if "=" in line)
        own = task.get(variables["ECS_CONTAINER_METADATA_URI_V4"].removeprefix(f"http://{ecs.ADDRESS}"))
        assert own["Name"] == name and own["KnownStatus"] == own["DesiredStatus"] == "RUNNING" and own["StartedAt"]
        assert own["Limits"].get("Memory") == (64 if name == "two" else None) and "ExitCode" not in own
        assert task.get(variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])["SecretAccessKey"]
        said.append(variables["ECS_CONTAINER_METADATA_URI_V4"])
    assert said[0] != said[1]


def test_the_end_of_the_essential_one_ends_the_task(tasks):
    task = tasks(one={"script": "sleep 0.5; exit 7"}, two={"script": SLOW, "essential": False, "stop_timeout": 1})
    assert task.wait(30) == 7
    assert task.container("two").ended - task.container("one").ended >= 1
    told = task.describe()
    assert told["stopCode"] == "EssentialContainerExited" and told["lastStatus"] == "STOPPED"
    assert [container["exitCode"] for container in told["containers"]] == [7, 137]


def test_the_end_of_another_does_not(tasks):
    task = tasks(one={"script": "sleep 60"}, two={"script": "exit 3", "essential": False})
    task.reach("two", "STOPPED")
    ended = task.metadata()["two"]
    assert ended["ExitCode"] == 3 and ended["FinishedAt"] and ended["DesiredStatus"] == "RUNNING"
    task.reach("one", "RUNNING")


def test_a_stop_is_sigterm_to_all_then_sigkill(tasks):
    polite = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    task = tasks(one={"script": polite}, two={"script": SLOW, "stop_timeout": 1.5})
    task.container("one").wait_for("ready")
    task.reach("two", "RUNNING")
    began = time.monotonic()
    task.stop()
    task.reach("one", "STOPPED")
    assert task.states()["two"] == "RUNNING" and task.metadata()["two"]["DesiredStatus"] == "STOPPED"
    assert task.wait(30) == 0 and "asked" in task.text()
    assert 1.4 < task.container("two").ended - began < 6
    assert task.describe()["stopCode"] == "UserInitiated"


def test_order_and_late_starts(tasks):
    asleep = {"script": "sleep 60", "stop_timeout": 0.2}
    task = tasks(one={**asleep, "depends_on": ("two",)}, two={**asleep, "start_after": 1, "essential": False},
                 three={**asleep, "start_after": NEVER, "essential": False})
    assert task.states() == {"one": "PENDING", "two": "PENDING", "three": "PENDING"}
    task.reach("one", "RUNNING")
    assert task.container("one").started > task.container("two").started
    assert task.states()["three"] == "PENDING"
    task.stop()
    assert task.wait(30) == 137  # PID 1 hears no signal that it does not handle
    assert task.container("three").process is None and task.states()["three"] == "STOPPED"


def test_what_depends_on_one_that_cannot_start_fails(tasks):
    task = tasks(one={"depends_on": ("two",)}, two={"entry_point": ["/nonexistent"], "essential": False})
    with pytest.raises(AssertionError, match="never started"):
        task.wait(30)
    told = task.describe()
    assert told["stopCode"] == "TaskFailedToStart" and "CannotStartContainerError" in told["containers"][1]["reason"]
    assert "exitCode" not in told["containers"][0]


def test_a_container_out_of_memory(tasks):
    task = tasks(one={"script": "sleep 60"}, two={
        "script": "exec node -e 'const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))'", "memory": 96 << 20,
        "essential": False})
    if task.container("two").group.folder is None:
        pytest.skip("no memory group can be made here")
    task.reach("two", "STOPPED", 60)
    assert task.metadata()["two"]["ExitCode"] == 137
    assert task.describe()["containers"][1]["reason"] == ecs_task.OUT_OF_MEMORY


def test_read_only_root_and_capabilities_that_are_dropped(tasks):
    task = tasks(one={"script": f"touch /x; touch {SHARED}/x && echo written; grep CapEff /proc/self/status",
                      "read_only": True, "drop": ("CAP_NET_RAW",), "mounts": {SHARED: "shared"}})
    assert task.wait(30) == 0
    assert "Read-only file system" in task.text() and "written" in task.text()
    assert int(task.text().split("CapEff:")[1].split()[0], 16) == 0xA80405FB


def test_faults_of_the_metadata(tasks):
    task = tasks(one={"script": "sleep 60"}, two={"script": "exit 0", "essential": False})
    task.reach("two", "STOPPED")
    endpoint = task.endpoint
    endpoint.fault = ecs.changed("two", KnownStatus="RUNNING", ExitCode=None)
    assert task.states()["two"] == "RUNNING" and "ExitCode" not in task.metadata()["two"]
    endpoint.fault = ecs.changed("two", Name="other")
    assert set(task.states()) == {"one", "other"}
    endpoint.fault = ecs.without("two")
    assert set(task.states()) == {"one"}
    endpoint.fault = ecs.says(500, b"oops")
    with pytest.raises(urllib.error.HTTPError, match="500"):
        task.states()
    endpoint.fault = ecs.says(200, b"{")
    with pytest.raises(ValueError):
        task.states()
    endpoint.fault = ecs.redirects()
    assert task.states()["one"] == "STOPPED"  # who follows it is lied to
    endpoint.fault = hang = ecs.Hang()
    asking = threading.Thread(target=lambda: pytest.raises(OSError, task.states), daemon=True)
    asking.start()
    assert hang.reached.wait(10) and asking.is_alive()
    hang.release()
    asking.join(10)
    assert not asking.is_alive()


def test_states_may_be_told_late(tasks):
    task = tasks(one={"script": "sleep 60"}, two={"script": "exit 0", "essential": False})
    task.reach("two", "STOPPED")
    task.endpoint.lag = 1000
    assert task.states() == {"one": "PENDING", "two": "PENDING"}


# The numbers are the same on every architecture.
CALLS = {"pidfd_send_signal": 424, "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437,
         "pidfd_getfd": 438, "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}


def errors_of_calls(tasks, **options):
    """{call: errno} of each with arguments that are wrong for all of them, and what unshare and mount say."""
    calls = " ".join(f"{name} {number}" for name, number in CALLS.items())
    perl = ("while (@ARGV) { my ($name, $number) = splice @ARGV, 0, 2; $! = 0; "
            'syscall($number + 0, -1, -1, -1, 1, -1); print "$name ", $! + 0, "\\n" }')
    script = (f"perl -e '{perl}' {calls}; unshare -n true; unshare -U true; unshare -m true; "
              "mount -t tmpfs none /tmp 2>&1 | head -n 1")
    task = tasks(one={"script": script, "options": options})
    task.wait(30)
    lines = task.text().splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines[:len(CALLS)])}, lines[len(CALLS):]


def test_the_system_call_filter_is_like_dockers(tasks):
    errors, refused = errors_of_calls(tasks)
    assert errors["pidfd_getfd"] == seccomp.EPERM and errors["clone3"] == seccomp.ENOSYS, errors
    assert seccomp.ENOSYS not in (errors["openat2"], errors["pidfd_open"], errors["close_range"]), errors
    assert len(refused) == 4 and all("not permitted" in line or "denied" in line for line in refused), refused


def test_an_older_kernel_lacks_what_it_should(tasks):
    errors, refused = errors_of_calls(tasks, refuse_calls=seccomp.OLDER_KERNEL)
    assert set(errors) == set(seccomp.OLDER_KERNEL) and set(errors.values()) == {seccomp.ENOSYS}, errors
    assert len(refused) == 4, refused
