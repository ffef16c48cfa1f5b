"""docs/operations.md, the way from an empty account to the first job, as it is written there: terraform is applied to a
server of AWS's APIs, RunTask runs the containers, events go through the rules that terraform made into its queues."""

import json
import os
import pathlib
import shutil
import signal
import sys

import pytest

from bed import account as bed_account, documents, relay, run_task, s3, shell
from bed.world import ADDRESSES, ENDPOINT, OPERATOR_FILE, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "terraform"))
import rendered  # noqa: E402, of tests/terraform

pytestmark = [pytest.mark.timeout(1200), pytest.mark.rare]

OPERATIONS = pathlib.Path(ROOT, "docs", "operations.md")
IMAGE, NEXT = (f"ghcr.io/owner/caisson-node:{version}-node20" for version in ("0.1.0", "0.1.1"))
REPOSITORY = "https://github.com/owner/site"
SQS_PORT = 9324  # of the account, in a task's network
OPERATOR = (f"pins: {{ endpoint: '{ENDPOINT}', region: {s3.REGION}, sqs_endpoint: 'http://elsewhere.test:{SQS_PORT}' }}\n"
            "allow: [private-http]\n")
SITE = {"package.json": '{"name": "site", "version": "1.0.0", "scripts": {"build": "sh build.sh"}}',
        "build.sh": "mkdir -p dist\necho '<h1>Shop</h1>' >dist/index.html\n"}
# Addresses in place of AWS's: tasks have a server of their own, which terraform does not know.
OVERRIDE = """provider "aws" {
  max_retries       = 2
  s3_use_path_style = true
  endpoints {
    ecs = "%(url)s"
    s3  = "%(url)s"
  }
}
"""

# For SQS this version of the command line has an address of its own, whatever the environment says.
AWS = """aws() {
    if [ "$1" = sqs ]; then command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; else command aws "$@"; fi
}
"""


class Newcomer:
    """Who follows the document: a shell in a checkout, with an account of nobody else."""

    def __init__(self, bed, folder, account):
        self.bed, self.account = bed, account
        tree = rendered.copy_of_the_tree(folder)
        self.example = tree / "examples/minimal"
        (self.example / "server_override.tf").write_text(OVERRIDE % {"url": account.url})
        account_at = ("127.0.0.1", int(account.url.rpartition(":")[2]))
        self.ecs = account.plane = run_task.RunTask(
            bed, {IMAGE: "node", NEXT: "node"}, [], {account.keys.access: account.keys}.get, files={OPERATOR_FILE: OPERATOR},
            services=[(ADDRESSES["elsewhere.test"], SQS_PORT, relay.Forward(account_at).on_connection)],
            on_event=account.take_event)
        sdks = bed_account.made("ensure-sdks", "python")
        versity = "http://%s:%d" % bed.world.versity.address
        self.shell = shell.Shell(str(folder), rendered.environment(
            folder, AWS_ENDPOINT_URL=account.url, AWS_ENDPOINT_URL_ECS=self.ecs.url, AWS_ENDPOINT_URL_S3=versity,
            AWS_ACCESS_KEY_ID=account.keys.access, AWS_SECRET_ACCESS_KEY=account.keys.secret, AWS_PAGER="",
            TF_CLI_ARGS="-no-color",
            PATH=f"{sdks}/bin:{os.environ['PATH']}"))

        self.shell.run(AWS)

    def close(self):
        self.shell.close()
        self.ecs.close()

    def type(self, text):
        printed = self.shell.run(text.replace(REPOSITORY, self.repository))
        self.bring()
        return printed

    def run(self, change):
        """The first job's call once more; change(spec). Gives the task's ARN."""
        call = json.loads((self.example / "run-task.json").read_text())
        (variable,) = call["overrides"]["containerOverrides"][0]["environment"]
        spec = json.loads(variable["value"])
        change(spec)
        variable["value"] = json.dumps(spec)
        return self.ecs.client(self.account.keys).run_task(**call)["tasks"][0]["taskArn"]

    def bring(self):
        """What terraform has made at the other server: task definitions, buckets, and the roles that may be passed."""
        ecs, taken = self.account.client("ecs"), run_task.model().operation_model("RegisterTaskDefinition").input_shape
        for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
            made = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
            if len(self.ecs.definitions.get(made["family"], ())) < made["revision"]:
                document = {key: value for key, value in made.items() if key in taken.members and value}
                document["containerDefinitions"] = [  # the server adds what is empty
                    {key: value for key, value in one.items() if value or value is False}
                    for one in made["containerDefinitions"]]
                self.ecs.client(self.account.keys).register_task_definition(**document)
        self.ecs.roles = {role["Arn"] for role in self.account.client("iam").list_roles()["Roles"]}
        there = {bucket["Name"] for bucket in self.account.client("s3").list_buckets()["Buckets"]}
        for bucket in there - self.buckets:
            bed_account.make_bucket(self.bed.storage, bucket)
        self.buckets |= there


