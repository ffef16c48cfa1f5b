"""The examples against a server that speaks AWS's APIs: what is planned; with --all applied, empty in a second plan,
changed, run from its outputs, and destroyed."""

import functools
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import botocore.session
import pytest

import rendered

HERE = pathlib.Path(__file__).resolve().parent
REGIONS = ["eu-central-1", "eu-west-1"]
QUIET = ("-no-color", "-input=false")
# Addresses as AWS has them; a provider of each alias, so that an example's own settings stay as they are.
OVERRIDE = "\n".join(f'provider "aws" {{\n{alias}  max_retries       = 2\n  s3_use_path_style = true\n}}\n'
                     for alias in ("", '  alias             = "second"\n'))


@functools.cache
def ruler():
    """AWS's own matcher of events, for the server: moto does not look into lists of objects, as the patterns of lost
    jobs do. Empty where it cannot be had."""
    made = subprocess.run([HERE.parent / "tools/ensure-event-ruler"], stdout=subprocess.PIPE, text=True, check=False)
    return made.stdout.strip() if made.returncode == 0 else ""


@pytest.fixture
def server(tmp_path_factory):
    """Each test has its own, so that nothing is there before it."""
    made = subprocess.run([HERE.parent / "tools/ensure-venv", HERE / "requirements.txt"], stdout=subprocess.PIPE, text=True,
                          check=False)
    if made.returncode != 0:
        pytest.skip("no moto: pip could not install it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("server") / "log"
    with open(log, "wb") as out, subprocess.Popen(
            [f"{made.stdout.strip()}/bin/python", HERE / "aws_server.py", "-H", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "EVENT_RULER": ruler()}, stdout=out, stderr=out) as process:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        yield url
        process.terminate()


class Example:
    def __init__(self, folder, name, url, **variables):
        self.at = rendered.copy_of_the_tree(folder) / "examples" / name
        override = OVERRIDE if name == "complete" else OVERRIDE.split("\n\n", maxsplit=1)[0] + "\n"
        (self.at / "server_override.tf").write_text(override)
        self.env = rendered.environment(folder, AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="test",
                                        AWS_SECRET_ACCESS_KEY="test", AWS_MAX_ATTEMPTS="2")
        self.set(**variables)
        rendered.initialised(self.at, self.env)

    def set(self, **variables):
        for name, value in variables.items():
            self.env[f"TF_VAR_{name}"] = value if isinstance(value, str) else json.dumps(value)

    def terraform(self, *arguments, limit=900, check=True):
        return rendered.terraform(self.at, self.env, *arguments, limit=limit, check=check)

    def plan(self):
        """Number of resources to add, to change, to destroy; of an empty plan nothing."""
        ended = self.terraform("plan", *QUIET, "-detailed-exitcode", check=False)
        assert ended.returncode in (0, 2), ended.stdout[-4000:] + ended.stderr[-4000:]
        if ended.returncode == 0:
            return ()
        said = re.search(r"Plan: (\d+) to add, (\d+) to change, (\d+) to destroy", ended.stdout)
        return tuple(int(number) for number in said.groups()), ended.stdout

    def apply(self):
        self.terraform("apply", *QUIET, "-auto-approve")

    def outputs(self):
        return {name: one["value"] for name, one in json.loads(self.terraform("output", "-json").stdout).items()}


def client(url, service, region):
    return botocore.session.get_session().create_client(service, region_name=region, endpoint_url=url,
                                                        aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def complete(server, tmp_path):
    return Example(tmp_path, "complete", server, regions=REGIONS, image_tag="1.0", force_destroy=True)


@pytest.fixture
def minimal(server, tmp_path):
    ec2 = client(server, "ec2", REGIONS[0])
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    return Example(tmp_path, "minimal", server, region=REGIONS[0], vpc_id=vpc, force_destroy=True,
                   subnet_ids=[one["SubnetId"] for one in subnets[:2]], builder_image="registry.example/node:20")


def test_what_is_planned(complete):
    (added, changed, destroyed), text = complete.plan()
    assert added > 200 and (changed, destroyed) == (0, 0)
    for module in ("network", "cluster", "iam", "project", "registry", "storage", "builder", "events"):
        for call in ("first", "second"):
            assert f"module.{call}.module.{module}" in text


def test_minimal_is_planned(minimal):
    (added, changed, destroyed), _ = minimal.plan()
    assert added > 30 and (changed, destroyed) == (0, 0)


def run_task(url, region, where, builder, project):
    """The call of a control plane, from nothing but the example's outputs."""
    answer = client(url, "ecs", region).run_task(
        cluster=where["cluster"], taskDefinition=where["task_definitions"][builder],
        networkConfiguration=where["network_configuration"], launchType="FARGATE",
        overrides={"taskRoleArn": where["project_roles"][project], "containerOverrides": [
            {"name": where["container_names"][builder], "environment": [{"name": "CAISSON_JOB", "value": "{}"}]}]})
    assert answer["failures"] == [] and len(answer["tasks"]) == 1


def check_region(url, region, where):
    for builder in where["task_definitions"]:
        run_task(url, region, where, builder, "shop")
    task = client(url, "ecs", region).describe_task_definition(taskDefinition=where["task_definitions"]["kaniko"])
    assert [one["name"] for one in task["taskDefinition"]["containerDefinitions"]] == ["builder", "sandbox"]
    assert all(region in one["logConfiguration"]["options"]["awslogs-region"]
               for one in task["taskDefinition"]["containerDefinitions"])
    groups = {one["logGroupName"] for one in client(url, "logs", region).describe_log_groups()["logGroups"]}
    assert set(where["log_groups"].values()) <= groups
    assert where["artifacts_bucket"].endswith(region) and where["state_bucket"].endswith(region)
    assert client(url, "sqs", region).get_queue_attributes(
        QueueUrl=where["lost_queue_url"], AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]


def check_tags_and_template(url, region, where):
    tags = client(url, "s3", region).get_bucket_tagging(Bucket=where["artifacts_bucket"])["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == {
        "Application": "caisson", "Environment": "production", "ManagedBy": "terraform", "caisson:bucket": "artifacts"}
    (template,) = client(url, "ecr", region).describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert template["prefix"] == "caisson/apps" and "rules" in json.loads(template["lifecyclePolicy"])


def received(sqs, queue):
    got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", [])
    return [json.loads(one["Body"]) for one in got]


def check_events(url, region, where):
    """Events go their way through the server: rules, transformers, queues. Lost is the job that was killed."""
    ended = {"containers": [{"name": "builder", "exitCode": 31}]}
    killed = {"containers": [{"name": "frontend-builder", "exitCode": 137}],
              "overrides": {"containerOverrides": [{"name": "frontend-builder", "environment": [
                  {"name": f"V{i}", "value": f"value-{i}"} for i in range(7)]}]}}
    events, sqs = client(url, "events", region), client(url, "sqs", region)
    for number, (builder, more) in enumerate([("node", ended), ("veren", killed)]):
        detail = {"clusterArn": where["cluster"], "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
                  "taskArn": f"{where['cluster'].replace(':cluster/', ':task/')}/{number}", "stoppedReason": "ended",
                  "taskDefinitionArn": f"{where['task_definitions'][builder]}:1", **more}
        events.put_events(Entries=[{"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": json.dumps(detail)}])
    stopped = [one["detail"] for _ in range(2) for one in received(sqs, where["stopped_queue_url"])]
    assert sorted((one["taskArn"][-1], one["containers"][0]["exitCode"]) for one in stopped) == [("0", 31), ("1", 137)]
    (lost,) = received(sqs, where["lost_queue_url"])
    assert lost["type"] == "dev.caisson.job.lost" and lost["source"].endswith("/1") and "value-" not in json.dumps(lost)
    (told,) = received(sqs, sqs.get_queue_url(QueueName="caisson-domain-events.fifo")["QueueUrl"])
    told = json.loads(told["Message"])
    assert (told["type"], told["projectId"], told["deploymentId"]) == ("FRONTEND_BUILD_FAILED", "value-4", "value-5")


@pytest.mark.rare
def test_from_nothing_to_nothing(server, complete):
    complete.apply()
    assert complete.plan() == ()
    regions = complete.outputs()["regions"]
    assert list(regions) == REGIONS
    for region, where in regions.items():
        check_region(server, region, where)
        check_tags_and_template(server, region, where)
    if ruler():
        check_events(server, REGIONS[1], regions[REGIONS[1]])
    complete.set(projects=["shop", "blog", "docs"], image_tag="1.1", spot_weight=3)
    (added, _, _), text = complete.plan()
    assert added > 0 and 'module.second.module.project["docs"]' in text
    complete.apply()
    assert complete.plan() == ()
    assert "docs" in complete.outputs()["regions"][REGIONS[0]]["project_roles"]
    complete.terraform("destroy", *QUIET, "-auto-approve")
    assert complete.terraform("state", "list").stdout == ""
    if not ruler():
        pytest.skip("events were not sent: Maven could not fetch event-ruler")


@pytest.mark.rare
def test_minimal_from_nothing_to_nothing(server, minimal):
    minimal.apply()
    assert minimal.plan() == ()
    call = minimal.outputs()["run_task"]["shop"]
    assert client(server, "ecs", REGIONS[0]).run_task(launchType="FARGATE", **call)["failures"] == []
    minimal.terraform("destroy", *QUIET, "-auto-approve")
    assert minimal.terraform("state", "list").stdout == ""
