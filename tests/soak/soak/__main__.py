"""python3 -m soak: called by tests/soak/run."""

import collections
import ctypes
import os
import random
import shutil
import sys
import tempfile
import time

from . import faults, site
from .invariants import Invariants
from .world import Job, World

PR_SET_CHILD_SUBREAPER = 36
OVERTAKEN = faults.Trouble("overtaken by a newer job", {0, 43})


def overtake(world, invariants, pages, rng, number):
    """An older job and a newer one at once: whatever the order of events, the newer one's tree is what stays."""
    created = time.time()
    older = Job(world, number, pages.change(), OVERTAKEN, created - 1)
    newer = Job(world, number + 1, pages.change(), faults.none(rng), created)
    older.start()
    time.sleep(rng.uniform(0, 0.8))
    newer.start()
    newer.wait()
    older.wait()
    assert older.code in OVERTAKEN.codes, f"the older job ended with {older.code}"
    invariants.after(newer, newer.trouble.codes)
    return older, newer


def one(world, invariants, pages, rng, number):
    world.gate.reset()
    trouble = faults.choose(rng)
    world.gate.faults, world.git.flaky = list(trouble.faults), trouble.flaky_git
    job = Job(world, number, pages.change(), trouble)
    job.start()
    job.wait()
    world.gate.faults, world.git.flaky = [], 0
    invariants.after(job, trouble.codes)
    return [job]


def soak(world, rng, jobs, deadline):
    pages = site.Site(rng)
    invariants = Invariants(world)
    ends = collections.Counter()
    number = 0
    while sum(ends.values()) < jobs and time.monotonic() < deadline:
        number += 2
        try:
            if rng.random() < 0.1:
                world.gate.reset()
                done = overtake(world, invariants, pages, rng, number)
            else:
                done = one(world, invariants, pages, rng, number)
        except AssertionError:
            print(f"job {number}; logs are in {world.folder}", file=sys.stderr)
            raise
        for job in done:
            ends[job.trouble.name, job.code] += 1
            job.forget()
        world.git.requests.clear()
    invariants.at_the_end()
    return ends


def main():
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().getrandbits(32))
    seconds = float(os.environ.get("SOAK_SECONDS") or 0)
    jobs = sys.maxsize if seconds else int(os.environ.get("SOAK_JOBS") or 200)
    print(f"SOAK_SEED={seed}", flush=True)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.mkdtemp(prefix="caisson-soak.")
    os.chmod(folder, 0o755)
    world = World(folder, os.path.abspath(os.environ["CAISSON"]), os.environ["VERSITYGW"])
    try:
        ends = soak(world, random.Random(seed), jobs, time.monotonic() + seconds if seconds else float("inf"))
    finally:
        world.stop()
    shutil.rmtree(folder)
    for (trouble, code), count in sorted(ends.items()):
        print(f"{count:6}  {trouble}: exit code {code}")
    print(f"{sum(ends.values())} jobs")


main()
