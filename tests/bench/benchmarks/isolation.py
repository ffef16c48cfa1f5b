"""What the boundary around a build costs it: the same offline `npm ci` and build, in a step and without us."""

import json
import os
import shutil
import subprocess

from . import generate
from .measure import Failed, in_turn, median
from .table import Row

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "vite-react")
BUILD_UID = 1000


class Builds:
    """One project, and a package cache that holds all it needs. The build itself is measured, by launch.c, in both."""

    def __init__(self, bench):
        self.bench, self.root = bench, os.geteuid() == 0
        folder = bench.folder("isolation")
        self.project, self.cache = os.path.join(folder, "project"), os.path.join(folder, "cache")
        self.reports, self.alone = os.path.join(folder, "reports"), os.path.join(folder, "alone")
        shutil.copytree(FIXTURE, self.project, ignore=shutil.ignore_patterns("node_modules", "dist"))
        for path in (self.reports, self.alone, self.cache):
            os.mkdir(path)
        filled = subprocess.run(["npm", "ci", "--cache", self.cache, "--no-audit", "--no-fund"], cwd=self.project,
                                capture_output=True, text=True, check=False)
        if filled.returncode != 0:
            raise Failed(f"npm ci, to fill a cache: {filled.stderr[-2000:]}")
        shutil.rmtree(os.path.join(self.project, "node_modules"))
        self._give(folder)
        self.command = (f"env -0 >{self.reports}/env; {bench.launcher.program} {self.reports}/report /bin/sh -ec '"
                        f"cp -r {self.project}/. . && npm ci --offline --cache {self.cache} --no-audit --no-fund && "
                        "npm run build' && rm -rf node_modules")

    def _give(self, folder):
        if self.root:
            subprocess.run(["chown", "-R", f"{BUILD_UID}:{BUILD_UID}", folder], check=True)

    def _report(self):
        """CPU seconds of the build, all of its processes."""
        with open(os.path.join(self.reports, "report"), encoding="ascii") as file:
            _, _, user, system, _, status = map(int, file.read().split())
        os.unlink(os.path.join(self.reports, "report"))
        if status != 0:
            raise Failed(f"the build ended with {status}")
        return (user + system) / 1e6

    def without(self):
        words = ["sh", "-ec", self.command]
        if self.root:
            words = ["setpriv", f"--reuid={BUILD_UID}", f"--regid={BUILD_UID}", "--clear-groups", *words]
        for name in os.listdir(self.alone):
            path = os.path.join(self.alone, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        with open(os.path.join(self.reports, "env"), encoding="utf-8") as file:
            # the step's own: what Node is told about its heap decides how much it collects
            environment = dict(pair.split("=", 1) for pair in file.read().split("\0") if pair)
        environment.update(HOME=self.alone, TMPDIR=self.alone, PWD=self.alone)
        self.bench.launcher.run(words, cwd=self.alone, env=environment)
        return self._report()

    def within(self):
        spec = {
            "version": 1, "id": "bench", "source": {"repository": f"file://{self.repository}"},
            "build": {"builder": "commands", "commands": [self.command], "output": "dist"},
            "artifacts": [{"to": f"file:{self.bench.work}/isolation-published/"}],
        }
        environment = {**os.environ, "TMPDIR": self.bench.work}
        self.bench.launcher.run([self.bench.caisson, "run", "-"], json.dumps(spec).encode(), cwd=self.bench.work,
                                env=environment)
        return self._report()


def run(bench):
    builds = Builds(bench)
    builds.repository = generate.small_repository(bench.folder("isolation-repositories"), {"README.md": b"x\n"})
    builds.within()  # the first one warms what both read
    costs = in_turn(bench.rounds, within=builds.within, without=builds.without)
    return [Row("npm ci and build inside the boundary, CPU", median(costs["within"]), "s", "no boundary",
                median(costs["without"]), 1.03)]
