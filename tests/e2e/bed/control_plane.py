"""Who calls ECS: registers the task definitions of taskdefs/, and runs them."""

import json
import time

from . import run_task, sigv4, taskdefs
from .todays_calls import NETWORK
from .world import ENDPOINT, JOBS_BUCKET, OPERATOR_FILE

CALLER = sigv4.Keys("AKIACONTROLPLANE", "secret-of-the-control-plane")
ROLE = taskdefs.HOLES["task_role_arn"]
OTHER_ROLE = ROLE + "-of-another"
IMAGES = {f"registry.example/{name}:1": name for name in ("runner", "node", "kaniko")}


class ControlPlane:
    """`client` is botocore's. operator: the operator's file in the images; options: more of run_task.RunTask."""

    def __init__(self, bed, operator, **options):
        self.bed = bed
        self.ecs = run_task.RunTask(bed, IMAGES, [ROLE, OTHER_ROLE], {CALLER.access: CALLER}.get,
                                    files={OPERATOR_FILE: operator}, **options)
        self.client = self.ecs.client(CALLER)

    def register(self, name, profile=None, image=None, change=None, **holes):
        """A document of taskdefs/, its holes filled; `image` is the one that builds. Gives the ARN."""
        document = taskdefs.filled(
            name, runner_image="registry.example/runner:1",
            builder_image=f"registry.example/{image or ('node' if name == 'node' else 'kaniko')}:1", **holes)
        if profile is not None:
            document["containerDefinitions"][0]["command"] += ["--profile", profile]
        if change is not None:
            change(document)
        return self.client.register_task_definition(**document)["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition, environment=(), container="builder", **changes):
        """As a control plane of our own calls it; environment: pairs."""
        pairs = [{"name": name, "value": value} for name, value in environment]
        overrides = {"containerOverrides": [{"name": container, "environment": pairs}], **changes.pop("overrides", {})}
        call = {"cluster": "caisson", "taskDefinition": definition, "launchType": "FARGATE", "count": 1,
                "networkConfiguration": NETWORK, "overrides": overrides, **changes}
        return self.begin(call)

    def begin(self, call):
        said = self.client.run_task(**call)
        assert said["failures"] == [] and len(said["tasks"]) == call.get("count", 1)
        return said["tasks"][0]["taskArn"]

    def spec(self, spec):
        """The environment of a job of ours."""
        self.bed.forget_result(spec)
        return [("AWS_ENDPOINT_URL_S3", ENDPOINT), ("CAISSON_JOB", json.dumps(spec))]

    def task(self, arn):
        """The containers, once they have been started."""
        started = self.ecs.started(arn)
        deadline = time.monotonic() + 30
        while started.task is None or started.task.main.process is None:
            assert time.monotonic() < deadline and not started.stopped.is_set(), started.described
            time.sleep(0.01)
        return started.task

    def result(self, spec):
        answer = self.bed.storage.request("GET", f"/{JOBS_BUCKET}/{spec['result'].split('/', 3)[3]}")
        if answer.status != 200:
            return None
        self.bed.schema.validate(json.loads(answer.body))
        return json.loads(answer.body)

    def describe(self, arn):
        return self.client.describe_tasks(cluster="caisson", tasks=[arn])["tasks"][0]
