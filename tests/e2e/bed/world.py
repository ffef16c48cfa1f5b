"""Everything around the tasks of one test run: the image, the servers, their names and addresses.

`World` lives as long as the run and is shared; `Bed` belongs to one test and ends what that test started.
"""

import copy
import json
import os
import subprocess
import uuid
from dataclasses import dataclass

from . import container, ecr, ecs, git_server, http1, netns, registry, relay, repositories, s3, task as ecs_task
from . import sts, taskdefs, tls

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
TOOLS = os.path.join(ROOT, "tests", "tools")
PROGRAM = "/usr/local/bin/caisson"  # in builder images
RUNNER_PROGRAM = "/caisson"  # in the runner's
KANIKO_PROGRAM = "/kaniko/caisson"  # where Kaniko's clean-up spares it
KANIKO_CA_BUNDLE = "/kaniko/ssl/ca-certificates.crt"
SHARED = taskdefs.shared_volume()  # the volume that runner and sandbox share
OPERATOR_FILE = "/etc/caisson/operator.yaml"
BUCKET, JOBS_BUCKET, VEREN_BUCKET = "site-bucket", "jobs-bucket", "veren-v2"
ENDPOINT = "http://s3.test:9000"

ADDRESSES = {
    "git.test": "10.98.0.10",
    "elsewhere.test": "10.98.0.11",
    "s3.test": "10.98.0.20",
    "dead.test": "10.98.0.30",  # nobody listens
    "trap.test": "10.98.0.40",
    "spec.test": "10.98.0.50",
    "registry.test": "10.98.0.60",
    "mirror.test": "10.98.0.61",
    "auth.test": "10.98.0.62",
    "other-registry.test": "10.98.0.63",
    "redis.test": "10.98.0.80",
    "rabbitmq.test": "10.98.0.81",
    "kafka.test": "10.98.0.82",
    "hooks.test": "10.98.0.83",
    "api.github.com": "10.98.0.84",
    f"sqs.{s3.REGION}.amazonaws.com": "10.98.0.85",
    f"sns.{s3.REGION}.amazonaws.com": "10.98.0.86",
    f"events.{s3.REGION}.amazonaws.com": "10.98.0.87",
    f"logs.{s3.REGION}.amazonaws.com": "10.98.0.88",
    **ecr.ADDRESSES,
    **sts.ADDRESSES,
}
SERVED_BUCKETS = [BUCKET, JOBS_BUCKET, VEREN_BUCKET]
TRAP_PORTS = [80, 443, 3128, 8080, 9000]


def program():
    """The release binary on this machine."""
    return os.environ.get("CAISSON") or os.path.join(ROOT, "build", "release", "caisson")


