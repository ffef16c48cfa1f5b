"""What an ECS task finds at 169.254.170.2: the credentials of its role, and the task metadata, version 4.

Source: Amazon ECS Developer Guide, "Task IAM role" and "Task metadata endpoint version 4".
"""

import copy
import json
import threading
import time
import uuid

from . import http1

ADDRESS = "169.254.170.2"
ACCOUNT = "123456789012"
LIE = "/lie"  # where a fault may redirect to: every container ended well


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def iso_precise(seconds):
    """As the metadata tells times."""
    return iso(seconds).replace("Z", f".{int(seconds % 1 * 1e9):09d}Z")


class ContainerRecord:
    """What ECS knows of one container of a task. Its states are kept, so that they can be told late."""

    def __init__(self, task_arn, name, number, image="builder", memory=None):
        self.name, self.image, self.memory = name, image, memory
        self.token = f"{task_arn.rpartition('/')[2]}-{number:010d}"  # the last part of its metadata's address
        self.arn = f"{task_arn.replace(':task/', ':container/')}/{uuid.uuid4()}"
        self.created = time.time()
        self.desired = "RUNNING"
        self.reason = None  # told by DescribeTasks, not by the metadata
        self.log_options = {"awslogs-group": "/ecs/builds",
                            "awslogs-stream": f"builds/{name}/{task_arn.rpartition('/')[2]}"}
        self.states = [(self.created, "PENDING", None)]  # (since, KnownStatus, exit code)

    def to(self, status, code=None):
        self.states.append((time.time(), status, code))

    @property
    def status(self):
        return self.states[-1][1]

    @property
    def exit_code(self):
        return self.states[-1][2]

    def metadata(self, task, lag):
        until = time.time() - lag
        states = [state for state in self.states if state[0] <= until] or self.states[:1]
        document = {
            "DockerId": self.token, "Name": self.name, "DockerName": self.name, "Image": self.image,
            "ImageID": "sha256:" + "5c" * 32,
            "Labels": {"com.amazonaws.ecs.cluster": task.cluster_arn,
                       "com.amazonaws.ecs.container-name": self.name, "com.amazonaws.ecs.task-arn": task.arn,
                       "com.amazonaws.ecs.task-definition-family": task.family,
                       "com.amazonaws.ecs.task-definition-version": task.revision},
            "DesiredStatus": self.desired, "KnownStatus": states[-1][1], "Limits": {"CPU": 2},
            "CreatedAt": iso_precise(self.created), "Type": "NORMAL", "LogDriver": "awslogs",
            "LogOptions": {"awslogs-region": task.region, **self.log_options},
            "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.0.1"], "AttachmentIndex": 0}],
            "ContainerARN": self.arn, "Snapshotter": "overlayfs",
        }
        if self.memory is not None:
            document["Limits"]["Memory"] = self.memory >> 20
        for since, status, code in states:
            if status == "RUNNING":
                document["StartedAt"] = iso_precise(since)
            elif status == "STOPPED":
                document["FinishedAt"] = iso_precise(since)
                if code is not None:
                    document["ExitCode"] = code
        return document


