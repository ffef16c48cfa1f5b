"""Start time, memory of the main process, size."""

import datetime
import json
import os
import subprocess
import time

from bed.processes import peak_kib

from . import generate
from .measure import Failed, in_turn, median
from .table import Row

CHATTER = "seq 1 1500000"  # 10 MB in lines


def spec_of(bench, repository, command):
    return {
        "version": 1, "id": "bench", "source": {"repository": f"file://{repository}"},
        "build": {"builder": "commands", "commands": [command], "output": "."},
        "artifacts": [{"to": f"file:{bench.work}/published/", "from": "dist"}],
        "result": f"file:{bench.work}/start.json",
    }


def start_to_first_step(bench, spec):
    """Milliseconds from exec to the first step, by the clock of the result document (in milliseconds)."""
    cost, _ = bench.launcher.run([bench.caisson, "run", "-"], json.dumps(spec).encode(), cwd=bench.work)
    with open(os.path.join(bench.work, "start.json"), encoding="utf-8") as document:
        first = json.load(document)["steps"][0]["started_at"]
    return (datetime.datetime.fromisoformat(first).timestamp() - cost.started_s) * 1000


def peak_while_chatty(bench, spec):
    """Peak memory of the main process, MiB, looked at every few milliseconds; its output thrown away."""
    with subprocess.Popen([bench.caisson, "run", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, cwd=bench.work) as process:
        process.stdin.write(json.dumps(spec).encode())
        process.stdin.close()
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_kib(process.pid))
            time.sleep(0.003)
    if process.returncode != 0:
        raise Failed(f"the chatty job ended with {process.returncode}")
    return peak / 1024


def run(bench):
    root = bench.folder("start-repositories")
    repository = generate.small_repository(root, {"dist/index.html": b"<p>hello</p>\n"})
    version = in_turn(20, version=lambda: bench.launcher.run([bench.caisson, "--version"])[0],
                      nothing=lambda: bench.launcher.run(["/bin/true"])[0])
    quiet, chatty = spec_of(bench, repository, "true"), spec_of(bench, repository, CHATTER)
    first = [start_to_first_step(bench, quiet) for _ in range(20)]
    peaks = [peak_while_chatty(bench, chatty) for _ in range(3)]
    return [
        Row("start to first step", median(first), "ms", target=5),
        Row("caisson --version", median(version["version"], "wall_s") * 1000, "ms", "/bin/true",
            median(version["nothing"], "wall_s") * 1000),
        Row("main process, peak memory, chatty build", max(peaks), "MiB", target=16),
        Row("the binary", os.path.getsize(bench.caisson) / 1e6, "MB", target=5),
    ]
