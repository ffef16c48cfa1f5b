"""A build that takes more memory than there is: the kernel ends it, and the result says so."""

import json
import os
import pathlib
import subprocess
import time
import uuid

import pytest

from bed import repositories

LIMIT = 128 << 20
HUNGRY = "head -c 600000000 /dev/zero | tail"


def make_group():
    """A memory group of the machine's first or second version of cgroups that can be limited, or None."""
    with open("/proc/self/cgroup") as file:
        groups = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            place, limit = pathlib.Path("/sys/fs/cgroup/memory" + path.rstrip("/")), "memory.limit_in_bytes"
        elif controllers == "":
            place, limit = pathlib.Path("/sys/fs/cgroup" + path.rstrip("/")), "memory.max"
        else:
            continue
        group = place / f"caisson-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        return group
    return None


@pytest.fixture
def group():
    made = make_group()
    if made is None:
        pytest.skip("no group of processes can be limited in memory here")
    yield made
    for _ in range(50):
        try:
            made.rmdir()
            return
        except OSError:
            time.sleep(0.1)


def run(program, group, open_path, commands, limits=None):
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"README.md": "x\n"})
    spec = {"version": 1, "id": "j1", "source": {"repository": f"file://{repository.folder}"},
            "build": {"builder": "commands", "commands": commands, "output": "dist"},
            "artifacts": [{"to": f"file:{open_path}/out/"}], "result": f"file:{open_path}/result.json"}
    if limits:
        spec["limits"] = limits
    (open_path / "job.json").write_text(json.dumps(spec))
    join = f'echo $$ >"{group}/cgroup.procs" && exec "$@"'
    ran = subprocess.run(["sh", "-c", join, "sh", program, "run", "--workspace", str(open_path / "work"),
                          str(open_path / "job.json")], capture_output=True, text=True, timeout=120, check=False,
                         stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    return ran, json.loads((open_path / "result.json").read_text())


def test_out_of_memory_is_a_class(program, group, open_path, result_schema):
    ran, result = run(program, group, open_path, [HUNGRY, "mkdir dist; echo x >dist/index.html"])
    result_schema.validate(result)
    assert ran.returncode == 33 and result["class"] == "out-of-memory", ran.stdout
    assert "memory" in result["hint"] and result["step"] == "build", result
    assert not (open_path / "out").exists() or not any((open_path / "out").iterdir())


def test_out_of_memory_that_a_build_hides_is_said(program, group, open_path):
    ran, result = run(program, group, open_path, [f"{HUNGRY} || true", "mkdir dist; echo x >dist/index.html"],
                      {"memory": "100%"})
    assert ran.returncode == 0, ran.stdout
    assert any("memory ran out" in text for text in result["warnings"]), result
