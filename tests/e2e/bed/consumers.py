"""What existing systems make of what they are told: their consumers' reading, transcribed.

Transcribed are the fields that are read, the switch over words, and the default that is ignored; not where it is stored.
Each ends in a state, which its owner expects to be one of a few.
"""

import json


class VerenStatus:
    """Of the queue behind the topic, by the type of an event; any other type is ignored.

    today: the address of a site is `artifactUrl` at the top; before, `payload.output`. word: BUILT as a builder of theirs
    spells it, which this consumer alone would understand."""

    def __init__(self, deployment, today=True, word="BUILD"):
        self.deployment, self.today, self.word = deployment, today, word
        self.state, self.url, self.error = "building", None, None

    def take(self, body):
        """As SQS gives it: wrapped by SNS, or raw."""
        outer = json.loads(body)
        self.read(json.loads(outer["Message"]) if outer.get("Message") else outer)

    def read(self, event):
        if event["deploymentId"] != self.deployment:
            return
        kind, _, what = event["type"].partition("_")
        if what == f"{self.word}_SUCCESS" and kind == "FRONTEND":
            self.state = "frontend built"
            self.url = event.get("artifactUrl") if self.today else event["payload"]["output"]
        elif what == f"{self.word}_SUCCESS" and kind == "BACKEND":
            self.state, self.url = "backend built", event["payload"]["imageTag"]
        elif what == f"{self.word}_FAILED" and kind in ("FRONTEND", "BACKEND"):
            self.state, self.error = "failed", event["payload"]["msg"]

    def ends_in(self):
        return self.state, self.url, self.error


class VerenLogs:
    """The log service, which stores a row for each record, and the pages of before: what they show of the same record."""

    def __init__(self):
        self.rows, self.frontend, self.backend = [], [], []

    def read(self, topic, record):
        line = json.loads(record.value)
        row = {name: line[name] for name in ("event_id", "deployment_id", "project_id", "service", "log")}
        assert all(isinstance(value, str) for value in row.values()), row  # columns of texts
        self.rows.append(row)
        if topic == "frontend-builder-logs":
            self.frontend.append((line["PROJECT_ID"], line["DEPLOYMENTID"], line["level"], line["stage"], line["message"], line["ts"]))
        else:
            self.backend.append((line["PROJECT_ID"], line["DEPLOYMENTID"], line["log"]))


class CloneStatus:
    """PUT /api/v1/project/deploy/:id, and the channel status:ID: the same words, which go to the database as they are."""

    WORDS = ("NOT_STARTED", "QUEUED", "IN_PROGRESS", "READY", "FAIL")
    FIELDS = {"status"}

    def __init__(self):
        self.status = "QUEUED"

    def read(self, body):
        assert set(body) == self.FIELDS and body["status"] in self.WORDS, body
        self.status = body["status"]


class CloneComplete(CloneStatus):
    """PUT /deployments/:id/complete: the end, and when."""

    FIELDS = {"status", "finishedAt"}

    def __init__(self):
        super().__init__()
        self.finished = None

    def read(self, body):
        super().read(body)
        self.finished = body["finishedAt"]


class CloneTopics:
    """Topics of clones: container-logs by the key `log`, deployment-status by `status-ID`. What has more fields is read too."""

    def __init__(self, project, deployment):
        self.project, self.deployment = project, deployment
        self.status, self.at, self.log = "QUEUED", None, []

    def read(self, key, body):
        if key == "log":
            if (body["PROJECT_ID"], body["DEPLOYEMENT_ID"]) == (self.project, self.deployment):
                self.log.append(body["log"])
        elif key == f"status-{self.deployment}" and body["DEPLOYMENT_ID"] == self.deployment:
            assert body["status"] in CloneStatus.WORDS
            self.status, self.at = body["status"], body["timestamp"]


class DeployraApi:
    """POST …/status and …/logs with x-api-key. Any word is the status, but that BUILDED deploys; an empty text is a 400.
    The dashboard sets CANCELLED itself, so that a word that comes after it is a mistake that everybody sees."""

    TYPES = ("STDOUT", "STDERR", "INFO", "WARNING", "ERROR")

    def __init__(self, deployment, key, base="/api"):
        self.at, self.key = f"{base}/webhooks/deployments/{deployment}", key
        self.status, self.image, self.error, self.logs = "PENDING", None, None, []

    def cancel(self):
        self.status = "CANCELLED"

    def read(self, request):
        body = json.loads(request.body)
        assert request.method == "POST" and request.header("x-api-key") == self.key
        if request.path == f"{self.at}/logs":
            assert body["text"] and body.get("type", "STDOUT") in self.TYPES
            self.logs += body["text"].split("\n")
            return
        assert request.path == f"{self.at}/status" and body["status"]
        self.status = "DEPLOYING" if body["status"] == "BUILDED" else body["status"]
        if body["status"] == "BUILDED":
            self.image = body["data"]["containerImageUri"]
            assert body["data"]["containerRegistryType"] in ("ecr", "ghcr", "docker")
        if body["status"] == "FAILED":
            self.error = body.get("error") or "Deployment failed"

    def ends_in(self):
        return self.status, self.image, self.error


class BlacktreeApi:
    """Of api.result.queue: deploys on success, shows `error` else; `logs || error` becomes the link to the log."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.status, self.image, self.error, self.log = "PENDING", None, None, None

    def read(self, body):
        assert isinstance(body["success"], bool)
        assert all(isinstance(body[name], str) for name in ("deploymentId", "imageUrl", "logs", "error"))
        if body["deploymentId"] != self.deployment:
            return
        self.log = body["logs"] or body["error"]
        if body["success"]:
            self.status, self.image = "BUILT, deploys", body["imageUrl"]
        else:
            self.status, self.error = "FAILED", body["error"]

    def ends_in(self):
        return self.status, self.image, self.error