def tool(name, *arguments):
    return subprocess.run([os.path.join(TOOLS, name), *arguments], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


class Documents:
    """A web server of a few documents: {path: bytes}."""

    def __init__(self):
        self.documents, self.requests = {}, []

    def handle(self, request):
        self.requests.append(request)
        body = self.documents.get(request.path)
        return http1.Response(404, b"not found\n") if body is None else http1.Response(200, body)


class World:
    def __init__(self, folder, authority=None):
        """authority: whom the tasks trust, a tls.Authority of all ADDRESSES; without it one is made."""
        self.folder = folder
        os.chmod(folder, 0o755)
        for part in ("s3", "git", "tls"):
            os.makedirs(os.path.join(folder, part), mode=0o755)
        self.base = tool("ensure-image")
        self.versity = s3.Versity(tool("ensure-go-tool", "versitygw"), os.path.join(folder, "s3"))
        self.storage = self.versity.client()
        for bucket in SERVED_BUCKETS:
            self.storage.make_bucket(bucket)
        self.gate = s3.Gate(self.versity)
        self.authority = authority or tls.Authority(os.path.join(folder, "tls"), [*ADDRESSES, "localhost"])
        self.git = git_server.GitServer(os.path.join(folder, "git"))
        self.git_elsewhere = git_server.GitServer(os.path.join(folder, "git"))
        self.registry = relay.ConnectProxy()
        self.trap = relay.Trap()
        self.documents = Documents()
        self.layers = [self._layer("base", self.base, PROGRAM), self.base]
        self.images, self.made_mirror = {}, None

    @property
    def mirror(self):
        """The registry of base images, see registry.py."""
        if self.made_mirror is None:
            self.made_mirror = registry.base_images(self.folder, self.authority)
        return self.made_mirror

    def image(self, name):
        """(layers, what it says of itself) of a builder image: runner, node, node-full, kaniko."""
        if name not in self.images:
            released = os.environ.get("CAISSON_IMAGES")
            folder = tool(*(["ensure-released-images", released] if released else ["ensure-builder-images"]), name)
            with open(os.path.join(folder, "image.json")) as file:
                config = json.load(file)["OCIv1"]["config"]
            root = os.path.join(folder, "root")
            program_path = program_of(name)
            assert os.access(root + program_path, os.X_OK) and config["Entrypoint"] == [program_path]
            self.images[name] = [self._layer(name, root, program_path), root], config
        return self.images[name]

    def _layer(self, name, image, program_path):
        """What a task adds to an image: the program of today, and how this network is reached."""
        layer = os.path.join(self.folder, "layer-" + name)
        os.mkdir(layer)
        os.chmod(layer, 0o755)
        with open(program(), "rb") as file:
            install(layer, program_path, file.read(), 0o755)
        names = {name: address for name, address in ADDRESSES.items()}
        names.update({f"{bucket}.s3.test": ADDRESSES["s3.test"] for bucket in SERVED_BUCKETS})
        hosts = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items())
        install(layer, "/etc/hosts", hosts.encode())
        # No name server answers here; without the options each unknown name would take ten seconds to be one.
        install(layer, "/etc/resolv.conf", b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        if os.path.exists(os.path.join(image, "usr/local/bin/npm")):
            with open(os.path.join(self.base, "usr/local/etc/npmrc"), "rb") as file:
                npmrc = file.read()
            way_out = b"https-proxy=http://127.0.0.1:3128\nproxy=http://127.0.0.1:3128\n"
            install(layer, "/usr/local/etc/npmrc", npmrc + way_out)
        with open(self.authority.bundle, "rb") as file:
            authority = file.read()
        install(layer, "/etc/test-ca.pem", authority)
        if os.path.exists(image + KANIKO_CA_BUNDLE):
            with open(image + KANIKO_CA_BUNDLE, "rb") as file:
                install(layer, KANIKO_CA_BUNDLE, file.read() + authority)
        return layer

    def network_files(self, folder, layers):
        """{path: file of the host}: what container engines mount over /etc, for Container's volumes. Kaniko spares
        mounts alone."""
        volumes = {}
        for name in ("hosts", "resolv.conf"):
            with open(os.path.join(layers[0], "etc", name), "rb") as file:
                content = file.read()
            path = os.path.join(folder, f"{uuid.uuid4().hex[:8]}-{name}")
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, 0o644)
            volumes[f"/etc/{name}"] = path
        return volumes

    def reset(self):
        self.gate.reset()
        for server in (self.git, self.git_elsewhere):
            server.users, server.tokens, server.requests, server.flaky, server.before = {}, set(), [], 0, None
        self.trap.visitors, self.registry.hosts = [], []
        self.documents.documents, self.documents.requests = {}, []

    def close(self):
        self.versity.stop()
        if self.made_mirror is not None:
            self.made_mirror.stop()


def program_of(image):
    """Where the program is in a builder image."""
    return {"runner": RUNNER_PROGRAM, "kaniko": KANIKO_PROGRAM}.get(image, PROGRAM)


def install(layer, path, content, mode=0o644):
    container.make_folders(layer, os.path.dirname(path))
    target = os.path.join(layer, path.lstrip("/"))
    with open(target, "wb") as file:
        file.write(content)
    os.chmod(target, mode)


@dataclass
class Ended:
    """A job that has ended."""

    code: int
    text: str
    seconds: float
    result: dict  # None: there is none where the spec said
    container: container.Container
    endpoint: ecs.TaskEndpoint

    def __str__(self):
        return f"exit code {self.code} after {self.seconds:.1f} s\n{json.dumps(self.result, indent=1)}\n{self.text}"


