"""Jobs with one injected fault each: one result, told once by its id. tests/soak/run-reporting runs a thousand."""

import os
import subprocess
import sys

import pytest

from bed import world as bed_world

SOAK = os.path.join(bed_world.ROOT, "tests", "soak")


def run(program, jobs, **environment):
    versity = bed_world.tool("ensure-go-tool", "versitygw")
    made = subprocess.run(
        [sys.executable, "-m", "reporting"], capture_output=True, text=True, timeout=200, check=False, env={
            **os.environ, "PYTHONPATH": f"{SOAK}:{os.path.join(bed_world.ROOT, 'tests', 'e2e')}", "CAISSON": program,
            "VERSITYGW": versity, "SOAK_JOBS": str(jobs), **environment})
    print(made.stdout)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-6000:]
    assert f"{jobs} jobs in" in made.stdout


def test_a_sample(program):
    run(program, 12)


@pytest.mark.rare
def test_each_fault_once(program):
    run(program, 27)