class TaskEndpoint:
    """`issue()` gives the sigv4.Keys that the role has now; without it there are none (400, as in ECS).

    With no containers named it speaks of one, `builder`, that runs. lag: seconds until a state is told.
    fault: None, or called as fault(request, truth) for each metadata request; returns the http1.Response, see below."""

    def __init__(self, region, issue=None, cluster="builds"):
        self.region, self.issue, self.cluster, self.family, self.revision = region, issue, cluster, "builder", "1"
        self.role_arn = f"arn:aws:iam::{ACCOUNT}:role/build"
        self.id = uuid.uuid4().hex
        self.credentials_path = f"/v2/credentials/{uuid.uuid4()}"
        self.arn = f"arn:aws:ecs:{region}:{ACCOUNT}:task/{cluster}/{self.id}"
        self.cluster_arn = f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/{cluster}"
        self.status, self.desired = "RUNNING", "RUNNING"
        self.memory = 2048 << 20  # of the task
        self.lag, self.fault = 0, None
        self.requests = []
        self.failures = []  # responses to give first, instead of credentials
        self.given = []  # all keys handed out
        self.containers = [self.add_container("builder")]
        self.containers[0].to("RUNNING")

    def add_container(self, name, number=1, **options):
        """A record that the caller adds to `containers`."""
        return ContainerRecord(self.arn, name, number, **options)

    def container(self, name):
        return next(record for record in self.containers if record.name == name)

    def environment(self, name=None):
        """The variables that ECS adds to a container of the task; without a name to the first."""
        token = (self.container(name) if name else self.containers[0]).token
        variables = {
            "ECS_CONTAINER_METADATA_URI": f"http://{ADDRESS}/v3/{token}",
            "ECS_CONTAINER_METADATA_URI_V4": f"http://{ADDRESS}/v4/{token}",
            "ECS_AGENT_URI": f"http://{ADDRESS}/api/{token}",
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        if self.issue is not None:
            variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = self.credentials_path
        return variables

    def handle(self, request):
        self.requests.append(request.path)
        if request.path == self.credentials_path and self.issue is not None:
            return self._credentials()
        if request.path.startswith("/v2/credentials/"):
            return answer({"code": "InvalidIdInRequest", "message": "CredentialsV2Request: Credentials not found",
                           "HTTPErrorCode": 400}, 400)
        if request.path == LIE:
            return answer(self._lie())
        truth = self._truth(request.path)
        if truth is None:
            return answer({"message": "not found"}, 404)
        return answer(truth) if self.fault is None else self.fault(request, truth)

    def _credentials(self):
        if self.failures:
            return self.failures.pop(0)
        keys = self.issue()
        self.given.append(keys)
        return answer({"RoleArn": self.role_arn, "AccessKeyId": keys.access,
                       "SecretAccessKey": keys.secret, "Token": keys.token, "Expiration": iso(keys.expires)})

    def _truth(self, path):
        for record in self.containers:
            if path == f"/v4/{record.token}":
                return record.metadata(self, self.lag)
            if path == f"/v4/{record.token}/task":
                return self.task_metadata()
        return None

    def _lie(self):
        document = self.task_metadata()
        for container in document["Containers"]:
            container.update(KnownStatus="STOPPED", DesiredStatus="STOPPED", ExitCode=0)
        return document

    def task_metadata(self):
        return {"Cluster": self.cluster_arn, "TaskARN": self.arn, "Family": self.family, "Revision": self.revision,
                "DesiredStatus": self.desired, "KnownStatus": self.status,
                "Limits": {"CPU": 1, "Memory": self.memory >> 20}, "PullStartedAt": iso_precise(time.time() - 20),
                "PullStoppedAt": iso_precise(time.time() - 8), "AvailabilityZone": self.region + "a",
                "LaunchType": "FARGATE",
                "Containers": [record.metadata(self, self.lag) for record in self.containers]}


def answer(document, status=200):
    return http1.Response(status, json.dumps(document).encode(), [("Content-Type", "application/json")])


# Faults of the metadata, for TaskEndpoint.fault.

def changed(name, **fields):
    """Tells these fields of the container `name`; None takes a field away. changed("sandbox", KnownStatus="RUNNING")
    has it run for ever, changed("sandbox", Name="other") speaks of another one."""

    def fault(_, truth):
        document = copy.deepcopy(truth)
        for container in document.get("Containers", [document]):
            if container["Name"] == name:
                container.update(fields)
                for key in [key for key, value in fields.items() if value is None]:
                    del container[key]
        return answer(document)

    return fault


def without(name):
    """The container is not listed."""

    def fault(_, truth):
        document = copy.deepcopy(truth)
        if "Containers" in document:
            document["Containers"] = [entry for entry in document["Containers"] if entry["Name"] != name]
        return answer(document)

    return fault


def says(status=200, body=b"", headers=()):
    """An error, or garbage."""
    return lambda request, truth: http1.Response(status, body, list(headers))


def redirects(to=f"http://{ADDRESS}{LIE}"):
    return says(307, b"", [("Location", to)])


class Hang:
    """No answer until release()."""

    def __init__(self):
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self, request, truth):
        self.reached.set()
        self.released.wait(600)
        raise http1.Drop

    def release(self):
        self.released.set()
