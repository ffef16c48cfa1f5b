"""python3 -m reporting: called by tests/soak/run-reporting."""

import collections
import contextlib
import ctypes
import json
import multiprocessing
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import jsonschema

from . import checks, faults
from .job import AFTER, PHASES, THROUGHOUT, Job, Lengths
from .receivers import Receivers, end, start_rabbitmq

PR_SET_CHILD_SUBREAPER = 36
LANES = 3  # a job waits for most of its time
FAILURES_MAX = 25
KINDS = len(faults.KINDS)


def plan(seed, number):
    """(make_fault, phase, random): the same for the same seed. Each kind as often as any other, in each phase."""
    turn = number // KINDS
    kind = random.Random(f"{seed} {turn}").sample(range(KINDS), KINDS)[number % KINDS]
    return faults.KINDS[kind], PHASES[(turn + kind) % len(PHASES)], random.Random(f"{seed} job {number}")


def schemas_of(program):
    found = {}
    for name in ("result", "events"):
        said = subprocess.run([program, "schema", name], capture_output=True, check=True).stdout
        found[name] = jsonschema.Draft202012Validator(json.loads(said))
    return found


def run_job(receivers, seed, number, lengths, schemas):
    """(fault, phase, outcome, seconds), of the job and before it of those that a signal ended before they began."""
    done = []
    while not done or done[-1][2] == checks.NOT_BEGUN:
        make, phase, rng = plan(seed, number)
        for _ in done:  # as before, but at another moment
            rng.random()
        fault = make(rng)
        job = Job(receivers, fault, f"job{number:05d}", phase, lengths, rng)
        try:
            receivers.reset(fault.clock)
            if fault.before:
                fault.before(receivers)
            job.run()
            said = checks.outcome(job, schemas)
        except Exception:
            where = f"{job.id}, {fault.name} in {job.hit}: its log is {job.log_path}"
            return [*done, (fault.name, job.hit, "WRONG", 0.0, f"{where}\n{traceback.format_exc()}")]
        done.append((fault.name, job.hit, said, job.seconds, ""))
        os.unlink(job.log_path)
    return done


def lane(index, folder, seed, numbers, results, rabbitmq):
    """Servers of its own; jobs one after another."""
    sys.stdout = open(os.devnull, "w")  # of the servers
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = os.path.abspath(os.environ["CAISSON"])
    receivers = Receivers(os.path.join(folder, f"lane{index}"), program, os.environ["VERSITYGW"], rabbitmq)
    lengths, schemas = Lengths(), schemas_of(program)
    try:
        while (number := numbers.get()) is not None:
            results.put(run_job(receivers, seed, number, lengths, schemas))
    finally:
        receivers.stop()
        results.put(None)


def _take_all(numbers):
    with contextlib.suppress(queue.Empty):
        while True:
            numbers.get(timeout=0.1)


def soak(folder, seed, wanted, rabbitmq):
    """Every tuple of run_job()."""
    lanes = min(int(os.environ.get("SOAK_LANES") or LANES), len(wanted))
    numbers, results = multiprocessing.Queue(), multiprocessing.Queue()
    for number in [*wanted, *[None] * lanes]:
        numbers.put(number)
    workers = [multiprocessing.Process(target=lane, args=(index, folder, seed, numbers, results, rabbitmq))
               for index in range(lanes)]
    for worker in workers:
        worker.start()
    done, jobs, failures = [], 0, 0
    while lanes:
        found = results.get()
        lanes -= found is None
        for entry in found or ():
            done.append(entry)
            if entry[4]:
                failures += 1
                print(entry[4], file=sys.stderr, flush=True)
        jobs += found is not None
        if found and jobs % 100 == 0:
            print(f"{jobs} jobs", flush=True)
        if failures > FAILURES_MAX:
            _take_all(numbers)  # what is under way goes on to its end
            for _ in workers:
                numbers.put(None)
    for worker in workers:
        worker.join()
    return done


def print_table(done):
    columns = [THROUGHOUT, *PHASES, AFTER]
    rows = collections.defaultdict(list)
    for fault, phase, outcome, seconds, _ in done:
        rows[fault, outcome].append((phase, seconds))
    width = max(len(fault) for fault, _ in rows)
    longest = max(len(outcome) for _, outcome in rows)
    print(f"{'':{width}}  {'':{longest}}  " + " ".join(f"{name:>10}" for name in columns) + "  longest")
    for (fault, outcome), jobs in sorted(rows.items()):
        counts = collections.Counter(phase for phase, _ in jobs)
        print(f"{fault:{width}}  {outcome:{longest}}  "
              + " ".join(f"{counts[name] or '':>10}" for name in columns)
              + f"  {max(seconds for _, seconds in jobs):.1f} s")


def wanted_numbers():
    only, jobs = os.environ.get("SOAK_ONLY"), os.environ.get("SOAK_JOBS") or "1000"
    if only:
        return [int(number) for number in only.split(",")]
    return list(range(KINDS if jobs == "each" else int(jobs)))


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would ours
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().getrandbits(32))
    wanted = wanted_numbers()
    print(f"SOAK_SEED={seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="caisson-soak.")
    os.chmod(folder, 0o755)
    faults.prepare(folder)
    began = time.monotonic()
    rabbitmq = start_rabbitmq(os.path.join(folder, "rabbitmq")) if faults.RABBITMQ else None
    try:
        done = soak(folder, seed, wanted, rabbitmq)
    finally:
        if rabbitmq:
            end(rabbitmq)
    if done:
        print_table(done)
    ended = [entry for entry in done if entry[2] not in (checks.NOT_BEGUN, "WRONG")]
    wrong = sum(entry[2] == "WRONG" for entry in done)
    seconds = time.monotonic() - began
    if wrong or len(ended) != len(wanted):
        sys.exit(f"of {len(wanted)} jobs {wrong} went wrong in {seconds:.0f} s; {folder} has their logs")
    print(f"{len(ended)} jobs in {seconds:.0f} s, each with one end, told once by its id")
    shutil.rmtree(folder)


main()
