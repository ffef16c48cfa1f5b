"""Amazon ECS as a control plane sees it: RegisterTaskDefinition, RunTask, DescribeTasks, ListTasks and StopTask, over
real containers.

The API checks SigV4, and validates what it is sent, and its own answers, by the service's published model (that of
botocore). A task runs the containers of its registered definition and nothing else, the call's overrides merged as ECS
does; what EventBridge would get are "ECS Task State Change" events.

Sources: the service's API reference; Amazon ECS Developer Guide, "Task lifecycle" and "Amazon ECS task state change
events"; Amazon EventBridge User Guide, "Events".
"""

import copy
import functools
import json
import threading
import time
import uuid
from dataclasses import dataclass, field

import botocore.session
import botocore.validate

from . import ecs, http1, s3, sigv4, task as ecs_task, taskdefs

REGION, ACCOUNT = s3.REGION, ecs.ACCOUNT
TARGET = "AmazonEC2ContainerServiceV20141113."
CONTENT_TYPE = "application/x-amz-json-1.1"
OVERRIDES_MAX = 8192  # characters
SPOT = ("Your Spot Task was interrupted.", "SpotInterruption")
SIGNATURE_CODES = {"InvalidAccessKeyId": "UnrecognizedClientException", "InvalidToken": "UnrecognizedClientException",
                   "AccessDenied": "MissingAuthenticationTokenException", "ExpiredToken": "ExpiredTokenException"}
KNOWN_OPTIONS = {"launchType", "capacityProviderStrategy", "networkConfiguration", "startedBy", "group", "tags",
                 "platformVersion", "propagateTags", "enableECSManagedTags", "referenceId"}
KNOWN_OVERRIDES = {"name", "environment", "command", "memory"}
TIMES = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "connectivityAt", "stoppingAt",
         "executionStoppedAt", "stoppedAt")


class Failed(Exception):
    def __init__(self, code, message):
        super().__init__(code, message)
        self.code, self.message = code, message


@functools.cache
def model():
    return botocore.session.get_session().get_service_model("ecs")


def validate(shape, value, where=""):
    """Raises Failed unless the value is what the model says; botocore looks at types and names, we at the enums."""
    report = botocore.validate.ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Failed("InvalidParameterException", report.generate_report())
    check_enums(shape, value, where)


def check_enums(shape, value, where):
    if shape.type_name == "structure":
        for name, part in value.items():
            check_enums(shape.members[name], part, f"{where}.{name}")
    elif shape.type_name == "list":
        for number, part in enumerate(value):
            check_enums(shape.member, part, f"{where}[{number}]")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        raise Failed("InvalidParameterException", f"{where} is {value!r}, and one of {shape.enum}")


@dataclass
class Started:
    """A task that RunTask has started. `described`: as DescribeTasks tells it; times are seconds."""

    definition: dict
    described: dict
    endpoint: ecs.TaskEndpoint
    overrides: dict
    task: ecs_task.Task = None
    network: object = None
    asked_to_stop: tuple = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self):
        return self.described["taskArn"]


