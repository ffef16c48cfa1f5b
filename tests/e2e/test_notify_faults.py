"""Jobs with one injected fault each: one result, told once by its id. tests/soak/run-reporting runs a thousand."""

import os
import re
import subprocess
import sys

import pytest

from bed import world as bed_world

pytestmark = pytest.mark.timeout(600)
SOAK = os.path.join(bed_world.ROOT, "tests", "soak")


def has(tool):
    try:
        return bed_world.tool(tool)
    except subprocess.CalledProcessError:
        return False


def run(program, jobs):
    versity = bed_world.tool("ensure-go-tool", "versitygw")
    made = subprocess.run(
        [sys.executable, "-m", "reporting"], capture_output=True, text=True, timeout=500, check=False, env={
            **os.environ, "PYTHONPATH": f"{SOAK}:{os.path.join(bed_world.ROOT, 'tests', 'e2e')}", "CAISSON": program,
            "VERSITYGW": versity, "SOAK_JOBS": str(jobs), "SOAK_RABBITMQ": "1" if has("ensure-rabbitmq") else "0"})
    print(made.stdout)
    assert made.returncode == 0, made.stdout[-6000:] + made.stderr[-6000:]
    return int(re.search(r"^(\d+) jobs in", made.stdout, re.M)[1])


def test_each_fault_once(program):
    assert run(program, "each") > 30


@pytest.mark.rare
def test_each_fault_in_several_phases(program):
    assert run(program, 120) == 120
