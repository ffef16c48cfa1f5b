"""Where a spec comes from: the text itself, S3, https; a file and standard input on a developer's machine."""

import json

from bed.world import JOBS_BUCKET

CA = {"SSL_CERT_FILE": "/etc/test-ca.pem"}


def yaml_of(spec):
    """The spec as a person writes it, to have both forms read."""
    lines = ["# a job", "version: 1", f"id: {spec['id']}", "project: shop", "source:",
             f"  repository: {spec['source']['repository']}", "build:", "  builder: commands", "  commands:",
             "    - mkdir dist", "    - echo x >dist/index.html", "  output: dist", "artifacts:",
             f"  - to: {spec['artifacts'][0]['to']}", "    s3:", "      endpoint: http://s3.test:9000",
             "      region: eu-central-1", "      path_style: true", f"result: {spec['result']}", ""]
    return "\n".join(lines)


def simple(bed):
    return bed.commands("mkdir dist", "echo x >dist/index.html")


def test_yaml_text(bed):
    spec = simple(bed)
    ended = bed.run(yaml_of(spec))
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_from_s3(bed):
    spec = simple(bed)
    bed.storage.put(JOBS_BUCKET, f"specs/{spec['id']}.yaml", yaml_of(spec).encode())
    ended = bed.run(f"s3://{JOBS_BUCKET}/specs/{spec['id']}.yaml")
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_from_https(bed):
    spec = simple(bed)
    bed.world.documents.documents["/job.json"] = json.dumps(spec).encode()
    ended = bed.run("https://spec.test/job.json?signature=s3cretOfThePresignedUrl", environment=CA)
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}
    assert "s3cretOfThePresignedUrl" not in ended.text


def test_not_found(bed):
    for where in (f"s3://{JOBS_BUCKET}/specs/none.yaml", "https://spec.test/none.yaml"):
        ended = bed.run(where, environment=CA)
        assert ended.code == 11, ended
    ended = bed.run(None)
    assert ended.code == 11, ended
    assert "CAISSON_JOB" in ended.text


def test_plain_http_is_refused(bed):
    ended = bed.run("http://trap.test/job.yaml")
    assert ended.code == 11, ended
    assert bed.world.trap.visitors == []
