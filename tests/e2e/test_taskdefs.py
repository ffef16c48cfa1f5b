"""taskdefs/: what RegisterTaskDefinition takes, by the service's published model and by Fargate's own rules."""

import pathlib
import re

import pytest

from bed import run_task
from bed.taskdefs import FOLDER, HOLES, NAMES, filled, text

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


@pytest.mark.parametrize("name", NAMES)
def test_the_first_container_is_the_runner_and_gets_the_overrides(name):
    first, *others = filled(name)["containerDefinitions"]
    assert first["name"] == HOLES["container_name"] and first["essential"]
    assert first["command"][0] == "run" and first["stopTimeout"] == 120
    assert first["command"][first["command"].index("--stop-budget") + 1] == "110s"
    assert [one["name"] for one in others] == (["sandbox"] if name == "kaniko" else [])
    assert not any(one["essential"] for one in others)
