"""A secret of the job in every place that could show it: none of what leaves the runner holds it."""

import gzip
import json
import os

import pytest

from bed.world import BUCKET, JOBS_BUCKET, storage_options

SECRET = "s3cr3t/of+the=job"
BUILDS = ("mkdir -p dist", "echo x >dist/index.html")
WITH_SECRET = {"NPM_TOKEN": {"env": "TASK_NPM_TOKEN"}}


def run(bed, spec, **options):
    """Runs it with the secret known to the job, and looks at all that came out."""
    spec.setdefault("secrets", WITH_SECRET)
    spec["log"] = f"s3://{JOBS_BUCKET}/{spec['id']}/redaction.log.gz"
    environment = {"TASK_NPM_TOKEN": SECRET, **options.pop("environment", {})}
    ended = bed.run(spec, environment=environment, **options)
    log = gzip.decompress(bed.storage.get(JOBS_BUCKET, f"{spec['id']}/redaction.log.gz")).decode()
    assert ended.result is not None, ended
    for place, text in (("output", ended.text), ("result", json.dumps(ended.result)), ("log", log)):
        assert SECRET not in text and json.dumps(SECRET)[1:-1] not in text, (place, ended)
    return ended


def test_message_of_a_repository(bed):
    spec = bed.commands(*BUILDS)
    spec["source"]["repository"] = f"http://git.test/open/{SECRET}.git"
    ended = run(bed, spec)
    assert ended.code in (20, 21, 22) and "***" in ended.result["message"] + ended.text, ended


def test_branch(bed):
    spec = bed.commands(*BUILDS)
    spec["source"]["ref"] = SECRET.replace("=", "-")
    # a name that git allows, the secret for this once
    ended = bed.run({**spec, "secrets": WITH_SECRET}, environment={"TASK_NPM_TOKEN": SECRET.replace("=", "-")})
    assert ended.code == 22, ended
    assert SECRET.replace("=", "-") not in ended.text + json.dumps(ended.result), ended
    assert "***" in ended.result["message"], ended


def test_command_line_of_a_step(bed):
    ended = run(bed, bed.commands(*BUILDS, f"echo '{SECRET}' | rev", f"exit '{SECRET}'"))
    assert ended.code == 31, ended


def test_name_of_an_npm_script(bed):
    script = f"show:{SECRET}"
    files = {"package.json": json.dumps({"name": "x", "version": "1.0.0", "scripts": {script: "exit 3"}})}
    ended = run(bed, bed.commands(f"npm run '{script}'", files=files))
    assert ended.code == 31 and "show:***" in ended.text, ended


@pytest.mark.parametrize("name, code", [("link", 42), ("file", 42), ("folder", 32)])
def test_file_name_in_an_error(bed, name, code):
    flat = SECRET.replace("/", "-")
    make = {"link": f"ln -s /etc/passwd 'dist/{flat}'", "file": f"echo x >'dist/{flat}'",
            "folder": f"mv dist '{flat}'"}[name]
    spec = bed.commands(*BUILDS, make, secrets=WITH_SECRET)
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": flat})
    assert ended.code == code, ended
    assert flat not in ended.text + json.dumps(ended.result), ended
    assert bed.published(spec) == {}


def test_url_of_an_artifact_and_labels(bed):
    flat = "s3cr3t-of-the-job"
    spec = bed.commands(*BUILDS, secrets=WITH_SECRET, labels={"serviceId": flat})
    spec["artifacts"] = [{"to": f"s3://{BUCKET}/{flat}/", "s3": storage_options()}]
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": flat})
    assert ended.code == 0, ended
    assert flat not in ended.text + json.dumps(ended.result), ended
    assert ended.result["artifacts"][0]["url"] == f"s3://{BUCKET}/***/"
    assert ended.result["labels"] == {"serviceId": "***"}
    assert bed.storage.tree(BUCKET, f"{flat}/") == {"index.html": b"x\n"}


