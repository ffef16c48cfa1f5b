"""An AWS account that terraform can be applied to and tasks can be run in: moto for what is kept (VPC, roles, queues,
rules, logs), the RunTask double for tasks, the strict S3 for objects. What ECS tells of tasks goes to the account's
EventBridge, whose rules are judged by AWS's own matcher; what containers print goes to its CloudWatch Logs.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import botocore.session

from . import http1, s3

TESTS = pathlib.Path(__file__).resolve().parents[2]
REGION = s3.REGION


class Missing(Exception):
    """What this needs and is not here."""


def made(tool, *arguments):
    ended = subprocess.run([TESTS / "tools" / tool, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode != 0:
        raise Missing(f"{tool} failed")
    return ended.stdout.strip()


def make_bucket(storage, name):
    """In the strict S3, which lives longer than a test."""
    if storage.request("HEAD", f"/{name}").status == 404:
        storage.make_bucket(name)


@contextlib.contextmanager
def server(folder, **environment):
    """The URL of tests/terraform/aws_server.py, while it runs."""
    venv = made("ensure-venv", str(TESTS / "terraform/requirements.txt"))
    port, log = http1.free_port(), os.path.join(folder, "aws-server.log")
    variables = {**os.environ, "EVENT_RULER": made("ensure-event-ruler"), **environment}
    with open(log, "wb") as out, subprocess.Popen(
            [f"{venv}/bin/python", TESTS / "terraform/aws_server.py", "-H", "127.0.0.1", "-p", str(port)],
            stdout=out, stderr=out, env=variables) as process:
        try:
            await_answer(f"http://127.0.0.1:{port}/moto-api/", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def await_answer(url, process, log):
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None and time.monotonic() < deadline, pathlib.Path(log).read_text()
            time.sleep(0.1)


class Account:
    """`keys`: a caller's, whom all servers believe. take_event is for RunTask(on_event)."""

    def __init__(self, url, keys):
        self.url, self.keys = url, keys
        self.plane = None  # the RunTask that tells its events here
        self.events, self.logs = self.client("events"), self.client("logs")

    def client(self, service):
        return botocore.session.get_session().create_client(
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id=self.keys.access,
            aws_secret_access_key=self.keys.secret)

    def take_event(self, event):
        if event["detail"]["lastStatus"] == "STOPPED":
            self.keep_logs(self.plane.started(event["detail"]["taskArn"]))
        self.events.put_events(Entries=[{
            "Source": event["source"], "DetailType": event["detail-type"], "Resources": event["resources"],
            "Time": event["time"], "Detail": json.dumps(event["detail"])}])

    def keep_logs(self, started):
        """As the log driver does, if later."""
        if started.task is None:
            return
        for name, container in started.task.containers.items():
            options = started.endpoint.container(name).log_options
            where = {"logGroupName": options["awslogs-group"], "logStreamName": options["awslogs-stream"]}
            self.logs.create_log_stream(**where)
            now = int(time.time() * 1000)
            lines = [line for line in container.text().splitlines() if line]
            if lines:
                self.logs.put_log_events(**where, logEvents=[{"timestamp": now, "message": line} for line in lines])
