"""What an ECS task finds at 169.254.170.2: the credentials of its role, and the task metadata, version 4.

Source: Amazon ECS Developer Guide, "Task IAM role" and "Task metadata endpoint version 4".
"""

import json
import time
import uuid

from . import http1

ADDRESS = "169.254.170.2"
ACCOUNT = "123456789012"


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class TaskEndpoint:
    """`issue()` gives the sigv4.Keys that the role has now; without it there are none (400, as in ECS)."""

    def __init__(self, region, issue=None, cluster="builds"):
        self.region, self.issue, self.cluster = region, issue, cluster
        self.id = uuid.uuid4().hex
        self.credentials_path = f"/v2/credentials/{uuid.uuid4()}"
        self.arn = f"arn:aws:ecs:{region}:{ACCOUNT}:task/{cluster}/{self.id}"
        self.requests = []
        self.failures = []  # responses to give first, instead of credentials
        self.given = []  # all keys handed out

    def environment(self):
        """The variables that ECS adds to a container of the task."""
        variables = {
            "ECS_CONTAINER_METADATA_URI": f"http://{ADDRESS}/v3/{self.id}-0000000001",
            "ECS_CONTAINER_METADATA_URI_V4": f"http://{ADDRESS}/v4/{self.id}-0000000001",
            "ECS_AGENT_URI": f"http://{ADDRESS}/api/{self.id}-0000000001",
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
            return _json({"code": "InvalidIdInRequest", "message": "CredentialsV2Request: Credentials not found",
                          "HTTPErrorCode": 400}, 400)
        base = f"/v4/{self.id}-0000000001"
        if request.path == base:
            return _json(self._container())
        if request.path == base + "/task":
            return _json(self._task())
        return _json({"message": "not found"}, 404)

    def _credentials(self):
        if self.failures:
            return self.failures.pop(0)
        keys = self.issue()
        self.given.append(keys)
        return _json({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/build", "AccessKeyId": keys.access,
                      "SecretAccessKey": keys.secret, "Token": keys.token, "Expiration": iso(keys.expires)})

    def _container(self):
        return {"DockerId": f"{self.id}-0000000001", "Name": "builder", "DockerName": "builder", "Image": "builder",
                "Labels": {"com.amazonaws.ecs.task-arn": self.arn, "com.amazonaws.ecs.container-name": "builder"},
                "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING", "Limits": {"CPU": 1024}, "Type": "NORMAL",
                "CreatedAt": iso(time.time()), "LogDriver": "awslogs"}

    def _task(self):
        return {"Cluster": f"arn:aws:ecs:{self.region}:{ACCOUNT}:cluster/{self.cluster}", "TaskARN": self.arn,
                "Family": "builder", "Revision": "1", "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
                "Limits": {"CPU": 1, "Memory": 2048}, "PullStartedAt": iso(time.time() - 20),
                "PullStoppedAt": iso(time.time() - 8), "AvailabilityZone": self.region + "a", "LaunchType": "FARGATE",
                "Containers": [self._container()]}


def _json(document, status=200):
    return http1.Response(status, json.dumps(document).encode(), [("Content-Type", "application/json")])
