"""Images: the push of a layout against other clients, and a whole image job against Kaniko alone.

Both need root: the registry's storage and Kaniko's containers are as in the end-to-end tests."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile

from bed import container, images, processes, registry, world as bed_world

from .measure import Failed, in_turn, median
from .table import Row

LAYERS, LAYER_MIB = 10, 8
TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools")


def make_layer(path, name, mib):
    """Compressed by its form alone: what is pushed is as large as what it holds."""
    with gzip.open(path, "wb", compresslevel=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = mib << 20
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))


def make_layout(folder):
    layers = []
    for number in range(LAYERS):
        layers.append(os.path.join(folder, f"layer-{number}.tar.gz"))
        make_layer(layers[-1], f"data-{number}", LAYER_MIB)
    layout = os.path.join(folder, "layout")
    subprocess.run([os.path.join(TOOLS, "make-layout"), layout, "latest", "{}", *layers], check=True,
                   stdout=subprocess.DEVNULL)
    for layer in layers:  # the layout's blobs are other names of them
        os.unlink(layer)
    return layout


class Pushes:
    """To one registry, each time a new image into a repository that is not there yet: skopeo remembers where in a
    registry it has left a blob, and copies nothing the second time."""

    def __init__(self, bench, hub, folder):
        self.bench, self.hub, self.folder, self.count = bench, hub, folder, 0
        self.contestants = {"caisson": self.caisson, "skopeo": self.skopeo, "crane": self.crane}
        if images.why_no_kaniko() is None:
            for name in ("kaniko", "proc"):
                os.mkdir(os.path.join(folder, name))
            shutil.copy(tool("ensure-kaniko"), os.path.join(folder, "kaniko", "executor"))
            self.contestants["executor push"] = self.executor

    def _run(self, words):
        self.count += 1
        folder = os.path.join(self.folder, str(self.count))
        os.mkdir(folder)
        places = {"number": self.count, "layout": make_layout(folder),
                  "target": f"{self.hub.host}/app/{self.count}:latest"}
        cost, _ = self.bench.launcher.run([word.format(**places) for word in words], cwd=self.bench.work)
        self.bench.remove_later(folder)
        return cost

    def caisson(self):
        return self._run([self.bench.caisson, "image", "push", "{layout}", "{target}"])

    def skopeo(self):
        return self._run(["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false",
                          "oci:{layout}:latest", "docker://{target}"])

    def executor(self):
        """Its root is the folder: nothing of Kaniko's may run where it could clear anything else."""
        return self._run(["unshare", "--mount", "sh", "-c", f"mount -t proc proc {self.folder}/proc && exec chroot "
                          f"{self.folder} /kaniko/executor push /{{number}}/layout --insecure --destination={{target}}"])

    def crane(self):
        return self._run([self.bench.crane, "push", "--insecure", "{layout}", "{target}"])


def run_push(bench):
    if os.geteuid() != 0:
        raise Failed("the registry's storage is laid by root")
    subprocess.run([os.path.join(TOOLS, "ensure-packages"), "skopeo"], check=True, stdout=subprocess.DEVNULL)
    bench.crane = tool("ensure-go-tool", "crane")
    with registry.Registry(bench.folder("push-registry")) as hub:
        pushes = Pushes(bench, hub, bench.folder("push"))
        in_turn(1, **pushes.contestants)
        costs = in_turn(bench.rounds, **pushes.contestants)
    what = f"push, {LAYERS} layers of {LAYER_MIB} MiB"
    ours, peers = costs.pop("caisson"), list(costs)

    def rows(part, words, unit, target=None):
        return [Row(what + words, median(ours, part), unit, name, median(costs[name], part), target) for name in peers]

    return rows("wall_s", "", "s", 1.0) + rows("cpu_s", ", CPU", "s") + rows("peak_mib", ", memory", "MiB", 1.0)


