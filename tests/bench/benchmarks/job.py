"""The whole job against the bash-and-node builder in old_builder/, the user's own commands being next to nothing."""

import json
import os

from . import generate, workers
from .measure import in_turn, median
from .servers import GitReplay
from .table import Row

LATENCY_MS = 20


class Jobs:
    """One small repository whose build copies a site that is there already, and stamps when it began and ended."""

    def __init__(self, bench, server, site):
        self.bench, self.server = bench, server
        self.stamps = bench.folder("stamps")
        os.chmod(self.stamps, 0o777)
        stamp = f"date +%s.%N >{self.stamps}"
        self.command = f"{stamp}/start && cp -r {site} dist && {stamp}/end"
        self.url = f"{server.url}/open/small.git"

    def _commands_s(self):
        """Of the run before. The stamps go: the next one's writer may be another user."""
        times = []
        for name in ("start", "end"):
            path = os.path.join(self.stamps, name)
            with open(path, encoding="ascii") as stamp:
                times.append(float(stamp.read()))
            os.unlink(path)
        return times[1] - times[0]

    def caisson(self):
        """Seconds of ours around clone and the user's commands."""
        result = os.path.join(self.bench.work, "result.json")
        spec = {
            "version": 1, "id": "bench", "project": "bench", "source": {"repository": self.url},
            "build": {"builder": "commands", "commands": [self.command], "output": "dist"},
            "artifacts": [{"to": "s3://bucket/__outputs/bench/", "mode": "add",
                           "s3": {"endpoint": self.bench.stub.endpoint, "region": workers.REGION, "path_style": True}}],
            "result": f"file:{result}",
        }
        self.bench.stub.forget()
        cost, _ = self.bench.launcher.run([self.bench.caisson, "run", "-"], json.dumps(spec).encode(),
                                          cwd=self.bench.work, env={**os.environ, **workers.AWS_ENVIRONMENT})
        with open(result, encoding="utf-8") as document:
            steps = {step["name"]: step for step in json.load(document)["steps"]}
        return cost.wall_s - steps["checkout"]["seconds"] - self._commands_s()

    def old_builder(self):
        script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "old_builder", "main.sh")
        folder = os.path.join(self.bench.work, "old-clone")
        clone, _ = self.bench.launcher.run(["git", "clone", "--quiet", self.url, folder])
        self.bench.remove_later(folder)
        self.bench.stub.forget()
        cost, _ = self.bench.launcher.run(["bash", script], env={
            **os.environ, **workers.AWS_ENVIRONMENT, "GIT_REPOSITORY__URL": self.url, "PROJECT_ID": "bench",
            "S3_ENDPOINT": self.bench.stub.endpoint, "S3_BUCKET": "bucket", "INSTALLCOMMAND": "",
            "BUILDCOMMAND": self.command, "OUTPUT": "dist"})
        return cost.wall_s - clone.wall_s - self._commands_s()


def run(bench):
    root = bench.folder("job-repositories")
    generate.small_repository(root, {"README.md": b"A site.\n"})
    site = generate.site(bench.folder("prebuilt"))
    server = GitReplay(root)
    jobs = Jobs(bench, server, site)
    bench.stub.set_latency(LATENCY_MS)
    old = in_turn(1, old=jobs.old_builder)["old"]  # it waits for most of its time: one round says all
    ours = in_turn(bench.rounds, ours=jobs.caisson)["ours"]
    server.stop()
    return [Row(f"whole job, around clone and build, {LATENCY_MS} ms", median(ours), "s", "bash and node",
                median(old), 0.05)]