@pytest.fixture
def newcomer(bed, tmp_path):
    for program in ("terraform", "jq", "java"):
        if not shutil.which(program):
            pytest.skip(f"no {program} here")
    folder = tmp_path / "checkout"
    folder.mkdir()
    try:
        with bed_account.server(str(tmp_path)) as url:
            made = Newcomer(bed, folder, bed_account.Account(url, bed.world.versity.keys))
            made.buckets, made.repository = set(), bed.repository(SITE).url()
            yield made
            made.close()
    except bed_account.Missing as missing:
        pytest.skip(str(missing))


def follow(newcomer, title):
    """Types the blocks of a section. Gives what was not printed as it stands there."""
    found = [block for block in documents.blocks(OPERATIONS) if block.section == title]
    wrong = []
    for number, block in enumerate(found):
        if block.language != "sh":
            continue
        printed = newcomer.type(block.text)
        print(f"---- line {block.line}\n{printed}")
        if number + 1 < len(found) and found[number + 1].language == "text":
            wrong += [f"line {block.line}: {one}" for one in documents.differences(printed, found[number + 1].text)]
    return wrong


def kill_a_job(newcomer):
    """PID 1 of a build that does not end is killed from outside. Gives the task's ARN."""
    repository = newcomer.bed.repository({**SITE, "build.sh": "echo building\nsleep 600\n"}).url()
    arn = newcomer.run(lambda spec: spec["source"].update(repository=repository))
    task = newcomer.ecs.containers(arn)
    task.wait_for("| building")
    os.kill(task.main.pid(), signal.SIGKILL)
    newcomer.ecs.wait(arn)
    return arn


def messages(newcomer, queue):
    """All that wait there."""
    sqs, found = newcomer.account.client("sqs"), []
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    while True:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
        if not got:
            return found
        found += [json.loads(message["Body"]) for message in got]


def test_from_an_empty_account_to_nothing_left(newcomer):
    """RunTask → container → clone → build → S3 → result → event → rule → queue, and a job that could not say how it
    ended: what is typed prints what stands in the document."""
    assert follow(newcomer, "From an empty account to the first job") == []
    (first,) = newcomer.ecs.tasks.values()
    published = newcomer.bed.storage.tree("caisson-artifacts-123456789012-eu-central-1", "__outputs/shop/")
    assert published == {"index.html": b"<h1>Shop</h1>\n"} and first.endpoint.role_arn in newcomer.ecs.roles
    killed = kill_a_job(newcomer)
    assert follow(newcomer, "Lost jobs") == []
    assert messages(newcomer, "caisson-job-lost") == []  # that one was the only one, and it is not yet told again
    stopped = messages(newcomer, "caisson-task-stopped")
    assert sorted((event["detail"]["taskArn"], event["detail"]["containers"][0]["exitCode"]) for event in stopped) == \
        sorted([(first.arn, 0), (killed, 137)])
    assert "CAISSON_JOB" not in json.dumps(stopped)
    newcomer.shell.run("NEW_TOKEN=of-today; aws ssm put-parameter --name /caisson/shop/git-token --type SecureString "
                       "--value of-yesterday --query Version\n")
    assert follow(newcomer, "Rotating") == []
    told = newcomer.account.client("ssm").get_parameter(Name="/caisson/shop/git-token", WithDecryption=True)
    assert told["Parameter"]["Value"] == "of-today"
    assert follow(newcomer, "Telling your systems") == []
    assert follow(newcomer, "Upgrading") == []
    (container,) = newcomer.ecs.wait(newcomer.run(lambda spec: None))["detail"]["containers"]
    assert (container["image"], container["exitCode"]) == (NEXT, 0)
    assert follow(newcomer, "Removing") == []
    assert newcomer.shell.run("terraform state list\n").strip() == ""
