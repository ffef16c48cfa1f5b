"""taskdefs/: what RegisterTaskDefinition takes, by the service's published model and by Fargate's own rules."""

import os
import pathlib
import re
import subprocess

import pytest

from bed import documents, run_task, sigv4
from bed.taskdefs import FOLDER, HOLES, NAMES, filled, text
from bed.world import tool

# MiB for each number of CPU units: Amazon ECS Developer Guide, "Task size" for Fargate
SIZES = {256: [512, 1024, 2048], 512: range(1024, 4097, 1024), 1024: range(2048, 8193, 1024),
         2048: range(4096, 16385, 1024), 4096: range(8192, 30721, 1024), 8192: range(16384, 61441, 4096),
         16384: range(32768, 122881, 8192)}


def test_the_three_are_there():
    assert NAMES == ["kaniko", "kaniko-single", "node"]


def test_holes_are_those_that_the_readme_lists():
    used = set(re.findall(r"\$\{(\w+)\}", "".join(map(text, NAMES))))
    assert used == set(HOLES)
    readme = pathlib.Path(FOLDER, "README.md").read_text()
    assert [hole for hole in used if f"`{hole}`" not in readme] == []


@pytest.mark.parametrize("architecture", ["X86_64", "ARM64"])
@pytest.mark.parametrize("name", NAMES)
def test_the_services_model_takes_it(name, architecture):
    shape = run_task.model().operation_model("RegisterTaskDefinition").input_shape
    run_task.validate(shape, filled(name, architecture=architecture))
    for key, value in (("networkMode", "vpc"), ("requiresCompatibilities", ["LAMBDA"]), ("pid", "task")):
        with pytest.raises(run_task.Failed):
            run_task.validate(shape, {**filled(name), key: value})


@pytest.mark.parametrize("name, architecture", zip(NAMES, ["X86_64", "ARM64", "ARM64"], strict=True))
def test_the_command_line_registers_it(tmp_path, name, architecture):
    """As the README types it, the holes filled by envsubst and by nothing else."""
    (block,) = documents.blocks(pathlib.Path(FOLDER, "README.md"))
    setting, *commands = block.text.replace("\\\n", " ").splitlines()
    assert set(re.findall(r"\b([a-z_]+)=", setting)) == set(HOLES)
    keys = sigv4.Keys("AKIAREGISTERS", "secret-of-who-registers")
    ecs = run_task.RunTask(None, {}, [], {keys.access: keys}.get)
    holes = {**HOLES, "architecture": architecture}
    environment = {"PATH": f"{tool('ensure-sdks', 'python')}/bin:{os.environ['PATH']}", "HOME": str(tmp_path), **holes,
                   "AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret,
                   "AWS_ENDPOINT_URL_ECS": ecs.url, "AWS_DEFAULT_REGION": run_task.REGION}
    (tmp_path / f"{name}.json").write_text(text(name))
    try:
        done = subprocess.run(["bash", "-euc", "\n".join(commands).replace("kaniko.json", f"{name}.json")], check=False,
                              cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    finally:
        ecs.close()
    assert done.returncode == 0, done.stderr
    ((action, sent),) = ecs.calls
    assert action == "RegisterTaskDefinition" and sent == filled(name, architecture=architecture)


@pytest.mark.parametrize("name", NAMES)
def test_fargate_takes_it(name):
    task = filled(name)
    assert task["requiresCompatibilities"] == ["FARGATE"] and task["networkMode"] == "awsvpc"
    assert int(task["memory"]) in SIZES[int(task["cpu"])]
    assert 21 <= task["ephemeralStorage"]["sizeInGiB"] <= 200
    assert sum(one.get("memory", 0) for one in task["containerDefinitions"]) <= int(task["memory"])
    volumes = {volume["name"] for volume in task["volumes"]}
    for one in task["containerDefinitions"]:
        assert one["stopTimeout"] <= 120
        assert {mount["sourceVolume"] for mount in one["mountPoints"]} <= volumes
        assert not {"privileged", "links", "hostname", "dockerSecurityOptions"} & set(one)
        assert not {"sharedMemorySize", "devices", "swappiness", "maxSwap"} & set(one["linuxParameters"])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_opens_our_processes_to_the_build(name):
    task = filled(name)
    assert not {"pidMode", "ipcMode"} & set(task)
    for one in task["containerDefinitions"]:
        capabilities = one["linuxParameters"]["capabilities"]
        assert "add" not in capabilities and "NET_RAW" in capabilities["drop"]
        assert one["linuxParameters"]["initProcessEnabled"] is False  # PID 1 is the program
        assert one["user"] == "0:0"
        assert one["logConfiguration"]["options"]["mode"] == "blocking"
        assert "environment" not in one and "secrets" not in one


LOGS = {"awslogs-group": HOLES["log_group"], "awslogs-region": HOLES["region"], "awslogs-stream-prefix": "job",
        "mode": "blocking"}
NOT_OF_A_BUILD = {"AUDIT_WRITE", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SYS_CHROOT"}
# What is root in its container and unpacks images needs the rest.
DROPPED = {"node": [NOT_OF_A_BUILD], "kaniko": [NOT_OF_A_BUILD, {"NET_RAW"}], "kaniko-single": [{"NET_RAW"}]}
READ_ONLY = {"node": [False], "kaniko": [True, False], "kaniko-single": [False]}


@pytest.mark.parametrize("name", NAMES)
def test_each_container_says_what_it_runs_with(name):
    task = filled(name, architecture="ARM64")
    assert task["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    for one, dropped, read_only in zip(task["containerDefinitions"], DROPPED[name], READ_ONLY[name], strict=True):
        assert set(one["linuxParameters"]["capabilities"]["drop"]) == dropped
        assert one["readonlyRootFilesystem"] is read_only
        assert one["ulimits"] == [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}]
        assert one["logConfiguration"] == {"logDriver": "awslogs", "options": LOGS}
        assert "healthCheck" not in one  # it is healthy as long as PID 1 lives
        assert "entryPoint" not in one and "workingDirectory" not in one  # the image's


@pytest.mark.parametrize("name", NAMES)
def test_the_first_container_is_the_runner_and_gets_the_overrides(name):
    first, *others = filled(name)["containerDefinitions"]
    assert first["name"] == HOLES["container_name"] and first["essential"]
    assert first["command"][0] == "run" and first["stopTimeout"] == 120
    assert first["command"][first["command"].index("--stop-budget") + 1] == "110s"
    assert [one["name"] for one in others] == (["sandbox"] if name == "kaniko" else [])
    assert all((one["essential"], one["command"], one["stopTimeout"]) == (False, ["sandbox"], 30) for one in others)