class Bed:
    def __init__(self, world, folder, schema):
        self.world, self.folder, self.schema = world, str(folder), schema
        os.chmod(self.folder, 0o755)
        self.gate, self.git, self.storage = world.gate, world.git, world.storage
        self.started, self.networks = [], []
        self.executor, self.refuse_calls = "local", ()  # of tasks that do not say

    # -- input

    def repository(self, files):
        return repositories.Repository(self.git.root, files)

    def spec(self, repository=None, **changes):
        """A spec that publishes to its own prefix, and puts result there. Keys given replace those of the default."""
        spec = {
            "version": 1,
            "id": f"job-{uuid.uuid4().hex[:10]}",
            "project": "shop",
            "source": {"repository": repository.url() if repository else "http://git.test/open/none.git"},
            "artifacts": [{"to": f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}/", "s3": storage_options()}],
        }
        spec["result"] = f"s3://{JOBS_BUCKET}/{spec['id']}/result.json"
        spec.update(copy.deepcopy(changes))
        return {key: value for key, value in spec.items() if value is not None}

    def commands(self, *commands, files=None, **changes):
        """A spec whose build is these commands, run in a repository of `files`."""
        return self.spec(self.repository(files or {"README.md": "x\n"}),
                         build={"builder": "commands", "commands": list(commands), "output": "dist"}, **changes)

    def folder_of(self, spec):
        """Bucket prefix of the spec's first artifact."""
        return spec["artifacts"][0]["to"].removeprefix(f"s3://{BUCKET}/")

    def published(self, spec):
        return self.storage.tree(BUCKET, self.folder_of(spec))

    # -- tasks

    def network(self, endpoint, services=()):
        """A task's network with every server in it; services: more (address, port, on_connection)."""
        world = self.world
        network = netns.NetworkNamespace([ecs.ADDRESS, *ADDRESSES.values()])
        self.networks.append(network)
        tls_context = world.authority.context
        http1.serve(network.listen(ecs.ADDRESS, 80), endpoint)
        http1.serve(network.listen(ADDRESSES["git.test"], 80), world.git)
        http1.serve(network.listen(ADDRESSES["git.test"], 443), world.git, tls_context)
        http1.serve(network.listen(ADDRESSES["elsewhere.test"], 80), world.git_elsewhere)
        http1.serve(network.listen(ADDRESSES["s3.test"], 9000), world.gate)
        http1.serve(network.listen(ADDRESSES["s3.test"], 443), world.gate, tls_context)
        http1.serve(network.listen(ADDRESSES["spec.test"], 443), world.documents, tls_context)
        http1.accept_on(network.listen("127.0.0.1", 3128), world.registry.on_connection)
        for port in TRAP_PORTS:
            http1.accept_on(network.listen(ADDRESSES["trap.test"], port), world.trap.on_connection)
        for address, port, on_connection in services:
            http1.accept_on(network.listen(address, port), on_connection)
        return network

    def start(self, spec=None, arguments=(), environment=None, operator="allow: [file-targets, private-http]\n",
              issue=None, files=None, endpoint_url=ENDPOINT, services=(), executor=None, image=None, binary=None,
              sandbox=None, command=None, **options):
        """Starts a task. `spec` goes by CAISSON_JOB. `issue()` gives its role's keys; False: the task has no role.
        executor: local (one container) or sandbox (two: `runner` and `sandbox`); without it the bed's.
        image: a builder image by name. binary: another program than the one under test, on this machine.
        sandbox: fields of the sandbox's task.Definition to replace. files and volumes are laid in all containers.
        Two containers, and builder images alone, run as taskdefs/ says, `arguments` coming after its command. command:
        another command than that."""
        if isinstance(spec, dict):
            self.forget_result(spec)
        endpoint = ecs.TaskEndpoint(s3.REGION, None if issue is False else issue or self.gate.issue)
        network = self.network(endpoint, services)
        variables = {"AWS_ENDPOINT_URL_S3": endpoint_url} if endpoint_url else {}
        if spec is not None:
            variables["CAISSON_JOB"] = spec if isinstance(spec, str) else json.dumps(spec)
        variables.update(environment or {})
        files = dict(files or {})
        if operator is not None:
            files.setdefault(OPERATOR_FILE, operator)
        options.setdefault("refuse_calls", self.refuse_calls)
        if (executor or self.executor) == "sandbox":
            made = self._two_containers(endpoint, network, arguments, variables, files, image or "node", binary,
                                        sandbox or {}, command, options)
        else:
            made = self._one_container(endpoint, network, arguments, variables, files, image, binary, command, options)
        made.endpoint, made.spec = endpoint, spec
        self.started.append(made)
        made.start()
        if isinstance(made, ecs_task.Task) and not (sandbox or {}).get("start_after"):
            made.await_start()
        return made

    def _one_container(self, endpoint, network, arguments, variables, files, image, binary, command, options):
        """The bed's own image, or a builder image by its task definition."""
        program_path = program_of(image)
        layers, documented, volumes = self.world.layers, {"command": ["run"]}, {}
        if image:
            layers = self.world.image(image)[0]
            documented = _definition("kaniko-single" if image == "kaniko" else "node", "builder")
            volumes = {path: self._volume(name) for path, name in documented["mounts"].items()}
            options = {"drop": documented["drop"], **documented["options"], **options}
        if image == "kaniko":
            volumes.update(self.world.network_files(self.folder, layers))
        if binary:
            files[program_path] = _program_file(binary)
        options["volumes"] = {**volumes, **options.get("volumes", {})}
        return container.Container(
            self.folder, layers, [program_path, *(command or documented["command"]), *arguments], files=files,
            environment={**endpoint.environment(), **variables}, network=network.path, **options)

    def _volume(self, name):
        folder = os.path.join(self.folder, f"{name}-{uuid.uuid4().hex[:8]}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        return folder

    def _two_containers(self, endpoint, network, arguments, variables, files, image, binary, sandbox, command, options):
        """taskdefs/kaniko.json, a runner beside a sandbox. Memory is the sandbox's, a terminal the runner's."""
        parts = {}
        for name in ("runner", image):
            layers, config = self.world.image(name)
            laid = {**files, program_of(name): _program_file(binary)} if binary else files
            parts[name] = {"layers": layers, "image": config}
            parts[name]["options"] = {"files": laid, **{key: value for key, value in options.items()
                                                        if key in ("volumes", "refuse_calls", "size")}}
            if name == "kaniko":
                parts[name]["options"]["volumes"] = {**self.world.network_files(self.folder, layers),
                                                     **parts[name]["options"].get("volumes", {})}
        parts["runner"]["options"].update({key: value for key, value in options.items()
                                           if key in ("terminal", "read_output")})
        runner, beside = _definition("kaniko", "runner"), _definition("kaniko", "sandbox")
        runner["command"] = [*(command or runner["command"]), *arguments]
        if "memory" in options:
            beside["memory"] = options["memory"]
        for fields, part in ((runner, parts["runner"]), (beside, parts[image])):
            fields.update(part, options={**fields["options"], **part["options"]})
        beside.update(sandbox)
        definitions = [ecs_task.Definition("runner", **runner), ecs_task.Definition("sandbox", **beside)]
        return ecs_task.Task(self.folder, endpoint, network.path, definitions,
                             overrides={"runner": {"environment": variables}}, size=options.get("size", "2g"))

    def finish(self, task, timeout=120):
        code = task.wait(timeout)
        result = None
        if isinstance(task.spec, dict):
            result = self.result_of(task)
            if result is not None:
                self.schema.validate(result)
                assert result["exit_code"] == code, Ended(code, task.text(), task.seconds, result, task, task.endpoint)
        return Ended(code, task.text(), task.seconds, result, task, task.endpoint)

    def result_of(self, task):
        where = task.spec.get("result", "")
        if where.startswith(f"s3://{JOBS_BUCKET}/"):
            answer = self.storage.request("GET", f"/{JOBS_BUCKET}/{where.removeprefix(f's3://{JOBS_BUCKET}/')}")
            return json.loads(answer.body) if answer.status == 200 else None
        if where.startswith("file:/results/"):
            try:
                with open(os.path.join(self.results_folder(), where.removeprefix("file:/results/"))) as file:
                    return json.load(file)
            except FileNotFoundError:
                return None
        return None

    def forget_result(self, spec):
        """So that what an earlier task left is not taken for this one's."""
        where = spec.get("result", "")
        if where.startswith(f"s3://{JOBS_BUCKET}/"):
            self.storage.request("DELETE", f"/{JOBS_BUCKET}/{where.removeprefix(f's3://{JOBS_BUCKET}/')}")

    def results_folder(self):
        folder = os.path.join(self.folder, "results")
        if not os.path.isdir(folder):
            os.mkdir(folder)
            os.chmod(folder, 0o777)
        return folder

    def run(self, spec=None, timeout=120, **options):
        return self.finish(self.start(spec, **options), timeout)

    def evidence(self):
        """(title, text) of what the test's tasks said and asked, for the report of a failure."""
        parts = []
        for number, task in enumerate(self.started[-3:], max(1, len(self.started) - 2)):
            said = task.evidence() if isinstance(task, ecs_task.Task) else task.text()
            parts.append((f"task {number} of {len(self.started)}", said[-8000:]))
        parts.append(("last requests to S3", "\n".join(map(str, self.gate.requests[-40:]))))
        git = [f"{request.method} {request.target}" for request in self.git.requests[-10:]]
        parts.append(("last requests to git", "\n".join(git)))
        return parts

    def close(self):
        for task in self.started:
            task.close()
        for network in self.networks:
            network.close()


def _definition(document, name):
    """Of the container `name` of a task definition; the first one's name is a hole."""
    entries = taskdefs.filled(document, container_name="runner" if name == "sandbox" else name)["containerDefinitions"]
    return taskdefs.definition(next(entry for entry in entries if entry["name"] == name))


def _program_file(path):
    with open(path, "rb") as file:
        return file.read(), 0o755


def storage_options(**changes):
    return {"endpoint": ENDPOINT, "region": s3.REGION, "path_style": True, **changes}
