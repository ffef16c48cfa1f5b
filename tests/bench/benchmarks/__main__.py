"""python3 -m benchmarks [--json FILE] [--rounds N] [NAME...]: called by tests/bench/run."""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile

from . import clone, image, isolation, job, layers, redaction, sinks, start, table, upload
from .measure import Failed, Launcher
from .servers import S3Stub

BENCHMARKS = {"start": start.run, "clone": clone.run, "upload": upload.run, "large": upload.run_large, "job": job.run,
              "isolation": isolation.run, "redaction": redaction.run, "push": image.run_push, "image": image.run_job,
              "layers": layers.run, "sinks": sinks.run}
ROOM = 8 << 30  # tmpfs: the files of all benchmarks, and what they copy


def scratch():
    """A folder in memory where there is room: a disk's own pace would be part of every figure."""
    memory = shutil.disk_usage("/dev/shm").free if os.path.isdir("/dev/shm") else 0
    folder = tempfile.mkdtemp(prefix="caisson-bench.", dir="/dev/shm" if memory > ROOM else None)
    os.chmod(folder, 0o755)  # builds run as another user
    return folder


class Bench:
    """What the benchmarks share."""

    def __init__(self, arguments, work):
        self.work, self.rounds = work, arguments.rounds
        self.caisson, self.s5cmd = os.path.abspath(os.environ["CAISSON"]), os.environ["S5CMD"]
        self.launcher = Launcher(os.environ["LAUNCH"], work)
        self.stub = S3Stub(os.environ["S3_STUB"])
        self.removed = []

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path)
        return path

    def remove_later(self, folder):
        """At the next benchmark: what is deleted just before a measurement slows it down."""
        self.removed.append(folder)

    def remove_now(self):
        for folder in self.removed:
            shutil.rmtree(folder)
        self.removed = []


def version_of(*words):
    """The first few words that a program says of itself."""
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return " ".join(said.split()[:3])


def describe(bench):
    return {
        "caisson": version_of(bench.caisson, "--version"), "git": version_of("git", "--version"),
        "curl": version_of("curl", "--version"), "s5cmd": version_of(bench.s5cmd, "version"),
        "node": version_of("node", "--version"), "kernel": platform.release(), "machine": platform.machine(),
        "cpus": os.cpu_count(), "load": os.getloadavg()[0], "rounds": bench.rounds,
    }


def parse():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--json", metavar="FILE", help="the table as JSON too")
    parser.add_argument("--rounds", type=int, default=5, help="of each contestant, in turn (5)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return arguments


def main():
    arguments = parse()
    work = scratch()
    bench = Bench(arguments, work)
    rows, status = [], 0
    machine = describe(bench)
    try:
        for name, run in BENCHMARKS.items():
            if arguments.names and name not in arguments.names:
                continue
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                rows += run(bench)
            except Failed as failed:
                print(f"FAIL: {name}: {failed}", file=sys.stderr)
                status = 1
            bench.remove_now()
    finally:
        bench.stub.stop()
        shutil.rmtree(work)
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine.items()) + "\n")
    print(table.text(rows))
    if machine["load"] > machine["cpus"]:
        print("\nThe machine was busy with other things: times tell little, CPU, memory and counts are as they are.")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(table.document(rows, machine))
    return status


sys.exit(main())
