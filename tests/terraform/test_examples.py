"""The examples against a server that speaks AWS's APIs: what is planned; with --all applied, empty in a second plan,
changed, run from its outputs, and destroyed."""

import json
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
            stdout=out, stderr=out) as process:
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


def check_event(url, region, where):
    """The event goes its way through the server: rule, transformer, queue."""
    detail = {"clusterArn": where["cluster"], "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
              "taskArn": f"{where['cluster'].replace(':cluster/', ':task/')}/1", "stoppedReason": "killed",
              "taskDefinitionArn": f"{where['task_definitions']['node']}:1",
              "containers": [{"name": "builder", "exitCode": 137}]}
    events, sqs = client(url, "events", region), client(url, "sqs", region)
    events.put_events(Entries=[{"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": json.dumps(detail)}])
    got = sqs.receive_message(QueueUrl=where["stopped_queue_url"], WaitTimeSeconds=2).get("Messages", [])
    assert len(got) == 1
    said = json.loads(got[0]["Body"])["detail"]
    assert (said["taskArn"], said["containers"]) == (detail["taskArn"], detail["containers"])


@pytest.mark.rare
def test_from_nothing_to_nothing(server, complete):
    complete.apply()
    assert complete.plan() == ()
    regions = complete.outputs()["regions"]
    assert list(regions) == REGIONS
    for region, where in regions.items():
        check_region(server, region, where)
    check_event(server, REGIONS[1], regions[REGIONS[1]])
    complete.set(projects=["shop", "blog", "docs"], image_tag="1.1", spot_weight=3)
    (added, _, _), text = complete.plan()
    assert added > 0 and 'module.second.module.project["docs"]' in text
    complete.apply()
    assert complete.plan() == ()
    assert "docs" in complete.outputs()["regions"][REGIONS[0]]["project_roles"]
    complete.terraform("destroy", *QUIET, "-auto-approve")
    assert complete.terraform("state", "list").stdout == ""


@pytest.mark.rare
def test_minimal_from_nothing_to_nothing(server, minimal):
    minimal.apply()
    assert minimal.plan() == ()
    call = minimal.outputs()["run_task"]["shop"]
    assert client(server, "ecs", REGIONS[0]).run_task(launchType="FARGATE", **call)["failures"] == []
    minimal.terraform("destroy", *QUIET, "-auto-approve")
    assert minimal.terraform("state", "list").stdout == ""