class RunTask:
    """images: {URI: name of a builder image}. roles: what may be passed as task role. find_keys(access key) gives the
    sigv4.Keys of callers. services, files, volumes: of all containers of all tasks, as for Bed.start.

    events: what EventBridge got, on_event is called with each. calls: (action, parameters)."""

    def __init__(self, bed, images, roles, find_keys, services=(), files=None, size="2g", cluster="caisson",
                 on_event=None):
        self.bed, self.images, self.roles, self.find_keys = bed, images, set(roles), find_keys
        self.services, self.files, self.size, self.on_event = services, files or {}, size, on_event
        self.cluster_arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}"
        self.cluster = cluster
        self.definitions, self.tasks, self.tokens = {}, {}, {}
        self.events, self.calls = [], []
        self.lock = threading.RLock()
        self.listener = http1.listen("127.0.0.1")
        http1.serve(self.listener, self)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def close(self):
        http1.close_listener(self.listener)
        for started in self.tasks.values():
            if started.task is not None:
                started.task.kill()
            started.stopped.wait(20)

    def client(self, keys):
        """botocore's own, of a caller with these keys."""
        return botocore.session.get_session().create_client(
            "ecs", region_name=REGION, endpoint_url=self.url, aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret, aws_session_token=keys.token or None)

    # -- API

    def handle(self, request):
        action = request.header("x-amz-target").removeprefix(TARGET)
        try:
            return answer(200, self._perform(request, action))
        except sigv4.Refused as error:
            return fail(SIGNATURE_CODES.get(error.code, "InvalidSignatureException"), error.message)
        except Failed as error:
            return fail(error.code, error.message)

    def _perform(self, request, action):
        calls = {"RegisterTaskDefinition": self._register, "RunTask": self._run, "DescribeTasks": self._describe,
                 "ListTasks": self._list, "StopTask": self._stop}
        if (request.method, request.target, request.header("content-type")) != ("POST", "/", CONTENT_TYPE):
            raise Failed("InvalidParameterException", f"{request.method} {request.target}")
        if action not in calls:
            raise Failed("UnknownOperationException", action)
        sigv4.verify(request, self.find_keys, REGION, time.time(), "ecs")
        parameters = json.loads(request.body)
        operation = model().operation_model(action)
        validate(operation.input_shape, parameters)
        self.calls.append((action, parameters))
        with self.lock:
            said = calls[action](**parameters)
        validate(operation.output_shape, said)
        return said

    def _register(self, family, **document):
        with self.lock:
            revision = len(self.definitions.setdefault(family, [])) + 1
            made = {"family": family, "revision": revision, "status": "ACTIVE", **document,
                    "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}"}
            for entry in made["containerDefinitions"]:
                taskdefs.definition(entry)  # whatever the double does not run is told here
            self.definitions[family].append(made)
        return {"taskDefinition": made}

    def _definition(self, name):
        family, _, revision = name.rpartition("/")[2].partition(":")
        known = self.definitions.get(family, [])
        if not known or (revision and not 0 < int(revision) <= len(known)):
            raise Failed("ClientException", "TaskDefinition not found.")
        return known[int(revision) - 1 if revision else -1]

    def _run(self, taskDefinition, cluster="default", count=1, overrides=None, clientToken=None, **options):
        overrides = overrides or {}
        if cluster not in (self.cluster, self.cluster_arn):
            raise Failed("ClusterNotFoundException", "Cluster not found.")
        definition = self._definition(taskDefinition)
        self._check(definition, count, overrides, options)
        fingerprint = json.dumps([taskDefinition, count, overrides, options], sort_keys=True)
        if clientToken in self.tokens:
            if self.tokens[clientToken][0] != fingerprint:
                raise Failed("ConflictException", "The clientToken was used with other parameters.")
            return {"tasks": self.tokens[clientToken][1], "failures": []}
        made = [self._begin(definition, overrides, options) for _ in range(count)]
        tasks = [copy.deepcopy(started.described) for started in made]
        for started in made:
            threading.Thread(target=self._life, args=(started,), daemon=True).start()
        if clientToken is not None:
            self.tokens[clientToken] = fingerprint, tasks
        return {"tasks": tasks, "failures": []}

    def _check(self, definition, count, overrides, options):
        def refuse(message, code="InvalidParameterException"):
            raise Failed(code, message)

        if not 1 <= count <= 10:
            refuse("count should be at least 1 and at most 10.")
        if len(json.dumps(overrides, separators=(",", ":"), ensure_ascii=False)) > OVERRIDES_MAX:
            refuse(f"Container Overrides length must be at most {OVERRIDES_MAX}")
        if "launchType" in options and "capacityProviderStrategy" in options:
            refuse("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try "
                   "again.")
        if "awsvpcConfiguration" not in options.get("networkConfiguration", {}):
            refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        if set(options) - KNOWN_OPTIONS:
            refuse(f"the double runs no {sorted(set(options) - KNOWN_OPTIONS)}")
        names = {entry["name"] for entry in definition["containerDefinitions"]}
        for override in overrides.get("containerOverrides", ()):
            if override.get("name") not in names:
                refuse(f"Override for container named {override.get('name')} is not a container in the TaskDefinition.")
            if set(override) - KNOWN_OVERRIDES:
                refuse(f"the double overrides no {sorted(set(override) - KNOWN_OVERRIDES)}")
        role = overrides.get("taskRoleArn", definition.get("taskRoleArn"))
        if role is not None and role not in self.roles:
            refuse(f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that "
                   "the role being passed has the proper trust relationship and permissions and that your IAM user "
                   "has permissions to pass this role.", "ClientException")

    def _find(self, task, cluster="default"):
        if cluster not in (self.cluster, self.cluster_arn):
            raise Failed("ClusterNotFoundException", "Cluster not found.")
        return self.tasks.get(task.rpartition("/")[2])

    def _describe(self, tasks, cluster="default", **_):
        found = [(name, self._find(name, cluster)) for name in tasks]
        return {"tasks": [self.told(started) for _, started in found if started],
                "failures": [{"arn": name, "reason": "MISSING"} for name, started in found if not started]}

    def _list(self, cluster="default", desiredStatus="RUNNING", family=None, startedBy=None):
        self._find("", cluster)
        def asked_for(started):
            return (started.described["desiredStatus"] == desiredStatus
                    and family in (None, started.definition["family"])
                    and startedBy in (None, started.described.get("startedBy")))

        return {"taskArns": [started.arn for started in self.tasks.values() if asked_for(started)]}

    def _stop(self, task, cluster="default", reason=None):
        started = self._find(task, cluster)
        if started is None:
            raise Failed("InvalidParameterException", "The referenced task was not found.")
        self.end(started, reason or "Task stopped by user", "UserInitiated")
        return {"task": self.told(started)}

    # -- tasks

    def _begin(self, definition, overrides, options):
        role = overrides.get("taskRoleArn", definition.get("taskRoleArn"))
        endpoint = ecs.TaskEndpoint(REGION, self.bed.gate.issue if role else None, self.cluster)
        endpoint.role_arn, endpoint.family = role, definition["family"]
        endpoint.revision = str(definition["revision"])
        cpu, memory = (overrides.get(name, definition[name]) for name in ("cpu", "memory"))
        endpoint.memory = int(memory) << 20
        overrides = {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides}
        described = {
            "taskArn": endpoint.arn, "clusterArn": self.cluster_arn, "lastStatus": "PROVISIONING", "version": 1,
            "taskDefinitionArn": definition["taskDefinitionArn"], "desiredStatus": "RUNNING", "createdAt": time.time(),
            "launchType": "FARGATE", "cpu": cpu, "memory": memory, "availabilityZone": REGION + "a", "attachments": [],
            "group": options.get("group", "family:" + definition["family"]), "overrides": overrides,
            "platformFamily": "Linux", "platformVersion": "1.4.0", "connectivity": "CONNECTED",
            "ephemeralStorage": overrides.get("ephemeralStorage", definition["ephemeralStorage"]), "containers": [],
        }
        if "startedBy" in options:
            described["startedBy"] = options["startedBy"]
        started = Started(definition, described, endpoint, overrides)
        self.tasks[endpoint.id] = started
        self._tell(started)
        return started

    def _life(self, started):
        try:
            self._to(started, "PENDING", pullStartedAt=time.time())
            self._pull(started)
            self._make(started)
        except Failed as error:
            self._to(started, "STOPPED", desiredStatus="STOPPED", stopCode=error.code, stoppedReason=error.message,
                     stoppingAt=time.time(), stoppedAt=time.time())
            started.stopped.set()
            return
        self._to(started, "PENDING", pullStoppedAt=time.time())
        if started.asked_to_stop:
            started.task.stop(*started.asked_to_stop)
        started.task.start()
        self._follow(started)

    def _follow(self, started):
        task = started.task
        while started.endpoint.status == "PENDING" and not task.stopping.wait(0.005):
            pass
        if started.endpoint.status != "PENDING":
            self._to(started, "RUNNING", startedAt=time.time())
        task.stopping.wait()
        self._to(started, "DEPROVISIONING", desiredStatus="STOPPED", stopCode=task.stop_code,
                 stoppedReason=task.stopped_reason, stoppingAt=time.time())
        for thread in task.threads:
            thread.join()
        seen = {"executionStoppedAt": time.time()} if "startedAt" in started.described else {}
        self._to(started, "STOPPED", stoppedAt=time.time(), **seen)
        started.stopped.set()

    def _pull(self, started):
        for entry in started.definition["containerDefinitions"]:
            if entry["image"] not in self.images:
                raise Failed("TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried 1 "
                                                  f"time(s): failed to resolve ref {entry['image']}: not found")

    def _make(self, started):
        bed, endpoint = self.bed, started.endpoint
        started.network = bed.network(endpoint, self.services)
        overridden = {one["name"]: one for one in started.overrides["containerOverrides"]}
        definitions, merged = [], {}
        for entry in started.definition["containerDefinitions"]:
            name = entry["name"]
            override = overridden.get(name, {})
            fields = taskdefs.definition({**entry, **{key: override[key] for key in ("memory",) if key in override}})
            image = self.images[entry["image"]]
            with self.lock:  # the first one makes it
                layers, config = bed.world.image(image)
            more = {"files": self.files}
            if image == "kaniko":
                more["volumes"] = bed.world.network_files(bed.folder, layers)
            fields.update(layers=layers, image=config, options={**fields["options"], **more})
            definitions.append(ecs_task.Definition(name, **fields))
            # the definition's come first, then the call's; the last value of a name is what PID 1 sees
            merged[name] = {"environment": taskdefs.variables(override.get("environment", ()))}
            if "command" in override:
                merged[name]["command"] = override["command"]
        started.task = ecs_task.Task(bed.folder, endpoint, started.network.path, definitions, merged, self.size)
        bed.started.append(started.task)
        for entry in started.definition["containerDefinitions"]:
            record, logs = endpoint.container(entry["name"]), entry["logConfiguration"]["options"]
            record.image = entry["image"]
            record.log_options = {"awslogs-group": logs["awslogs-group"], "awslogs-stream":
                                  f"{logs['awslogs-stream-prefix']}/{entry['name']}/{endpoint.id}"}

    def end(self, started, reason, code):
        """As StopTask does, and whoever else may end a task: SPOT gives reason and code of an interruption."""
        if started.described["desiredStatus"] == "STOPPED":
            return
        started.asked_to_stop = reason, code
        started.described.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason)
        if started.task is not None:
            started.task.stop(reason, code)

    def _to(self, started, status, **fields):
        with self.lock:
            before = started.described["lastStatus"]
            started.described.update(fields, lastStatus=status, version=started.described["version"] + 1)
            if status != before:
                self._tell(started)

    def told(self, started):
        """The task as DescribeTasks tells it."""
        document = copy.deepcopy(started.described)
        images = {entry["name"]: entry["image"] for entry in started.definition["containerDefinitions"]}
        records = {record.name: record for record in started.endpoint.containers if record.name in images}
        for name, image in images.items():
            record = records.get(name)
            entry = {"name": name, "image": image, "taskArn": started.arn, "networkInterfaces": [], "cpu": "0",
                     "containerArn": record.arn if record else f"{started.arn}/{name}",
                     "lastStatus": record.status if started.task else started.described["lastStatus"]}
            if started.task is not None and record.exit_code is not None:
                entry["exitCode"] = record.exit_code
            if started.task is not None and record.reason is not None:
                entry["reason"] = record.reason
            document["containers"].append(entry)
        return document

    def _tell(self, started):
        now = time.time()
        detail = self.told(started)
        for name in TIMES:
            if name in detail:
                detail[name] = ecs.iso_precise(detail[name])
        detail["updatedAt"] = ecs.iso_precise(now)
        event = {
            "version": "0", "id": str(uuid.uuid4()), "detail-type": "ECS Task State Change", "source": "aws.ecs",
            "account": ACCOUNT, "time": ecs.iso(now), "region": REGION, "resources": [started.arn], "detail": detail}
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    # -- for tests

    def started(self, arn):
        return self.tasks[arn.rpartition("/")[2]]

    def containers(self, arn, timeout=30):
        """The task, once its containers have been started."""
        started, deadline = self.started(arn), time.monotonic() + timeout
        while started.task is None or started.task.main.process is None:
            assert time.monotonic() < deadline and not started.stopped.is_set(), started.described
            time.sleep(0.01)
        return started.task

    def wait(self, arn, timeout=120):
        """The task's last event: it has STOPPED."""
        started = self.started(arn)
        assert started.stopped.wait(timeout), started.task.evidence() if started.task else started.described
        return self.events_of(arn)[-1]

    def events_of(self, arn):
        return [event for event in self.events if event["resources"] == [arn]]


def answer(status, document):
    return http1.Response(status, json.dumps(document).encode(), [
        ("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", str(uuid.uuid4()))])


def fail(code, message):
    return answer(400, {"__type": code, "message": message})
