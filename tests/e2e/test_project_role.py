"""Jobs with the role that terraform's module `project` makes, and no right more: whom they tell, and who may cancel them.
The policy is the one that terraform renders, with the places of the test in its variables; what it does not allow the
servers refuse."""

import fnmatch
import json
import os
import sys

import pytest

from bed import ecs, s3, story
from bed.world import BUCKET, JOBS_BUCKET, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "terraform"))
import rendered  # noqa: E402, of tests/terraform

pytestmark = [pytest.mark.timeout(300), pytest.mark.rare]

OBJECTS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject", "POST": "s3:PutObject"}
SOURCES = f"""mock_provider "aws" {{
  mock_data "aws_region" {{
    defaults = {{ name = "{s3.REGION}" }}
  }}
  mock_data "aws_caller_identity" {{
    defaults = {{ account_id = "{ecs.ACCOUNT}" }}
  }}
  mock_data "aws_partition" {{
    defaults = {{ partition = "aws", dns_suffix = "amazonaws.com" }}
  }}
}}

run "role" {{
  command = plan
  variables {{
"""


class Role:
    """Statements that allow, with the one condition that module project has of S3."""

    def __init__(self, statements):
        assert {one["Effect"] for one in statements} == {"Allow"}
        self.statements, self.refused = statements, []

    def allows(self, action, resource, prefix=None):
        for one in self.statements:
            wanted = one.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
            if action in one["Action"] and any(fnmatch.fnmatchcase(resource, part) for part in one["Resource"]) and (
                    wanted is None or any(fnmatch.fnmatchcase(prefix or "", part) for part in wanted)):
                return True
        self.refused.append((action, resource))
        return False

    def allows_request(self, storage, seen):
        """Of a bucket; and whether what is not there may be known."""
        bucket = f"arn:aws:s3:::{seen.bucket}"
        if not seen.key:
            return self.allows("s3:ListBucket", bucket, dict(seen.query).get("prefix", ""))
        if not self.allows(OBJECTS[seen.method], f"{bucket}/{seen.key}"):
            return False
        there = seen.method not in ("GET", "HEAD") or storage.request("HEAD", f"/{seen.bucket}/{seen.key}").status == 200
        return there or self.allows("s3:ListBucket", bucket, seen.key)


class Denied:
    """What a gate asks for the resource of a call: `in` is no."""

    def __init__(self, role, actions, below=""):
        self.role, self.actions, self.below = role, actions, below

    def __contains__(self, resource):
        return not all(self.role.allows(action, resource + self.below) for action in self.actions)


@pytest.fixture
def place(bed, tmp_path, sns_api, sqs_api, events_api, logs_api):
    return Place(bed, tmp_path, sns_api, sqs_api, events_api, logs_api)


class Place:
    """Receivers, a role for them, and servers that obey it."""

    def __init__(self, bed, folder, *gates):
        self.bed, self.gates = bed, gates
        sns, sqs, events, logs = gates
        self.topic, self.queue, self.bus, self.group = sns.topic(fifo=True), sqs.queue(), events.bus(), logs.group("/caisson/jobs/shop")
        variables = {"project": "shop", "permissions_boundary_arn": f"arn:aws:iam::{ecs.ACCOUNT}:policy/caisson/boundary",
                     "artifacts_bucket": BUCKET, "state_bucket": JOBS_BUCKET, "topic_arns": [self.topic.arn],
                     "queue_arns": [self.queue.arn], "event_bus_arns": [self.bus.arn], "log_group_names": [self.group]}
        lines = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in variables.items())
        (folder / "tree").mkdir()
        plan = rendered.plans(folder / "tree", "project", f"{SOURCES}{lines}  }}\n}}\n")["role"]
        self.role = Role(json.loads(plan["aws_iam_role_policy.task"]["policy"])["Statement"])
        sns.denied, sqs.denied = Denied(self.role, ["sns:Publish"]), Denied(self.role, ["sqs:SendMessage"])
        events.denied = Denied(self.role, ["events:PutEvents"])
        logs.denied = Denied(self.role, ["logs:CreateLogStream", "logs:PutLogEvents"], ":log-stream:caisson/x")
        bed.gate.allow = lambda seen: self.role.allows_request(bed.storage, seen)

    def notify(self):
        return [{"sns": self.topic.arn}, {"sqs": self.queue.url}, {"eventbridge": self.bus.name},
                {"cloudwatch_logs": self.group, "events": ["log"]}]

    def start(self, *commands, notify):
        """Where the roles of a project expect what a job leaves."""
        spec = self.bed.commands(*commands, notify=notify, control=f"s3://{JOBS_BUCKET}/control/${{project}}/${{id}}")
        spec["artifacts"][0]["to"] = f"s3://{BUCKET}/__outputs/shop/{spec['id']}/"
        spec["result"] = f"s3://{JOBS_BUCKET}/jobs/shop/{spec['id']}/result.json"
        return self.bed.start(spec, services=[one for gate in self.gates for one in gate.services()], environment=story.CA)


BUILD = ["echo the line that is told", "sleep 6", "mkdir dist; echo site >dist/index.html"]


def test_all_that_it_is_for_and_nothing_denied(place, bed):
    """Six seconds: the request to cancel that is not there is asked for, and is no warning."""
    task = place.start(*BUILD, notify=place.notify())
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result and "warning" not in ended.text, ended
    assert place.role.refused == [] and bed.published(task.spec) == {"index.html": b"site\n"}
    assert any(seen.key.startswith("control/shop/") and seen.status == 404 for seen in bed.gate.requests)
    for told in (place.topic.messages(), [message.document() for message in place.queue.take()],
                 [entry["detail"] for entry in place.bus.take()]):
        assert "dev.caisson.job.finished" in {event["type"] for event in told}
    logs = place.gates[3]
    assert any("the line that is told" in text for text in logs.texts(place.group, f"caisson/{ended.result['id']}"))


def test_whom_it_does_not_name_it_cannot_tell(place, bed):
    others = place.gates[1].queue()
    ended = bed.finish(place.start(*BUILD, notify=[{"sqs": others.arn}, {"sqs": place.queue.url}]))
    assert ended.code == 0 and others.take() == [], ended
    assert place.role.refused[0] == ("sqs:SendMessage", others.arn)
    assert f"sqs {others.arn}" in story.undelivered(ended) and "not authorized to perform: sqs:SendMessage" in ended.text
    assert "dev.caisson.job.finished" in {message.document()["type"] for message in place.queue.take()}


def test_who_may_write_there_cancels_it_and_the_job_may_not(place, bed):
    task = place.start("echo build-runs; while :; do sleep 0.2; done", notify=place.notify())
    task.wait_for("| build-runs")
    job = task.spec["id"]
    bed.storage.put(JOBS_BUCKET, f"control/shop/{job}", b'{ "action": "cancel", "by": "alice" }')
    ended = bed.finish(task)
    assert ended.code == 130 and "cancelled by alice" in ended.result["message"] and place.role.refused == [], ended
    told = place.topic.messages()
    assert told[-1]["data"]["result"]["status"] == "cancelled"
    where = f"arn:aws:s3:::{JOBS_BUCKET}/control/shop/{job}"
    assert not any(place.role.allows(action, where) for action in ("s3:PutObject", "s3:DeleteObject"))
    assert not place.role.allows("s3:GetObject", where.replace("/shop/", "/blog/"))
