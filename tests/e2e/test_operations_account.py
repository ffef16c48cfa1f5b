"""docs/operations.md, the way from an empty account to the first job, as it is written there: terraform is applied to a
server of AWS's APIs, RunTask runs the containers, events go through the rules that terraform made into its queues."""

import os
import pathlib
import shutil
import signal
import sys

import pytest

from bed import account as bed_account, documents, run_task, s3, shell
from bed.world import ENDPOINT, OPERATOR_FILE, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "terraform"))
import rendered  # noqa: E402, of tests/terraform

pytestmark = [pytest.mark.timeout(600), pytest.mark.rare]

OPERATIONS = pathlib.Path(ROOT, "docs", "operations.md")
IMAGE = "ghcr.io/owner/caisson-node:0.1.0-node20"
REPOSITORY = "https://github.com/owner/site"
OPERATOR = f"pins: {{ endpoint: '{ENDPOINT}', region: {s3.REGION} }}\nallow: [private-http]\n"
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


class Newcomer:
    """Who follows the document: a shell in a checkout, with an account of nobody else."""

    def __init__(self, bed, folder, account):
        self.bed, self.account = bed, account
        tree = rendered.copy_of_the_tree(folder)
        (tree / "examples/minimal/server_override.tf").write_text(OVERRIDE % {"url": account.url})
        self.ecs = account.plane = run_task.RunTask(
            bed, {IMAGE: "node"}, [], {account.keys.access: account.keys}.get, files={OPERATOR_FILE: OPERATOR},
            on_event=account.take_event)
        sdks = bed_account.made("ensure-sdks", "python")
        versity = "http://%s:%d" % bed.world.versity.address
        self.shell = shell.Shell(str(folder), rendered.environment(
            folder, AWS_ENDPOINT_URL=account.url, AWS_ENDPOINT_URL_ECS=self.ecs.url, AWS_ENDPOINT_URL_S3=versity,
            AWS_ACCESS_KEY_ID=account.keys.access, AWS_SECRET_ACCESS_KEY=account.keys.secret, AWS_PAGER="",
            TF_CLI_ARGS="-no-color",
            PATH=f"{sdks}/bin:{os.environ['PATH']}"))

    def close(self):
        self.shell.close()
        self.ecs.close()

    def type(self, text):
        printed = self.shell.run(text.replace(REPOSITORY, self.repository))
        self.bring()
        return printed

    def bring(self):
        """What terraform has made at the other server: task definitions, buckets, and the roles that may be passed."""
        ecs, taken = self.account.client("ecs"), run_task.model().operation_model("RegisterTaskDefinition").input_shape
        for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
            made = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
            if made["family"] not in self.ecs.definitions:
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


def test_what_is_typed_prints_what_stands_there(newcomer):
    pairs = documents.blocks(OPERATIONS)
    pairs = [block for block in pairs if block.section == "From an empty account to the first job"]
    wrong = []
    for number, block in enumerate(pairs):
        if block.language != "sh":
            continue
        printed = newcomer.type(block.text)
        print(f"---- line {block.line}\n{printed}")
        follows = pairs[number + 1] if number + 1 < len(pairs) else None
        documented = follows.text if follows is not None and follows.language == "text" else ""
        wrong += [f"line {block.line}: {one}" for one in documents.differences(printed, documented)]
    assert wrong == []
