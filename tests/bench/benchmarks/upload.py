"""Uploads of many files and of a large one, against curl and s5cmd, to a stand-in for S3 that costs next to nothing."""

import os

from . import generate, workers
from .measure import Failed, in_turn, median
from .table import Row

LATENCIES_MS = (0, 20, 50)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


class Uploads:
    """One folder, one latency; each method is a contestant's round."""

    def __init__(self, bench, folder):
        self.bench, self.stub, self.folder = bench, bench.stub, folder
        self.names = files_below(folder)
        self.stats = {}
        self.config = os.path.join(bench.work, "curl.config")
        with open(self.config, "w", encoding="utf-8") as config:
            for name in self.names:
                config.write(f'upload-file = "{folder}/{name}"\nurl = "{self.stub.endpoint}/bucket/site/{name}"\n'
                             'output = "/dev/null"\n')

    def counted(self, name, run):
        self.stub.forget()
        cost = run()
        stats = self.stats[name] = self.stub.stats()
        if stats["puts"] < len(self.names):
            raise Failed(f"{name} sent {stats['puts']} of {len(self.names)} files")
        return cost

    def publish(self, mode):
        request = workers.publish_request(self.folder, self.stub.endpoint, mode)
        return workers.run(self.bench.launcher, self.bench.caisson, "publish", request)

    def caisson(self, mode):
        return lambda: self.counted(mode, lambda: self.publish(mode)[0])

    def curl(self, at_once):
        words = ["curl", "--silent", "--show-error", "--fail", "--parallel", "--parallel-max", str(at_once), "--config",
                 self.config]
        return lambda: self.counted(f"curl{at_once}", lambda: self.bench.launcher.run(words)[0])

    def s5cmd(self):
        words = [self.bench.s5cmd, "--endpoint-url", self.stub.endpoint, "--log", "error", "cp", self.folder + "/",
                 "s3://bucket/site/"]
        env = {**os.environ, **workers.AWS_ENVIRONMENT}
        return lambda: self.counted("s5cmd", lambda: self.bench.launcher.run(words, env=env)[0])


def many_at(bench, uploads, latency_ms):
    uploads.stub.set_latency(latency_ms)
    costs = in_turn(bench.rounds, add=uploads.caisson("add"), mirror=uploads.caisson("mirror"),
                    curl64=uploads.curl(64), curl256=uploads.curl(256), s5cmd=uploads.s5cmd())
    wall = {name: median(of, "wall_s") for name, of in costs.items()}
    seen = uploads.stats
    at_once = seen["add"]["connections"]
    equal = 256 if at_once > 128 else 64
    what = f"upload of {len(uploads.names):,} files, {latency_ms} ms"
    rows = [
        Row(f"{what}: add", wall["add"], "s", f"curl, {equal} at once", wall[f"curl{equal}"], 1.0,
            f"add grew to {at_once} at once"),
        Row(f"{what}: add", wall["add"], "s", f"curl, {320 - equal} at once", wall[f"curl{320 - equal}"]),
        Row(f"{what}: add", wall["add"], "s", "s5cmd", wall["s5cmd"], 0.6,
            f"{seen['s5cmd']['connections']} connections of s5cmd's"),
        Row("  CPU", median(costs["add"], "cpu_s"), "s", "curl", median(costs[f"curl{equal}"], "cpu_s")),
        Row("  publishing child, peak memory", max(c.peak_mib for c in costs["add"] + costs["mirror"]), "MiB",
            target=48, note=f"{at_once} at once"),
    ]
    return rows


def mirror_beside_add(bench, uploads):
    """At a latency that leaves everything else behind, so that the difference in time counts round trips."""
    latency_ms = 200
    uploads.stub.set_latency(latency_ms)
    costs = in_turn(bench.rounds, mirror=uploads.caisson("mirror"), add=uploads.caisson("add"))
    mirror, add = median(costs["mirror"], "wall_s"), median(costs["add"], "wall_s")
    return [Row(f"mirror: round trips more than add, {latency_ms} ms", (mirror - add) * 1000 / latency_ms,
                "round trips", target=4, note=f"{mirror:.2f} s, {uploads.stats['mirror']['requests']} requests; "
                                              f"add {add:.2f} s, {uploads.stats['add']['requests']}")]


def unchanged(bench, uploads):
    uploads.stub.set_latency(20)
    uploads.stub.forget()
    uploads.publish("mirror")
    requests, walls = [], []
    for _ in range(bench.rounds):
        uploads.stub.stats()
        cost, value = uploads.publish("mirror")
        if value["unchanged"] != len(uploads.names):
            raise Failed(f"of {len(uploads.names)} files only {value['unchanged']} were unchanged")
        requests.append(uploads.stub.stats()["requests"])
        walls.append(cost.wall_s)
    return [Row("mirror again, nothing changed, 20 ms", max(requests), "requests", target=4,
                note=f"{median(walls):.3f} s")]


def run(bench):
    folder = generate.site(bench.folder("site"))
    uploads = Uploads(bench, folder)
    rows = []
    for latency_ms in LATENCIES_MS:
        rows += many_at(bench, uploads, latency_ms)
    return rows + mirror_beside_add(bench, uploads) + unchanged(bench, uploads)


def run_large(bench):
    folder = generate.large_file(bench.folder("large"))
    uploads = Uploads(bench, folder)
    rows = []
    for latency_ms in LATENCIES_MS:
        uploads.stub.set_latency(latency_ms)
        costs = in_turn(bench.rounds, add=uploads.caisson("add"), s5cmd=uploads.s5cmd(), curl=uploads.curl(1))
        wall = {name: median(of, "wall_s") for name, of in costs.items()}
        rows += [
            Row(f"upload of 1 GiB, {latency_ms} ms: add", wall["add"], "s", "s5cmd", wall["s5cmd"], 0.8,
                f"{uploads.stats['add']['connections']} at once"),
            Row(f"upload of 1 GiB, {latency_ms} ms: add", wall["add"], "s", "curl, one PUT, unsigned", wall["curl"]),
            Row("  publishing child, peak memory", max(c.peak_mib for c in costs["add"]), "MiB", target=48),
        ]
    bench.remove_later(folder)
    return rows