def test_warning(bed):
    """The publisher warns of a file that is not what its name says; the name is seen, the secret in it is not."""
    flat = "s3cr3t-of-the-job"
    public = {"NPM_TOKEN": {"env": "TASK_NPM_TOKEN", "public": True}, "OTHER": {"env": "TASK_OTHER"}}
    spec = bed.commands(*BUILDS, f"echo no brotli >dist/{flat}.br", secrets=public)
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": flat, "TASK_OTHER": "0ther-secret-of-it"})
    assert ended.code == 0, ended
    assert any("***.br is not the compressed file" in text for text in ended.result["warnings"]), ended
    assert flat not in ended.text + json.dumps(ended.result), ended


SPLIT = r"""node -e '
const s = process.env.NPM_TOKEN;
const wait = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
for (let i = 0; i <= s.length; i++) {
  require("fs").writeSync(1, "<" + s.slice(0, i)); wait();
  require("fs").writeSync(1, s.slice(i) + ">\n"); wait();
}'"""


def test_output_split_at_every_byte(bed):
    ended = run(bed, bed.commands(SPLIT, *BUILDS))
    assert ended.code == 0, ended
    assert ended.text.count("<***>") == len(SECRET) + 1, ended


SHAPES = {
    "base64": "base64", "two bytes before": "(printf ab; cat) | base64", "hex": "od -An -v -tx1 | tr -d ' \\n'",
    "percent": "node -e 'process.stdin.on(\"data\", d => console.log(encodeURIComponent(d)))'",
    "json": "node -e 'process.stdin.on(\"data\", d => console.log(JSON.stringify({d: String(d)})))'",
    "bash": "bash -c 'printf %q \"$(cat)\"'", "reversed": "rev",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(bed, shape):
    value = "p@ss 'w\"rd\\of $it/all"
    spec = bed.commands(f"printf %s \"$NPM_TOKEN\" | {SHAPES[shape]}; echo", *BUILDS, secrets=WITH_SECRET)
    ended = bed.run(spec, environment={"TASK_NPM_TOKEN": value})
    assert ended.code == 0, ended
    # what it cannot know: docs/security.md
    assert ("***" in ended.text) == (shape != "reversed"), ended


# -- the output

@pytest.mark.parametrize("how", ["plain", "base64", "gzip", "brotli"])
def test_output_with_a_secret_is_refused_by_name(bed, how):
    write = {
        "plain": "printf \"token='%s'\" \"$NPM_TOKEN\" >dist/app.js",
        "base64": "printf %s \"$NPM_TOKEN\" | base64 >dist/app.js",
        "gzip": "echo >dist/app.js; printf %s \"$NPM_TOKEN\" | gzip >dist/app.js.gz",
        "brotli": "node -e 'require(\"fs\").writeFileSync(\"dist/app.js.br\","
                  "require(\"zlib\").brotliCompressSync(process.env.NPM_TOKEN))'",
    }[how]
    spec = bed.commands(*BUILDS, write)
    ended = run(bed, spec)
    assert ended.code == 42 and ended.result["reason"] == "secret-in-output", ended
    assert "NPM_TOKEN" in ended.result["message"] and "app.js" in ended.result["message"], ended
    assert bed.published(spec) == {}


def test_public_secret_may_be_published(bed):
    spec = bed.commands(*BUILDS, "printf %s \"$VITE_KEY\" >dist/app.js",
                        secrets={"VITE_KEY": {"env": "TASK_KEY", "public": True}})
    ended = bed.run(spec, environment={"TASK_KEY": "pk_live_0123456789"})
    assert ended.code == 0, ended
    assert bed.published(spec)["app.js"] == b"pk_live_0123456789"


def test_credentials_of_the_task(bed):
    """However a build came by them: neither printed nor published."""
    keys = bed.gate.issue()
    spec = bed.commands(*BUILDS, f"echo '{keys.secret}' | tee dist/leak.txt")
    ended = bed.run(spec, issue=lambda: keys)
    assert ended.code == 42 and "AWS credentials" in ended.result["message"], ended
    assert keys.secret not in ended.text + json.dumps(ended.result), ended
    assert "| ***" in ended.text, ended
    assert bed.published(spec) == {}