def tool(name, *arguments):
    done = subprocess.run([os.path.join(TOOLS, name), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


# -- the whole job

DOCKERFILE = """FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json ./
RUN head -c 60000000 /dev/urandom >node_modules.bin
COPY . .
RUN mkdir dist && cp package.json dist/ && for i in $(seq 400); do head -c 20000 /dev/urandom >dist/$i; done

FROM node:20-bookworm-slim
WORKDIR /app
COPY --from=build /app/dist ./dist
COPY --from=build /app/node_modules.bin ./
RUN useradd app
USER app
CMD ["node", "dist/main.js"]
"""
FILES = {"Dockerfile": DOCKERFILE, "package.json": '{"name": "app", "version": "1.0.0"}\n',
         "src/main.js": "console.log(1)\n"}


class Anything:
    def validate(self, document):
        pass


class Jobs:
    def __init__(self, bench):
        self.world = bed_world.World(bench.folder("image-world"))
        self.hub = registry.Registry(bench.folder("image-registry"), tls=self.world.authority)
        self.bed = bed_world.Bed(self.world, bench.folder("image-bed"), Anything())
        self.context = bench.folder("image-context")
        for path, text in FILES.items():
            target = os.path.join(self.context, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as file:
                file.write(text)
        self.count, self.peaks = 0, []

    def caisson(self):
        self.count += 1
        spec = images.spec(self.bed, FILES, self.hub, f"caisson/{self.count}")
        task = images.start(self.bed, spec, "local", self.hub)
        memory = processes.OurMemory(task)
        ended = self.bed.finish(task, 600)
        self.peaks.append(memory.stop())
        if ended.code != 0:
            raise Failed(f"the job ended with {ended.code}:\n{ended.text[-2000:]}")
        task.close()
        return ended.seconds

    def kaniko(self):
        """The same build and push, by its executor as PID 1 of the same container."""
        self.count += 1
        layers, _ = self.world.image("kaniko")
        network = self.bed.network(bed_world.ecs.TaskEndpoint("eu-west-1", None),
                                   [service for hub in (self.world.mirror, self.hub) for service in hub.services()])
        made = container.Container(
            self.bed.folder, layers,
            ["/kaniko/executor", "--context=dir:///kaniko/clone", "--dockerfile=/kaniko/clone/Dockerfile",
             f"--destination={self.hub.name}/kaniko/{self.count}:latest", "--pre-cleanup", "--ignore-var-run=false",
             "--compressed-caching=false", f"--registry-map=index.docker.io={self.world.mirror.name}"],
            environment={"HOME": "/root", "USER": "root", "container": "docker",
                         "SSL_CERT_FILE": "/kaniko/ssl/ca-certificates.crt"},
            volumes={**self.world.network_files(self.bed.folder, layers), "/kaniko/clone": self.context},
            network=network.path, size="6g")
        made.start()
        code = made.wait(600)
        if code != 0:
            raise Failed(f"Kaniko ended with {code}:\n{made.text()[-2000:]}")
        made.close()
        return made.seconds

    def close(self):
        self.bed.close()
        self.hub.stop()
        self.world.close()


def run_job(bench):
    impossible = container.why_impossible() or images.why_no_kaniko()
    if impossible:
        raise Failed(f"no container with Kaniko here: {impossible}")
    os.environ.setdefault("CAISSON", bench.caisson)
    jobs = Jobs(bench)
    try:
        in_turn(1, caisson=jobs.caisson, kaniko=jobs.kaniko)
        jobs.peaks.clear()
        costs = in_turn(bench.rounds, caisson=jobs.caisson, kaniko=jobs.kaniko)
    finally:
        jobs.close()
    return [Row("whole image job, clone to push", median(costs["caisson"]), "s", "Kaniko, build and push",
                median(costs["kaniko"]), 1.02),
            Row("whole image job, our largest process", median(jobs.peaks), "MiB", target=16)]
