"""Rebuilds of images without a change: with the layers kept in S3, without any, and with Kaniko's own cache in a registry.

Needs root, as benchmarks of image.py. S3 and the registry are reached through relays of the tests alike, and what is
built is random: it does not compress, and its layers are as large as they look."""

import os
import uuid

from bed import container, images, registry, world as bed_world

from .image import DOCKERFILE, FILES, Anything
from .measure import Failed, in_turn, median
from .table import Row

# The same as ours: without them its cache gains little.
SWITCHES = ("ROLLING_CACHE_KEY", "RESOLVE_CACHE_KEY", "HASH_DIR_FRAMING", "SKIP_WRITE_WHITEOUTS",
            "INFER_CROSS_STAGE_CACHE_KEY", "CACHE_LOOKAHEAD", "SKIP_CACHED_STAGES")
WORK = "RUN for i in $(seq 10); do head -c 20000000 /dev/zero | sha256sum; done >sums\n"  # as a compiler would


class Rebuilds:
    """Every project and every cache is new; the first build of each fills what the second finds."""

    def __init__(self, bench):
        self.world = bed_world.World(bench.folder("layers-world"))
        self.hub = registry.Registry(bench.folder("layers-registry"), tls=self.world.authority)
        self.bed = bed_world.Bed(self.world, bench.folder("layers-bed"), Anything())
        self.files = {**FILES, "Dockerfile": DOCKERFILE.replace("COPY . .\n", WORK + "COPY . .\n")}
        self.context = bench.folder("layers-context")
        for path, text in self.files.items():
            target = os.path.join(self.context, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as file:
                file.write(text)

    def _job(self, repository, name, place):
        spec = images.spec(self.bed, {}, self.hub, f"caisson/{name}", project=name,
                           source={"repository": repository.url()},
                           cache=[{"to": f"s3://{bed_world.BUCKET}/{place}/"}])
        task = images.start(self.bed, spec, "local", self.hub)
        ended = self.bed.finish(task, 600)
        if ended.code != 0:
            raise Failed(f"the job ended with {ended.code}:\n{ended.text[-2000:]}")
        task.close()
        return ended

    def caisson(self):
        name = uuid.uuid4().hex[:8]
        repository = self.bed.repository(self.files)
        cold, warm = (self._job(repository, name, f"layers-{name}") for _ in range(2))
        if warm.result["cache"]["added"] or not warm.result["cache"]["used"]:
            raise Failed(f"the rebuild did not use the cache:\n{warm.text[-2000:]}")
        cached = {step["name"]: step["seconds"] for step in warm.result["steps"]}
        return {"cold": cold.seconds, "warm": warm.seconds, "restore": cached["restore"], "build": cached["build"]}

    def _kaniko(self, name):
        layers, _ = self.world.image("kaniko")
        network = self.bed.network(bed_world.ecs.TaskEndpoint("eu-west-1", None),
                                   [service for hub in (self.world.mirror, self.hub) for service in hub.services()])
        made = container.Container(
            self.bed.folder, layers,
            ["/kaniko/executor", "--context=dir:///kaniko/clone", "--dockerfile=/kaniko/clone/Dockerfile",
             f"--destination={self.hub.name}/kaniko/{name}:latest", "--pre-cleanup", "--ignore-var-run=false",
             "--compressed-caching=false", f"--registry-map=index.docker.io={self.world.mirror.name}", "--cache=true",
             "--cache-copy-layers", f"--cache-repo={self.hub.name}/cache/{name}"],
            environment={"HOME": "/root", "USER": "root", "container": "docker",
                         "SSL_CERT_FILE": "/kaniko/ssl/ca-certificates.crt",
                         **{f"FF_KANIKO_{switch}": "1" for switch in SWITCHES}},
            volumes={**self.world.network_files(self.bed.folder, layers), "/kaniko/clone": self.context},
            network=network.path, size="6g")
        made.start()
        code = made.wait(600)
        if code != 0:
            raise Failed(f"Kaniko ended with {code}:\n{made.text()[-2000:]}")
        made.close()
        return made.seconds

    def kaniko(self):
        name = uuid.uuid4().hex[:8]
        return {"cold": self._kaniko(name), "warm": self._kaniko(name)}

    def close(self):
        self.bed.close()
        self.hub.stop()
        self.world.close()


def run(bench):
    impossible = container.why_impossible() or images.why_no_kaniko()
    if impossible:
        raise Failed(f"no container with Kaniko here: {impossible}")
    os.environ.setdefault("CAISSON", bench.caisson)
    rebuilds = Rebuilds(bench)
    try:
        costs = in_turn(max(1, bench.rounds // 2), caisson=rebuilds.caisson, kaniko=rebuilds.kaniko)
    finally:
        rebuilds.close()
    ours, theirs = ({part: median([cost[part] for cost in costs[name]]) for part in costs[name][0]} for name in costs)
    return [Row("image job, first build, layers kept in S3", ours["cold"], "s", "Kaniko, layers in a registry",
                theirs["cold"]),
            Row("image job, rebuild without a change, layers in S3", ours["warm"], "s", "its first build", ours["cold"],
                0.5),
            Row("image job, rebuild without a change, layers in S3", ours["warm"], "s", "Kaniko, layers in a registry",
                theirs["warm"], 1.1),
            Row("… of which restoring them", ours["restore"], "s"),
            Row("… of which the build", ours["build"], "s")]
