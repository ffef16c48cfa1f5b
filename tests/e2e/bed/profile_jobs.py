"""Jobs as existing systems start them, to the end that a test wants: success, failure, cancel or crash.

A job that is to crash is started by RunTask, so that ECS tells its end; PID 1 is killed while it runs.
"""

import json
import os
import signal
import threading
import time
from dataclasses import dataclass

from .control_plane import ControlPlane
from .world import ENDPOINT, JOBS_BUCKET

CA = "/etc/test-ca.pem"
DEPLOYMENT = "d1"
ENDS = ("success", "failure", "cancel", "crash")
STATUS = {"success": "succeeded", "failure": "failed", "cancel": "cancelled"}
UNDER_WAY_S = 1.5  # a batch of lines is sent within it


def operator(pins=None, allow=()):
    return json.dumps({
        "pins": {"endpoint": ENDPOINT, "region": "eu-central-1", "ca_bundle": CA, **(pins or {})}, "allow": list(allow),
        "defaults": {"result": f"s3://{JOBS_BUCKET}/${{project}}/result.json",
                     "control": f"s3://{JOBS_BUCKET}/${{project}}/control"}})


@dataclass
class Job:
    project: str
    end: str
    text: str
    result: dict = None  # of a crash there is none
    event: dict = None  # of a crash: ECS's last one

    @property
    def message(self):
        return (self.result or {}).get("message")


def cancel(bed, project):
    """As whoever may write to the job's control object."""
    bed.storage.put(JOBS_BUCKET, f"{project}/control", json.dumps({"action": "cancel", "by": "ana"}).encode())


def ended(bed, task, project, end):
    done = bed.finish(task, 240)
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"{project}/result.json"))
    bed.schema.validate(result)
    assert result["status"] == STATUS[end] and "undelivered" not in result, done
    return Job(project, end, done.text, result)


def crash(bed, profile, project, environment, runs, operator_file, image=False, command=(), **options):
    """environment: pairs, in their order. runs(task) returns when it is time for PID 1 to die. image: a job of two
    containers. The family is that of the rendered rules."""
    family = {"veren-frontend": "site", "veren-backend": "backend", "vercel-clone": "clone"}.get(profile, profile)
    plane = ControlPlane(bed, operator_file, **options)
    try:
        definition = plane.register(
            "kaniko" if image else "node", profile, "node", family=f"caisson-{family}",
            container_name="runner" if image else "builder",
            change=lambda document: document["containerDefinitions"][0]["command"].extend(command))
        arn = plane.run(definition, environment, "runner" if image else "builder")
        task = plane.task(arn)
        runs(task)
        os.kill(task.main.pid(), signal.SIGKILL)
        event = plane.ecs.wait(arn)
        assert bed.storage.request("GET", f"/{JOBS_BUCKET}/{project}/result.json").status == 404
        return Job(project, "crash", task.text(), event=event)
    finally:
        plane.ecs.close()


def at(text):
    """For crash: when the log has it, and what was before it is under way."""
    def runs(task):
        task.wait_for(text)
        time.sleep(UNDER_WAY_S)
    return runs


class Held:
    """The job's checkout waits from its first request on, for as long as the block lasts."""

    def __init__(self, bed):
        self.bed, self.reached, self.released = bed, threading.Event(), threading.Event()

    def __enter__(self):
        self.bed.git.before = self._hold
        return self

    def _hold(self, request):
        self.reached.set()
        self.released.wait(60)

    def wait(self):
        assert self.reached.wait(60), "no checkout"
        time.sleep(UNDER_WAY_S)

    def __exit__(self, *_):
        self.bed.git.before = None
        self.released.set()
