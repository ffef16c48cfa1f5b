"""The operator's file in the image has the last word; credentials and secrets from every place that may hold them."""

import gzip

import pytest

from bed import s3
from bed.world import BUCKET, ENDPOINT, JOBS_BUCKET, storage_options


def simple(bed, **changes):
    return bed.commands("mkdir dist", "echo x >dist/index.html", **changes)


def test_pins_win_over_the_spec(bed):
    spec = simple(bed)
    elsewhere = storage_options(endpoint="http://trap.test:9000")
    spec["artifacts"] = [{"to": "s3://someone-elses-bucket/top/", "s3": elsewhere}]
    operator = f"pins: {{bucket: {BUCKET}, prefix: 'pinned/${{project}}/', endpoint: '{ENDPOINT}'}}\n"
    del spec["result"]
    ended = bed.run(spec, operator=operator)
    assert ended.code == 0, ended
    keys = bed.storage.keys_under(BUCKET, "pinned/shop/")
    assert [key for key in keys if key.endswith("index.html")], keys
    assert bed.world.trap.visitors == []


def test_upper_bounds(bed):
    spec = bed.commands("sleep 60", timeouts={"build": "10m"})
    ended = bed.run(spec, operator="max: {timeouts: {build: 1s}}\n")
    assert ended.code == 124, ended


def test_defaults_lie_below_the_spec(bed):
    spec = bed.commands("mkdir dist; echo \"$A $B\" >dist/index.html", env={"A": "spec"})
    ended = bed.run(spec, operator="defaults: {env: {A: operator, B: operator}}\n")
    assert ended.code == 0, ended
    assert bed.published(spec)["index.html"] in (b"spec operator\n", b"spec \n")


def test_mistake_in_the_operators_file(bed):
    ended = bed.run(simple(bed), operator="allow: [file-target]\n")
    assert ended.code == 10, ended
    assert "file-targets" in ended.text, ended


def test_secret_files_lie_beneath_run_secrets(bed):
    bed.git.tokens = {"t0ken-from-a-file"}
    repository = bed.repository({"index.html": "x\n"})
    spec = bed.spec(repository)
    spec["source"] = {"repository": repository.url("token"), "auth": {"token": {"file": "/run/secrets/token"}}}
    files = {"/run/secrets/token": ("t0ken-from-a-file\n", 0o400), "/etc/other": "t0ken-from-a-file\n"}
    ended = bed.run(spec, files=files)
    assert ended.code == 0, ended
    spec = {**spec, "id": spec["id"] + "-2"}
    spec["source"]["auth"]["token"]["file"] = "/etc/other"
    refused = bed.run(spec, files=files)
    assert refused.code == 10, refused
    assert "/run/secrets" in refused.text


def test_credentials_of_the_environment(bed):
    keys = bed.gate.issue(session=False)
    spec = simple(bed)
    ended = bed.run(spec, issue=False, environment={"AWS_ACCESS_KEY_ID": keys.access,
                                                    "AWS_SECRET_ACCESS_KEY": keys.secret})
    assert ended.code == 0, ended
    assert {seen.access for seen in bed.gate.requests} == {keys.access}
    assert keys.secret not in ended.text


def test_credentials_of_a_profile_file(bed):
    keys = bed.gate.issue()
    text = ("[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n\n[site]\n"
            f"aws_access_key_id = {keys.access}\naws_secret_access_key = {keys.secret}\n"
            f"aws_session_token = {keys.token}\n")
    spec = simple(bed)
    ended = bed.run(spec, issue=False, files={"/root/.aws/credentials": (text, 0o600)},
                    environment={"HOME": "/root", "AWS_PROFILE": "site"})
    assert ended.code == 0, ended
    assert {seen.access for seen in bed.gate.requests} == {keys.access}


@pytest.mark.parametrize("name", ["log.txt", "log.gz"])
def test_the_whole_log_goes_where_the_spec_says(bed, name):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "seq 2000; echo \"token is $NPM_TOKEN\"",
                        secrets={"NPM_TOKEN": {"env": "TASK_NPM_TOKEN"}})
    spec["log"] = f"s3://{JOBS_BUCKET}/{spec['id']}/{name}"
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": "npm-t0ken-of-the-task"})
    assert ended.code == 0, ended
    assert ended.result["log_url"] == spec["log"]
    stored = bed.storage.get(JOBS_BUCKET, f"{spec['id']}/{name}")
    text = (gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored).decode()
    assert "| 1999\n" in text and "token is " in text
    assert "npm-t0ken-of-the-task" not in text and "npm-t0ken-of-the-task" not in ended.text


def test_nothing_is_sent_twice_without_need(bed):
    """A small site, new: state, claim, files, commit, state, and nothing else."""
    spec = simple(bed)
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert len(bed.gate.seen(bucket=BUCKET)) <= 7, [str(seen) for seen in bed.gate.requests]
    assert s3.REGION in bed.gate.requests[0].headers["authorization"]
